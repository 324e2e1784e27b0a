"""Colours by meaning: themes, what up and down look like in each, and the tones made of both."""

import os
from collections.abc import Mapping, Sequence
from typing import Final

from rich.color import Color as RichColour
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

_ALL: Final = {
    "button-focus-text-style": "bold",
    "mode-ink": "#ffffff",
    "kill-ink": "#000000",
    "kill": "#ffb000",
    "kill-flatten": "#ff5ca8",
    "mode-sandbox": "#0f766e",
    "mode-replay": "#1d4ed8",
    "mode-dry-run": "#4b5563",
    "mode-paper": "#6d28d9",
    "mode-shadow": "#9a3412",
    "mode-live": "#c81e1e",
}
"""What is the same everywhere: the bands are blocks of colour, on any ground."""

# The greys are all but colourless on purpose: a terminal with 256 colours then maps them to its
# grey ramp and the panes stay apart; with more blue in them they would all become black.
_DARK: Final = {
    "background": "#0c0d0f",
    "surface": "#131417",
    "panel": "#1d1f23",
    "ink": "#cdd5dd",
    "ink-strong": "#f3f6f9",
    "ink-dim": "#a4aeb9",
    "ink-faint": "#8d96a1",
    "notice": "#e3b341",
    "danger": "#ff7eb6",
    "buy": "#79b8ff",
    "sell": "#d2a8ff",
    "title": "#9ba9bb",
    "title-focus": "#79b8ff",
    "cursor": "#1c2738",
    "flash": "#2b3850",
    "selection": "#2b4a7a",
    "scrollbar": "#626c79",
    "green": "#3fb950",
    "red": "#ff7b72",
    "blue": "#58a6ff",
    "orange": "#f0883e",
}
"""The variables that a theme has to give; the last four are what up and down are made of."""

_LIGHT: Final = {
    "background": "#f3f3f4",
    "surface": "#fdfdfd",
    "panel": "#e6e7e9",
    "ink": "#2a2f35",
    "ink-strong": "#0b0d10",
    "ink-dim": "#454b53",
    "ink-faint": "#565d66",
    "notice": "#6b5300",
    "danger": "#a80f62",
    "buy": "#0a4fa6",
    "sell": "#6a32b0",
    "title": "#46505e",
    "title-focus": "#0a4fa6",
    "cursor": "#d5e3f6",
    "flash": "#c9d8ee",
    "selection": "#b3cdf0",
    "scrollbar": "#7c828a",
    "green": "#0f6327",
    "red": "#b3201a",
    "blue": "#0b55ad",
    "orange": "#9c3d00",
}

_CONTRAST: Final = {
    "background": "#000000",
    "surface": "#000000",
    "panel": "#1b1b1b",
    "ink": "#ffffff",
    "ink-strong": "#ffffff",
    "ink-dim": "#ececec",
    "ink-faint": "#d6d6d6",
    "notice": "#ffe14d",
    "danger": "#ffa8d4",
    "buy": "#a8d4ff",
    "sell": "#e2c8ff",
    "title": "#dfe6ee",
    "title-focus": "#a8d4ff",
    "cursor": "#0b2f5c",
    "flash": "#1d3a5f",
    "selection": "#0b4a94",
    "scrollbar": "#a0a0a0",
    "green": "#5bf070",
    "red": "#ffb0aa",
    "blue": "#8fcbff",
    "orange": "#ffb066",
}
"""Seven to one or more everywhere (WCAG AAA)."""

# After Okabe and Ito (2008): bluish green and vermilion are told apart by everybody, and so are
# sky blue and orange; lighter than theirs, for a dark ground.
_COLOUR_BLIND: Final = _DARK | {
    "notice": "#f0e442",
    "danger": "#ffbfe0",
    "buy": "#9cc9ea",
    "sell": "#cdbdf2",
    "green": "#35d0a5",
    "red": "#fb8049",
    "blue": "#56b4e9",
    "orange": "#e69f00",
}

# A design of its own: one black ground, few inks, and what others say by grounds said by
# attributes. The dark blue, red and grey of such terminals cannot be read on black: they are left
# out, and a cursor is reverse video.
_SIXTEEN: Final = {
    "background": "ansi_black",
    "surface": "ansi_black",
    "panel": "ansi_black",
    "ink": "ansi_white",
    "ink-strong": "ansi_bright_white",
    "ink-dim": "ansi_white",
    "ink-faint": "ansi_white",
    "notice": "ansi_bright_yellow",
    "danger": "ansi_bright_magenta",
    "buy": "ansi_white",
    "sell": "ansi_bright_white",
    "title": "ansi_white",
    "title-focus": "ansi_bright_white",
    "cursor": "ansi_white",
    "flash": "ansi_black",
    "selection": "ansi_cyan",
    "scrollbar": "ansi_white",
    "green": "ansi_bright_green",
    "red": "ansi_bright_red",
    "blue": "ansi_bright_cyan",
    "orange": "ansi_bright_red",
    "mode-ink": "ansi_bright_white",
    "kill-ink": "ansi_black",
    "kill": "ansi_bright_yellow",
    "kill-flatten": "ansi_bright_magenta",
    # In three steps: nothing is real, the prices are, the orders are.
    "mode-sandbox": "ansi_blue",
    "mode-replay": "ansi_blue",
    "mode-dry-run": "ansi_magenta",
    "mode-paper": "ansi_magenta",
    "mode-shadow": "ansi_red",
    "mode-live": "ansi_red",
}

THEMES: Final = {
    "dark": _DARK,
    "light": _LIGHT,
    "high-contrast": _CONTRAST,
    "colour-blind": _COLOUR_BLIND,
    "ansi-16": _SIXTEEN,
}
"""Inks stand at 4.5 to 1 or more on every ground they are painted on, in every theme."""

DIRECTIONS: Final = {
    "green-up": ("green", "red"),
    "red-up": ("red", "green"),
    "blue-up": ("blue", "orange"),
}
"""The names of the choices, each with what up and what down is made of."""

HEAT_LEVELS: Final = 4
HEAT_STEP: Final = 0.13
"""Share of the sign's colour that each level of a map adds to its ground."""

DENSITIES: Final = ("comfortable", "compact")
"""How close things stand: compact has one line of header and no empty ones."""

_LIGHT_GROUNDS: Final = frozenset({"7", "15"})
_HOT: Final = frozenset({"3", "4"})
_SIGNED: Final = frozenset({"up", "down"})
_BOLD: Final = frozenset({"strong", "danger", "focus"})


def make_theme(name: str, direction: str) -> Theme:
    """Return a theme of `THEMES` with a direction of `DIRECTIONS`."""
    given = _ALL | THEMES[name]
    up, down = (given[colour] for colour in DIRECTIONS[direction])
    ground = given["surface"]
    return Theme(
        name=f"{name} {direction}",
        primary=given["title-focus"],
        secondary=given["title"],
        accent=given["title-focus"],
        warning=given["notice"],
        error=given["danger"],
        success=up,
        foreground=given["ink"],
        background=given["background"],
        surface=ground,
        panel=given["panel"],
        dark=name != "light",
        variables=given
        | {
            "up": up,
            "down": down,
            "block-cursor-background": given["cursor"],
            "block-cursor-foreground": given["ink-strong"],
            "input-selection-background": given["selection"],
            "input-cursor-background": given["ink-strong"],
            "input-cursor-foreground": given["background"],
            "scrollbar-hover": given["ink-faint"],
            "scrollbar-active": given["ink-dim"],
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
        },
    )


def fitting_theme(colours: str | None) -> str:
    """Return the theme for a terminal by what it says of itself.

    `colours` is Rich's name of its colours ("truecolor", "256", "standard"); a light ground is
    known from `COLORFGBG`, where the terminal sets it.
    """
    if colours not in {"truecolor", "256"}:
        return "ansi-16"
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if ground in _LIGHT_GROUNDS else "dark"


class ToneStyles:
    """The styles of tones (ink) on backdrops for one theme, made once each.

    Tones: "", strong, dim, faint, up, down, buy, sell, notice, danger, title, focus. Backdrops: "",
    cursor, flash, flash-up, flash-down, each also with "-fading", and heat-up-1 to heat-up-4,
    heat-down-1 to heat-down-4 of a map, whose ink is strong whatever the tone. `ink` is a tone
    without a backdrop. A flash never takes the ink of a gain or a loss: it makes it bold. With
    sixteen colours a cursor is reverse video, a flash is bold, and flash and heat take the ink of
    their way.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        surface = Color.parse(variables["surface"])
        self._sixteen = surface.ansi is not None
        self._inks = {
            tone: Color.parse(variables[name]).rich_color
            for tone, name in (
                ("", "ink"),
                ("strong", "ink-strong"),
                ("dim", "ink-dim"),
                ("faint", "ink-faint"),
                ("up", "up"),
                ("down", "down"),
                ("buy", "buy"),
                ("sell", "sell"),
                ("notice", "notice"),
                ("danger", "danger"),
                ("title", "title"),
                ("focus", "title-focus"),
            )
        }
        self._backs: dict[str, RichColour] = {
            "": surface.rich_color,
            "cursor": Color.parse(variables["cursor"]).rich_color,
        }
        for name, colour in (("flash", "flash"), ("flash-up", "up"), ("flash-down", "down")):
            flash = Color.parse(variables[colour])
            # the neutral flash is near the ground itself; of ups and downs little has to be seen
            strength = 0.8 if name == "flash" else 0.2
            for suffix, part in (("", strength), ("-fading", strength * 0.4)):
                self._backs[name + suffix] = self._blended_ground(surface, flash, part)
        for way in ("up", "down"):
            for level in range(1, HEAT_LEVELS + 1):
                self._backs[f"heat-{way}-{level}"] = self._blended_ground(
                    surface, Color.parse(variables[way]), HEAT_STEP * level
                )
        self._styles: dict[tuple[str, str], Style] = {}

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
        if not level:
            return self.style("dim")
        return self.style("", f"heat-{'up' if level > 0 else 'down'}-{abs(level)}")

    def ink(self, tone: str) -> Style:
        """Return the style of a tone on whatever is behind it."""
        return Style(color=self._inks[tone], bold=tone in _BOLD)

    def style(self, tone: str, backdrop: str = "") -> Style:
        """Return the style of a tone on a backdrop."""
        style = self._styles.get((tone, backdrop))
        if style is None:
            make = self._sixteen_style if self._sixteen else self._coloured_style
            style = self._styles[tone, backdrop] = make(tone, backdrop)
        return style

    def _blended_ground(self, ground: Color, colour: Color, part: float) -> RichColour:
        # sixteen colours cannot be mixed
        return (ground if self._sixteen else ground.blend(colour, part)).rich_color

    def _coloured_style(self, tone: str, backdrop: str) -> Style:
        # while it fades the ink is that of every other cell again
        bright = backdrop.startswith("flash") and not backdrop.endswith("ing")
        strong = (bright and tone not in _SIGNED) or backdrop.startswith("heat")
        return Style(
            color=self._inks["strong" if strong else tone],
            bgcolor=self._backs[backdrop],
            bold=tone in _BOLD or (bright and tone in _SIGNED),
        )

    def _sixteen_style(self, tone: str, backdrop: str) -> Style:
        if backdrop == "cursor":
            # one ink for all of it: no two of sixteen colours can be relied on to be read together
            return Style(
                color=self._inks[""], bgcolor=self._backs[""], bold=tone in _BOLD, reverse=True
            )
        kind, way, stage = (*backdrop.split("-"), "", "")[:3]
        by_way = way in _SIGNED and (kind == "heat" or tone not in _SIGNED)
        return Style(
            color=self._inks[way if by_way else tone],
            bgcolor=self._backs[""],
            bold=tone in _BOLD
            or stage in _HOT
            or (kind == "flash" and not backdrop.endswith("ing")),
        )
