"""The phases of the day, and what an instrument takes in each of them."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple, final

from brokers.sandbox import kite_times
from brokers.sandbox.http import refused
from brokers.sandbox.market.client_order import OrderRequest
from brokers.sandbox.market.exchange_listing import CLOSED, CONTINUOUS, ExchangeListing
from compiled.model.values import SECOND
from engine.errors import DataError
from engine.market.calendar import Calendar, SessionPhase
from engine.market.instrument_hours import InstrumentHours
from engine.market.safeguards import TradingSafeguards
from engine.market.session_table import HoursClass

REFERENCE = "auction reference"
POST_CLOSE = "post-close"
CALLING = (
    "pre-open",
    "pre-open entry",
    "pre-open limit-only",
    "auction entry",
    "auction limit-only",
)
"""Orders are collected, and none is matched."""
LIMIT_ONLY = ("pre-open limit-only", "auction limit-only")
MATCHING = ("pre-open match", "auction match")
FROZEN = "frozen"
"""The call phase has ended, at a random second before its time."""
HALTED = "halted"
"""Nothing trades anywhere: a circuit breaker of the whole market."""
HALT_CALL = "pre-open"
"""The call phase after a halt."""
HALT_CALL_MINUTES = 15
RANDOM_CLOSE = 120
"""Seconds before the match in which the call phase may end."""
REFERENCE_SPAN = 900 * SECOND
"""The reference price is the average of the last quarter of an hour of continuous trading."""
LAST_DAYS = 5
"""Trading days before an expiry on which the next month's futures have a pre-open, too."""
USUAL_OPEN = kite_times.time_of_day("09:15")
SHUT = "Markets are closed right now. Orders are accepted again in the next session."
HALT = "Trading is halted: a market-wide circuit breaker has been triggered."
NOT_NOW = "Orders cannot be placed, modified or cancelled in this phase of the session."

Turn = Callable[["SessionGroup", str], None]
"""Let the listings of a group enter a phase."""


class SessionGroup(NamedTuple):
    """Instruments of the same hours; `square_off` and `amo` in ns UTC, None where there is none."""

    listings: list[ExchangeListing]
    phases: tuple[SessionPhase, ...]
    exchange: str = "NSE"
    square_off: int | None = None
    amo: tuple[int, int] | None = None

    @property
    def opens(self) -> int:
        """Return when continuous trading begins."""
        return next(phase.start for phase in self.phases if phase.name == CONTINUOUS)

    @property
    def last_match(self) -> int:
        """Return when the last continuous phase or auction ends; day orders die then."""
        return max(
            phase.end for phase in self.phases if phase.name in {CONTINUOUS, "auction match"}
        )

    @property
    def trading_stretches(self) -> list[tuple[int, int]]:
        """Return the stretches in which a crowd has something to do."""
        busy = (CONTINUOUS, POST_CLOSE, *CALLING)
        return [(phase.start, phase.end) for phase in self.phases if phase.name in busy]


@lru_cache(maxsize=2)
def _session_calendar(*, new: bool = True) -> Calendar:
    return Calendar.load(held_back=not new)


def instrument_hours(derivatives: Collection[str], *, new: bool = True) -> InstrumentHours:
    """Return the hours of instruments; shares with these names have derivatives.

    `new`: by hours not certain yet.
    """
    return InstrumentHours(_session_calendar(new=new), TradingSafeguards.load(), derivatives)


@lru_cache(maxsize=4_096)
def part_opens(day: str, exchange: str, kind: str) -> tuple[int, ...]:
    """Return when each part of a day opens in ns UTC, 09:15 for a day the calendar lacks."""
    try:
        session = _session_calendar().session(date.fromisoformat(day), exchange, kind)
    except DataError:
        session = None
    return (
        tuple(part.start for part in session.parts)
        if session
        else (kite_times.midnight(day) + USUAL_OPEN,)
    )


def group_hours(
    calendar: Calendar, day: date, by: HoursClass, *, called: bool = True
) -> SessionGroup:
    """Return the hours of a class of instruments, without listings.

    Raise `DataError` for no trading.

    `called`: it takes part in the pre-open, if its class has one.
    """
    session = calendar.session(day, *by)
    if session is None:
        raise DataError(f"{day} is no trading day of {by.exchange}")
    phases = (
        session.phases
        if called
        else tuple(phase for phase in session.phases if phase.start >= session.open)
    )
    return SessionGroup(
        [],
        phases,
        by.exchange,
        calendar.square_off(day, *by),
        calendar.amo(day, by.exchange, by.kind),
    )


def called_before_open(day: date, expiry: date, near: date) -> bool:
    """Return whether a future is in the pre-open.

    The near month's is; on its last five trading days the next one's, too. Source: NSE's circular
    on the pre-open of futures, in force since 2025-12-08.
    """
    if expiry == near:
        return True
    last = _session_calendar().trading_days(day, near, "NFO") if near.year == day.year else []
    following = near + timedelta(days=45)
    return 0 < len(last) <= LAST_DAYS and expiry <= following


def trading_day(day: date, exchange: str) -> date:
    """Return a day, or the last one before it on which the exchange trades.

    Where no holiday list reaches it is the day itself.
    """
    try:
        return _session_calendar().latest_trading_day(day, exchange)
    except DataError:
        return day


def is_settlement_day(day: str) -> bool:
    """Return whether shares and money change hands on a trading day.

    Without a list of settlement holidays they do.
    """
    try:
        return _session_calendar().settles(date.fromisoformat(day))
    except DataError:
        return True


def auction_start(day: date, *, new: bool) -> int | None:
    """Return when the closing auction of shares begins (ns UTC), None without one.

    Futures keep its band from then on.
    """
    session = _session_calendar(new=new).session(day, "NSE", "EQ", cas=True)
    return (
        next((phase.start for phase in session.phases if phase.name == REFERENCE), None)
        if session
        else None
    )


def continuous_end(day: date) -> int:
    """Return when continuous trading of F&O shares ends (ns UTC), by new hours if there are."""
    session = _session_calendar().session(day, "NSE", "EQ", cas=True)
    assert session is not None
    return session.close


def next_amo_window(day: date, exchange: str, kind: str) -> tuple[int, int] | None:
    """Return when after-market orders for the next trading day are taken."""
    calendar = _session_calendar()
    return calendar.amo(calendar.next_trading_day(day, exchange), exchange, kind)


def trading_windows(groups: Sequence[SessionGroup]) -> list[tuple[int, int]]:
    """Return the stretches in which anything trades, merged, oldest first."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(stretch for group in groups for stretch in group.trading_stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def phase_changes(group: SessionGroup, begin: int, seed: int) -> list[tuple[int, str]]:
    """Return (instant, phase) of every change from `begin` on.

    Gaps are closed, call phases end at a random second.
    """
    found: list[tuple[int, str]] = []
    for phase, after in zip(group.phases, (*group.phases[1:], None), strict=True):
        if phase.end <= begin:
            continue
        found.append((max(begin, phase.start), phase.name))
        if phase.name in CALLING and after is not None and after.name in MATCHING:
            # Half of a short phase at most, or it could be over as it begins.
            span = min(RANDOM_CLOSE, (phase.end - phase.start) // SECOND // 2)
            early = Random(f"{seed}:{phase.name}:{phase.end}").randrange(1, span)  # noqa: S311 a simulation
            found.append((max(begin, phase.end - early * SECOND), FROZEN))
        if after is None or after.start > phase.end:
            found.append((phase.end, CLOSED))
    return found


def check_phase_admits(ask: OrderRequest) -> None:
    """Raise `SandboxApiError` for an order that its instrument does not take in this phase."""
    phase = ask.listing.phase
    if phase == CONTINUOUS:
        return
    if phase == HALTED:
        raise refused(HALT)
    if phase == POST_CLOSE:
        _check_post_close(ask)
    elif phase in CALLING:
        _check_call_phase(ask, phase)
    elif phase == CLOSED:
        raise refused(SHUT)
    else:
        raise refused(NOT_NOW)


def _check_call_phase(ask: OrderRequest, phase: str) -> None:
    # Auctions know no stops, no IOC and no disclosed quantity.
    if (
        ask.order_type not in {"MARKET", "LIMIT"}
        or ask.validity != "DAY"
        or ask.disclosed
        or ask.iceberg
        or ask.stop
    ):
        raise refused("Only plain MARKET and LIMIT orders for the day are allowed in the auction.")
    if phase in LIMIT_ONLY and ask.order_type == "MARKET":
        raise refused("Market orders are currently not allowed.")
    reference = ask.listing.reference
    if reference and ask.price:
        away = abs(int(ask.listing.instrument.ticks(ask.price)) - reference)
        percent = ask.listing.rules.auction_percent
        if away > reference * percent / 100.0:
            raise refused(
                f"The price is outside {percent:g}% of the reference price of the closing auction."
            )


def _check_post_close(ask: OrderRequest) -> None:
    closing = ask.listing.instrument.price(ask.listing.last)
    if ask.order_type not in {"MARKET", "LIMIT"} or ask.product not in {"CNC", "MTF"}:
        raise refused("Only CNC orders at the closing price are allowed in the post-close session.")
    if ask.price and abs(ask.price - closing) > 1e-6:
        raise refused(
            f"Orders in the post-close session are allowed at the closing price {closing:.2f} only."
        )


def orders_frozen(listing: ExchangeListing) -> bool:
    """Return whether working orders cannot be touched."""
    return listing.phase in {FROZEN, REFERENCE, "pre-open buffer", *MATCHING}


@final
class CallAuctioneer:
    """Takes listings from phase to phase: collects, finds the one price, matches."""

    def __init__(
        self, leave: Callable[[ExchangeListing], None], drop: Callable[[ExchangeListing], None]
    ) -> None:
        self._leave = leave
        self._drop = drop

    def enter_phase(self, listing: ExchangeListing, phase: str, now: int) -> None:
        """Let a listing enter a phase; `drop` cancels what cannot stay in an auction."""
        calling = phase in CALLING or phase in {REFERENCE, FROZEN}
        if phase == REFERENCE:
            # Without a trade in that quarter of an hour the last price is the reference.
            average = listing.vwap(now - REFERENCE_SPAN) or listing.ltp
            listing.reference = int(listing.instrument.ticks(average))
            listing.confine_band(listing.rules.auction_percent)
        # before the book collects: an order that may not stay must not trade in the auction
        if calling and not listing.in_call_phase and listing.volume + len(listing.own_orders) > 0:
            self._drop(listing)
        if calling and not listing.in_call_phase:
            self._leave(listing)
            if listing.has_book:
                listing.book.collect()
        # of prices with equal volume and imbalance the one nearest to the reference wins
        elif listing.in_call_phase and not calling and listing.has_book:
            listing.book.uncross(listing.reference or listing.last)
        listing.in_call_phase = calling
        listing.phase = phase


def ist_date(day: str) -> date:
    """Return the date of "YYYY-MM-DD"; raise `ConfigError`."""
    kite_times.midnight(day)
    return date.fromisoformat(day)
