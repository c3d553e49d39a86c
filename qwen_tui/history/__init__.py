"""Every conversation, kept in one SQLite database."""
