"""Decides how a model is loaded on this PC, from the settings, the model, the machine and what was measured."""
