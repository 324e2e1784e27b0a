"""The watch lists as the screen has them: which is shown, how it is grouped, what it lacks."""

from collections.abc import Callable
from typing import Final

from engine.config.watch_lists import EVERYTHING, NamedWatchList, WatchLists

GROUPS: Final = ("", "segment", "position", "strategy")
"""What the rows may be put together by, "" for nothing."""
Change = Callable[[WatchLists], WatchLists]


class WatchBook:
    """Lists, and the choice of the moment; `version` counts whatever changes what is seen."""

    def __init__(self) -> None:
        self.lists = WatchLists()
        self.name = EVERYTHING
        """The list that is shown; `EVERYTHING` is all that is under watch."""
        self.group = ""
        self.has_tiles = False
        """Whether it is seen as a heat map."""
        self.faults: dict[str, str] = {}
        """Why a symbol of a list cannot be had."""
        self.version = 0

    @property
    def current(self) -> NamedWatchList | None:
        """The list that is shown, None for all that is under watch."""
        return self.lists.find(self.name)

    @property
    def names(self) -> list[str]:
        """Everything, and the lists in their order."""
        return [EVERYTHING, *(each.name for each in self.lists.lists)]

    def take(self, lists: WatchLists) -> None:
        """Take the lists as they are now; one that is gone is shown no longer."""
        if lists != self.lists:
            self.lists = lists
            if self.current is None:
                self.name = EVERYTHING
            self.version += 1

    def apply(self, change: Change) -> None:
        """Change the lists; raise `ConfigError` as the change does."""
        self.take(change(self.lists))

    def show(self, name: str) -> None:
        """Show a list."""
        self.name = name
        self.version += 1

    def turn(self, step: int) -> None:
        """Show the next list, or the one before."""
        names = self.names
        at = names.index(self.name) if self.name in names else 0
        self.show(names[(at + step) % len(names)])

    def turn_group(self) -> None:
        """Group by the next thing."""
        self.group = GROUPS[(GROUPS.index(self.group) + 1) % len(GROUPS)]
        self.version += 1

    def turn_view(self) -> None:
        """See it as a heat map, or as a list again."""
        self.has_tiles = not self.has_tiles
        self.version += 1
