"""The engine's needs of the world, as protocols; `tui/run/wiring.py` hands in the real ones.

Everything a port returns is in the core's units: shares, paise, rupees on the grid, nanoseconds
UTC.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.exchange_rules import TriggerDistance
from compiled.model.order_terms import OrderChange
from compiled.model.values import Bar, Gtt, Instrument, Order, Product, Tick
from engine.errors import OrderRefused, OrderUnknown

if TYPE_CHECKING:
    from engine.history.bar_series import BarSeries, Floats, Ints, StoredSeries


class Clock(Protocol):
    """The desk's only source of time."""

    def now(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        ...

    async def sleep_until(self, ts: int) -> None:
        """Return when `now()` has reached `ts`."""
        ...


class PriceBand(NamedTuple):
    """An instrument's price band and previous close in rupees; 0.0: none known."""

    token: int
    lower: float
    upper: float
    close: float


class BrokerPosition(NamedTuple):
    """One line of the broker's net positions; `average` in rupees, 0.0 when flat."""

    token: int
    symbol: str
    product: str
    quantity: int
    average: float
    exchange: str = "NSE"


class SlicedOrder(NamedTuple):
    """The outcome of a sliced order: the ids of existing orders, and why others do not exist.

    `unknown` slices may exist: they are looked up by the tag, which every slice carries.
    """

    order_ids: tuple[str, ...]
    refused: tuple[OrderRefused, ...] = ()
    unknown: tuple[OrderUnknown, ...] = ()


class BrokerHolding(NamedTuple):
    """Shares of earlier days, settled or not, today's sales still counted.

    The broker may list them under either exchange, with its token: `isin` identifies them.
    `product` is CNC, or MTF for those that the broker has financed.
    """

    token: int
    symbol: str
    quantity: int
    average: float
    product: str = "CNC"
    exchange: str = "NSE"
    isin: str = ""
    unauthorised: int = 0
    """Shares still there without today's authorisation at the depository.

    What that means, the account decides.
    """


def _any_number(day: date) -> int:
    del day
    return 1_000_000


class BrokerRules(NamedTuple):
    """The abilities of a broker.

    `limit_only`: plain LIMIT orders and nothing else. Without stop orders and GTTs nothing can be
    protected there, so that strategies do not enter. `gtts`: it has GTTs. `margins`: it returns the
    margin of orders. The defaults bound nothing, but for the least a desk needs.
    """

    limit_only: bool = False
    gtts: bool = True
    margins: bool = True
    # The defaults are those of a broker without a bound, so that an adapter states only what it
    # has.
    trigger_distance: TriggerDistance = TriggerDistance()
    """Least distance of a GTT's trigger from the last price."""
    tag_length: int = 20
    """Characters of an order's tag that come back in the books."""
    modifications: int = 1_000_000
    """Of one order."""
    products: frozenset[str] = frozenset(Product.__members__)
    orders_per_second: int = 1_000_000
    orders_per_minute: int = 1_000_000
    orders_per_day: int = 1_000_000
    active_gtts: Callable[[date], int] = _any_number
    """GTTs that an account may hold on a day."""
    instruments: int = 1_000_000
    """That the feed serves."""
    history_days: Mapping[int, int] = {}
    """The spans of its stored bars (seconds), and the most days that one request may cover."""


class Broker(Protocol):
    """Orders, GTTs, books and reference data at a broker.

    Every call that changes something either returns (done), raises `OrderRefused` (a definite no),
    or raises `OrderUnknown` (not known: look it up by tag). Reads raise `RetryableError` when they
    fail; an unreadable answer is never returned as an empty list.
    """

    async def account(self) -> str:
        """Return the account's user id.

        Raise `ConnectionFailed` without an answer, `OperatorError` on a dead token.
        """
        ...

    async def place(self, order: Order) -> str:
        """Send a new order and return the broker's order id."""
        ...

    async def place_sliced(self, order: Order) -> SlicedOrder:
        """Send a new order that the broker cuts at the exchange's freeze quantity.

        Return the outcome of the slices.
        """
        ...

    async def modify(self, order_id: str, change: OrderChange) -> None:
        """Change a working order's quantity, price or trigger."""
        ...

    async def cancel(self, order_id: str) -> None:
        """Cancel a working order; the second leg of a cover order leaves at the market instead."""
        ...

    async def place_gtt(self, gtt: Gtt) -> int:
        """Send a new GTT with `gtt.legs` and return its id."""
        ...

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Replace the legs of `gtt.gtt_id` by `gtt.pending`."""
        ...

    async def delete_gtt(self, gtt_id: int) -> None:
        """Delete a GTT."""
        ...

    async def orders(self) -> list[OrderUpdate]:
        """Return today's order book, ours and others', oldest first."""
        ...

    async def trades(self) -> list[BrokerTrade]:
        """Return today's trades, oldest first."""
        ...

    async def gtts(self) -> list[GttUpdate]:
        """Return all GTTs the broker lists, lowest id first."""
        ...

    async def positions(self) -> list[BrokerPosition]:
        """Return the net positions, flat ones included."""
        ...

    async def holdings(self) -> list[BrokerHolding]:
        """Return the shares brought over from earlier days; today's sales stand in `positions`."""
        ...

    async def funds(self) -> int:
        """Return the funds for equity, in paise."""
        ...

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today."""
        ...

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return each instrument's price band and previous close as quotes have them now.

        One without a quote is left out.
        """
        ...

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end)."""
        ...

    async def close(self) -> None:
        """Let go of the connection; calls in flight finish or fail."""
        ...


class FeedSink(Protocol):
    """The receiver of a feed; called on the engine's event loop."""

    def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
        """Take the ticks of one message, in their order; those without a time of their own have 0.

        `unread` is the message itself where it did not read whole. The last receiver owns the
        ticks: one before it leaves them as they are.
        """
        ...

    def hint(self, order_id: str) -> None:
        """Look at the books: something happened to this order."""
        ...

    def notice(self, level: str, text: str) -> None:
        """Pass on a notice of the broker, or of the feed itself."""
        ...

    def link(self, up: bool) -> None:
        """Take note that the connection came up or went down."""
        ...


class FeedRecord(Protocol):
    """Keeps the feed's frames as they came; called on the engine's event loop alone."""

    def put(self, kind: int, connection: int, ts: int, payload: bytes) -> None:
        """Keep a record (`engine.history.feed_recording.RecordKind`) of `ts`, ns UTC.

        It never blocks, and never raises.
        """
        ...


class Feed(Protocol):
    """A market data connection that keeps itself alive."""

    @property
    def frames_received(self) -> int:
        """Return the number of WebSocket messages on all connections, heartbeats left out."""
        ...

    async def run(self, sink: FeedSink) -> None:
        """Connect, subscribe, deliver, and reconnect until cancelled."""
        ...

    async def subscribe(self, tokens: Iterable[int], mode: str = "full") -> None:
        """Subscribe these tokens in a mode ("full", "quote" or "ltp"), also after each reconnect.

        Again, it is a change of mode.
        """
        ...

    async def unsubscribe(self, tokens: Iterable[int]) -> None:
        """Bring these tokens no longer; others have their place."""
        ...


class ExchangePacer(Protocol):
    """An exchange whose clock waits for the desk: lockstep at any speed."""

    async def start(self) -> int:
        """Return the exchange's time, which stands still until `advance`."""
        ...

    async def advance(self, until: int) -> tuple[int, int, bool]:
        """Move the exchange to its next emission, at the latest `until`.

        Return (time, messages sent so far, day over).
        """
        ...

    async def sent(self) -> int:
        """Return the number of WebSocket messages the exchange has sent us, heartbeats left out."""
        ...

    async def listening(self) -> int:
        """Return how many instruments the exchange would send us in full mode."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class RecordedScript(Protocol):
    """A recorded desk's events, for one that takes the same again."""

    def script(self) -> Iterable[tuple[int, Any]]:
        """Go through it in its order, each with its time (ns UTC)."""
        ...

    def deliver(self, event: Any) -> object | None:
        """Send a feed's part; return an event of the kernel."""
        ...

    async def listened(self) -> None:
        """Wait until there is a listener for the feed's part."""
        ...


class Journal(Protocol):
    """The durable record. One writer; everything appended is written in order."""

    def append(self, table: str, row: dict[str, object]) -> None:
        """Write a row soon; a row with the same key replaces the old one.

        It never blocks the caller.
        """
        ...

    def commit(self) -> Awaitable[None]:
        """Resolve when everything appended so far is on disk.

        Raise `OperatorError` when the disk refuses.
        """
        ...

    def load(
        self, table: str, where: str = "", parameters: Sequence[object] = ()
    ) -> list[dict[str, object]]:
        """Read rows in key order."""
        ...


class BarStore(Protocol):
    """The home of bars, by version ("live", "imported", "vendor", …), span (seconds) and symbol.

    A bar is known by its token and start: the same again replaces it. Raises `DataError` for bars
    that cannot be stored or read, `OperatorError` where disk or server refuse; bars stored before
    then stand unchanged.
    """

    def write(self, bars: Sequence[Bar], symbols: dict[int, str], version: str) -> None:
        """Store bars of any spans and tokens; `symbols` names the tokens.

        They are durable when it returns.
        """
        ...

    def write_columns(self, symbol: str, span: int, version: str, columns: "BarSeries") -> None:
        """Store many bars of one symbol."""
        ...

    def write_many(self, parts: "Mapping[str, BarSeries]", span: int, version: str) -> None:
        """Store bars of several symbols, which takes less than one after the other."""
        ...

    def read(self, symbol: str, span: int, start: int, end: int, version: str) -> list[Bar]:
        """Return the bars of a symbol that start in [start, end) ns UTC, oldest first."""
        ...

    def read_many(
        self, symbols: Sequence[str], span: int, start: int, end: int, version: str
    ) -> dict[str, list[Bar]]:
        """Return the bars of `read` for each symbol."""
        ...

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> "BarSeries":
        """Return the bars of `read` as arrays."""
        ...

    def starts(self, symbol: str, span: int, version: str) -> "Ints":
        """Return when the bars of a symbol start, each time once."""
        ...

    def symbols(self, span: int, version: str) -> list[str]:
        """Return the symbols that have bars, in order."""
        ...

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return a hash that is another one once bars of these symbols are others.

        "" where that cannot be told without reading them.
        """
        ...

    def contents(self) -> "list[StoredSeries]":
        """Return the stored series, by version, span and symbol."""
        ...

    def write_averages(
        self, symbol: str, span: int, version: str, starts: "Ints", columns: "Mapping[str, Floats]"
    ) -> None:
        """Store averages of closes by the start of their bar, in place of all there were.

        NaN stands for none yet.
        """
        ...

    def averages(self, symbol: str, span: int, version: str) -> "tuple[Ints, dict[str, Floats]]":
        """Return the starts of bars with stored averages, and those by name, empty without any."""
        ...

    def remove(self, symbol: str, span: int, version: str, columns: "BarSeries") -> None:
        """Remove bars where they still are as given, in every field.

        Another bar of the same time stays.
        """
        ...

    def removals(self) -> int:
        """Return how often bars have been removed.

        A reader that misses bars, and then asks, learns of their removal.
        """
        ...

    def claim(self, version: str) -> bool:
        """Take the name of a version that is free and has no bars; return False for others."""
        ...

    def fold(self) -> None:
        """Tidy up the rests of many small writes; no answer changes."""
        ...


Failure = Callable[[str, BaseException], None]
"""What a thread calls when it dies: its name and the exception."""
