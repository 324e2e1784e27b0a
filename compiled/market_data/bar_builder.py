"""Ticks → bars of several spans in one pass; `docs/bars.md` holds the rules, and why."""

from typing import Final, final

from librt.strings import read_f64_le, read_i64_le
from librt.vecs import extend, vec
from mypy_extensions import i64

from compiled.market_data.token_index import TokenIndex
from compiled.model.values import NEVER, SECOND, Bar, TradingHours

DAY: Final[i64] = 86_400
"""The span, in seconds, that means the whole session."""

# One token is a block in two vectors of one layout, integers and prices, so that a tick touches
# two runs of memory and no object:
#
#     | HEAD: SEEN VOLUME EDGE TOKEN FROM TO ... | END START TICKS BEFORE | END START ... | ...
#     | (unused)                                 | OPEN HIGH  LOW   CLOSE | OPEN HIGH ... | ...
#       0                                    9    HEAD: shortest span      HEAD + 4: next span
#
# A price is addressed by the offset of its bar, which is why the second vector carries a head, too.
END: Final[i64] = 0  # ns; 0: no bar is open
START: Final[i64] = 1
TICKS: Final[i64] = 2
BEFORE: Final[i64] = 3  # the day's volume when the bar of this span before it closed
OPEN: Final[i64] = 0
HIGH: Final[i64] = 1
LOW: Final[i64] = 2
CLOSE: Final[i64] = 3

SEEN: Final[i64] = 0  # the newest tick's time, -1 before the session's first
VOLUME: Final[i64] = 1  # the day's volume, -1 while unknown
EDGE: Final[i64] = 2  # no bar above the shortest span has to close or open before this time
TOKEN: Final[i64] = 3
FROM: Final[i64] = 4  # the part of the session it is in: [FROM, TO)
TO: Final[i64] = 5
OPENS: Final[i64] = 6  # its whole session: [OPENS, CLOSES), less [PAUSE, RESUMES)
CLOSES: Final[i64] = 7
PAUSE: Final[i64] = 8
RESUMES: Final[i64] = 9
HEAD: Final[i64] = 10


@final
class BarBuilder:
    """Builds the bars of every token and span; a closed bar never changes.

    `late` counts ticks that came too late to be the newest of every bar they belong to, `dipped`
    cumulative volumes below one already seen, `outside` ticks outside the session, `unpriced` ticks
    without a price.
    """

    def __init__(self, spans: list[int]) -> None:
        """Take spans in seconds, ascending, each a multiple of the first.

        86400 is the session, whatever its length. Raises ValueError for other spans.
        """
        if (
            not spans
            or spans[0] <= 0
            or sorted(set(spans)) != spans
            or any(s % spans[0] for s in spans if s != DAY)
        ):
            raise ValueError(f"spans {spans} do not ascend, each a multiple of the first")
        self.late: i64 = 0
        self.dipped: i64 = 0
        self.outside: i64 = 0
        self.unpriced: i64 = 0
        self._spans = vec[i64](spans)
        self._count: i64 = len(spans)
        self._block: i64 = HEAD + 4 * len(spans)
        self._parent = vec[i64]([_parent_span(spans, k) for k in range(len(spans))])
        self._last_child = vec[i64]([_last_child(spans, k) for k in range(len(spans))])
        self._width = vec[i64](spans)
        self._due = vec[i64]([NEVER for _ in spans])
        self._open: i64 = 0
        self._close: i64 = 0
        self._clock: i64 = 0
        self._slots = TokenIndex()
        self._whole = vec[i64]()
        self._price = vec[float]()
        self._closed: i64 = 0
        self._closed_whole = vec[i64]()
        self._closed_price = vec[float]()
        self._ready: list[Bar] = []

    def begin_session(self, open: i64, close: i64) -> None:
        """Close all open bars and begin the session [open, close), ns UTC, for all tokens.

        The day's volume starts anew. Raises ValueError where the session does not end after it
        opens.
        """
        if close <= open:
            raise ValueError(f"a session from {open} to {close} has no length")
        # Bars of the last session are collected before the hours change: their order goes by ends
        # that are computed from the hours (`_collect_bars`).
        self.advance(NEVER)
        self._collect_bars()
        self._open = open
        self._close = close
        self._clock = 0
        for k in range(self._count):
            self._width[k] = self._spans[k] * SECOND
            self._due[k] = NEVER
        for block in range(0, len(self._whole), self._block):
            self._reset_block(block)

    def set_hours(self, token: i64, hours: TradingHours) -> None:
        """Let a token keep hours of its own in this session.

        Call it before the session's first tick.
        """
        block = self.token_block(token)
        whole = self._whole
        whole[block + OPENS] = hours.opens
        whole[block + FROM] = hours.opens
        whole[block + CLOSES] = hours.closes
        whole[block + PAUSE] = hours.pause
        whole[block + RESUMES] = hours.resumes
        # A day in two parts begins with the first; `_pass_pause` moves the part on with the first
        # tick beyond it.
        whole[block + TO] = hours.pause if hours.resumes > 0 else hours.closes

    def update(self, token: i64, ts: i64, price: float, volume: i64) -> None:
        """Take in one tick: `ts` ns UTC, `price` rupees.

        `volume` is the day's cumulative shares (-1: unknown).
        """
        self.add_tick(self.token_block(token), ts, price, volume)

    def add_tick(self, block: i64, ts: i64, price: float, volume: i64) -> None:
        """Take in one tick as `update` does, of the token whose `token_block` is `block`."""
        # The common tick extends the open bar of the shortest span and needs one comparison. The
        # longer bars are touched only when it closes, which folds it into them.
        whole = self._whole
        at = block + HEAD
        # written so that a NaN fails it
        if not whole[block + SEEN] <= ts < whole[at + END] or not price > 0.0:
            ts = self._admit_tick(block, ts, price, volume)
            if ts < 0:
                return
        if whole[block + SEEN] <= ts < whole[at + END]:
            whole[block + SEEN] = ts
            whole[at + TICKS] += 1
            prices = self._price
            prices[at + HIGH] = max(prices[at + HIGH], price)
            prices[at + LOW] = min(prices[at + LOW], price)
            prices[at + CLOSE] = price
        else:
            self._turn_bar(block, ts, price, volume)
        day = whole[block + VOLUME]
        if volume > day:
            if day < 0:
                self._assign_first_volume(block, ts, volume)
            whole[block + VOLUME] = volume
        elif volume < day and volume >= 0:
            self.dipped += 1

    def _admit_tick(self, block: i64, ts: i64, price: float, volume: i64) -> i64:
        """Return the time a tick counts for, -1 outside the session or without a price."""
        whole = self._whole
        if ts >= whole[block + TO]:
            if whole[block + TO] < ts and whole[block + TO] < whole[block + RESUMES]:
                self._pass_pause(block, ts, volume)
            if ts > whole[block + TO]:
                self.outside += 1
                return -1
            # The closing print carries the second of the close, and would otherwise begin a bar
            # that the session does not have (docs/bars.md, rule 5).
            if ts == whole[block + TO]:
                ts -= 1
        elif ts < whole[block + FROM]:
            self.outside += 1
            # A tick of the pre-open makes no bar, but says where the day's volume starts (rule 20).
            self._note_preopen_volume(block, volume)
            return -1
        if not price > 0.0:
            self.unpriced += 1
            return -1
        return ts

    def feed(self, tokens: bytes, ts: bytes, prices: bytes, volumes: bytes) -> None:
        """Take in many ticks, oldest first, as columns of little-endian 8-byte values.

        They are i64, i64, f64, i64. Raises ValueError where the columns differ in length.
        """
        size: i64 = len(tokens)
        if len(ts) != size or len(prices) != size or len(volumes) != size or size % 8:
            raise ValueError(
                f"columns of {size}, {len(ts)}, {len(prices)} and {len(volumes)} bytes are not "
                f"one table"
            )
        at = self._feed_usual_ticks(tokens, ts, prices, volumes, 0)
        while at < size:
            self.update(
                read_i64_le(tokens, at),
                read_i64_le(ts, at),
                read_f64_le(prices, at),
                read_i64_le(volumes, at),
            )
            at = self._feed_usual_ticks(tokens, ts, prices, volumes, at + 8)

    def _feed_usual_ticks(
        self, tokens: bytes, ts: bytes, prices: bytes, volumes: bytes, at: i64
    ) -> i64:
        """Take in ticks from here on as `update` does, up to one that needs more.

        Return where that is.

        The usual tick is of a known token, newer than the one before, and ends no bar but the
        shortest. All that it touches is at hand here, which spares a third of the instructions.
        """
        # Attributes are read into locals once: each costs a load through the object, and nothing in
        # the loop reassigns them.
        size: i64 = len(tokens)
        slots = self._slots
        whole, price = self._whole, self._price
        kept, shown = self._closed_whole, self._closed_price
        size_of_block, clock = self._block, self._clock
        span, width, due = self._spans[0], self._width[0], self._due[0]
        parent, last_child = self._parent, self._last_child[0]
        room: i64 = len(kept)
        row = 5 * self._closed
        quad = 4 * self._closed
        while at < size:
            token = read_i64_le(tokens, at)
            slot = slots.find(token)
            if slot < 0:
                break
            block = slot * size_of_block
            head = block + HEAD
            now = read_i64_le(ts, at)
            paid = read_f64_le(prices, at)
            volume = read_i64_le(volumes, at)
            day = whole[block + VOLUME]
            end = whole[head + END]
            # Left to `update`: a late tick, one without a price, and the first volume of the day.
            if now < whole[block + SEEN] or not paid > 0.0 or day < 0 <= volume:
                break
            if now < end:
                whole[head + TICKS] += 1
                price[head + HIGH] = max(price[head + HIGH], paid)
                price[head + LOW] = min(price[head + LOW], paid)
                price[head + CLOSE] = paid
            else:
                stop = whole[block + TO]
                if (
                    end == 0
                    # Left to `update`: no open bar, a longer bar that ends, too, the end of the
                    # session's part, a bar that `advance` has closed, and rows that need to grow.
                    or now >= whole[block + EDGE]
                    or now >= stop
                    or now < clock
                    or row == room
                ):
                    break
                ticks = whole[head + TICKS]
                high = price[head + HIGH]
                low = price[head + LOW]
                close = price[head + CLOSE]
                kept[row] = token
                kept[row + 1] = whole[head + START]
                kept[row + 2] = span
                kept[row + 3] = day - whole[head + BEFORE] if day >= 0 else i64(0)
                kept[row + 4] = ticks
                shown[quad] = price[head + OPEN]
                shown[quad + 1] = high
                shown[quad + 2] = low
                shown[quad + 3] = close
                row += 5
                quad += 4
                for child in range(1, last_child + 1):
                    if parent[child] == 0:
                        longer = head + 4 * child
                        whole[longer + TICKS] += ticks
                        price[longer + HIGH] = max(high, price[longer + HIGH])
                        price[longer + LOW] = min(low, price[longer + LOW])
                        price[longer + CLOSE] = close
                # Without a gap the next bar begins where this one ended, which spares the division.
                start = end if now < end + width else now - (now - whole[block + FROM]) % width
                end = min(start + width, stop)
                due = min(due, end)
                whole[head + BEFORE] = day
                whole[head + START] = start
                whole[head + END] = end
                whole[head + TICKS] = 1
                price[head + OPEN] = paid
                price[head + HIGH] = paid
                price[head + LOW] = paid
                price[head + CLOSE] = paid
            whole[block + SEEN] = now
            if volume > day:
                whole[block + VOLUME] = volume
            elif 0 <= volume < day:
                self.dipped += 1
            at += 8
        self._closed = row // 5
        self._due[0] = due
        return at

    def advance(self, now: i64) -> None:
        """Close every bar that ends by `now` (ns UTC): a promise that no older tick is to come."""
        if now <= self._clock:
            return
        self._clock = now
        # `_due` is the earliest end among the open bars of a span: a timer of a second walks
        # thousands of tokens only when one of their bars is over.
        for k in range(self._count):
            if now < self._due[k]:
                continue
            due: i64 = NEVER
            at = HEAD + 4 * k
            for block in range(0, len(self._whole), self._block):
                end = self._whole[block + at + END]
                if end != 0 and end <= now:
                    self._close_bar(block, k)
                    # A closed longer bar has to be opened by the next tick; the edge would let it
                    # pass by.
                    self._whole[block + EDGE] = 0
                elif end != 0:
                    due = min(due, end)
            self._due[k] = due

    @property
    def has_closed_bars(self) -> bool:
        """Return whether `take_bars` has a bar to return."""
        return self._closed > 0 or len(self._ready) > 0

    def take_bars(self) -> list[Bar]:
        """Return the bars closed since the last call, by end, then span, then token.

        Tokens are in the order they were first seen.
        """
        self._collect_bars()
        bars = self._ready
        self._ready = []
        return bars

    def drain(self) -> tuple[vec[i64], vec[float]]:
        """Return this session's bars of `take_bars` as packed rows, for bulk use.

        They are in the order the bars closed. A row is (token, start, span, volume, ticks) in the
        first, (open, high, low, close) in the second; both have the buffer interface.
        """
        whole = self._closed_whole[: 5 * self._closed]
        prices = self._closed_price[: 4 * self._closed]
        self._closed = 0
        return whole, prices

    def current(self, token: i64, span: i64) -> Bar | None:
        """Return the bar still forming, None where there is none.

        Raise ValueError for a span that is not built.
        """
        k = self._span_index(span)
        slot = self._slots.find(token)
        if slot < 0:
            return None
        block = slot * self._block
        at = block + HEAD + 4 * k
        if self._whole[at + END] == 0:
            return None
        bar = Bar(
            token,
            self._whole[at + START],
            span=span,
            open=0.0,
            high=0.0,
            low=0.0,
            close=0.0,
            volume=0,
            ticks=0,
        )
        bar.open = self._price[at + OPEN]
        bar.high = self._price[at + HIGH]
        bar.low = self._price[at + LOW]
        # Volume is a difference of the day's, and needs no folding.
        bar.volume = self._traded_volume(block, at)
        # What the shorter bars inside it hold has not been folded in yet; the shortest has the
        # newest price.
        while k >= 0:
            at = block + HEAD + 4 * k
            if self._whole[at + END] != 0:
                bar.high = max(bar.high, self._price[at + HIGH])
                bar.low = min(bar.low, self._price[at + LOW])
                bar.close = self._price[at + CLOSE]
                bar.ticks += self._whole[at + TICKS]
            k = self._parent[k]
        return bar

    def _span_index(self, span: i64) -> i64:
        for k in range(self._count):
            if self._spans[k] == span:
                return k
        raise ValueError(f"no bars of {span} seconds are built")

    def token_block(self, token: i64) -> i64:
        """Return where the bars of a token are made, from now on."""
        block = self._slots.add(token) * self._block
        if block == len(self._whole):
            self._add_token_block(block, token)
        return block

    def _bar_start(self, block: i64, k: i64, ts: i64) -> i64:
        if self._spans[k] == DAY:
            return self._whole[block + OPENS]
        return ts - (ts - self._whole[block + FROM]) % self._width[k]

    def _bar_end(self, block: i64, k: i64, start: i64) -> i64:
        """Return when a bar ends: after its span, or with its part of the session."""
        whole = self._whole
        if self._spans[k] == DAY:
            return whole[block + CLOSES]
        part = whole[block + PAUSE] if start < whole[block + RESUMES] else whole[block + CLOSES]
        return min(start + self._width[k], part)

    def _pass_pause(self, block: i64, ts: i64, volume: i64) -> None:
        """Go on to the second part of the session.

        Trades before it begins have no part in a bar but the session's.
        """
        whole = self._whole
        if ts >= whole[block + RESUMES]:
            whole[block + FROM] = whole[block + RESUMES]
            whole[block + TO] = whole[block + CLOSES]
        elif volume > whole[block + VOLUME]:
            whole[block + VOLUME] = volume
            for k in range(self._count):
                at = block + HEAD + 4 * k
                if whole[at + END] == 0:
                    whole[at + BEFORE] = volume

    def _turn_bar(self, block: i64, ts: i64, price: float, volume: i64) -> None:
        """Take in a tick the open bar of the shortest span cannot: it ends it, or comes late."""
        whole = self._whole
        seen = whole[block + SEEN]
        if seen < 0 and 0 <= volume < whole[block + VOLUME]:
            whole[block + VOLUME] = -1  # what stood there before the open was yesterday's
        # Late is older than the newest, or in a bar that `advance` has closed: a closed bar never
        # gets a second one (rules 10, 13 and 14).
        if ts < seen or (
            ts < self._clock
            and self._bar_end(block, 0, self._bar_start(block, 0, ts)) <= self._clock
        ):
            self._add_late_tick(block, ts, price)
            return
        whole[block + SEEN] = ts
        # The shortest bar closes first, so that its high and low are in the longer ones before
        # those close.
        start = whole[block + HEAD + END]
        if start != 0:
            self._close_bar(block, 0)
        if ts >= whole[block + EDGE]:
            self._turn_longer_bars(block, ts, price)
        # A tick in the span right behind the closed bar begins at its end; after a gap or in
        # another part of the day the start is computed from the open.
        if ts < start or ts >= start + self._width[0] or start < whole[block + FROM]:
            start = self._bar_start(block, 0, ts)
        self._open_bar(block, 0, start, price, 1)

    def _turn_longer_bars(self, block: i64, ts: i64, price: float) -> None:
        """Close the longer bars that end by `ts`, and open those it begins."""
        edge: i64 = NEVER
        at = block + HEAD
        for k in range(1, self._count):
            at += 4
            if self._whole[at + END] != 0 and ts >= self._whole[at + END]:
                self._close_bar(block, k)
            if self._whole[at + END] == 0:
                self._open_bar(block, k, self._bar_start(block, k, ts), price, 0)
            edge = min(edge, self._whole[at + END])
        self._whole[block + EDGE] = edge

    def _add_late_tick(self, block: i64, ts: i64, price: float) -> None:
        """Add a late tick to every bar that contains `ts` and is not closed.

        It counts for their extremes, and for their close if it is the newest.
        """
        self.late += 1
        newest = ts >= self._whole[block + SEEN]
        if newest:
            self._whole[block + SEEN] = ts
        self._whole[block + EDGE] = 0
        # A parent that takes the tick folds it into the longer bars around it when it closes. A
        # longer bar takes it itself only where no shorter one did, or the tick would count twice.
        taken = vec[i64]([0 for _ in range(self._count)])
        at = block + HEAD
        for k in range(self._count):
            parent = self._parent[k]
            inside = parent >= 0 and taken[parent] == 1
            is_open = self._whole[at + END] != 0
            start = self._bar_start(block, k, ts)
            open_yet = self._bar_end(block, k, start) > self._clock
            if inside or (open_yet and not (is_open and ts < self._whole[at + START])):
                taken[k] = 1
                if not is_open:
                    self._open_bar(block, k, start, price, 0)
                if not inside:
                    self._whole[at + TICKS] += 1
                    self._widen_range(at, price)
                    if newest:
                        self._price[at + CLOSE] = price
            at += 4

    def _open_bar(self, block: i64, k: i64, start: i64, price: float, ticks: i64) -> None:
        whole = self._whole
        at = block + HEAD + 4 * k
        end = self._bar_end(block, k, start)
        self._due[k] = min(self._due[k], end)
        whole[at + END] = end
        whole[at + START] = start
        whole[at + TICKS] = ticks
        prices = self._price
        prices[at + OPEN] = price
        prices[at + HIGH] = price
        prices[at + LOW] = price
        prices[at + CLOSE] = price

    def _widen_range(self, at: i64, price: float) -> None:
        prices = self._price
        prices[at + HIGH] = max(prices[at + HIGH], price)
        prices[at + LOW] = min(prices[at + LOW], price)

    def _close_bar(self, block: i64, k: i64) -> None:
        """Close a bar: keep it for `take_bars`, and fold it into the longer ones around it."""
        at = block + HEAD + 4 * k
        whole = self._whole
        prices = self._price
        high = prices[at + HIGH]
        low = prices[at + LOW]
        close = prices[at + CLOSE]
        ticks = whole[at + TICKS]
        row = self._closed
        if 5 * row == len(self._closed_whole):
            self._grow_closed_rows()
        self._closed = row + 1
        kept = self._closed_whole
        kept[5 * row] = whole[block + TOKEN]
        kept[5 * row + 1] = whole[at + START]
        kept[5 * row + 2] = self._spans[k]
        day = whole[block + VOLUME]
        # a plain 0 on one side would box the other
        kept[5 * row + 3] = day - whole[at + BEFORE] if day >= 0 else i64(0)
        kept[5 * row + 4] = ticks
        shown = self._closed_price
        shown[4 * row] = prices[at + OPEN]
        shown[4 * row + 1] = high
        shown[4 * row + 2] = low
        shown[4 * row + 3] = close
        whole[at + BEFORE] = day
        whole[at + END] = 0
        for child in range(k + 1, self._last_child[k] + 1):
            at += 4
            if self._parent[child] == k:
                whole[at + TICKS] += ticks
                prices[at + HIGH] = max(high, prices[at + HIGH])
                prices[at + LOW] = min(low, prices[at + LOW])
                prices[at + CLOSE] = close

    def _traded_volume(self, block: i64, at: i64) -> i64:
        day = self._whole[block + VOLUME]
        return day - self._whole[at + BEFORE] if day >= 0 else i64(0)

    def _note_preopen_volume(self, block: i64, volume: i64) -> None:
        """Note the volume traded before the session: no bar has a part in it."""
        if volume >= 0 and self._whole[block + SEEN] < 0:
            self._whole[block + VOLUME] = volume
            for k in range(self._count):
                self._whole[block + HEAD + 4 * k + BEFORE] = volume

    def note_untraded(self, block: i64) -> None:
        """Note that the token of `block` (`token_block`) has not traded in this session so far."""
        self._note_preopen_volume(block, 0)

    def _assign_first_volume(self, block: i64, ts: i64, volume: i64) -> None:
        """Give volume of unknown time to the bars that began with the session, and to no other."""
        # A desk that starts at 11:00 would otherwise show a minute with the volume of the morning
        # (rule 19).
        for k in range(self._count):
            first = ts < self._whole[block + OPENS] + self._width[k]
            self._whole[block + HEAD + 4 * k + BEFORE] = i64(0) if first else volume

    def _reset_block(self, block: i64) -> None:
        self._whole[block + SEEN] = -1
        self._whole[block + VOLUME] = -1
        self._whole[block + EDGE] = 0
        self._whole[block + OPENS] = self._open
        self._whole[block + FROM] = self._open
        self._whole[block + CLOSES] = self._close
        self._whole[block + TO] = self._close
        self._whole[block + PAUSE] = 0
        self._whole[block + RESUMES] = 0
        for k in range(self._count):
            self._whole[block + HEAD + 4 * k + BEFORE] = 0

    def _add_token_block(self, block: i64, token: i64) -> None:
        """Make room for one more token."""
        self._whole = extend(self._whole, vec[i64]([0] * int(self._block)))
        self._price = extend(self._price, vec[float]([0.0] * int(self._block)))
        self._whole[block + TOKEN] = token
        self._reset_block(block)

    def _collect_bars(self) -> None:
        """Turn the closed bars of the session into `Bar`s, in order."""
        keys: list[int] = []
        bars: list[Bar] = []
        whole = self._closed_whole
        prices = self._closed_price
        for row in range(self._closed):
            token = whole[5 * row]
            start = whole[5 * row + 1]
            k = self._span_index(whole[5 * row + 2])
            slot = self._slots.find(token)
            # Within a session an end is told by how many seconds it lies past the open.
            steps = (
                self._bar_end(slot * self._block, k, start) - self._open + SECOND - 1
            ) // SECOND
            # One integer carries end, span and token in that order: a sort by plain ints needs no
            # tuple a bar.
            keys.append(((steps * self._count + k) << 32) + slot)
            bar = Bar(
                token,
                start,
                span=self._spans[k],
                open=0.0,
                high=0.0,
                low=0.0,
                close=0.0,
                volume=0,
                ticks=whole[5 * row + 4],
            )
            bar.open = prices[4 * row]
            bar.high = prices[4 * row + 1]
            bar.low = prices[4 * row + 2]
            bar.close = prices[4 * row + 3]
            bar.volume = whole[5 * row + 3]
            bars.append(bar)
        for index in sorted(range(len(bars)), key=keys.__getitem__):
            self._ready.append(bars[index])
        self._closed = 0

    def _grow_closed_rows(self) -> None:
        """Double the rows for closed bars; they are used again after each `take_bars`."""
        more = int(self._closed) + 64
        self._closed_whole = extend(self._closed_whole, vec[i64]([0] * (5 * more)))
        self._closed_price = extend(self._closed_price, vec[float]([0.0] * (4 * more)))


def batch(
    spans: list[int], open: i64, close: i64, tokens: bytes, ts: bytes, prices: bytes, volumes: bytes
) -> list[Bar]:
    """Return all bars of one session [open, close) (ns UTC) from columns of ticks.

    The columns are those of `BarBuilder.feed`.
    """
    bars = BarBuilder(spans)
    bars.begin_session(open, close)
    bars.feed(tokens, ts, prices, volumes)
    bars.advance(NEVER)
    return bars.take_bars()


def _parent_span(spans: list[int], k: int) -> int:
    """Return the longest shorter span this one is made of, -1 for the shortest."""
    for j in range(k - 1, -1, -1):
        if spans[k] == DAY or spans[k] % spans[j] == 0:
            return j
    return -1


def _last_child(spans: list[int], k: int) -> int:
    children = [j for j in range(k + 1, len(spans)) if _parent_span(spans, j) == k]
    return max(children, default=k)
