"""Conversations, without knowledge of the terminal or of llama.cpp."""
