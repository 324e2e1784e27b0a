"""The screen's rows, written by the engine thread and read by anyone without a lock.

There is one writer. A row is an immutable tuple that is replaced by reference; every row and every
section counts its changes, so a reader compares versions and repaints the changed ones. Money in
paise, prices in rupees, times in ns UTC.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar


class BoardHeader(NamedTuple):
    """The line above everything."""

    mode: str = "SANDBOX"
    state: str = "starting"
    """starting, reconciling, running, read-only, closed (over night), stopping, stopped, failed"""
    now: int = 0
    phase: str = ""
    phase_ends: int = 0
    pnl: int = 0
    """The day's P&L in paise: realised + unrealised - charges."""
    charges: int = 0
    naked: int = 0
    feed_age: int = -1
    """Nanoseconds since the last market data frame, -1 before the first."""
    feed_lag: int = 0
    """How late the feed is by the exchange's stamps, ns; 0: in time."""
    kill: str = ""
    """"", "halt" or "flatten"."""
    kill_reason: str = ""
    cash: int = 0
    day_over: bool = False
    place: str = ""
    """Where prices and orders really go, where the mode's name does not say it.

    No broker, but a sandbox.
    """
    then: str = ""
    """The phase after this one."""
    speed: float = 1.0
    """How many times as fast as the machine's the desk's clock runs; 0.0: as fast as it can."""
    login: bool = False
    """There is no session with the broker, and only a login makes one."""
    overdue: int = 0
    """Intraday positions that have to be left by now and cannot be: nothing reaches the broker."""


class WatchRow(NamedTuple):
    """One instrument under watch; `spark` holds the closes of the last minutes, oldest first."""

    token: int
    symbol: str
    ltp: float
    change: float
    """Percent against the previous close."""
    bid: float
    ask: float
    volume: int
    ts: int
    """When the last tick came (desk clock)."""
    stale: bool
    spark: tuple[float, ...]
    tick: float = 0.05
    """The grid of its prices, ₹."""
    kind: str = "EQ"
    """EQ, INDEX, FUT, CE or PE."""
    exchange: str = "NSE"
    open: float = 0.0
    """The day's first price, as the exchange has it; 0.0 where the packets do not say."""
    high: float = 0.0
    low: float = 0.0
    average: float = 0.0
    """The day's price weighted by volume (VWAP)."""


class PositionRow(NamedTuple):
    """One open rung; `stop` and `target` 0.0 where there is none."""

    key: str
    symbol: str
    strategy: str
    rung: str
    """P1, P2, P3 ... or "-" outside a ladder."""
    quantity: int
    average: float
    ltp: float
    pnl: int
    pnl_percent: float
    stop: float
    target: float
    protected: int
    """Shares under protection that could fill."""
    since: int
    leaving: int = 0
    """Estimated charges of an exit at the last price, in paise, before the day's note."""
    break_even: float = 0.0
    """The price at which it is left without a loss, its charges paid; 0.0: not known."""
    product: str = ""
    ladder: str = ""
    """The key of its ladder."""
    trails: bool = True
    """Whether its stop follows the price."""
    token: int = 0


class LadderRow(NamedTuple):
    """One ladder and its GTTs. A rung's state: "-", "entering", "armed", "triggered", "closed"."""

    key: str
    symbol: str
    strategy: str
    rungs: tuple[str, ...]
    stop: float
    """The stop nearest to the price."""
    distance: float
    """Percent from the last price to that stop."""
    high: float
    """Most favourable price since entry."""
    gtts: int
    trailed: int
    """How often a stop was moved."""
    product: str = ""
    keys: tuple[str, ...] = ()
    """The keys of its rungs, as they stand in `rungs`."""


class RiskRow(NamedTuple):
    """One limit: `text` is the use as shown, `used` its share of the limit.

    1.0 is all of it, -1.0 stands for a bare figure.
    """

    name: str
    text: str
    limit: str
    used: float
    bad: bool


EXTERNAL: Final = "external"
"""The strategy of an order that is not the desk's."""


class OrderRow(NamedTuple):
    """One order, ours or (`strategy` is `EXTERNAL`) somebody else's."""

    key: str
    ts: int
    symbol: str
    side: str
    quantity: int
    filled: int
    price: float
    average: float
    kind: str
    """MARKET, LIMIT, SL, SL-M."""
    purpose: str
    status: str
    strategy: str
    order_id: str
    reason: str
    rung: str = ""
    """The key of the rung that it serves."""


class GttRow(NamedTuple):
    """One GTT of ours; prices in rupees, `target` 0.0 where it has none."""

    key: str
    ts: int
    """When it was asked for."""
    changed: int
    """When its state, or a leg, changed last."""
    rung: str
    symbol: str
    quantity: int
    stop: float
    target: float
    status: str
    gtt_id: int
    reason: str


class LimitRow(NamedTuple):
    """One limit of the kernel, in rupees, a count or percent.

    `used` is -1.0 where nothing is used up, `limit` 0: none.
    """

    name: str
    used: float
    limit: float
    configured: float
    note: str
    """The author and reason of today's change."""


class QueueRow(NamedTuple):
    """One request that waits for the governor.

    `due` is when it may leave (ns), -1 for not today.
    """

    number: int
    purpose: str
    what: str
    symbol: str
    since: int
    due: int


class KillRow(NamedTuple):
    """One pull or release of the kill switch; `ts` by the machine's clock."""

    seq: int
    ts: int
    act: str
    level: str
    reason: str
    who: str


class DiskState(NamedTuple):
    """The disk's pace on the order path.

    It has the seconds waited now and at most, and the requests that have left ahead of it.
    """

    behind: float = 0.0
    worst: float = 0.0
    ahead: int = 0


class GovernorState(NamedTuple):
    """The account's order rates and waiting requests, by class; times in ns."""

    last_second: int = 0
    per_second: int = 0
    last_minute: int = 0
    per_minute: int = 0
    today: int = 0
    per_day: int = 0
    waiting: tuple[tuple[str, int], ...] = ()
    held: tuple[tuple[str, int], ...] = ()
    """How long each class is held back still, after the broker was busy."""
    unknown: int = 0
    """Requests of unknown outcome."""
    disk: DiskState = DiskState()


UNREADABLE: Final = "unreadable"
"""Key and kind of the row that says why nothing can be compared."""


class DifferenceRow(NamedTuple):
    """One thing in which the broker's books and ours differ."""

    key: str
    kind: str
    """unmanaged, missing, quantity, order, trade, gtt, funds, or unreadable: `theirs` says why."""
    symbol: str
    theirs: str
    ours: str
    since: int
    choices: tuple[str, ...]
    ignored: bool = False


class AlertRow(NamedTuple):
    """One price alert; times in ns UTC, `fired` 0 until then, `at` the price (₹) it fired at.

    `level` is rupees, or percent for a change. It `waits` while its symbol is not under watch.
    """

    number: int
    symbol: str
    way: str
    """above, below or change."""
    level: float
    made: int
    fired: int = 0
    at: float = 0.0
    waits: bool = False


class FailureRow(NamedTuple):
    """One strategy that has failed, until somebody says "acknowledge" with its name."""

    strategy: str
    ts: int
    error: str
    """In one line."""
    trace: tuple[str, ...]
    """The whole traceback, a line each; `patang trace STRATEGY` shows it, too."""


OTHERS: Final = "by hand, adopted"
"""The name of what no strategy of the day has made: by hand, adopted, or left from before."""


class DecisionRow(NamedTuple):
    """One request of a strategy, or rung whose trigger was reached, and its verdict.

    `times` counts its repetitions, of which the last was at `last`. `intent` is the key of the
    order that followed, "0" for none.
    """

    number: int
    ts: int
    strategy: str
    symbol: str
    side: str
    kind: str
    """enter, rung, exit or change."""
    reason: str
    quantity: int
    price: float
    verdict: str
    """OK, or the code of the refusal."""
    words: str
    """The refusal in words with its figures, empty for none."""
    times: int
    last: int
    intent: str

    @property
    def refused(self) -> bool:
        """Return whether it led to nothing."""
        return self.verdict != "OK"


class StrategyRow(NamedTuple):
    """One strategy of the day, its P&L after charges (`net`) in paise.

    `stopped` says why it no longer runs.
    """

    name: str
    stopped: str
    net: int
    state: str = "runs"
    """runs, warming, no entries, stopped, limit or failed."""
    why: str = ""
    """The reason of any other state than runs."""
    symbols: int = 0
    rungs: int = 0
    """Open positions."""
    open_pnl: int = 0
    """Theirs, since they were entered."""
    trades: int = 0
    """Trades of the day that are over."""
    wins: int = 0
    signals: int = 0
    signal: DecisionRow | None = None
    """Its last request."""
    refusal: DecisionRow | None = None
    """The last one that was refused."""


class ParameterRow(NamedTuple):
    """One parameter of a strategy, its values as the configuration writes them.

    `note` says who has changed it today, and why.
    """

    key: str
    strategy: str
    name: str
    value: str
    configured: str
    bounds: str
    meaning: str
    note: str
    is_fixed: bool
    """It holds for the day."""


class TripRow(NamedTuple):
    """One trade of the day that is over: `pnl` after charges in paise, prices are averages."""

    key: str
    strategy: str
    symbol: str
    rung: str
    side: str
    quantity: int
    entry: float
    exit: float
    pnl: int
    opened: int
    closed: int
    reason: str
    """Why it was left."""


class TradeRow(NamedTuple):
    """One trade that is over; `pnl` after charges, in paise."""

    symbol: str
    strategy: str
    rung: str
    pnl: int


class DayTrades(NamedTuple):
    """The trades of the day that are over."""

    number: int = 0
    best: TradeRow | None = None
    worst: TradeRow | None = None


class EventRow(NamedTuple):
    """One line of the event log; `level` is info, fill, warn, alarm, or alert: a price's."""

    seq: int
    ts: int
    level: str
    text: str
    times: int = 1
    """How often a lasting state has been logged."""


GOOD: Final = "good"
ATTENTION: Final = "attention"
WRONG: Final = "wrong"
"""States of a pulse."""


class PulseRow(NamedTuple):
    """One thing that can be wrong: `state` is good, attention or wrong.

    It has been so `since` (ns UTC); `mend` says what to do about it, empty while it is good.
    """

    name: str
    state: str
    figure: str
    since: int
    mend: str


class FeedRow(NamedTuple):
    """The feed of one instrument; minutes are those of today without a bar."""

    token: int
    symbol: str
    state: str
    """live, silent (ticks were due), late, lost (the link is down), cold, quiet (not trading)."""
    heard: int
    """When the last tick came (ns UTC, 0: none yet)."""
    per_minute: float
    """Ticks in a usual minute of it."""
    lag: int
    """Age of the last packet that brought something new, by the exchange's stamp, ns."""
    open_minutes: int
    healed_minutes: int
    """Read afterwards."""


class LatencyRow(NamedTuple):
    """Times of one step: of the day, and p99 of the last one or two minutes (`recent`), ns.

    `counts` are by octave: the first below 2 µs, each following one up to twice as long.
    """

    name: str
    counts: tuple[int, ...]
    number: int
    p50: int
    p90: int
    p99: int
    most: int
    recent: int


class RecordPlaces(NamedTuple):
    """The files in which the desk writes down what it does; empty: none."""

    database: str = ""
    log: str = ""


class BarRow(NamedTuple):
    """One bar of the charted instrument."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class FormingBar(NamedTuple):
    """A bar that has not closed."""

    token: int
    span: int
    bar: BarRow


class DepthRow(NamedTuple):
    """One level of a book, best first; price 0.0: there is none."""

    key: str
    side: str
    """bid or ask."""
    price: float
    quantity: int
    orders: int
    own: int
    """Shares of ours that wait at this price."""
    ahead: int
    """Shares estimated ahead of the first of them; -1: none of ours, or not known."""


class TapeRow(NamedTuple):
    """One trade, or several between two packets; `side` is the buyer's or seller's who came to it.

    It is empty where the price lay between bid and ask.
    """

    number: int
    ts: int
    price: float
    quantity: int
    side: str


class FillMark(NamedTuple):
    """One fill, for the chart."""

    ts: int
    token: int
    side: str
    price: float
    quantity: int
    order: str = ""
    """The key of its order."""


Row = TypeVar("Row", bound=tuple[object, ...])


class BoardSection(Generic[Row]):
    """An ordered list of rows under stable keys, with a version per row and one for the whole."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.versions: list[int] = []
        self.version = 0
        self._index: dict[object, int] = {}

    def put(self, key: object, row: Row) -> None:
        """Replace the row under `key`, or add it at the end; an equal row changes nothing."""
        index = self._index.get(key)
        if index is None:
            self.rows.append(row)
            self.versions.append(1)
            self._index[key] = len(self.rows) - 1
        # Comparing here saves every screen a repaint.
        elif self.rows[index] == row:
            return
        else:
            self.rows[index] = row
            self.versions[index] += 1
        self.version += 1

    def keep(self, keys: set[object]) -> None:
        """Drop every row whose key is not among `keys`; the others keep their order."""
        gone = [key for key in self._index if key not in keys]
        if not gone:
            return
        left = [
            (key, self.rows[i], self.versions[i]) for key, i in self._index.items() if key in keys
        ]
        # New lists: a reader that holds the old ones goes on undisturbed.
        self.rows, self.versions = [row for _, row, _ in left], [v + 1 for _, _, v in left]
        self._index = {key: i for i, (key, _, _) in enumerate(left)}
        self.version += 1

    def follow(self, at: Sequence[int] | None, rows: Sequence[Row]) -> None:
        """Take rows of another board over, at their places or (None) as all there are.

        For the copy of a board, which has no keys of its own.
        """
        # No row has ever changed as often as its section: nothing that was painted passes for new.
        newest = self.version + 1
        if at is None:
            old, versions = self.rows, self.versions
            same = [row == known for row, known in zip(rows, old, strict=False)]
            # The very row that stood there, where it is the same: nothing is painted for it.
            self.rows = [old[i] if i < len(same) and same[i] else row for i, row in enumerate(rows)]
            self.versions = [
                versions[i] if i < len(same) and same[i] else newest for i in range(len(rows))
            ]
        else:
            for place, row in zip(at, rows, strict=True):
                if place < len(self.rows):
                    self.rows[place] = row
                    self.versions[place] = newest
                else:
                    self.rows.append(row)
                    self.versions.append(newest)
        self.version = newest


class BoardFocus:
    """The instrument that a screen looks at, the length of its bars (s), and what is shown of it.

    Token, span (0: none) and the time of its last picture are all that goes from a screen to the
    engine without a request: they change nothing but what is shown.
    """

    def __init__(self) -> None:
        self.token = 0
        self.span = 0
        self.drawn = 0
        """Monotonic ns of the last picture that a screen has drawn, 0: there is no screen."""
        self.depth: BoardSection[DepthRow] = BoardSection()
        """Its book: five bids, five asks."""
        self.tape: deque[TapeRow] = deque(maxlen=500)
        """Its trades since it is looked at, oldest first."""
        self.forming: FormingBar | None = None
        """Its bar as far as it has come; None between two bars."""

    def look_at(self, token: int, span: int) -> None:
        """Look at an instrument; with a span of 0 at the bars of before."""
        self.token, self.span = token, span or self.span


MOST_LOOKERS: Final = 8
"""How many attached screens the engine serves with a book and a forming bar of their own."""


class Board:
    """The engine's face to every screen."""

    def __init__(self, mode: str, place: str = "") -> None:
        self.header = BoardHeader(mode=mode, place=place)
        self.watch: BoardSection[WatchRow] = BoardSection()
        self.positions: BoardSection[PositionRow] = BoardSection()
        self.ladders: BoardSection[LadderRow] = BoardSection()
        self.risk: BoardSection[RiskRow] = BoardSection()
        self.gtts: BoardSection[GttRow] = BoardSection()
        """The GTTs of the day, dead ones too."""
        self.orders: BoardSection[OrderRow] = BoardSection()
        self.limits: BoardSection[LimitRow] = BoardSection()
        self.queue: BoardSection[QueueRow] = BoardSection()
        self.kills: BoardSection[KillRow] = BoardSection()
        self.governor = GovernorState()
        self.externals: BoardSection[OrderRow] = BoardSection()
        """Orders that others have placed on the account; they stand among `orders`, too."""
        self.differences: BoardSection[DifferenceRow] = BoardSection()
        self.alerts: BoardSection[AlertRow] = BoardSection()
        self.failures: BoardSection[FailureRow] = BoardSection()
        """Failed strategies without acknowledgement, by name."""
        self.strategies: BoardSection[StrategyRow] = BoardSection()
        self.parameters: BoardSection[ParameterRow] = BoardSection()
        """The parameters of every strategy, in the order of their declaration."""
        self.decisions: BoardSection[DecisionRow] = BoardSection()
        """The last decisions of the day, by number."""
        self.trips: BoardSection[TripRow] = BoardSection()
        """The trades of the day that are over."""
        self.trades = DayTrades()
        self.alarms: dict[str, int] = {}
        """Alarm → how often it was raised today, in the order of the first time."""
        # Bounded: a day of trouble logs without end, and the journal keeps everything.
        self.events: deque[EventRow] = deque(maxlen=2_000)
        self.events_dropped = 0
        self.event_seq = 0
        self.event_repeats = 0
        """How often a line of the log has been repeated."""
        self.fills: deque[FillMark] = deque(maxlen=5_000)
        self.bars: dict[tuple[int, int], tuple[BarRow, ...]] = {}
        """(token, span in seconds) → the last bars, oldest first.

        Written for every watched token and span.
        """
        self.focus = BoardFocus()
        self.lookers: tuple[BoardFocus, ...] = ()
        """What attached screens look at, `MOST_LOOKERS` at most; replaced as a whole."""
        self.opening = ""
        """What the desk does before its first turn: "reading history 8/20"."""
        self.heartbeat = 0
        """Monotonic ns of the engine loop's last turn."""
        self.pulses: BoardSection[PulseRow] = BoardSection()
        """What can be wrong by the engine; `engine/live_pulses.py` adds the engine itself."""
        self.feed: BoardSection[FeedRow] = BoardSection()
        self.latencies: BoardSection[LatencyRow] = BoardSection()
        self.places = RecordPlaces()

    def serve_lookers(self, lookers: Iterable[BoardFocus]) -> None:
        """Have the engine show these screens, besides the desk's own, what they look at."""
        self.lookers = tuple(lookers)

    @property
    def depth(self) -> BoardSection[DepthRow]:
        """The book of the instrument in focus."""
        return self.focus.depth

    @property
    def tape(self) -> deque[TapeRow]:
        """The trades of the instrument in focus, oldest first."""
        return self.focus.tape

    @property
    def forming(self) -> FormingBar | None:
        """The bar in focus as far as it has come."""
        return self.focus.forming
