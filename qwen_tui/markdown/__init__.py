"""The Markdown that the program understands: one dialect for the screen, for exports, and for finding code."""
