"""What a conversation does, free of terminal and llama.cpp."""
