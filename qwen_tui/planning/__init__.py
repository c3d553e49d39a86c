"""How a model is loaded on this PC: settings, model, machine and what was measured come to ways, the best first."""
