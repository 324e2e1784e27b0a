"""Historical candles: earlier days from tape or a seeded walk, today from its prints."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from random import Random
from typing import final

from brokers.sandbox import kite_times
from brokers.sandbox.faults import HISTORY, FaultRules
from brokers.sandbox.http import SandboxRequest, invalid
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from brokers.sandbox.universe.recorded_tape import PriceCandle, TapeRecord
from compiled.model.values import MINUTE, Instrument
from engine.errors import DataError
from engine.indian_time import IST
from engine.market.instrument_hours import InstrumentHours

LONGEST = {
    "minute": (1, 60),
    "3minute": (3, 100),
    "5minute": (5, 100),
    "10minute": (10, 100),
    "15minute": (15, 200),
    "30minute": (30, 200),
    "60minute": (60, 400),
    "day": (0, 2000),
}
"""Interval → its minutes (0: the session), and the most days one request may span."""
DAY_SIGMA = 0.012

Past = Callable[[Instrument, int, int], Iterable[PriceCandle]]
"""Minute bars of an instrument that start in [start, end), before today, oldest first."""


def candle_rows(
    listing: ExchangeListing | ListedIndex,
    interval: str,
    request: SandboxRequest,
    past: Past,
    today: int,
    now: int,
    faults: FaultRules,
) -> list[list[object]]:
    """Return rows of [stamp, open, high, low, close, volume] that start from `from` to `to`."""
    if interval not in LONGEST:
        raise invalid("Invalid `interval`.")
    minutes, days = LONGEST[interval]
    try:
        start, end = kite_times.parse(request.value("from")), kite_times.parse(request.value("to"))
    except ValueError:
        raise invalid("Invalid `from` or `to` date.") from None
    if start > end:
        raise invalid("Invalid date range: `from` is after `to`.")
    if end - start > days * kite_times.DAY:
        raise invalid(f"interval exceeds max limit: {days} days")
    # A bare date as the end means the whole of that day.
    if len(request.value("to")) <= len("2026-11-20"):
        end += kite_times.DAY - 1
    if not minutes:
        start, end = _ist_midnight(start), _ist_midnight(end) + kite_times.DAY - 1
    bars = [
        *past(
            listing.instrument,
            _ist_midnight(start),
            min(_ist_midnight(end) + kite_times.DAY, today),
        )
    ]
    if end >= today:
        minutes_today = [PriceCandle(*minute) for minute in listing.candles() if minute[0] <= now]
        bars += (
            _revised_minutes(listing.instrument, minutes_today, faults, now)
            if faults
            else minutes_today
        )
    wanted, trades = request.value("oi") == "1", isinstance(listing, ExchangeListing)
    last = max((bar.start for bar in bars), default=0)
    rows: list[list[object]] = []
    for bar in merged_candles(bars, minutes, listing.instrument):
        if start <= bar.start <= end:
            ends = min(last, bar.start + (minutes * MINUTE or kite_times.DAY))
            tail = [open_interest(listing, ends, today)] if wanted else []
            volume = bar.volume if trades else 0
            rows.append(
                [
                    kite_times.candle(bar.start),
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    volume,
                    *tail,
                ]
            )
    return rows


def _revised_minutes(
    instrument: Instrument, bars: list[PriceCandle], faults: FaultRules, now: int
) -> Iterator[PriceCandle]:
    """Yield today's minutes as a vendor revises them: without extremes, or with auctions."""
    for number, bar in enumerate(bars):
        fields = {"tradingsymbol": instrument.symbol, "minute": kite_times.candle(bar.start)[11:16]}
        fault = faults.strike(HISTORY, "minute", fields, now)
        if fault is None:
            yield bar
        elif fault.kind == "correct":
            yield bar._replace(high=max(bar.open, bar.close), low=min(bar.open, bar.close))
        else:
            price = instrument.snap(bar.low + fault.share * (bar.high - bar.low))
            yield bar._replace(open=price) if number == 0 else bar._replace(close=price)


def open_interest(listing: ExchangeListing | ListedIndex, ts: int, today: int) -> int:
    """Return the open contracts of an instrument (units) at a time.

    Today's stand still, and days before led up to them.
    """
    if not isinstance(listing, ExchangeListing) or not listing.oi:
        return 0
    lot = int(listing.instrument.lot)
    age, passed = (
        max(0, (today - _ist_midnight(ts)) // kite_times.DAY),
        (ts + IST) % kite_times.DAY / kite_times.DAY,
    )

    def close(age: int) -> float:
        random = Random(f"{listing.key}:interest:{today // kite_times.DAY - age}")  # noqa: S311 a simulation, not a secret
        return listing.oi * (
            1.0 if age <= 1 else max(0.2, 1.0 - 0.01 * age) * random.uniform(0.95, 1.05)
        )

    return round((close(age + 1) + (close(age) - close(age + 1)) * passed) / lot) * lot


def merged_candles(
    bars: Sequence[PriceCandle], minutes: int, instrument: Instrument
) -> list[PriceCandle]:
    """Merge minutes into longer bars aligned to each part of a day's open (0: one per day)."""
    out: list[PriceCandle] = []
    for bar in bars:
        start = _bucket_start(bar.start, minutes, instrument)
        if out and out[-1].start == start:
            last = out[-1]
            high, low = max(last.high, bar.high), min(last.low, bar.low)
            out[-1] = PriceCandle(
                start,
                last.open,
                high=high,
                low=low,
                close=bar.close,
                volume=last.volume + bar.volume,
            )
        else:
            out.append(bar._replace(start=start))
    return out


def _bucket_start(start: int, minutes: int, instrument: Instrument) -> int:
    midnight = _ist_midnight(start)
    if not minutes:
        return midnight
    opens = session_phases.part_opens(
        kite_times.day_of(start), instrument.exchange, instrument.kind
    )
    opened = max((each for each in opens if each <= start), default=opens[0])
    return opened + (start - opened) // (minutes * MINUTE) * minutes * MINUTE


def _ist_midnight(ts: int) -> int:
    return ts - (ts + IST) % kite_times.DAY


@final
class SeededPast:
    """The crowd's past: trading days of known hours, in seeded minutes up to the previous close."""

    def __init__(self, seed: int, today: str, hours: InstrumentHours) -> None:
        self._seed = seed
        self._hours = hours
        self._today = date.fromisoformat(today)
        self._day = lru_cache(maxsize=4_096)(self._day_minutes)
        self._closes: dict[str, list[float]] = {}

    def __call__(self, instrument: Instrument, start: int, end: int) -> Iterable[PriceCandle]:
        """Return the minute bars that start in [start, end)."""
        first = date.fromisoformat(kite_times.day_of(start))
        days = []
        for age, day in enumerate(self._days_before(instrument), 1):
            if day < first:
                break
            if kite_times.midnight(day.isoformat()) < end:
                days.append((day, age))
        for traded, age in reversed(days):
            yield from self._day(instrument, traded, age)

    def _days_before(self, instrument: Instrument) -> Iterator[date]:
        """Yield the trading days before today, newest first, as far as the calendar goes back."""
        day = self._today
        while True:
            try:
                day = self._hours.session_before(day, instrument).day
            except DataError:
                return
            yield day

    def _close_at_age(self, symbol: str, close: float, age: int) -> float:
        """Return the close `age` trading days before today."""
        closes = self._closes.setdefault(symbol, [close])
        while len(closes) < age:
            random = Random(f"{self._seed}:{symbol}:back:{len(closes)}")  # noqa: S311 a simulation, not a secret
            closes.append(closes[-1] * math.exp(-random.gauss(0.0003, DAY_SIGMA)))
        return closes[age - 1]

    def _day_minutes(self, grid: Instrument, day: date, age: int) -> tuple[PriceCandle, ...]:
        """Return a day's bars: a bridge from its open to its close, with noise on the grid."""
        symbol, close = grid.symbol, grid.close
        random = Random(f"{self._seed}:{symbol}:{day}")  # noqa: S311 a simulation, not a secret
        starts = self._hours.expected_bars(day, grid)
        last = self._close_at_age(symbol, close, age)
        first = self._close_at_age(symbol, close, age + 1) * math.exp(random.gauss(0.0, 0.003))
        steps = [random.gauss(0.0, DAY_SIGMA / math.sqrt(len(starts))) for _ in starts]
        excess = (sum(steps) - math.log(last / first)) / len(starts)
        opened, level, rows = grid.snap(first), first, []
        for start, step in zip(starts, steps, strict=True):
            level *= math.exp(step - excess)
            closed = grid.snap(level)
            wick = abs(random.gauss(0.0, 0.0003)) * level
            high, low = grid.snap(max(opened, closed) + wick), grid.snap(min(opened, closed) - wick)
            rows.append(
                PriceCandle(
                    start,
                    opened,
                    high=high,
                    low=low,
                    close=closed,
                    volume=int(random.expovariate(level / 8_000_000)) + 1,
                )
            )
            opened = closed
        return tuple(rows)


@final
class RecordedPast:
    """The tape's past: the bars of the days before."""

    def __init__(self, records: Mapping[int, TapeRecord]) -> None:
        self._records = records

    def __call__(self, instrument: Instrument, start: int, end: int) -> Iterable[PriceCandle]:
        """Return the minute bars that start in [start, end)."""
        record = self._records.get(int(instrument.token))
        return record.between(start, end) if record else []
