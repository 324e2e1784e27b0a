"""Evidence of a day's recordings about symbols: every tick, and when none could come."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np

from engine.history.feed_recording import RecordedEvent, RecordKind
from engine.history.tick_evidence import (
    DESK_AWAY,
    FEED_AWAY,
    UNRECORDED,
    RecordingAbsence,
    SeenTicks,
    TickEvidence,
)
from engine.market.calendar import midnight
from tui.run.recordings import RecordedRun, RecordedRunReader

ORDER: Final = ("live", "shadow", "paper", "dry-run", "sandbox", "replay")
"""Of a day that several modes have recorded the first of these counts."""
UP: Final = b"up"


class ReceivedTick(NamedTuple):
    """One tick as it came, on a connection of a run."""

    ts: int
    came: int
    price: float
    volume: int
    held: bool
    link: tuple[int, int]


def runs_by_day(found: Sequence[RecordedRun]) -> dict[date, list[RecordedRun]]:
    """Return the runs by day, of one mode each."""
    days: dict[date, list[RecordedRun]] = {}
    for mode in ORDER:
        own: defaultdict[date, list[RecordedRun]] = defaultdict(list)
        for run in found:
            if run.mode == mode:
                own[date.fromisoformat(run.day)].append(run)
        # a later mode gives way to those before it
        days = own | days
    return days


def evidence_of(
    day: date, found: Sequence[RecordedRun], symbols: Collection[str]
) -> dict[str, TickEvidence]:
    """Return the runs' evidence of these symbols; raise `DataError`, `OperatorError`."""
    came: dict[str, list[ReceivedTick]] = {symbol: [] for symbol in symbols}
    absences: list[tuple[RecordingAbsence, tuple[int, int] | None]] = []
    # until the first run of the day nobody was listening
    over = midnight(day)
    for run in found:
        reading = RecordedRunReader(run)
        names = {int(each["token"]): str(each["symbol"]) for each in reading.meta["instruments"]}
        wanted = {token: came[name] for token, name in names.items() if name in came}
        watch = _AbsenceWatch(run.number, over, absences)
        decoder = reading.frames.reader()
        for record in reading.records():
            watch.note_record(record)
            if record.kind in {RecordKind.FRAME, RecordKind.HELD}:
                link, held = (run.number, record.connection), record.kind == RecordKind.HELD
                for tick in decoder.decode(record.payload, record.ts):
                    # 0 is no price: before the first trade of the day there is none
                    if (kept := wanted.get(int(tick.token))) is not None and tick.ltp > 0:
                        kept.append(
                            ReceivedTick(
                                int(tick.ts),
                                record.ts,
                                price=tick.ltp,
                                volume=int(tick.volume),
                                held=held,
                                link=link,
                            )
                        )
        over = watch.note_end(damaged=bool(reading.damaged))
    absences.append((RecordingAbsence(over, midnight(day + timedelta(days=1)), DESK_AWAY), None))
    return {symbol: _make_evidence(ticks, absences) for symbol, ticks in came.items()}


class _AbsenceWatch:
    """Watch over a run's records for times without ticks: of a connection, or (None) of all."""

    def __init__(
        self, run: int, over: int, absences: list[tuple[RecordingAbsence, tuple[int, int] | None]]
    ) -> None:
        self._run, self._over, self._absences = run, over, absences
        self._began = self._last = 0
        self._down: dict[int, int] = {}

    def note_record(self, record: RecordedEvent) -> None:
        """Take note of a record."""
        if not self._began:
            self._began = self._last = record.ts
            self._absences.append((RecordingAbsence(self._over, record.ts, DESK_AWAY), None))
        # how many are missing is known, not which
        if record.kind == RecordKind.LOST:
            self._absences.append((RecordingAbsence(self._last, record.ts, UNRECORDED), None))
        elif record.kind == RecordKind.LINK and record.payload != UP:
            # the first of several notices: it was down since then
            self._down.setdefault(record.connection, record.ts)
        elif record.kind == RecordKind.LINK and (since := self._down.pop(record.connection, 0)):
            self._absences.append(
                (RecordingAbsence(since, record.ts, FEED_AWAY), (self._run, record.connection))
            )
        # connections have their own order, and times may step back between them
        self._last = max(self._last, record.ts)

    def note_end(self, *, damaged: bool) -> int:
        """Note what is still away, and return when the run was over."""
        for connection, since in self._down.items():
            self._absences.append(
                (RecordingAbsence(since, self._last, FEED_AWAY), (self._run, connection))
            )
        # a damaged block may have held any tick of the run
        if damaged:
            self._absences.append((RecordingAbsence(self._began, self._last, UNRECORDED), None))
        return self._last


def _make_evidence(
    ticks: list[ReceivedTick], absences: Sequence[tuple[RecordingAbsence, tuple[int, int] | None]]
) -> TickEvidence:
    links = {tick.link for tick in ticks}
    seen = SeenTicks(
        np.array([tick.ts for tick in ticks], np.int64),
        np.array([tick.came for tick in ticks], np.int64),
        np.array([tick.price for tick in ticks], np.float64),
        np.array([tick.volume for tick in ticks], np.int64),
        np.array([tick.held for tick in ticks], np.bool_),
    )
    # what a connection missed concerns the symbols it carried
    return TickEvidence(seen, [each for each, link in absences if link is None or link in links])
