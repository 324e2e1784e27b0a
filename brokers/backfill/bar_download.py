"""Download of historical bars in Kite's windows and at its pace, that goes on where it was stopped.

What has been stored is written down in a file of JSON lines, one for each window, after its bars have been kept: a
window that was interrupted is asked for again. With each line stand the bars the calendar expected and Kite did not
have.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, final

from brokers.kite.rest import INTERVALS
from compiled.model import SECOND, Bar, Instrument
from engine.errors import DataError, OperatorError, RetryableError, in_words
from engine.market.calendar import DAY, Calendar, Gap, ist_day, midnight
from engine.ports import Clock

LANES: Final = 3
"""Windows under way at the same time: as many as Kite answers in a second."""
TRIES: Final = 5
FIRST_DELAY: Final = 2 * SECOND


class Archive(Protocol):
    """Where history comes from."""

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end)."""
        ...


class Wanted(NamedTuple):
    """Bars of `span` seconds that start in [start, end) (ns UTC); `cas`: the stock closes in the closing auction."""

    instrument: Instrument
    span: int
    start: int
    end: int
    cas: bool = False


class Window(NamedTuple):
    """One request's worth of what is wanted."""

    wanted: Wanted
    start: int
    end: int


class Result(NamedTuple):
    """What is there of one thing wanted: bars stored, expected bars that are missing, and [start, end) still to get."""

    wanted: Wanted
    bars: int
    gaps: tuple[Gap, ...]
    unread: tuple[tuple[int, int], ...]


class _Done(NamedTuple):
    start: int
    end: int
    bars: int
    gaps: tuple[Gap, ...]


@final
class Progress:
    """The file that says what has been stored; a line torn by a crash counts as not written.

    Raises `OperatorError` for a file that cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done: dict[tuple[int, int], list[_Done]] = {}
        try:
            lines = file.read_bytes().splitlines() if file.exists() else []
        except OSError as error:
            raise OperatorError(f"cannot read {file}: {error.strerror}") from None
        for line in lines:
            self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            done = _Done(row["start"], row["end"], row["bars"], tuple(Gap(*gap) for gap in row["gaps"]))
            self._done.setdefault((row["token"], row["span"]), []).append(done)
        except (ValueError, KeyError, TypeError):
            return

    def add(self, window: Window, bars: int, gaps: Sequence[Gap]) -> None:
        """Write down a window whose bars are stored; raise `OperatorError`."""
        token, span = int(window.wanted.instrument.token), window.wanted.span
        row = {"token": token, "span": span, "start": window.start, "end": window.end, "bars": bars, "gaps": gaps}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(b"\n" + json.dumps(row).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OperatorError(f"cannot write {self._file}: {in_words(error)}") from None
        self._done.setdefault((token, span), []).append(_Done(window.start, window.end, bars, tuple(gaps)))

    def missing(self, wanted: Wanted) -> list[tuple[int, int]]:
        """Return the parts of what is wanted that are not stored, oldest first."""
        parts, at = [], wanted.start
        for done in sorted(self._of(wanted)):
            if done.start > at:
                parts.append((at, min(done.start, wanted.end)))
            at = max(at, done.end)
        if at < wanted.end:
            parts.append((at, wanted.end))
        return parts

    def result(self, wanted: Wanted) -> Result:
        """Return how one thing wanted stands, over all runs."""
        stored = sorted(self._of(wanted))
        gaps = tuple(gap for done in stored for gap in done.gaps if wanted.start <= gap.start < wanted.end)
        return Result(wanted, sum(done.bars for done in stored), gaps, tuple(self.missing(wanted)))

    def _of(self, wanted: Wanted) -> list[_Done]:
        known = self._done.get((int(wanted.instrument.token), wanted.span), [])
        return [done for done in known if done.start < wanted.end and done.end > wanted.start]


def windows(wanted: Wanted, parts: Iterable[tuple[int, int]]) -> Iterator[Window]:
    """Cut parts of what is wanted into requests of the documented length that end at midnight IST."""
    if wanted.span not in INTERVALS:
        raise DataError(f"Kite has no bars of {wanted.span} s; it has {', '.join(map(str, INTERVALS))}")
    days = INTERVALS[wanted.span][1]
    for start, end in parts:
        at = start
        while at < end:
            until = min(midnight(ist_day(at)) + days * DAY, end)
            yield Window(wanted, at, until)
            at = until


async def download(
    archive: Archive,
    wanted: Sequence[Wanted],
    keep: Callable[[Wanted, list[Bar]], None],
    progress: Progress,
    calendar: Calendar,
    clock: Clock,
) -> list[Result]:
    """Store every bar that is wanted and not stored yet, and return how each thing wanted stands.

    `keep` stores bars durably before it returns; the same bars may come again after a crash. What has not ended by now
    is left for the next time. A window that fails five times is left out and reported; `OperatorError` (a dead token,
    a full disk) ends the download, and the next one goes on from there.
    """
    now = clock.now()
    todo = iter([
        window
        for each in wanted
        for window in windows(each, progress.missing(each._replace(end=min(each.end, _closed(now, each.span)))))
    ])  # fmt: skip

    async def lane() -> None:
        for window in todo:
            bars = await _patiently(archive, window, clock)
            if bars is not None:
                keep(window.wanted, bars)
                progress.add(window, len(bars), missing(calendar, window, bars))

    fatal: list[OperatorError] = []
    try:
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(lane())
    except* OperatorError as errors:
        fatal += [each for each in errors.exceptions if isinstance(each, OperatorError)]
    if fatal:
        raise fatal[0]
    return [progress.result(each) for each in wanted]


def _closed(now: int, span: int) -> int:
    """Return the end of the last bar that can be final: a minute ago, or today's midnight for day bars."""
    return midnight(ist_day(now)) if span * SECOND >= DAY else now - max(span, 60) * SECOND


async def _patiently(archive: Archive, window: Window, clock: Clock) -> list[Bar] | None:
    delay = FIRST_DELAY
    for attempt in range(TRIES):
        try:
            return await archive.history(
                int(window.wanted.instrument.token), window.start, window.end, window.wanted.span
            )
        except RetryableError:
            if attempt < TRIES - 1:
                await clock.sleep_until(clock.now() + delay)
            delay *= 2
    return None


def missing(calendar: Calendar, window: Window, bars: Sequence[Bar]) -> list[Gap]:
    """Return the bars of a window that the calendar expects and that are not there.

    A stock that is not traded has no bars either: a gap is a question, not an error. Days without a holiday list are
    left out.
    """
    wanted = window.wanted
    exchange, kind = wanted.instrument.exchange, wanted.instrument.kind
    daily = wanted.span * SECOND >= DAY
    there = {int(bar.start) for bar in bars}
    gaps: list[Gap] = []
    at = midnight(ist_day(window.start))
    while at < window.end:
        day = ist_day(at)
        at += DAY
        with contextlib.suppress(DataError):
            expected = calendar.expected_bars(day, wanted.span, exchange, kind, wanted.cas)
            beyond = [] if daily else [start for start in expected if not window.start <= start < window.end]
            known = expected if daily and midnight(day) in there else [*there, *beyond]
            gaps += calendar.missing_bars(known, day, wanted.span, exchange, kind, wanted.cas)
    return gaps
