"""The looks of the screen: theme, what up and down look like, density; remembered when chosen."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tui.app.screen_memory import ScreenMemory
from tui.app.widgets.theme import DENSITIES, DIRECTIONS, THEMES, fitting_theme

_AUTO: Final = "auto"

LOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "theme": (_AUTO, *THEMES),
    "direction": tuple(DIRECTIONS),
    "density": DENSITIES,
}
"""What can be chosen, each with its choices; the names are those of `[ui]`."""


class ScreenLooks(NamedTuple):
    """One choice of each."""

    theme: str = _AUTO
    direction: str = "green-up"
    density: str = DENSITIES[0]

    def shown_theme(self, colours: str | None) -> str:
        """Return the theme of `THEMES`; `colours` is Rich's name of the terminal's."""
        return fitting_theme(colours) if self.theme == _AUTO else self.theme


DARK: Final = ScreenLooks("dark")
"""The looks on any terminal, whatever it says of itself."""


def recalled_looks(memory: ScreenMemory, configured: ScreenLooks) -> ScreenLooks:
    """Return what was chosen on the screen, where the configuration has not changed since."""
    # a choice made against other words of the configuration is older than they are
    kept = memory.recall("looks", {})
    return ScreenLooks(
        *(
            kept[name][0] if kept.get(name) in [[choice, own] for choice in LOOKS[name]] else own
            for name, own in configured._asdict().items()
        )
    )


def remember_looks(memory: ScreenMemory, looks: ScreenLooks, configured: ScreenLooks) -> None:
    """Remember a choice beside what the configuration said then: a later edit of that wins."""
    own = configured._asdict()
    memory.remember(
        "looks", {name: [choice, own[name]] for name, choice in looks._asdict().items()}
    )
