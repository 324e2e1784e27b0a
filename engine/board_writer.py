"""The one writer of a board."""

import threading
from typing import Any, Final

from engine.board_rows import (
    BarRow,
    Board,
    BoardFocus,
    BoardHeader,
    BoardSection,
    DayTrades,
    EventRow,
    FillMark,
    FormingBar,
    GovernorState,
    RecordPlaces,
    Row,
    TapeRow,
)

# Bounded: an alarm whose words hold figures makes a new entry each time.
ALARMS_KEPT: Final = 100


class BoardWriter:
    """Makes every change of a board, in the thread that owns it: readers take no lock.

    The thread that has made it owns it, until another one claims it.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._owner = threading.get_ident()

    def claim(self) -> None:
        """Have the calling thread own the board from now on."""
        self._owner = threading.get_ident()

    def _check_thread(self) -> None:
        assert threading.get_ident() == self._owner, "only the thread that owns a board writes it"

    def put(self, section: BoardSection[Row], key: object, row: Row) -> None:
        """Replace the row under `key`, or add it at the end."""
        self._check_thread()
        section.put(key, row)

    def keep(self, section: BoardSection[Any], keys: set[object]) -> None:
        """Drop every row whose key is not among `keys`."""
        self._check_thread()
        section.keep(keys)

    def replace_header(self, header: BoardHeader) -> None:
        """Show another header."""
        self._check_thread()
        self.board.header = header

    def set_governor(self, state: GovernorState) -> None:
        """Show how the governor stands."""
        self._check_thread()
        self.board.governor = state

    def set_trades(self, trades: DayTrades) -> None:
        """Show the trades that are over."""
        self._check_thread()
        self.board.trades = trades

    def set_places(self, places: RecordPlaces) -> None:
        """Show where the desk writes down what it does."""
        self._check_thread()
        self.board.places = places

    def set_opening(self, text: str) -> None:
        """Show what the desk does before its first turn."""
        self._check_thread()
        self.board.opening = text

    def beat(self, at: int) -> None:
        """Show that the engine lives, at monotonic ns."""
        self._check_thread()
        self.board.heartbeat = at

    def begin_day(self) -> None:
        """Take what was of the day before off."""
        self.replace_header(self.board.header._replace(day_over=False))
        self.board.alarms = {}
        for section in (
            self.board.strategies,
            self.board.parameters,
            self.board.decisions,
            self.board.trips,
        ):
            self.keep(section, set())
        self.set_trades(DayTrades())

    def add_event(self, ts: int, level: str, text: str) -> int:
        """Add a line to the event log and return its number."""
        self._check_thread()
        board = self.board
        board.event_seq += 1
        if level == "alarm" and (text in board.alarms or len(board.alarms) < ALARMS_KEPT):
            board.alarms[text] = board.alarms.get(text, 0) + 1
        # The oldest falls out: readers learn how many they have missed.
        if len(board.events) == board.events.maxlen:
            board.events_dropped += 1
        board.events.append(EventRow(board.event_seq, ts, level, text))
        return board.event_seq

    def put_repeat(self, seq: int, times: int) -> None:
        """Show how often a line of the event log has been repeated, if it is still there."""
        self._check_thread()
        board = self.board
        # Numbers have no gaps, so the place follows from the first.
        at = seq - board.events[0].seq if board.events else -1
        if 0 <= at < len(board.events):
            board.events[at] = board.events[at]._replace(times=times)
            board.event_repeats += 1

    def add_fill(self, mark: FillMark) -> None:
        """Show a fill on the chart."""
        self._check_thread()
        self.board.fills.append(mark)

    def put_bars(self, key: tuple[int, int], bars: tuple[BarRow, ...]) -> None:
        """Show the last bars of a token and span."""
        self._check_thread()
        self.board.bars[key] = bars

    def begin_depth(self, focus: BoardFocus) -> None:
        """Take book and trades off: another instrument is looked at."""
        self._check_thread()
        focus.depth.keep(set())
        focus.tape.clear()

    def add_trade(self, focus: BoardFocus, row: TapeRow) -> None:
        """Show a trade of the instrument in focus."""
        self._check_thread()
        focus.tape.append(row)

    def set_forming(self, focus: BoardFocus, forming: FormingBar | None) -> None:
        """Show the bar in focus as far as it has come."""
        self._check_thread()
        focus.forming = forming
