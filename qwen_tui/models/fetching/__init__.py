"""Fetching a model file from the network: several sources fill one partial file, which is verified, then renamed."""
