"""The command line: one file per command group, which parses, wires, and maps errors to exit codes."""
