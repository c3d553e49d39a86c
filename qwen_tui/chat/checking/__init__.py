"""Holds an answer against its material: its citations, its quotations, and how much was read."""
