"""The first minute at the screen: a welcome, and a tour that goes on by doing."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tui.app.widgets.notice_bar import OperatorNotice
from tui.key_actions import BY_ID, key_caps, keys_of

MARKETS: Final = {
    "SANDBOX": "A simulated market: nothing leaves this machine, no rupee is at risk.",
    "REPLAY": "A recorded day: nothing leaves this machine, no rupee is at risk.",
    "DRY-RUN": "Prices are real; what strategies decide is written down, never sent.",
    "PAPER": "Prices are real; orders are filled here, no rupee is at risk.",
    "SHADOW": "Orders are real, each beside a simulated twin.",
    "LIVE": "Orders are real, with real money.",
}
NEVER: Final = 2**62


class TourStep(NamedTuple):
    """One thing to try: its words with {action id} for keys, and the actions that are it."""

    words: str
    ids: tuple[str, ...]


STEPS: Final = (
    TourStep("{next-pane} goes from pane to pane, each with its keys", ("next-pane",)),
    TourStep("{down} and {up} move in a list; {filter} finds a row", ("down", "up", "filter")),
    TourStep("{zoom} makes a pane large, and small again", ("zoom",)),
    TourStep("{chart} charts the symbol under the cursor", ("chart", "open")),
    TourStep("{desk} goes back to the desk; every screen has a number", ("desk", "back")),
    TourStep("{blotter} shows every order, and what came of each", ("blotter",)),
    TourStep("{buy} opens a ticket: what an order costs before it goes", ("buy",)),
    TourStep("{command} takes any command, as  why INFY", ("command",)),
    TourStep("{help} explains where you are, with every key", ("help",)),
    TourStep("{kill} stops all entries at once; {resume} lets them go on", ("kill",)),
)
END: Final = "That is all. {palette} finds the rest by its words"


class GuidedTour:
    """The lines of welcome and tour above the footer, and which of them is next.

    `keymap` has the keys that were remapped. With `on_read` it welcomes, and calls that once it has
    been read.
    """

    def __init__(
        self, keymap: Callable[[], Mapping[str, str]], on_read: Callable[[], None] | None
    ) -> None:
        self._keymap = keymap
        self._on_read = on_read
        self._step = -1
        """Which step is shown, -1 before the first; the one after the last says the end."""

    def lines(self, mode: str) -> list[OperatorNotice]:
        """Return what is shown now, none where nothing is."""
        if self._step == len(STEPS):
            return [self._line(f"{END} · {{tour}} ends")]
        if self._step >= 0:
            place = f"{self._step + 1}/{len(STEPS)}"
            # Said once: the line has to leave room for the rest.
            ends = "" if self._step else " · {back} ends"
            return [self._line(f"{place}  {STEPS[self._step].words} · {{tour}} next{ends}")]
        if self._on_read is None:
            return []
        return [
            self._line(MARKETS.get(mode, "")),
            self._line(
                "{tour} guided minute · {help} help · {kill} stops everything · {quit} leaves"
            ),
            self._line("patang setup makes it your own · {back} closes this for good"),
        ]

    def advance(self) -> None:
        """Begin, or go to the next step; after the last one it is over."""
        self._close_welcome()
        self._step = self._step + 1 if self._step < len(STEPS) else -1

    def note_action(self, run: str) -> None:
        """Go on where an action that was run is what the step asks for."""
        if 0 <= self._step < len(STEPS) and any(
            BY_ID[each].run == run for each in STEPS[self._step].ids
        ):
            self._step += 1

    def end(self) -> None:
        """Take what is shown away."""
        self._close_welcome()
        self._step = -1

    def _close_welcome(self) -> None:
        if self._on_read is not None:
            self._on_read()
            self._on_read = None

    def _line(self, words: str) -> OperatorNotice:
        keymap = self._keymap()
        # One key of each: a line has to fit 80 columns.
        keys = {name: key_caps(keys_of(each, keymap)).split(" ")[0] for name, each in BY_ID.items()}
        return OperatorNotice(words.format_map(keys), "strong", 1, NEVER)
