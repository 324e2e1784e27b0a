"""Recordings of the feed from the command line: see, check, replay and export them."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from compiled.model.events import TickBatch
from compiled.model.values import SECOND, Bar
from engine.config.desk_modes import Mode
from engine.config.disk_places import desk_paths
from engine.errors import DataError, NothingFound
from engine.exit_codes import DONE, FAILED
from engine.history.bar_files import files_in
from engine.history.bar_series import from_bars
from engine.history.feed_recording import NotedEvent
from engine.history.kept_ticks import KeptTicks, keep_ticks, kept_ticks, read_ticks
from engine.history.tick_files import SPAN, bars_of, ticks_of
from engine.market.calendar import Calendar
from engine.numbers import counted
from engine.texts import plain_text
from store.export import ColumnKind, ist_text, write_rows
from store.recordings.recording_blocks import BlockScan
from tui.commands.bars.bar_selection import check_new_version, store_of
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson, speed_of
from tui.commands.shared.text_tables import print_table
from tui.commands.shared.typed_values import symbol_set
from tui.formats import aligned_fields
from tui.run.configured import configuration
from tui.run.recording_replay import recorded_range
from tui.run.recordings import (
    RecordedRun,
    RecordedRunReader,
    RecordingOutcome,
    all_runs,
    find_run,
    play_run,
)
from tui.run.recordings import (
    ticks_of as recorded_ticks,
)

MB = 1_000_000

ticks = App(
    name="ticks",
    help="Recordings of the feed: see, check, replay and export them.",
    help_format="plaintext",
)

Recording = Annotated[
    str,
    Parameter(
        help=(
            "MODE/DAY/RUN as `ticks list` has it, a part of it for the last one, or nothing for "
            "the last of all."
        )
    ),
]
OfMode = Annotated[Mode | None, Parameter(help="Only those of this mode.")]
Symbols = Annotated[str, Parameter(help="Only these, with commas between.")]
From = Annotated[
    str, Parameter(name="--from", help="From this time of day on, IST, HH:MM or HH:MM:SS.")
]
To = Annotated[str, Parameter(name="--to", help="Up to this time of day.")]

COLUMNS = [
    ("received", ColumnKind.TIME),
    ("ts", ColumnKind.TIME),
    ("symbol", ColumnKind.TEXT),
    ("token", ColumnKind.INT),
    ("ltp", ColumnKind.PRICE),
    ("volume", ColumnKind.INT),
    ("last_quantity", ColumnKind.INT),
    ("average_price", ColumnKind.PRICE),
    ("last_trade", ColumnKind.TIME),
    ("bid", ColumnKind.PRICE),
    ("bid_quantity", ColumnKind.INT),
    ("ask", ColumnKind.PRICE),
    ("ask_quantity", ColumnKind.INT),
    ("buy_quantity", ColumnKind.INT),
    ("sell_quantity", ColumnKind.INT),
    ("open", ColumnKind.PRICE),
    ("high", ColumnKind.PRICE),
    ("low", ColumnKind.PRICE),
    ("close", ColumnKind.PRICE),
    ("oi", ColumnKind.INT),
]


@ticks.command(name="list")
def list_(*, mode: OfMode = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """Tell which recordings there are, and which ticks were imported; `verify` looks into one."""
    values = configuration(config)
    found = all_runs(values, mode)
    # Nobody's desk has recorded them: they are of no mode.
    imported = [] if mode else kept_ticks(desk_paths(values, os.environ).history)
    if not found and not imported:
        raise NothingFound("nothing has been recorded: set feed.record = true, and run the desk")
    rows = [_recording_row(run, plainly=as_json) for run in found]
    rows += [_imported_row(kept, plainly=as_json) for kept in imported]
    size = sum(float(str(row["mb"])) for row in rows)
    told = [counted(len(found), "recording")] if found else []
    told += [f"{counted(len(imported), 'imported day')} of a symbol"] if imported else []
    summary = f"{', '.join(told)}, {size:,.1f} MB"
    print_table(rows, as_json=as_json, summary=summary)
    return DONE


@ticks.command
def verify(recording: Recording = "", *, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Play a recording through a kernel.

    Tell whether it is whole, and its bars are those of the desk that recorded
    it. Exits with 1 where it is not, or they are others.
    """
    run = find_run(all_runs(configuration(config)), recording)
    return _print_outcome(
        run, play_run(RecordedRunReader(run), lambda _event, _bars: None), as_json=as_json
    )


@ticks.command
def replay(
    recording: Recording = "",
    *,
    speed: Annotated[str, Parameter(help="Times real time, or max.")] = "max",
    since: From = "",
    until: To = "",
    symbols: Symbols = "",
    span: Annotated[int, Parameter(help="Only bars of so many seconds; 0: all spans.")] = 0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Play a recording, and print each bar as it closes.

    What comes before --from is played at once and not printed.
    """
    run, factor = find_run(all_runs(configuration(config)), recording), speed_of(speed)
    reading = RecordedRunReader(run)
    names, (start, end) = _chosen_tokens(reading, symbols), recorded_range(run.day, since, until)
    pace = PlaybackPace(factor, start)

    def show(event: TickBatch | NotedEvent, bars: Sequence[Bar]) -> None:
        # played to the end all the same: the outcome is of the whole recording
        if event.ts >= end:
            return
        # before anything is printed: the pace is that of the bars
        pace.wait(int(event.ts))
        if as_json or event.ts < start:
            return
        for bar in bars:
            if int(bar.token) in names and span in {0, bar.span}:
                cells = (
                    ist_text(bar.start),
                    names[int(bar.token)],
                    bar.span,
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    bar.volume,
                )
                sys.stdout.write(",".join(map(str, cells)) + "\n")

    if not as_json:
        sys.stdout.write("start,symbol,span,open,high,low,close,volume\n")
    return _print_outcome(
        # stdout has the bars, as CSV
        run,
        play_run(reading, show),
        as_json=as_json,
        out=sys.stdout if as_json else sys.stderr,
    )


@ticks.command
def export(
    recording: Recording = "",
    *,
    symbols: Symbols = "",
    since: From = "",
    until: To = "",
    format: Annotated[
        Literal["csv", "json", "parquet"], Parameter(help="How to write it.")
    ] = "csv",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    config: ConfigFile = None,
) -> int:
    """Write every tick that came, decoded, for other programs."""
    run = find_run(all_runs(configuration(config)), recording)
    reading = RecordedRunReader(run)
    names, (start, end) = _chosen_tokens(reading, symbols), recorded_range(run.day, since, until)
    count = write_rows(out, format, COLUMNS, _tick_rows(reading, names, start, end))
    if reading.damaged or reading.cut:
        sys.stderr.write(f"patang: {run.name} is cut or damaged: not all that came is in it\n")
    if not count:
        raise NothingFound(f"no such ticks in {run.name}")
    sys.stderr.write(
        plain_text(f"{count:,} ticks of {run.name}{f' in {out}' if out else ''}") + "\n"
    )
    return DONE


@ticks.command(name="import")
def import_(
    path: Annotated[Path, Parameter(help="A CSV or Parquet file of ticks, or a folder of them.")],
    *,
    symbol: Annotated[
        str, Parameter(help="Whose ticks; empty: by a column, or by the file's name.")
    ] = "",
    version: Annotated[str, Parameter(help="Version to store the bars under.")] = "imported",
    folder: Annotated[Path | None, Parameter(help="Folder of bars instead of the history.")] = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Keep the ticks of others, and put the bars of one minute they make into the history."""
    check_new_version(version)
    store, calendar = store_of(folder, config), Calendar.load()
    history = folder or desk_paths(configuration(config), os.environ).history
    rows: list[dict[str, object]] = []
    refused = 0
    for file in files_in(path):
        try:
            for found in ticks_of(file, symbol.upper()):
                report, bars = bars_of(found, calendar)
                if bars:
                    store.write_columns(report.symbol, SPAN, version, from_bars(bars))
                keep_ticks(history, found)
                rows.append({"file": file.name, **report._asdict()})
        except DataError as error:
            # of a folder the other files are still wanted
            if path.is_file():
                raise
            refused += 1
            sys.stderr.write(f"patang: {plain_text(str(error))}\n")
    print_table(
        rows,
        as_json=as_json,
        summary=f"{sum(int(str(row['bars'])) for row in rows):,} bars stored as version {version}",
    )
    return FAILED if refused or not rows else DONE


class PlaybackPace:
    """Pace of a playback: `factor` times as fast as recorded, 0: unpaced, from `start` on."""

    def __init__(self, factor: float, start: int) -> None:
        self._factor = factor
        self._start = start
        self._origin: tuple[int, float] | None = None

    def wait(self, ts: int) -> None:
        """Return when it is the recording's `ts`."""
        if not self._factor or ts < self._start:
            return
        if self._origin is None:
            # what comes before is played at once: time begins here
            self._origin = (ts, time.monotonic())
        left = (ts - self._origin[0]) / SECOND / self._factor - (time.monotonic() - self._origin[1])
        if left > 0:
            # who reads along must have the bar before the wait for the next
            sys.stdout.flush()
            time.sleep(left)


def _recording_row(run: RecordedRun, *, plainly: bool) -> dict[str, object]:
    # its blocks would have to be fetched to be counted
    if run.is_archived:
        unknown = dict.fromkeys(
            ("from", "to", "frames", "ticks", "came_mb"), None if plainly else ""
        )
        return {"recording": run.name, **unknown, "mb": 0.0, "state": "archived"}
    scans = [BlockScan(part.path) for part in run.parts]
    heads = [head for scan in scans for head in scan.headers()]
    damaged = sum(scan.damaged for scan in scans)
    first, last = min((h.first for h in heads), default=0), max((h.last for h in heads), default=0)
    state = (
        "beheaded"
        if run.lacks_parts
        else "cut"
        if scans[-1].cut or not heads
        else "damaged"
        if damaged
        else "whole"
    )
    return {
        "recording": run.name,
        "from": first if plainly else ist_text(first)[11:19] if heads else "",
        "to": last if plainly else ist_text(last)[11:19] if heads else "",
        "frames": sum(head.frames for head in heads),
        # those of a recording stand in its frames, and are counted by `verify`
        "ticks": None if plainly else "",
        "came_mb": round(sum(head.came for head in heads) / MB, 2),
        "mb": round(sum(part.path.stat().st_size for part in run.parts) / MB, 2),
        "state": state,
    }


def _imported_row(kept: KeptTicks, *, plainly: bool) -> dict[str, object]:
    times = read_ticks(kept)[0]
    first, last = int(times[0]), int(times[-1])
    unknown = None if plainly else ""
    return {
        "recording": f"imported/{kept.day}/{kept.symbol}",
        "from": first if plainly else ist_text(first)[11:19],
        "to": last if plainly else ist_text(last)[11:19],
        "frames": unknown,
        "ticks": len(times),
        "came_mb": unknown,
        "mb": round(kept.path.stat().st_size / MB, 2),
        "state": "imported",
    }


def _print_outcome(
    run: RecordedRun, outcome: RecordingOutcome, *, as_json: bool, out: Any = None
) -> int:
    """Print the outcome of a replay.

    Return whether it is whole and, where the desk wrote it down, the same as there.
    """
    whole = outcome.is_whole and not run.lacks_parts
    # a desk that was killed has written no end to compare with
    good = whole and (outcome.matches_desk or not outcome.expected)
    same = (
        "yes"
        if outcome.matches_desk
        else "no"
        if outcome.expected
        else "the desk has not written down its end"
    )
    told = {"recording": run.name, **outcome._asdict(), "whole": whole, "same_as_the_desk": same}
    out = out or sys.stdout
    out.write(json.dumps(told) + "\n" if as_json else aligned_fields(told))
    return DONE if good else FAILED


def _chosen_tokens(reading: RecordedRunReader, symbols: str) -> dict[int, str]:
    """Return the symbols asked for by token; raise `NothingFound` for one that was not recorded."""
    there = {int(each["token"]): str(each["symbol"]) for each in reading.meta["instruments"]}
    there |= {int(each.token): each.symbol for each in reading.added_instruments()}
    wanted = symbol_set(symbols)
    if missing := wanted - {*there.values()}:
        raise NothingFound(f"not in the recording: {', '.join(sorted(missing))}")
    return {token: symbol for token, symbol in there.items() if not wanted or symbol in wanted}


def _tick_rows(
    reading: RecordedRunReader, names: dict[int, str], start: int, end: int
) -> Iterator[Sequence[object]]:
    for event in recorded_ticks(reading, start, end):
        for t in event.ticks:
            token = int(t.token)
            if token in names:
                yield (
                    int(event.ts),
                    int(t.ts),
                    names[token],
                    token,
                    t.ltp,
                    int(t.volume),
                    int(t.last_quantity),
                    t.average_price,
                    int(t.last_trade_ts),
                    t.bid,
                    int(t.bid_quantity),
                    t.ask,
                    int(t.ask_quantity),
                    int(t.buy_quantity),
                    int(t.sell_quantity),
                    t.open,
                    t.high,
                    t.low,
                    t.close,
                    int(t.oi),
                )
