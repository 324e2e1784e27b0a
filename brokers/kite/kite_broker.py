"""The broker port over the official Kite client.

Its calls run in a few threads that may block, and every doubt about an outcome reaches the desk. A
change whose caller is cancelled may still be sent: the caller treats it as unknown.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from brokers.kite import call_outcome, strict_figures
from brokers.kite.call_pool import CallPool, ClientSettings
from brokers.kite.instrument_list import todays_list
from brokers.kite.order_varieties import VARIETY, read_slices
from brokers.kite.row_cache import RowCache, decoded_row
from brokers.kite.translation import (
    PLAIN_ACCOUNT,
    AccountDefaults,
    Row,
    bar,
    blocked_margin,
    change_fields,
    gtt_fields,
    gtt_update,
    holdings,
    instrument,
    ist_datetime,
    margin_fields,
    nanoseconds,
    order_fields,
    order_update,
    position,
    trade,
)
from brokers.kite.zerodha_sandbox import rules_of
from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.order_terms import OrderChange
from compiled.model.values import Bar, Gtt, Instrument, Order, OrderType, nearest
from engine.errors import DataError, OperatorError, OrderRefused, RetryableError
from engine.market.calendar import DAY, ist_day
from engine.market.instrument_dumps import DumpFolder, unpacked_text
from engine.market.instruments import day_as_number
from engine.ports import BrokerHolding, BrokerPosition, Clock, PriceBand, SlicedOrder

INTERVALS: Final = {
    60: "minute",
    180: "3minute",
    300: "5minute",
    600: "10minute",
    900: "15minute",
    1_800: "30minute",
    3_600: "60minute",
    86_400: "day",
}
"""Kite's names of the spans (seconds) that its history has."""

_QUOTES_PER_CALL: Final = 500
_DUMP_HEAD: Final = b"instrument_token,"


class KnownOrder(NamedTuple):
    """Facts about an order that a change of it needs."""

    token: int
    variety: str = "regular"
    parent: str | None = None


class KiteBroker:
    """Kite Connect v3 at `rest` (a host root, or Kite's own sandbox), as `engine.ports.Broker`.

    `rules` are its limits. Instruments become known by `instruments()` or `add_instruments()`; an
    order in an unknown one is refused here. `timeout` (seconds) bounds each wait for the network
    and the wait for a free thread. Half of the `workers` serve reads; with two workers changes
    reach Kite in the order they were asked for. `limits` keeps the documented rates on `clock`;
    that of new orders is the governor's. `on_token_death` is called once for each token, on the
    event loop, when Kite first refuses it as dead. Every order carries the fields of `standing`.
    `source` is the local address that requests leave from, for a machine with several ("": the
    system chooses): Kite takes orders from registered addresses only. Proxies and CA files that the
    environment names count only with `environment`. With `dumps` the day's instrument list is asked
    for once and kept there. `heard` is called, in any thread, with the date of each successful
    answer (ns UTC) and its seconds. `pool` makes the threads: so many, so named.
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
        standing: AccountDefaults = PLAIN_ACCOUNT,
        source: str = "",
        environment: bool = False,
        dumps: DumpFolder | None = None,
        heard: Callable[[int, float], None] | None = None,
        pool: Callable[[int, str], Executor] = ThreadPoolExecutor,
    ) -> None:
        self.rules = rules_of(rest)
        self._dumps = dumps
        self._demat: object = None
        self.user = ""
        """The account's user id, once `account` has been read."""
        self._standing = standing
        self._clock = clock
        self._calls = CallPool(
            ClientSettings(
                rest,
                api_key,
                access_token=access_token,
                timeout=timeout,
                source=source,
                environment=environment,
                heard=_date_listener(heard),
            ),
            clock,
            workers,
            pool,
            limits=limits,
        )
        self._calls.on_token_death = on_token_death
        self._known: dict[int, Instrument] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        self._orders: dict[str, KnownOrder] = {}
        """By order id: those placed here, and those of any order book read; a few thousand a day.
        """
        self._book = RowCache[tuple[OrderUpdate, KnownOrder]]()
        self._triggers = RowCache[GttUpdate]()

    def add_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Take note of instruments: their names, grids and tokens."""
        for each in instruments:
            self._known[each.token] = each
            self._tokens[each.exchange, each.symbol] = each.token

    async def account(self) -> str:
        """Return the account's user id.

        Raise `ConnectionFailed` without an answer, `OperatorError` on a dead token.
        """
        profile = await self._calls.read(_read_profile, failure=call_outcome.greeting_error)
        self._demat = (profile.get("meta") or {}).get("demat_consent")
        self.user = _checked_id(profile["user_id"])
        return self.user

    def consents(self) -> bool | None:
        """Return whether sales of holdings need no authorisation by the day, by the profile.

        None where `account` has not been read.
        """
        # Some profiles lack it: nothing is concluded from that.
        return None if self._demat is None else self._demat == "consent"

    async def server_time(self) -> int:
        """Return the time Kite gives its answers, whole seconds in ns UTC."""

        def ask(kite: Any) -> int:
            kite.profile()
            return nanoseconds(parsedate_to_datetime(self._calls.thread_client().date))

        return await self._calls.read(ask)

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns."""
        self._calls.shift_clock(by)

    def renew(self, access_token: str) -> None:
        """Go on with another access token; calls under way end with the old one."""
        self._calls.renew(access_token)

    async def place(self, order: Order) -> str:
        """Send a new order and return the broker's order id."""
        # The plain call returns one id, and the other slices would be nobody's.
        if order.terms.autoslice:
            raise OrderRefused("AUTOSLICE", "a sliced order has several ids: use place_sliced")
        fields = self._order_request(order)
        order_id = await self._calls.send_order(
            lambda kite: _checked_id(kite.place_order(**fields))
        )
        self._orders[order_id] = KnownOrder(int(order.token), VARIETY[order.terms.variety])
        return order_id

    async def place_sliced(self, order: Order) -> SlicedOrder:
        """Send a new order that Kite cuts at the freeze quantity, and refuses below it.

        Returns once at least one slice exists; the others may have been refused, or be unknown.
        """
        fields = self._order_request(order)
        placed = await self._calls.send_order(
            lambda kite: read_slices(kite.place_autoslice_order(**fields))
        )
        self._orders.update(dict.fromkeys(placed.order_ids, KnownOrder(int(order.token))))
        return placed

    async def modify(self, order_id: str, change: OrderChange) -> None:
        """Change a working order; the desk counts, for Kite allows 25 modifications of one."""
        known = self._orders.get(order_id)
        # Grid and route come from the order: guessed, the wrong price would be refused or rounded.
        if known is None:
            raise OrderRefused("ORDER", f"order {order_id} stands in no order book that was read")
        fields = change_fields(change, self._known_instrument(known.token))
        variety, parent = known.variety, known.parent
        await self._calls.send_change(
            lambda kite: _check_subject(
                kite.modify_order(variety, order_id, parent_order_id=parent, **fields),
                order_id,
                parent,
            )
        )

    async def cancel(self, order_id: str) -> None:
        """Cancel a working order."""
        # Unlike a modification it is tried blindly: a cancellation can do no harm, and may be
        # urgent.
        known = self._orders.get(order_id, KnownOrder(0))
        variety, parent = known.variety, known.parent
        await self._calls.send_change(
            lambda kite: _check_subject(
                kite.cancel_order(variety, order_id, parent_order_id=parent), order_id, parent
            )
        )

    async def place_gtt(self, gtt: Gtt) -> int:
        """Send a new GTT with `gtt.legs` and return its id."""
        if not self.rules.gtts:
            raise OrderRefused("GTT", "this broker has no GTTs")
        fields = gtt_fields(gtt, gtt.legs, self._known_instrument(gtt.token))
        return await self._calls.send_change(
            lambda kite: strict_figures.number_of(kite.place_gtt(**fields)["trigger_id"])
        )

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Replace the legs of `gtt.gtt_id` by `gtt.pending`."""
        fields, gtt_id = (
            gtt_fields(gtt, gtt.pending, self._known_instrument(gtt.token)),
            int(gtt.gtt_id),
        )
        await self._calls.send_change(
            lambda kite: _check_subject(kite.modify_gtt(gtt_id, **fields)["trigger_id"], gtt_id)
        )

    async def delete_gtt(self, gtt_id: int) -> None:
        """Delete a GTT."""
        await self._calls.send_change(
            lambda kite: _check_subject(kite.delete_gtt(gtt_id)["trigger_id"], int(gtt_id))
        )

    async def orders(self) -> list[OrderUpdate]:
        """Return today's order book, ours and others', oldest first as Kite's rows are."""
        now = self._clock.now()

        def orders(kite: Any) -> list[tuple[OrderUpdate, KnownOrder]]:
            # Read in the worker thread: a day's book of thousands would hold up the event loop.
            def read(written: object) -> tuple[OrderUpdate, KnownOrder]:
                row = kite.order(written)
                return order_update(row, now), _known_order(row)

            return self._book.read_rows(
                _checked_rows(kite.book("orders")), day_as_number(ist_day(now)), read
            )

        pairs = await self._calls.read(orders)
        self._orders.update((update.order_id, known) for update, known in pairs)
        return [update for update, _ in pairs]

    async def trades(self) -> list[BrokerTrade]:
        """Return today's trades, oldest first."""
        now = self._clock.now()
        trades = await self._calls.read(
            lambda kite: [trade(row, now) for row in _checked_rows(kite.trades())]
        )
        return sorted(trades, key=lambda each: each.ts)

    async def gtts(self) -> list[GttUpdate]:
        """Return all GTTs the broker lists (live ones, a week of the others), lowest id first."""
        if not self.rules.gtts:
            return []
        now = self._clock.now()

        def triggers(kite: Any) -> list[GttUpdate]:
            def read(written: object) -> GttUpdate:
                return gtt_update(decoded_row(written), now, self._token_of)

            return self._triggers.read_rows(
                _checked_rows(kite.book("gtt")), day_as_number(ist_day(now)), read
            )

        gtts = await self._calls.read(triggers)
        return sorted(gtts, key=lambda each: each.gtt_id)

    async def positions(self) -> list[BrokerPosition]:
        """Return the net positions, flat ones included."""
        return await self._calls.read(
            lambda kite: [position(row) for row in _checked_rows(kite.positions()["net"])]
        )

    async def holdings(self) -> list[BrokerHolding]:
        """Return the shares from earlier days; those sold today are in `positions`."""
        return await self._calls.read(
            lambda kite: [each for row in _checked_rows(kite.holdings()) for each in holdings(row)]
        )

    async def funds(self) -> int:
        """Return what can be spent on equity, in paise."""
        return await self._calls.read(lambda kite: _available_funds(kite.margins("equity")))

    async def margins(self, orders: Sequence[Order]) -> list[int]:
        """Return what each of these orders would block by itself, charges included, in paise.

        Nothing is placed.
        """
        if not self.rules.margins:
            raise OperatorError("this broker does not tell what orders block")
        asked = [margin_fields(order, self._known_instrument(order.token)) for order in orders]
        return await self._calls.read(
            lambda kite: [blocked_margin(row) for row in _checked_rows(kite.order_margins(asked))]
        )

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today, and know them from now on."""
        now = self._clock.now()
        if self._dumps is None:
            found = await self._calls.read(
                lambda kite: _listed_instruments(_checked_rows(kite.instruments(exchange)), now)
            )
        else:
            kept = await todays_list(self._dumps, exchange, now, lambda: self.dump(exchange))
            text = unpacked_text(kept, f"instruments of {exchange}")
            found = await self._calls.read(
                lambda kite: _listed_instruments(kite._parse_instruments(text), now)  # noqa: SLF001
            )
        # An empty list would take every instrument away that is held.
        if not found:
            raise RetryableError(f"Kite lists no instruments on {exchange}")
        self.add_instruments(found)
        return found

    async def dump(self, exchange: str = "") -> bytes:
        """Return Kite's instrument list (CSV) of one exchange or of all.

        It is made at 08:00 IST.
        """

        def fetch(kite: Any) -> bytes:
            route = (
                ("market.instruments", {"exchange": exchange})
                if exchange
                else ("market.instruments.all", None)
            )
            content = kite._get(*route)  # noqa: SLF001 (the public call parses it; what is kept must be Kite's own text)
            if not isinstance(content, bytes) or not content.startswith(_DUMP_HEAD):
                raise TypeError("no instrument list")
            return content

        return await self._calls.read(fetch)

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return the price band and previous close of each instrument that has a quote."""
        found: list[PriceBand] = []
        for first in range(0, len(instruments), _QUOTES_PER_CALL):
            part = instruments[first : first + _QUOTES_PER_CALL]
            found += await self._read_bands(
                {f"{each.exchange}:{each.symbol}": int(each.token) for each in part}
            )
        return found

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end).

        A day's bar starts at 00:00 IST.
        """
        if span not in INTERVALS:
            raise DataError(
                f"Kite has no bars of {span} s; it has {', '.join(map(str, INTERVALS))}"
            )
        interval, days = INTERVALS[span], self.rules.history_days[span]
        bars: list[Bar] = []
        # Kite refuses a longer range whole, rather than to cut it.
        for since in range(start, end, days * DAY):
            until = min(since + days * DAY, end)
            bars += await self._read_candles(token, since, until, interval, span)
        return bars

    async def close(self) -> None:
        """Let go of the connection; calls in flight finish or fail."""
        await self._calls.close()

    async def _read_bands(self, names: dict[str, int]) -> list[PriceBand]:
        def bands(kite: Any) -> list[PriceBand]:
            quotes = kite.quote(list(names))
            return [
                _price_band(token, quotes[name]) for name, token in names.items() if name in quotes
            ]

        return await self._calls.read(bands, self._calls.quotes)

    async def _read_candles(
        self, token: int, since: int, until: int, interval: str, span: int
    ) -> list[Bar]:
        last = ist_datetime(until - 1)  # Kite's `to` is inclusive

        def candles(kite: Any) -> list[Bar]:
            rows = _checked_rows(kite.historical_data(token, ist_datetime(since), last, interval))
            return [each for row in rows if since <= (each := bar(row, token, span)).start < until]

        return await self._calls.read(candles, self._calls.history)

    def _order_request(self, order: Order) -> Row:
        """Return the request of a new order.

        Raise `OrderRefused` where it would only be rejected.
        """
        if self.rules.limit_only and order.order_type is not OrderType.LIMIT:
            raise OrderRefused("ORDER_TYPE", "this broker takes LIMIT orders only")
        return order_fields(order, self._known_instrument(order.token), self._standing)

    def _known_instrument(self, token: int) -> Instrument:
        known = self._known.get(token)
        if known is None:
            raise OrderRefused("INSTRUMENT", f"no instrument with token {token} is known")
        return known

    def _token_of(self, exchange: str, symbol: str) -> int:
        return self._tokens[exchange, symbol]


def _date_listener(
    heard: Callable[[int, float], None] | None,
) -> Callable[[str, float], None] | None:
    """Return a listener for a Date header that passes on the time, where it has one."""
    if heard is None:
        return None

    def hear(date: str, took: float) -> None:
        with suppress(ValueError, TypeError, OverflowError):
            heard(nanoseconds(parsedate_to_datetime(date)), took)

    return hear


def _read_profile(kite: Any) -> Row:
    profile = kite.profile()
    if not isinstance(profile, dict):
        raise TypeError("no profile")
    _checked_id(profile["user_id"])
    return profile


def _known_order(row: Row) -> KnownOrder:
    return KnownOrder(
        strict_figures.number_of(row["instrument_token"]),
        str(row.get("variety") or "regular"),
        row.get("parent_order_id"),
    )


def _checked_rows(answer: Any) -> list[Row]:
    # anything else, read as empty, would look like orders that are gone
    if not isinstance(answer, list):
        raise TypeError("no list")
    return answer


def _listed_instruments(rows: list[Row], now: int) -> list[Instrument]:
    day = ist_day(now)
    return [each for row in rows if (each := instrument(row, day)) is not None]


def _checked_id(answer: Any) -> str:
    if not isinstance(answer, str) or not answer:
        raise TypeError("no id")
    return answer


def _check_subject(answer: Any, *asked: str | int | None) -> None:
    """Check that an answer is about the subject asked for; any other answers nothing."""
    if not isinstance(answer, str | int) or str(answer) not in {
        str(each) for each in asked if each is not None
    }:
        # the outcome is unknown then: done would be said of a change to another order
        raise ValueError("the answer is about something else")


def _available_funds(margins: Row) -> int:
    live = margins["available"].get("live_balance")
    return nearest(strict_figures.real(margins["net"] if live is None else live) * 100.0)


def _price_band(token: int, quote: Row) -> PriceBand:
    lower, upper = (
        strict_figures.price(quote.get(f"{edge}_circuit_limit")) for edge in ("lower", "upper")
    )
    if 0.0 < upper < lower:
        raise ValueError(f"no band: {lower} to {upper}")
    return PriceBand(token, lower, upper, strict_figures.price(quote["ohlc"]["close"]))
