"""Colours by meaning: three themes that differ in what up and down look like, and the tones painted with them."""

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

# The greys are all but colourless on purpose: a terminal with 256 colours then maps them to its grey ramp and the panes
# stay apart; with more blue in them they would all become black.
_BASE: Final = {
    "ink": "#c9d1d9",
    "ink-strong": "#f0f4f8",
    "ink-dim": "#7d8793",
    "ink-faint": "#4a535e",
    "notice": "#e3b341",
    "danger": "#ff6b6b",
    "cursor": "#22304a",
    "flash": "#3b4a63",
    "title": "#8b98a9",
    "title-focus": "#79b8ff",
    "mode-sandbox": "#0f766e",
    "mode-replay": "#1d4ed8",
    "mode-dry-run": "#4b5563",
    "mode-paper": "#6d28d9",
    "mode-shadow": "#9a3412",
    "mode-live": "#c81e1e",
    "kill": "#ffb000",
    "kill-flatten": "#ff2e88",
    "block-cursor-background": "#22304a",
    "block-cursor-foreground": "#f0f4f8",
    "button-focus-text-style": "bold",
    "input-selection-background": "#2b4a7a",
    "scrollbar": "#2c3036",
    "scrollbar-hover": "#3d4855",
    "scrollbar-active": "#4f5c6c",
    "scrollbar-background": "#131417",
    "scrollbar-background-hover": "#131417",
    "scrollbar-background-active": "#131417",
}

DIRECTIONS: Final = {
    "green-up": ("#3fb950", "#f85149"),
    "red-up": ("#f85149", "#3fb950"),
    "colour-blind": ("#58a6ff", "#f0883e"),
}
"""The names of the choices, each with the colour of up and of down."""

_BOLD: Final = frozenset({"strong", "danger", "focus"})


def _theme(name: str, up: str, down: str) -> Theme:
    return Theme(
        name=name,
        primary="#79b8ff",
        secondary="#8b98a9",
        accent="#79b8ff",
        warning="#e3b341",
        error="#ff6b6b",
        success=up,
        foreground="#c9d1d9",
        background="#0c0d0f",
        surface="#131417",
        panel="#1d1f23",
        dark=True,
        variables={**_BASE, "up": up, "down": down},
    )


THEMES: Final = tuple(_theme(name, up, down) for name, (up, down) in DIRECTIONS.items())


class Tones:
    """The styles behind the tones a cell may have, for one theme: tone (ink) on backdrop, made once each.

    Tones: "", strong, dim, faint, up, down, up-soft, down-soft, notice, danger, title, focus. Backdrops: "", cursor, and
    flash, flash-up, flash-down, each also with "-fading". `ink` is a tone without a backdrop.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        surface = Color.parse(variables["surface"])
        self._inks = {
            "": variables["ink"],
            "strong": variables["ink-strong"],
            "dim": variables["ink-dim"],
            "faint": variables["ink-faint"],
            "up": variables["up"],
            "down": variables["down"],
            "notice": variables["notice"],
            "danger": variables["danger"],
            "up-soft": surface.blend(Color.parse(variables["up"]), 0.5).hex,
            "down-soft": surface.blend(Color.parse(variables["down"]), 0.5).hex,
            "title": variables["title"],
            "focus": variables["title-focus"],
        }
        self._backs = {"": surface.hex, "cursor": variables["cursor"]}
        for name, colour in (("flash", "flash"), ("flash-up", "up"), ("flash-down", "down")):
            flash = Color.parse(variables[colour])
            strength = 1.0 if name == "flash" else 0.32
            self._backs[name] = surface.blend(flash, strength).hex
            self._backs[name + "-fading"] = surface.blend(flash, strength * 0.4).hex
        self._styles: dict[tuple[str, str], Style] = {}

    def ink(self, tone: str) -> Style:
        """Return the style of a tone on whatever is behind it."""
        return Style(color=self._inks[tone], bold=tone in _BOLD)

    def style(self, tone: str, backdrop: str = "") -> Style:
        """Return the style of a tone on a backdrop."""
        style = self._styles.get((tone, backdrop))
        if style is None:
            back = self._backs.get(backdrop)
            ink = self._inks["strong"] if backdrop.startswith("flash") and not backdrop.endswith("ing") else None
            style = Style(color=ink or self._inks[tone], bgcolor=back, bold=tone in _BOLD)
            self._styles[tone, backdrop] = style
        return style
