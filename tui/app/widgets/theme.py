"""Colours by meaning: three themes with other ups and downs, and the tones of them."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

# The greys are all but colourless on purpose: a terminal with 256 colours then maps them to its
# grey ramp and the panes stay apart; with more blue in them they would all become black.
_BASE: Final = {
    "ink": "#cdd5dd",
    "ink-strong": "#f3f6f9",
    "ink-dim": "#a4aeb9",
    "ink-faint": "#8d96a1",
    "notice": "#e3b341",
    "danger": "#ff7eb6",
    "buy": "#79b8ff",
    "sell": "#d2a8ff",
    "cursor": "#1c2738",
    "flash": "#2b3850",
    "title": "#9ba9bb",
    "title-focus": "#79b8ff",
    "mode-sandbox": "#0f766e",
    "mode-replay": "#1d4ed8",
    "mode-dry-run": "#4b5563",
    "mode-paper": "#6d28d9",
    "mode-shadow": "#9a3412",
    "mode-live": "#c81e1e",
    "kill": "#ffb000",
    "kill-flatten": "#ff5ca8",
    "block-cursor-background": "#1c2738",
    "block-cursor-foreground": "#f3f6f9",
    "button-focus-text-style": "bold",
    "input-selection-background": "#2b4a7a",
    "scrollbar": "#5f6975",
    "scrollbar-hover": "#76818e",
    "scrollbar-active": "#8d96a1",
    "scrollbar-background": "#131417",
    "scrollbar-background-hover": "#131417",
    "scrollbar-background-active": "#131417",
}
"""Inks stand at 4.5 to 1 or more on every ground they are painted on, in every theme."""

DIRECTIONS: Final = {
    "green-up": ("#3fb950", "#ff7b72"),
    "red-up": ("#ff7b72", "#3fb950"),
    "colour-blind": ("#58a6ff", "#f0883e"),
}
"""The names of the choices, each with the colour of up and of down."""

HEAT_LEVELS: Final = 4
HEAT_STEP: Final = 0.13
"""Share of the sign's colour that each level of a map adds to its ground."""

_SIGNED: Final = frozenset({"up", "down"})
_BOLD: Final = frozenset({"strong", "danger", "focus"})


def _make_theme(name: str, up: str, down: str) -> Theme:
    return Theme(
        name=name,
        primary="#79b8ff",
        secondary="#9ba9bb",
        accent="#79b8ff",
        warning="#e3b341",
        error="#ff7eb6",
        success=up,
        foreground="#cdd5dd",
        background="#0c0d0f",
        surface="#131417",
        panel="#1d1f23",
        dark=True,
        variables={**_BASE, "up": up, "down": down},
    )


THEMES: Final = tuple(_make_theme(name, up, down) for name, (up, down) in DIRECTIONS.items())


class ToneStyles:
    """The styles of tones (ink) on backdrops for one theme, made once each.

    Tones: "", strong, dim, faint, up, down, buy, sell, notice, danger, title, focus. Backdrops: "",
    cursor, flash, flash-up, flash-down, each also with "-fading", and heat-up-1 to heat-up-4,
    heat-down-1 to heat-down-4 of a map, whose ink is strong whatever the tone. `ink` is a tone
    without a backdrop. A flash never takes the ink of a gain or a loss: it makes it bold.
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
            "buy": variables["buy"],
            "sell": variables["sell"],
            "notice": variables["notice"],
            "danger": variables["danger"],
            "title": variables["title"],
            "focus": variables["title-focus"],
        }
        self._backs = {"": surface.hex, "cursor": variables["cursor"]}
        for name, colour in (("flash", "flash"), ("flash-up", "up"), ("flash-down", "down")):
            flash = Color.parse(variables[colour])
            # the neutral flash is dark itself; ups and downs are bright, and little of them is seen
            strength = 0.8 if name == "flash" else 0.2
            self._backs[name] = surface.blend(flash, strength).hex
            self._backs[name + "-fading"] = surface.blend(flash, strength * 0.4).hex
        for way in ("up", "down"):
            for level in range(1, HEAT_LEVELS + 1):
                heat = surface.blend(Color.parse(variables[way]), HEAT_STEP * level)
                self._backs[f"heat-{way}-{level}"] = heat.hex
        self._styles: dict[tuple[str, str], Style] = {}
        self._heats = {
            sign * level: Style(
                color=variables["ink-strong" if level else "ink-dim"],
                bgcolor=surface.blend(Color.parse(variables[name]), strength).hex,
            )
            for sign, name in ((1, "up"), (-1, "down"))
            # no stronger: the ink on it has to be read
            for level, strength in enumerate((0.0, 0.1, 0.2, 0.3, 0.42))
        }

    @property
    def tones(self) -> Sequence[str]:
        """Every tone there is."""
        return tuple(self._inks)

    @property
    def backdrops(self) -> Sequence[str]:
        """Every backdrop there is."""
        return tuple(self._backs)

    def heat(self, level: int) -> Style:
        """Return the style of a tile: -4 for the strongest fall to 4 for the strongest rise."""
        return self._heats[level]

    def ink(self, tone: str) -> Style:
        """Return the style of a tone on whatever is behind it."""
        return Style(color=self._inks[tone], bold=tone in _BOLD)

    def style(self, tone: str, backdrop: str = "") -> Style:
        """Return the style of a tone on a backdrop."""
        style = self._styles.get((tone, backdrop))
        if style is None:
            # while it fades the ink is that of every other cell again
            bright = backdrop.startswith("flash") and not backdrop.endswith("ing")
            strong = (bright and tone not in _SIGNED) or backdrop.startswith("heat")
            ink = self._inks["strong" if strong else tone]
            style = Style(
                color=ink,
                bgcolor=self._backs[backdrop],
                bold=tone in _BOLD or (bright and tone in _SIGNED),
            )
            self._styles[tone, backdrop] = style
        return style
