"""Imports model files that are already on this computer or on a stick, and writes and reads packs of them."""
