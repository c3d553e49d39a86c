"""JSON schemas that an answer must follow: read, put in the words of the engine, and checked when it has come."""
