"""Turns files from outside into text: recognises their kind and their encoding."""
