"""What is learned by running the program: which settings are best here, and how fast it is."""
