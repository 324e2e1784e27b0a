"""A question that is answered at the terminal with yes or no."""

import sys


def is_confirmed(question: str) -> bool:
    """Ask a question on stderr and return whether the answer is a yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    # anything but a yes is a no, the end of the input too
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
