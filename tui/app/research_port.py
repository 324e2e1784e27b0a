"""Results as screen 7 shows them, and the port through which it reads and starts them.

Tabs come as tables, curves and maps, whatever they are of: the screen knows neither a store nor a
statistic.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

TABS: Final[Mapping[str, Sequence[str]]] = {
    "desk": ("equity", "trades", "parity", "promoted", "promotions"),
    "backtest": ("equity", "figures", "months", "groups", "trades", "checks", "compare"),
    "sweep": ("map", "trials", "luck", "equity"),
    "check": ("checks",),
    "job": ("output",),
}
"""The tabs of each kind of row, the one that it opens with first."""


class ResultRow(NamedTuple):
    """One row of the list; money in ₹, drawdown in %, `luck` the deflated Sharpe ratio (0 to 1).

    `made` is ISO UTC; `share` is how much of it is done (0 to 1), -1 where it does not run. `job`
    is the number of the process that the screen has started for it; it `ends` with the screen, if
    that was wanted.
    """

    key: str
    kind: str
    made: str
    name: str
    symbols: str = ""
    first: str = ""
    last: str = ""
    days: int = 0
    net: float | None = None
    sharpe: float | None = None
    luck: float | None = None
    drawdown: float | None = None
    trades: int = -1
    state: str = ""
    tone: str = ""
    share: float = -1.0
    job: str = ""
    note: str = ""
    ends: bool = False

    @property
    def runs(self) -> bool:
        """Return whether it is being made at this moment."""
        return self.share >= 0.0


class TableColumn(NamedTuple):
    """A column of a tab: its title, the cells it takes, and whether they stand to the right."""

    title: str
    width: int
    right: bool = True
    most: int = 0
    rank: int = 0


class TabRow(NamedTuple):
    """A row of a tab: texts, their tones, and numbers behind them (0.0 for a text).

    `symbol` and `ts` (ns UTC) are where a chart of it would look.
    """

    key: str
    texts: list[str]
    tones: list[str]
    values: list[float]
    symbol: str = ""
    ts: int = 0


class ResultTable(msgspec.Struct, frozen=True, tag=True):
    """A tab that is a table; `title` says in a line what it is of."""

    title: str
    columns: list[TableColumn]
    rows: list[TabRow]
    empty: str = "nothing here"


class CurveLine(NamedTuple):
    """A line of a chart: its name, its tone, and a value for each moment."""

    name: str
    tone: str
    values: list[float]


class ResultCurves(msgspec.Struct, frozen=True, tag=True):
    """A tab of lines over common `moments` (ns UTC), and how deep they stand below a peak in %."""

    title: str
    moments: list[int]
    lines: list[CurveLine]
    below: list[float] = []
    unit: str = "₹"


class ResultMap(msgspec.Struct, frozen=True, tag=True):
    """A tab that colours a `metric` over two axes; None where nothing was tried.

    `cells` are rows of `down`'s values by columns of `across`'s; `axes` and `metrics` are the
    choices.
    """

    title: str
    metric: str
    across: str
    columns: list[str]
    down: str
    rows: list[str]
    cells: list[list[float | None]]
    axes: list[str] = []
    metrics: list[str] = []


class ChartBar(NamedTuple):
    """A bar of a trade's chart: its start (ns UTC), prices in ₹, and volume."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class TradeMark(NamedTuple):
    """A fill of a trade: its time (ns UTC), its price, and BUY or SELL."""

    ts: int
    price: float
    side: str


class ResultCandles(msgspec.Struct, frozen=True, tag=True):
    """A tab that charts one trade in its bars of `span` seconds."""

    title: str
    span: int
    bars: list[ChartBar]
    marks: list[TradeMark]


ResultTab = ResultTable | ResultCurves | ResultMap | ResultCandles


class TabRequest(msgspec.Struct, frozen=True):
    """Request for a tab of a row; `other` is the row it is compared with.

    `trade` is the one to be charted; a map takes two axes and a metric, empty: the first.
    """

    key: str
    tab: str
    other: str = ""
    trade: str = ""
    across: str = ""
    down: str = ""
    metric: str = ""


class FormOffer(msgspec.Struct, frozen=True):
    """Choices of a form: strategies, their parameters, symbols, and what was given last."""

    strategies: list[str]
    parameters: dict[str, list[str]]
    symbols: list[str]
    last: dict[str, str] = {}


class JobRequest(msgspec.Struct, frozen=True):
    """Request for a process: `kind` is a command, `fields` its options as they were typed.

    `tied` ends it, in order, when the screen does.
    """

    kind: str
    fields: dict[str, str]
    tied: bool = False


class ResearchPort(Protocol):
    """The screen's way to results; each call waits for a process beside the desk.

    All raise `PatangError` with a line for the operator.
    """

    async def rows(self) -> list[ResultRow] | None:
        """Return the list, the newest first; None where nothing has changed since."""
        ...

    async def tab(self, request: TabRequest) -> ResultTab:
        """Return a tab of a row."""
        ...

    async def offer(self, kind: str) -> FormOffer:
        """Return the choices of a form."""
        ...

    async def check(self, request: JobRequest) -> str:
        """Return what a request would run, in a line; raise for whatever is wrong with it."""
        ...

    async def start(self, request: JobRequest) -> str:
        """Start a request, and return its number."""
        ...

    async def close(self) -> None:
        """End in order, with what was to end with the screen."""
        ...

    async def act(self, verb: str, key: str, text: str = "") -> str:
        """Do something with a row (stop, remove, note, report, export); return what was done."""
        ...
