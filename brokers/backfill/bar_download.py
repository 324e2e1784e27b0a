"""Download of historical bars in the broker's windows, at its pace, resumed where it stopped.

Each stored window is a line of a JSON-lines file, written after its bars have been kept: a window
that was interrupted is asked for again. The line names the bars that the calendar expected and Kite
did not have.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, final

from compiled.model.values import SECOND, Bar, Instrument
from engine.errors import DataError, OperatorError, RetryableError, in_words
from engine.market.calendar import DAY, BarGap, Calendar, ist_day, midnight
from engine.ports import Clock

LANES: Final = 3
"""Windows under way at the same time: as many as Kite answers in a second."""
TRIES: Final = 5
FIRST_DELAY: Final = 2 * SECOND


class HistorySource(Protocol):
    """Source of history."""

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end)."""
        ...


class WantedBars(NamedTuple):
    """Bars of `span` seconds that start in [start, end) (ns UTC).

    `cas`: the stock closes in the closing auction.
    """

    instrument: Instrument
    span: int
    start: int
    end: int
    cas: bool = False


class HistoryWindow(NamedTuple):
    """One request's part of a download."""

    wanted: WantedBars
    start: int
    end: int


class DownloadResult(NamedTuple):
    """Result for one series: stored bars, missing bars, and [start, end) still to get."""

    wanted: WantedBars
    bars: int
    gaps: tuple[BarGap, ...]
    unread: tuple[tuple[int, int], ...]


class _StoredWindow(NamedTuple):
    start: int
    end: int
    bars: int
    gaps: tuple[BarGap, ...]


@final
class DownloadProgress:
    """The file that says what has been stored; a line torn by a crash counts as not written.

    Raises `OperatorError` for a file that cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done: dict[tuple[int, int], list[_StoredWindow]] = {}
        try:
            lines = file.read_bytes().splitlines() if file.exists() else []
        except OSError as error:
            raise OperatorError(f"cannot read {file}: {error.strerror}") from None
        for line in lines:
            self._read_line(line)

    def _read_line(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            done = _StoredWindow(
                row["start"], row["end"], row["bars"], tuple(BarGap(*gap) for gap in row["gaps"])
            )
            self._done.setdefault((row["token"], row["span"]), []).append(done)
        except (ValueError, KeyError, TypeError):
            return

    def add(self, window: HistoryWindow, bars: int, gaps: Sequence[BarGap]) -> None:
        """Note a window whose bars are stored; raise `OperatorError`."""
        token, span = int(window.wanted.instrument.token), window.wanted.span
        row = {
            "token": token,
            "span": span,
            "start": window.start,
            "end": window.end,
            "bars": bars,
            "gaps": gaps,
        }
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                # the newline first: it ends a line that a crash has torn
                file.write(b"\n" + json.dumps(row).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OperatorError(f"cannot write {self._file}: {in_words(error)}") from None
        self._done.setdefault((token, span), []).append(
            _StoredWindow(window.start, window.end, bars, tuple(gaps))
        )

    def missing_parts(self, wanted: WantedBars) -> list[tuple[int, int]]:
        """Return the wanted parts that are not stored, oldest first."""
        parts, at = [], wanted.start
        for done in sorted(self._stored_windows(wanted)):
            if done.start > at:
                parts.append((at, min(done.start, wanted.end)))
            at = max(at, done.end)
        if at < wanted.end:
            parts.append((at, wanted.end))
        return parts

    def result(self, wanted: WantedBars) -> DownloadResult:
        """Return how one thing wanted stands, over all runs."""
        stored = sorted(self._stored_windows(wanted))
        gaps = tuple(
            gap for done in stored for gap in done.gaps if wanted.start <= gap.start < wanted.end
        )
        return DownloadResult(
            wanted, sum(done.bars for done in stored), gaps, tuple(self.missing_parts(wanted))
        )

    def _stored_windows(self, wanted: WantedBars) -> list[_StoredWindow]:
        known = self._done.get((int(wanted.instrument.token), wanted.span), [])
        return [done for done in known if done.start < wanted.end and done.end > wanted.start]


def request_windows(
    wanted: WantedBars, parts: Iterable[tuple[int, int]], history_days: Mapping[int, int]
) -> Iterator[HistoryWindow]:
    """Cut wanted parts into requests of the broker's length that end at midnight IST."""
    if wanted.span not in history_days:
        raise DataError(
            f"the broker has no bars of {wanted.span} s; it has {', '.join(map(str, history_days))}"
        )
    days = history_days[wanted.span]
    for start, end in parts:
        at = start
        while at < end:
            until = min(midnight(ist_day(at)) + days * DAY, end)
            yield HistoryWindow(wanted, at, until)
            at = until


async def download(
    archive: HistorySource,
    wanted: Sequence[WantedBars],
    keep: Callable[[WantedBars, list[Bar]], None],
    progress: DownloadProgress,
    calendar: Calendar,
    clock: Clock,
    history_days: Mapping[int, int],
) -> list[DownloadResult]:
    """Store every bar that is wanted and not stored yet, and return how each thing wanted stands.

    `keep` stores bars durably before it returns; the same bars may come again after a crash. What
    has not ended by now is left for the next time. A window that fails five times is left out and
    reported; `OperatorError` (a dead token, a full disk) ends the download, and the next one goes
    on from there. `history_days` are those of the broker's rules.
    """
    now = clock.now()
    # one for all lanes: each takes the next window
    todo = iter(
        [
            window
            for each in wanted
            for window in request_windows(
                each,
                progress.missing_parts(
                    each._replace(end=min(each.end, _final_end(now, each.span)))
                ),
                history_days,
            )
        ]
    )

    async def lane() -> None:
        for window in todo:
            bars = await _read_with_retries(archive, window, clock)
            if bars is not None:
                # bars first: a window that is noted is never asked for again
                keep(window.wanted, bars)
                progress.add(window, len(bars), missing_in_window(calendar, window, bars))

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


def _final_end(now: int, span: int) -> int:
    """Return the end of the last final bar: a minute ago, or today's midnight for day bars."""
    return midnight(ist_day(now)) if span * SECOND >= DAY else now - max(span, 60) * SECOND


async def _read_with_retries(
    archive: HistorySource, window: HistoryWindow, clock: Clock
) -> list[Bar] | None:
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


def missing_in_window(
    calendar: Calendar, window: HistoryWindow, bars: Sequence[Bar]
) -> list[BarGap]:
    """Return the bars of a window that the calendar expects and that are not there.

    A stock that is not traded has no bars either: a gap is a question, not an error. Days without a
    holiday list are left out.
    """
    wanted = window.wanted
    exchange, kind = wanted.instrument.exchange, wanted.instrument.kind
    daily = wanted.span * SECOND >= DAY
    there = {int(bar.start) for bar in bars}
    gaps: list[BarGap] = []
    at = midnight(ist_day(window.start))
    while at < window.end:
        day = ist_day(at)
        at += DAY
        with contextlib.suppress(DataError):
            expected = calendar.expected_bars(day, wanted.span, exchange, kind, wanted.cas)
            beyond = (
                []
                if daily
                else [start for start in expected if not window.start <= start < window.end]
            )
            known = expected if daily and midnight(day) in there else [*there, *beyond]
            gaps += calendar.missing_bars(
                known, day, span=wanted.span, exchange=exchange, kind=kind, cas=wanted.cas
            )
    return gaps
