"""Files from outside as text: what kind they are, and which encoding they are in."""
