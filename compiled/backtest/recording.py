"""Recorded bars and ticks of several instruments on one clock, as packed columns."""

from typing import Final, final

from librt.strings import read_f64_le, read_i64_le
from librt.vecs import vec
from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.model.values import SECOND, TradingHours

WORD: Final[i64] = 8
DEPTH: Final[i64] = 120
STALE: Final[i64] = -2
"""The volume of a tick whose last price is of an earlier day."""


@final
class BarColumns:
    """Bars of one span, in order of (start, slot), as columns of little-endian 8-byte values.

    A slot is an index into `tokens`; slots number the instruments in the order in which they first
    appear. Starts are ns UTC, prices rupees (f64), volumes shares (i64). `moments` counts the
    different starts. `seen` instruments have appeared in bars before these.
    """

    def __init__(
        self,
        tokens: list[int],
        slots: bytes,
        starts: bytes,
        opens: bytes,
        highs: bytes,
        lows: bytes,
        closes: bytes,
        volumes: bytes,
        seen: i64 = 0,
    ) -> None:
        """Raise `ValueError` naming the first row out of order, or whose prices are no bar."""
        self.tokens = tokens
        self.slots = slots
        self.starts = starts
        self.opens = opens
        self.highs = highs
        self.lows = lows
        self.closes = closes
        self.volumes = volumes
        self.count: i64 = len(starts) // WORD
        for column in (slots, starts, opens, highs, lows, closes, volumes):
            if len(column) != len(starts) or len(column) % WORD:
                raise ValueError("the columns differ in length")
        self.moments: i64 = 0
        self._check_rows(seen)

    def _check_rows(self, seen: i64) -> None:
        before: i64 = -1
        newest = seen - 1
        last: i64 = -1
        at: i64 = 0
        while at < self.count * WORD:
            start = read_i64_le(self.starts, at)
            slot = read_i64_le(self.slots, at)
            # Checked once, so that the loops need not: they find the bars of one start side by
            # side, each instrument once.
            if start < before or (start == before and slot <= last):
                raise ValueError(f"row {at // WORD}: not in order of start and slot")
            # Instruments are numbered as they appear, which is the order of everything at one
            # moment.
            if slot < 0 or slot > newest + 1 or slot >= len(self.tokens):
                raise ValueError(f"row {at // WORD}: slot {slot} out of turn")
            newest = max(newest, slot)
            low = read_f64_le(self.lows, at)
            high = read_f64_le(self.highs, at)
            # written so that a NaN fails it
            if not (
                0.0 < low <= read_f64_le(self.opens, at) <= high
                and low <= read_f64_le(self.closes, at) <= high < 1e9
            ):
                raise ValueError(f"row {at // WORD}: these prices are no bar")
            if start != before:
                self.moments += 1
            before = start
            last = slot
            at += WORD


@final
class TickColumns:
    """Messages of ticks in order of time, as columns of little-endian 8-byte values.

    `slots`, `prices`, `volumes` and `stamps` have a row for each tick, `times` and `ends` one for
    each message: when it came (ns UTC), and the row behind its last tick. A message without ticks
    is a timer of the desk that heard them. Without `ends` each tick is a message, and there are no
    timers; without `stamps` the exchange's time is that of the message. `depth` is empty or 120
    bytes a tick, a block of ten levels.

    A slot is an index into `tokens`. Last prices are rupees (f64), volumes the day's cumulative
    shares (i64, -1: unknown, 0: nothing has traded yet, `STALE`: the price is of an earlier day).
    """

    def __init__(
        self,
        tokens: list[int],
        slots: bytes,
        times: bytes,
        prices: bytes,
        volumes: bytes,
        depth: bytes = b"",
        stamps: bytes = b"",
        ends: bytes = b"",
    ) -> None:
        """Raise `ValueError` naming the first row that is out of order, or of no known slot."""
        self.tokens = tokens
        self.slots = slots
        self.times = times
        self.prices = prices
        self.volumes = volumes
        self.depth = depth
        self.stamps = stamps
        self.ends = ends
        self.deep = len(depth) > 0
        self.stamped = len(stamps) > 0
        self.timed = len(ends) > 0
        self.count: i64 = len(slots) // WORD
        self.messages: i64 = len(times) // WORD
        for column in (prices, volumes, stamps if self.stamped else slots):
            if len(column) != len(slots) or len(column) % WORD:
                raise ValueError("the columns differ in length")
        if len(times) != (len(ends) if self.timed else len(slots)):
            raise ValueError("the columns differ in length")
        if self.deep and len(depth) != self.count * DEPTH:
            raise ValueError(f"{len(depth)} bytes of depth for {self.count} ticks")
        self._check_rows()

    def _check_rows(self) -> None:
        before: i64 = -1
        reached: i64 = 0
        for row in range(self.messages):
            ts = read_i64_le(self.times, row * WORD)
            if ts < before:
                raise ValueError(f"row {row}: older than the one before")
            before = ts
            end = self.end_of(row)
            if end < reached or end > self.count:
                raise ValueError(f"message {row}: ends with row {end}")
            reached = end
        for row in range(self.count):
            slot = read_i64_le(self.slots, row * WORD)
            if slot < 0 or slot >= len(self.tokens):
                raise ValueError(f"row {row}: no token for slot {slot}")

    def end_of(self, message: i64) -> i64:
        """Return the row behind a message's last tick."""
        return read_i64_le(self.ends, message * WORD) if self.timed else message + 1


@final
class RecordedSessions:
    """Sessions one after another, [open, close) each, ns UTC.

    A day's row is looked up from the last one found. `hours` are, for each session, those of the
    tokens that do not trade the whole of it; `rates` its charges, as a `Kernel` takes them. Without
    any the kernel's own hold throughout.
    """

    def __init__(
        self,
        opens: list[int],
        closes: list[int],
        hours: list[dict[int, TradingHours]] | None = None,
        rates: list[dict[int, ChargeRates]] | None = None,
    ) -> None:
        """Raise `ValueError` unless every session ends after it opens and before the next."""
        if len(opens) != len(closes) or not opens:
            raise ValueError(f"{len(opens)} opens and {len(closes)} closes are no sessions")
        if hours is not None and len(hours) != len(opens):
            raise ValueError(f"hours of {len(hours)} sessions for {len(opens)}")
        if rates is not None and len(rates) != len(opens):
            raise ValueError(f"charges of {len(rates)} sessions for {len(opens)}")
        for i in range(len(opens)):
            if opens[i] >= closes[i] or (i > 0 and opens[i] < closes[i - 1]):
                raise ValueError(f"session {i} does not follow the one before")
        self.opens = vec[i64](opens)
        self.closes = vec[i64](closes)
        self.hours: list[dict[int, TradingHours]] = [{} for _ in opens] if hours is None else hours
        self.rates: list[dict[int, ChargeRates]] = [] if rates is None else rates
        self.index: i64 = -1

    def find(self, ts: i64, at_close: bool) -> i64:
        """Return the session of a time, from the present one on.

        Its close is included if `at_close`. Raises `ValueError` where it lies in none.
        """
        index = max(0, self.index)
        while index < len(self.opens):
            if ts < self.closes[index] or (at_close and ts == self.closes[index]):
                break
            index += 1
        if index == len(self.opens) or ts < self.opens[index]:
            raise ValueError(f"{ts} ({ts // SECOND} s) lies in no session")
        return index
