"""Messages in, events out: a worker process around llama.cpp, behind one protocol."""
