"""The modes of a desk."""

from typing import Final, Literal, get_args

Mode = Literal["sandbox", "replay", "dry-run", "paper", "shadow", "live"]
MODES: Final[tuple[str, ...]] = get_args(Mode)
