"""The broker port over the official Kite client: a few threads that may block, and no doubt hidden from the desk.

Changes and reads have threads of their own, so that no slow download ever stands before an exit. Each thread has its
own client and so its own HTTP session, which requests does not share safely. A change whose caller is cancelled may
still be sent: the caller treats it as unknown.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from brokers.kite import outcome
from brokers.kite.pace import HISTORY, OTHERS, QUOTES, Pace
from brokers.kite.translation import (
    Row,
    bar,
    gtt_fields,
    gtt_update,
    instrument,
    ist,
    order_fields,
    order_update,
    position,
    trade,
)
from compiled.events import GttUpdate, OrderUpdate, Trade
from compiled.model import SECOND, Bar, Gtt, Instrument, Order, nearest
from engine.errors import DataError, OrderRefused, PatangError, RetryableError
from engine.ports import BrokerPosition, Clock

if TYPE_CHECKING:
    from brokers.kite.wire import Wire

T = TypeVar("T")

_DAY: Final = 86_400 * SECOND
_INTERVALS: Final = {
    60: ("minute", 60),
    180: ("3minute", 100),
    300: ("5minute", 100),
    900: ("15minute", 200),
    1800: ("30minute", 200),
    3600: ("60minute", 400),
    86_400: ("day", 2_000),
}
"""Span in seconds → Kite's interval and the most days one request may cover."""

_QUOTES_PER_CALL: Final = 500


class KiteBroker:
    """Kite Connect v3 at `rest` (a host root; the client drops any path), as `engine.ports.Broker`.

    Instruments become known by `instruments()` or `know()`; an order in an unknown one is refused here. `timeout`
    (seconds) bounds each wait for the network and the wait for a free thread. Half of the `workers` serve reads; with
    two workers changes reach Kite in the order they were asked for. `limits` keeps the documented read
    rates on `clock`; the rate of changes is the governor's. `on_token_death` is called once, on the event loop, when
    Kite first says that the token is dead.
    """

    def __init__(
        self,
        rest: str,
        api_key: str,
        access_token: str,
        clock: Clock,
        workers: int = 4,
        timeout: float = 7.0,
        *,
        limits: bool = True,
        on_token_death: Callable[[], None] | None = None,
    ) -> None:
        self._session = (rest, api_key, access_token, timeout)
        self._clock = clock
        self._timeout = timeout
        self._limits = limits
        self._on_token_death = on_token_death
        self._quotes, self._history, self._others = (Pace(clock, rate) for rate in (QUOTES, HISTORY, OTHERS))
        self._changes = ThreadPoolExecutor(max(1, workers - workers // 2), "kite-change")
        self._reads = ThreadPoolExecutor(max(1, workers // 2), "kite-read")
        self._thread = threading.local()
        self._wires: list[Wire] = []
        self._closed = False
        self._known: dict[int, Instrument] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        self._varieties: dict[str, tuple[str, str | None]] = {}
        """Order id → variety and parent, for orders that are not "regular" (others' orders)."""

    def know(self, instruments: Iterable[Instrument]) -> None:
        """Take note of instruments: their names, grids and tokens."""
        for each in instruments:
            self._known[each.token] = each
            self._tokens[each.exchange, each.symbol] = each.token

    async def account(self) -> str:
        """Return the account's user id; raise `ConnectionFailed` where there is nobody, `OperatorError` on a dead token."""
        return await self._read(lambda kite: _name(kite.profile()["user_id"]), failure=outcome.of_greeting)

    async def place(self, order: Order) -> str:
        """Send a new order and return the broker's order id."""
        fields = order_fields(order, self._instrument(order.token))
        return await self._change(lambda kite: _name(kite.place_order(**fields)))

    async def cancel(self, order_id: str) -> None:
        """Cancel a working order."""
        variety, parent = self._varieties.get(order_id, ("regular", None))
        await self._change(lambda kite: _name(kite.cancel_order(variety, order_id, parent_order_id=parent)))

    async def place_gtt(self, gtt: Gtt) -> int:
        """Send a new GTT with `gtt.legs` and return its id."""
        fields = gtt_fields(gtt, gtt.legs, self._instrument(gtt.token))
        return await self._change(lambda kite: int(kite.place_gtt(**fields)["trigger_id"]))

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Replace the legs of `gtt.gtt_id` by `gtt.pending`."""
        fields, gtt_id = gtt_fields(gtt, gtt.pending, self._instrument(gtt.token)), int(gtt.gtt_id)
        await self._change(lambda kite: int(kite.modify_gtt(gtt_id, **fields)["trigger_id"]))

    async def delete_gtt(self, gtt_id: int) -> None:
        """Delete a GTT."""
        await self._change(lambda kite: int(kite.delete_gtt(gtt_id)["trigger_id"]))

    async def orders(self) -> list[OrderUpdate]:
        """Return today's order book, ours and others', in the order of Kite's rows: oldest first."""
        now = self._clock.now()

        def book(kite: Any) -> tuple[list[OrderUpdate], dict[str, tuple[str, str | None]]]:
            rows = _rows(kite.orders())
            odd = {
                str(row["order_id"]): (str(row["variety"]), row.get("parent_order_id"))
                for row in rows
                if row.get("variety", "regular") != "regular"
            }
            return [order_update(row, now) for row in rows], odd

        updates, self._varieties = await self._read(book)
        return updates

    async def trades(self) -> list[Trade]:
        """Return today's trades, oldest first."""
        now = self._clock.now()
        trades = await self._read(lambda kite: [trade(row, now) for row in _rows(kite.trades())])
        return sorted(trades, key=lambda each: each.ts)

    async def gtts(self) -> list[GttUpdate]:
        """Return all GTTs the broker lists (live ones, and a week of the others), lowest id first."""
        now = self._clock.now()
        gtts = await self._read(lambda kite: [gtt_update(row, now, self._token) for row in _rows(kite.get_gtts())])
        return sorted(gtts, key=lambda each: each.gtt_id)

    async def positions(self) -> list[BrokerPosition]:
        """Return the net positions, flat ones included."""
        return await self._read(lambda kite: [position(row) for row in _rows(kite.positions()["net"])])

    async def funds(self) -> int:
        """Return what can be spent on equity, in paise."""
        return await self._read(lambda kite: _available(kite.margins("equity")))

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today, and know them from now on."""
        found = await self._read(lambda kite: [instrument(row) for row in _rows(kite.instruments(exchange))])
        if not found:
            raise RetryableError(f"Kite lists no instruments on {exchange}")
        self.know(found)
        return found

    async def bands(self, instruments: Sequence[Instrument]) -> None:
        """Fill in each instrument's price band and previous close; one that has no quote is left as it is."""
        for first in range(0, len(instruments), _QUOTES_PER_CALL):
            part = {f"{each.exchange}:{each.symbol}": each for each in instruments[first : first + _QUOTES_PER_CALL]}
            for name, (lower, upper, close) in (await self._read_bands(list(part))).items():
                each = part[name]
                each.lower, each.upper, each.close = lower, upper, close

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end); a day's bar starts at 00:00 IST."""
        if span not in _INTERVALS:
            raise DataError(f"Kite has no bars of {span} s; it has {', '.join(map(str, _INTERVALS))}")
        interval, days = _INTERVALS[span]
        bars: list[Bar] = []
        for since in range(start, end, days * _DAY):
            until = min(since + days * _DAY, end)
            bars += await self._candles(token, since, until, interval, span)
        return bars

    async def close(self) -> None:
        """Let go of the connection; calls in flight finish or fail."""
        self._closed = True
        await asyncio.gather(*(asyncio.to_thread(pool.shutdown) for pool in (self._changes, self._reads)))
        for wire in self._wires:
            wire.close()

    async def _read_bands(self, names: list[str]) -> dict[str, tuple[float, float, float]]:
        def bands(kite: Any) -> dict[str, tuple[float, float, float]]:
            quotes = kite.quote(names)
            return {name: _band(quotes[name]) for name in names if name in quotes}

        return await self._read(bands, self._quotes)

    async def _candles(self, token: int, since: int, until: int, interval: str, span: int) -> list[Bar]:
        last = ist(until - 1)  # Kite's `to` is inclusive

        def candles(kite: Any) -> list[Bar]:
            rows = _rows(kite.historical_data(token, ist(since), last, interval))
            return [each for row in rows if since <= (each := bar(row, token, span)).start < until]

        return await self._read(candles, self._history)

    def _instrument(self, token: int) -> Instrument:
        known = self._known.get(token)
        if known is None:
            raise OrderRefused("INSTRUMENT", f"no instrument with token {token} is known")
        return known

    def _token(self, exchange: str, symbol: str) -> int:
        return self._tokens[exchange, symbol]

    async def _change(self, work: Callable[[Any], T]) -> T:
        return await self._call(self._changes, work, outcome.of_change)

    async def _read(
        self,
        work: Callable[[Any], T],
        pace: Pace | None = None,
        failure: Callable[[outcome.CallFailed], PatangError] = outcome.of_read,
    ) -> T:
        if self._limits:
            await (pace or self._others).turn()
        return await self._call(self._reads, work, failure)

    async def _call(
        self, pool: ThreadPoolExecutor, work: Callable[[Any], T], failure: Callable[[outcome.CallFailed], PatangError]
    ) -> T:
        try:
            return await self._wait(pool, work)
        except outcome.CallFailed as failed:
            if failed.error == outcome.TOKEN_EXCEPTION and self._on_token_death is not None:
                died, self._on_token_death = self._on_token_death, None
                died()
            raise failure(failed) from None

    async def _wait(self, pool: ThreadPoolExecutor, work: Callable[[Any], T]) -> T:
        if self._closed:
            raise RetryableError("the broker connection is closed")
        job = pool.submit(lambda: self._wire().call(work))
        answer = asyncio.wrap_future(job)
        try:
            await asyncio.wait({answer}, timeout=self._timeout)
            if not answer.done() and job.cancel():
                raise RetryableError(f"no thread came free within {self._timeout:g} s; nothing was sent")
            return await answer
        finally:
            job.cancel()

    def _wire(self) -> "Wire":
        wire: Wire | None = getattr(self._thread, "wire", None)
        if wire is None:
            from brokers.kite.wire import Wire as Official  # noqa: PLC0415 (Twisted comes with it: only where it is used)

            wire = self._thread.wire = Official(*self._session)
            self._wires.append(wire)
        return wire


def _rows(answer: Any) -> list[Row]:
    if not isinstance(answer, list):
        raise TypeError("no list")
    return answer


def _name(answer: Any) -> str:
    if not isinstance(answer, str) or not answer:
        raise TypeError("no id")
    return answer


def _available(margins: Row) -> int:
    live = margins["available"].get("live_balance")
    return nearest(float(margins["net"] if live is None else live) * 100.0)


def _band(quote: Row) -> tuple[float, float, float]:
    limits = float(quote.get("lower_circuit_limit") or 0.0), float(quote.get("upper_circuit_limit") or 0.0)
    return *limits, float(quote["ohlc"]["close"])
