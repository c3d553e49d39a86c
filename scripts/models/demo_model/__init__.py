"""What the demonstration model is trained on and made of."""
