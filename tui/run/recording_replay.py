"""A recording played through the whole desk: its choice, its playing, its comparison."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from brokers.recorded.recorded_market import RecordedMarket
from brokers.registry import rules_of
from compiled.model.values import SECOND, Bar
from engine.config.schema import DeskConfig
from engine.day.dead_letters import AHEAD_S
from engine.errors import ConfigError, DataError, NothingFound, OperatorError
from engine.market.calendar import midnight
from store.recordings.recording_blocks import recording_parts
from tui.run.bar_stores import history_store
from tui.run.recordings import RecordedRun, RecordedRunReader, all_runs, find_run

FEED = ".feed"
PAST = ("vendor", "live", "imported")
"""Versions of the history that a replayed desk warms up with, the first that has bars."""


def recording_of(config: DeskConfig, path: Path) -> RecordedRun | None:
    """Return the recording by its name in `ticks list`, a day's folder (last run), or a file.

    None for none.
    """
    if path.suffix == FEED or any(path.glob(f"*{FEED}")):
        folder = path.parent if path.suffix == FEED else path
        there = [each for each in recording_parts(folder.parent) if each.day == folder.name]
        if not there:
            raise DataError(f"{path}: no recording, as DAY/RUN-PART{FEED} below a folder")
        run = next((each.run for each in there if each.path == path), there[-1].run)
        return RecordedRun(
            folder.parent.parent.name,
            folder.name,
            run,
            tuple(each for each in there if each.run == run),
        )
    # what is there is a folder of bars; a relative path that is not may be the name of a recording
    if path.exists() or path.is_absolute():
        return None
    try:
        return find_run(all_runs(config), str(path))
    except NothingFound:
        raise DataError(
            f"{path}: no folder of bars, and no recording that `patang ticks list` shows"
        ) from None


class RecordingReplay:
    """A recording that is played: its market, and the outcome of the recorded desk."""

    def __init__(self, config: DeskConfig, run: RecordedRun, until: int) -> None:
        self.run, self._config = run, config
        self.reading = RecordedRunReader(run)
        meta = self.reading.meta
        self.spans = tuple(int(span) for span in meta["spans"])
        self.symbols = tuple(str(each["symbol"]) for each in meta["instruments"])
        self.speed = max(1.0, meta["ahead"] / (AHEAD_S * SECOND))
        """How fast the recorded exchange went."""
        self.market = RecordedMarket(
            meta,
            self.reading.frames,
            rules_of(self.reading.broker, ""),
            self.reading.records,
            begins=self.reading.began,
            past=self._past_bars,
            until=until,
        )

    def summary(self) -> dict[str, object]:
        """Return the comparison: ticks, bars and their hash, here and at the recorded desk."""
        market, there, here = self.market, self.reading.ended, self.market.ended
        same = all(there.get(name) == here.get(name) for name in ("ticks", "bars", "digest"))
        whole = not (
            market.playback.lost
            or market.playback.astray
            or self.reading.damaged
            or self.reading.cut
        )
        told = (
            "not played to its end"
            if market.left_early or not here
            else "the desk has not written down its end"
            if not there
            else None
        )
        return {
            "recording": self.run.name,
            "whole": whole and not self.run.lacks_parts,
            "bars_digest": here.get("digest", ""),
            "recorded": there,
            "same_bars_as_the_desk": told or ("yes" if same else "no"),
        }

    def _past_bars(self, symbol: str, start: int, end: int, span: int) -> list[Bar]:
        store = history_store(self._config, None)
        try:
            found: Sequence[list[Bar]] = [
                store.read(symbol, span, start, end, version) for version in PAST
            ]
        # the past only warms strategies up: a history that cannot be read ends no replay
        except (DataError, OperatorError):
            return []
        return next((bars for bars in found if bars), [])


def recorded_range(day: str, since: str, until: str) -> tuple[int, int]:
    """Return [start, end) in ns UTC of a recorded day's times, HH:MM or HH:MM:SS.

    Raise `ConfigError` for other texts.
    """
    begins = midnight(date.fromisoformat(day))
    # without an end: later than any record of the day can be
    return begins + _clock_offset(since, 0), begins + _clock_offset(until, 48 * 3_600)


def _clock_offset(text: str, none: int) -> int:
    if not text:
        return none * SECOND
    try:
        hours, minutes, *seconds = (int(part) for part in text.split(":"))
        found = (hours * 60 + minutes) * 60 + (seconds[0] if seconds else 0)
    except ValueError:
        found = -1
    if not 0 <= found <= 86_400:
        raise ConfigError(f"time {text}: expected HH:MM or HH:MM:SS")
    return found * SECOND
