"""Report installed packages without a pin, pins without a hash, and missing requirements."""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

OURS = {"patang", "pip"}
"""The project itself, and what came with the environment."""


def plain(name: str) -> str:
    """Return a name as every index knows it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def complaints(pins: str, installed: dict[str, str]) -> list[str]:
    """Return what is wrong with the pins, or with what is installed beside them."""
    blocks = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", pins, flags=re.MULTILINE).strip())
    known = {}
    found = []
    for block in blocks:
        head = re.match(r"([\w.-]+)==([\w.!+]+)", block)
        if head is None or not re.fullmatch(
            r"[\w.-]+==[\w.!+]+( \\\n +--hash=sha256:[0-9a-f]{64})+", block
        ):
            found.append(f"no pin with hashes: {block.splitlines()[0] if block else 'nothing'}")
        if head is not None:
            known[plain(head[1])] = head[2]
    for name, version in sorted(installed.items()):
        if name not in OURS and known.get(name) != version:
            found.append(
                f"installed without a pin: {name}=={version} (pinned: {known.get(name, 'nothing')})"
            )
    return found


def main() -> int:
    """Look at this environment; return 1 where something is not pinned."""
    installed = {plain(each.name): each.version for each in distributions()}
    found = complaints(Path("constraints.txt").read_text(encoding="ascii"), installed)
    sys.stderr.write("".join(f"constraints.txt: {line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
