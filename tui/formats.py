"""Values drawn with characters: a thin line, a bar, fields in columns."""

from collections.abc import Mapping
from typing import Final

from engine.texts import plain_text

_DOTS: Final = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Bits of a braille character, left and right column, from the bottom up."""


def sparkline(values: tuple[float, ...], width: int) -> str:
    """Draw the last 2 · `width` values as a thin line between their extremes, to the right.

    Two values share a cell.
    """
    shown = values[-2 * width :]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    # four dots in a cell, and the highest value must not fall on a fifth
    scale = 3.999 / (high - low) if high > low else 0.0
    levels = [int((x - low) * scale) if scale else 1 for x in shown]
    cells = [0] * ((len(levels) + 1) // 2)
    before = levels[0]
    for i, level in enumerate(levels, len(levels) % 2):
        # the dots between two values as well: without them a steep line falls apart
        for each in range(min(level, before + 1), max(level, before - 1) + 1):
            cells[i // 2] |= _DOTS[i % 2][each]
        before = level
    return "".join([chr(0x2800 + bits) for bits in cells])


def meter_bar(share: float, width: int) -> str:
    """Draw a bar of `width` cells filled to `share` (0.0 … 1.0), in half cells, on dots."""
    full, half = divmod(round(max(0.0, min(share, 1.0)) * width * 2), 2)
    return ("━" * full + "╸" * half).ljust(width, "┈")


def aligned_fields(fields: Mapping[str, object]) -> str:
    """Return fields as lines for a reader.

    Names and values in columns, a list or a table in one line.
    """
    width = max(map(len, fields))
    return "".join(
        f"{name:<{width}}  {plain_text(_value_text(value))}\n" for name, value in fields.items()
    )


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        # an empty table has nothing to tell in a line
        parts = ((key, each) for key, each in value.items() if each != {})
        return ", ".join(
            f"{key} ({_value_text(each)})" if isinstance(each, dict) else f"{key} {each}"
            for key, each in parts
        )
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "none" if value is None else str(value) or "none"
