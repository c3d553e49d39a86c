"""`python -m qwen_tui` is the command `qwen`."""

import sys

from qwen_tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
