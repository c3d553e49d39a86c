"""All conversations, in one SQLite database."""
