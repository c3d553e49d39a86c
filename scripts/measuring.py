"""What the measuring scripts share beside `qwen_tui.evaluation.measuring`."""

import sys


def tell(text: str) -> None:
    """Print progress where it disturbs no result."""
    print(text, file=sys.stderr, flush=True)
