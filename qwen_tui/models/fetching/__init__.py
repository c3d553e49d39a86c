"""A model file fetched from the network: several sources, one partial file, and no name before its hash is right."""
