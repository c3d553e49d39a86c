"""What is checked in an answer, without anybody's opinion: one small function each."""
