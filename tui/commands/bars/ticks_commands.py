"""Recordings of the feed from the command line: see, check, replay and export them."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from compiled.events import BandUpdate, Ticks, Timer
from compiled.model import SECOND, Bar
from engine.errors import DataError, NothingFound
from engine.modes import Mode
from engine.texts import plain
from store.export import Kind, ist, write_rows
from store.recordings.blocks import Scan
from tui.bars_shared import names_of, store_of
from tui.launch import configuration
from tui.numbers import aligned
from tui.recorded import Outcome, Reading, RecordedRun, all_runs, named, play, ticks_of
from tui.rerun import time_range
from tui.tables import table

DONE, FAILED = 0, 1
MB = 1_000_000

ticks = App(name="ticks", help="Recordings of the feed: see, check, replay and export them.", help_format="plaintext")

Recording = Annotated[
    str,
    Parameter(
        help="MODE/DAY/RUN as `ticks list` has it, a part of it for the last one, or nothing for the last of all."
    ),
]
OfMode = Annotated[Mode | None, Parameter(help="Only those of this mode.")]
ConfigFile = Annotated[Path | None, Parameter(name="--config", help="Configuration file instead of ./config.toml.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object on stdout.")]
Symbols = Annotated[str, Parameter(help="Only these, with commas between.")]
From = Annotated[str, Parameter(name="--from", help="From this time of day on, IST, HH:MM or HH:MM:SS.")]
To = Annotated[str, Parameter(name="--to", help="Up to this time of day.")]

COLUMNS = [
    ("received", Kind.TIME), ("ts", Kind.TIME), ("symbol", Kind.TEXT), ("token", Kind.INT), ("ltp", Kind.PRICE),
    ("volume", Kind.INT), ("last_quantity", Kind.INT), ("average_price", Kind.PRICE), ("last_trade", Kind.TIME),
    ("bid", Kind.PRICE), ("bid_quantity", Kind.INT), ("ask", Kind.PRICE), ("ask_quantity", Kind.INT),
    ("buy_quantity", Kind.INT), ("sell_quantity", Kind.INT), ("open", Kind.PRICE), ("high", Kind.PRICE),
    ("low", Kind.PRICE), ("close", Kind.PRICE), ("oi", Kind.INT),
]  # fmt: skip


@ticks.command(name="list")
def list_(*, mode: OfMode = None, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Tell which recordings there are; `verify` looks into one."""
    found = all_runs(configuration(config), mode)
    if not found:
        raise NothingFound("nothing has been recorded: set feed.record = true, and run the desk")
    rows = [_row(run, plainly=as_json) for run in found]
    table(
        rows, as_json=as_json, summary=f"{len(rows)} recordings, {sum(float(str(row['mb'])) for row in rows):,.1f} MB"
    )
    return DONE


@ticks.command
def verify(recording: Recording = "", *, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Play a recording through a kernel: tell whether it is whole, and its bars are those of the desk that recorded it."""
    run = named(all_runs(configuration(config)), recording)
    return _told(run, play(Reading(run), lambda _event, _bars: None), as_json=as_json)


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
    """Play a recording, and print each bar as it closes; what comes before --from is played at once and not printed."""
    from tui.cli import speed_of  # noqa: PLC0415  it imports the commands

    run, factor = named(all_runs(configuration(config)), recording), speed_of(speed)
    reading = Reading(run)
    names, (start, end) = _names(reading, symbols), time_range(run.day, since, until)
    pace = Pace(factor, start)

    def show(event: Ticks | Timer | BandUpdate, bars: Sequence[Bar]) -> None:
        if event.ts >= end:
            return
        pace.wait(int(event.ts))
        if as_json or event.ts < start:
            return
        for bar in bars:
            if int(bar.token) in names and span in {0, bar.span}:
                cells = (
                    ist(bar.start),
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
    return _told(run, play(reading, show), as_json=as_json, out=sys.stdout if as_json else sys.stderr)


@ticks.command
def export(
    recording: Recording = "",
    *,
    symbols: Symbols = "",
    since: From = "",
    until: To = "",
    format: Annotated[Literal["csv", "json", "parquet"], Parameter(help="How to write it.")] = "csv",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    config: ConfigFile = None,
) -> int:
    """Write every tick that came, decoded, for other programs."""
    run = named(all_runs(configuration(config)), recording)
    reading = Reading(run)
    names, (start, end) = _names(reading, symbols), time_range(run.day, since, until)
    count = write_rows(out, format, COLUMNS, _rows(reading, names, start, end))
    if not count:
        raise NothingFound(f"no such ticks in {run.name}")
    sys.stderr.write(plain(f"{count:,} ticks of {run.name}{f' in {out}' if out else ''}") + "\n")
    return DONE


@ticks.command(name="import")
def import_(
    path: Annotated[Path, Parameter(help="A CSV or Parquet file of ticks, or a folder of them.")],
    *,
    symbol: Annotated[str, Parameter(help="Whose ticks; empty: by a column, or by the file's name.")] = "",
    version: Annotated[str, Parameter(help="Version to store the bars under.")] = "imported",
    folder: Annotated[Path | None, Parameter(help="Folder of bars instead of the history.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Make bars of one minute of the tick files of others, and put them into the history."""
    from engine.history.files import files_in  # noqa: PLC0415
    from engine.history.series import from_bars  # noqa: PLC0415
    from engine.history.tick_files import SPAN, bars_of  # noqa: PLC0415
    from engine.market.calendar import Calendar  # noqa: PLC0415

    store, calendar = store_of(folder, config), Calendar.load()
    rows: list[dict[str, object]] = []
    refused = 0
    for file in files_in(path):
        try:
            for report, bars in bars_of(file, symbol.upper(), calendar):
                if bars:
                    store.write_columns(report.symbol, SPAN, version, from_bars(bars))
                rows.append({"file": file.name, **report._asdict()})
        except DataError as error:
            if path.is_file():
                raise
            refused += 1
            sys.stderr.write(f"patang: {plain(str(error))}\n")
    table(
        rows,
        as_json=as_json,
        summary=f"{sum(int(str(row['bars'])) for row in rows):,} bars stored as version {version}",
    )
    return FAILED if refused or not rows else DONE


class Pace:
    """Lets the recorded time pass `factor` times as fast as it did, from `start` on; 0: as fast as it goes."""

    def __init__(self, factor: float, start: int) -> None:
        self._factor = factor
        self._start = start
        self._origin: tuple[int, float] | None = None

    def wait(self, ts: int) -> None:
        """Return when it is the recording's `ts`."""
        if not self._factor or ts < self._start:
            return
        if self._origin is None:
            self._origin = (ts, time.monotonic())
        left = (ts - self._origin[0]) / SECOND / self._factor - (time.monotonic() - self._origin[1])
        if left > 0:
            sys.stdout.flush()
            time.sleep(left)


def _row(run: RecordedRun, *, plainly: bool) -> dict[str, object]:
    if run.away:
        unknown = dict.fromkeys(("from", "to", "frames", "came_mb"), None if plainly else "")
        return {"recording": run.name, **unknown, "mb": 0.0, "state": "archived"}
    scans = [Scan(part.path) for part in run.parts]
    heads = [head for scan in scans for head in scan.headers()]
    damaged = sum(scan.damaged for scan in scans)
    first, last = min((h.first for h in heads), default=0), max((h.last for h in heads), default=0)
    state = "beheaded" if run.beheaded else "cut" if scans[-1].cut else "damaged" if damaged else "whole"
    return {
        "recording": run.name,
        "from": first if plainly else ist(first)[11:19],
        "to": last if plainly else ist(last)[11:19],
        "frames": sum(head.frames for head in heads),
        "came_mb": round(sum(head.came for head in heads) / MB, 2),
        "mb": round(sum(part.path.stat().st_size for part in run.parts) / MB, 2),
        "state": state,
    }


def _told(run: RecordedRun, outcome: Outcome, *, as_json: bool, out: Any = None) -> int:
    """Tell what a replay came to; return whether it is whole and, where the desk wrote it down, the same as there."""
    whole = outcome.whole and not run.beheaded
    good = whole and (outcome.equal or not outcome.expected)
    same = "yes" if outcome.equal else "no" if outcome.expected else "the desk has not written down its end"
    told = {"recording": run.name, **outcome._asdict(), "whole": whole, "same_as_the_desk": same}
    out = out or sys.stdout
    out.write(json.dumps(told) + "\n" if as_json else aligned(told))
    return DONE if good else FAILED


def _names(reading: Reading, symbols: str) -> dict[int, str]:
    """Return the symbols asked for by token; raise `NothingFound` for one that was not recorded."""
    there = {int(each["token"]): str(each["symbol"]) for each in reading.meta["instruments"]}
    wanted = names_of(symbols)
    if missing := wanted - {*there.values()}:
        raise NothingFound(f"not in the recording: {', '.join(sorted(missing))}")
    return {token: symbol for token, symbol in there.items() if not wanted or symbol in wanted}


def _rows(reading: Reading, names: dict[int, str], start: int, end: int) -> Iterator[Sequence[object]]:
    for event in ticks_of(reading, start, end):
        for t in event.ticks:
            token = int(t.token)
            if token in names:
                yield (
                    int(event.ts), int(t.ts), names[token], token, t.ltp, int(t.volume), int(t.last_quantity),
                    t.average_price, int(t.last_trade_ts), t.bid, int(t.bid_quantity), t.ask, int(t.ask_quantity),
                    int(t.buy_quantity), int(t.sell_quantity), t.open, t.high, t.low, t.close, int(t.oi),
                )  # fmt: skip
