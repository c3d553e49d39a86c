"""Model files: which there are, what is in them, fetching and checking them."""
