"""The history from the command line: bars come in, are listed, and are checked."""

import os
import sys
from collections import Counter
from contextlib import suppress
from datetime import date as day
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from engine.config.desk_modes import Mode
from engine.config.disk_places import desk_paths
from engine.errors import ConfigError, NothingFound
from engine.exit_codes import DONE, FAILED
from engine.market.calendar import ist_day
from engine.market.corporate_actions.action_list import CorporateActions
from engine.numbers import counted
from engine.texts import first_names, plain_text
from store.bars.registry import FILES
from tui.commands.bars.bar_selection import (
    Exchange,
    Kind,
    Span,
    Symbols,
    Version,
    archived_files,
    day_range,
    expected_bars,
    folder_of,
    months_of,
    select_bars,
    store_averages,
    store_of,
    time_range,
)
from tui.commands.shared.options import ConfigFile, Folder, From, RowsAsJson, To
from tui.commands.shared.text_tables import SHOWN, column_text, print_table
from tui.commands.shared.typed_values import END_OF_TIME, read_day, symbol_list, symbol_set
from tui.run.configured import configuration
from tui.run.run_records import latest_database

if TYPE_CHECKING:
    from engine.history.expected_bars import MissingRun


bars = App(
    name="bars",
    help="Bring bars in, and see what there is, what is missing and what is wrong.",
    help_format="plaintext",
)

bars.command(
    # imported when they are called, for what they bring with them
    "tui.commands.bars.bars_import:import_",
    name="import",
    help="Bring files of bars in; what is there already stays, the same bar again replaces itself.",
)
bars.command(
    "tui.commands.bars.golden_commands:golden",
    name="golden",
    help="Make, compare and verify golden bars.",
)
bars.command(
    "tui.commands.bars.archive_commands:archive",
    name="archive",
    help="Keep old bars and recordings in S3-compatible storage.",
)


@bars.command
def download(
    *,
    symbols: Annotated[str, Parameter(help="Whose bars, with commas between; @FILE: a line each.")],
    first: Annotated[str, Parameter(name="--from", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, Parameter(name="--to", help="Last day, YYYY-MM-DD; empty: today.")] = "",
    span: Annotated[
        int, Parameter(help="Length of the bars in seconds, as the broker has them.")
    ] = 60,
    exchange: Exchange = "NSE",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Store the broker's history as version vendor, within its rates.

    What is there already is not asked for again.
    """
    from tui.commands.bars.bars_download import fetch_history
    from tui.run.bar_stores import history_store

    names, days = symbol_list(symbols), (read_day(first), read_day(last))
    if days[0] > days[1]:
        raise ConfigError(f"--from {first} is after --to {last or 'today'}")
    values = configuration(config)
    # beside the bars: there the progress of a download is found again
    where = folder or desk_paths(values, os.environ).history
    return fetch_history(
        values, history_store(values, folder), where, names, *days, span, exchange, as_json=as_json
    )


@bars.command(name="list")
def list_(
    *,
    symbols: Symbols = "",
    version: Version = "",
    span: Span = 0,
    exchange: Exchange = "NSE",
    kind: Kind = "EQ",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """List the bars: from when to when, how many, how many missing in between, bytes on disk."""
    from engine.history.expected_bars import missing_starts

    store, expected, wanted = (
        store_of(folder, config),
        expected_bars(exchange, kind),
        symbol_set(symbols),
    )
    rows: list[dict[str, object]] = []
    for each in store.contents():
        if (
            each.version == (version or each.version)
            and each.span == (span or each.span)
            and each.symbol in (wanted or {each.symbol})
        ):
            starts = store.starts(each.symbol, each.span, each.version)
            first, last = ist_day(int(starts[0])), ist_day(int(starts[-1]))
            # from the first bar of the series to its last: before and after nothing was to be had
            lacking = missing_starts(starts, expected.between(first, last, each.span))
            between = int(((lacking > starts[0]) & (lacking < starts[-1])).sum())
            rows.append(
                {
                    "symbol": each.symbol,
                    "span": each.span,
                    "version": each.version,
                    "from": str(first),
                    "to": str(last),
                    "bars": len(starts),
                    "missing": between,
                    "bytes": each.size,
                    "archived": months_of(each.archived),
                }
            )
    if not rows:
        raise NothingFound(f"no such bars in {folder_of(folder, config)}: see patang bars import")
    print_table(
        rows,
        as_json=as_json,
        summary=f"{len(rows)} series, {sum(int(str(row['bars'])) for row in rows):,} bars",
    )
    return DONE


@bars.command
def gaps(
    *,
    symbols: Symbols = "",
    first: From = "",
    last: To = "",
    version: Version = "",
    span: Span = 0,
    least: Annotated[int, Parameter(help="Only runs of at least so many bars.")] = 1,
    exchange: Exchange = "NSE",
    kind: Kind = "EQ",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Tell which bars the calendar expects and nobody has, by symbol and day.

    Prints runs of missing bars (IST), first those that every symbol lacks;
    stderr counts them, and names the days whose hours are not known. Exits with
    1 where there are no bars at all.
    """
    import numpy as np

    from engine.history.expected_bars import missing_runs, missing_starts

    chosen, expected = (
        select_bars(folder, config, symbols, version, span),
        expected_bars(exchange, kind),
    )
    lacking, ranges = {}, []
    for symbol in chosen.symbols:
        starts = chosen.store.starts(symbol, chosen.span, chosen.version)
        ranges.append(day_range(starts, first, last))
        lacking[symbol] = missing_starts(starts, expected.between(*ranges[-1], chosen.span))
    whole = expected.between(
        min(low for low, _ in ranges), max(high for _, high in ranges), chosen.span
    )
    # what all of them lack is one cause (the feed, the machine), told once
    shared = reduce(np.intersect1d, lacking.values())
    named = {f"all {len(lacking)}": shared} | lacking if len(lacking) > 1 else lacking
    runs = [
        run
        for name, absent in named.items()
        for run in missing_runs(name, absent, whole, chosen.span)
    ]
    rows = [_gap_row(run) for run in runs if run.bars >= least]
    # all of them, also those in runs shorter than --least
    missing = sum(map(len, lacking.values()))
    summary = f"{missing:,} bars are missing of {counted(len(lacking), 'symbol')}"
    if len(lacking) > 1:
        summary += f", {len(shared):,} of them of every one"
    if chosen.archived:
        summary += f"; archived: {months_of(chosen.archived)}"
    # days without known hours expect nothing, and so lack nothing
    if whole.unknown:
        summary += f"; hours not known: {first_names([*map(str, whole.unknown)])}"
    print_table(rows, as_json=as_json, summary=summary)
    return DONE


@bars.command
def check(
    *,
    symbols: Symbols = "",
    first: From = "",
    last: To = "",
    version: Version = "",
    span: Span = 0,
    exchange: Exchange = "NSE",
    kind: Kind = "EQ",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Look for bars that cannot be true or are likely wrong; each kind has a code.

    Exits with 1 where there are some.
    """
    from engine.history.bar_checks import check_bars as findings
    from store.export import ist_text

    chosen, expected = (
        select_bars(folder, config, symbols, version, span),
        expected_bars(exchange, kind),
    )
    rows: list[dict[str, object]] = []
    for symbol in chosen.symbols:
        series = chosen.store.columns(symbol, chosen.span, *time_range(first, last), chosen.version)
        if len(series.start):
            # a bar outside the hours is a finding, too
            wanted = expected.between(*day_range(series.start, first, last), chosen.span)
            rows += [
                {
                    "symbol": symbol,
                    "code": each.code,
                    "bars": each.total,
                    "first": ist_text(each.starts[0]),
                    "why": each.why,
                }
                for each in findings(series, chosen.span, wanted)
            ]
    found: Counter[str] = Counter()
    for row in rows:
        found[str(row["code"])] += int(str(row["bars"]))
    text = ", ".join(f"{code} {bars:,}" for code, bars in sorted(found.items())) or "nothing found"
    print_table(
        rows,
        as_json=as_json,
        summary=f"{counted(len(chosen.symbols), 'symbol')} of version {chosen.version}: {text}",
    )
    return FAILED if rows else DONE


@bars.command
def export(
    *,
    symbols: Symbols = "",
    first: From = "",
    last: To = "",
    version: Version = "",
    span: Span = 0,
    format: Annotated[
        Literal["csv", "json", "parquet"], Parameter(help="How to write it.")
    ] = "csv",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    actions: Annotated[
        Path | None,
        Parameter(help="Adjusted by these corporate actions (Parquet) to the last bar's day."),
    ] = None,
    folder: Folder = None,
    config: ConfigFile = None,
) -> int:
    """Write bars for other programs."""
    from store.export import BarRange
    from store.export import export_table as write

    chosen = select_bars(folder, config, symbols, version, span)
    book = CorporateActions.load(actions) if actions else None
    source, (start, end) = folder_of(folder, config), time_range(first, last)
    count = write(
        source,
        "bars",
        out,
        format,
        BarRange(
            chosen.store,
            chosen.symbols,
            span=chosen.span,
            start=start,
            end=end,
            version=chosen.version,
            actions=book,
        ),
    )
    # a range without bars is more often a mistyped one
    if not count:
        raise NothingFound(f"no such bars in {source}")
    sys.stderr.write(
        plain_text(
            f"{count:,} bars of {counted(len(chosen.symbols), 'symbol')}"
            f"{f' in {out}' if out else ''}"
        )
        + "\n"
    )
    return DONE


@bars.command
def adjust(
    actions: Annotated[Path, Parameter(help="NSE's corporate actions (Parquet).")],
    *,
    symbols: Symbols = "",
    version: Version = "",
    span: Span = 0,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Store bars as if every split, bonus and demerger had always held, as VERSION-adjusted.

    The raw ones stay.
    """
    from engine.history.bar_adjustment import adjusted_series, adjustment_steps

    chosen, book = (
        select_bars(folder, config, symbols, version, span),
        CorporateActions.load(actions),
    )
    rows: list[dict[str, object]] = []
    for symbol in chosen.symbols:
        series = chosen.store.columns(symbol, chosen.span, 0, END_OF_TIME, chosen.version)
        steps = adjustment_steps(series, book, symbol)
        chosen.store.write_columns(
            symbol, chosen.span, f"{chosen.version}-adjusted", adjusted_series(series, steps)
        )
        rows += [
            {"symbol": symbol, "ex": str(step.ex), "price": step.price, "shares": step.shares}
            for step in steps
        ]
        first, last = ist_day(int(series.start[0])), ist_day(int(series.start[-1]))
        # a rights issue moves prices as well, and nobody can tell from the list by how much
        for left in book.not_adjusted(symbol, first, last):
            sys.stderr.write(
                plain_text(f"{symbol} {left.ex}: {left.text}: its effect stays in the prices")
                + "\n"
            )
    print_table(
        rows,
        as_json=as_json,
        summary=(
            f"{counted(len(chosen.symbols), 'symbol')} stored as version {chosen.version}-adjusted"
        ),
    )
    return DONE


@bars.command
def averages(
    *,
    symbols: Symbols = "",
    version: Version = "",
    span: Span = 0,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Store the exponential averages of closes over 9, 21, 50 and 200 bars beside the bars.

    As strategies compute them; none before there are enough bars. They replace
    those of before. Prints each symbol's last ones, in rupees.
    """
    chosen = select_bars(folder, config, symbols, version, span)
    rows: list[dict[str, object]] = []
    for symbol in chosen.symbols:
        found = store_averages(chosen.store, symbol, chosen.span, chosen.version)
        rows.append(
            {"symbol": symbol}
            | {name: round(float(values[-1]), 4) for name, values in found.items()}
        )
    print_table(
        rows,
        as_json=as_json,
        summary=f"{counted(len(rows), 'symbol')} of version {chosen.version}, as of the last bar",
    )
    return DONE


@bars.command
def compact(*, folder: Folder = None, config: ConfigFile = None) -> int:
    """Move what waits in small files into the files of its symbols."""
    store_of(folder, config).fold()
    return DONE


@bars.command
def sql(
    query: Annotated[str, Parameter(help="One SELECT, in DuckDB's SQL.")],
    *,
    mode: Annotated[
        Mode | None,
        Parameter(
            help="Whose last run the tables trades, orders and fills are of; empty: as configured."
        ),
    ] = None,
    database: Annotated[Path | None, Parameter(help="Database to read instead.")] = None,
    format: Annotated[
        Literal["table", "csv", "json", "parquet"], Parameter(help="How to write it.")
    ] = "table",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    first: Annotated[
        str, Parameter(name="--from", help="Of what is archived only the months from this day on.")
    ] = "",
    last: Annotated[
        str, Parameter(name="--to", help="Of what is archived only the months up to this day.")
    ] = "",
    date: Annotated[
        str, Parameter(help="Whose instruments, YYYY-MM-DD; empty: those of the last dumps.")
    ] = "",
    folder: Folder = None,
    config: ConfigFile = None,
) -> int:
    """Ask bars, trades, orders, fills and instruments in SQL; nothing can be changed by it."""
    from store.sql_query import answer_rows, run_query, write_answer
    from tui.run.bar_stores import history_store

    values = configuration(config)
    source = database
    if source is None:
        # bars can be asked for before a desk has ever run
        with suppress(NothingFound):
            source = latest_database(values, mode or values.desk.mode)
    dumps = desk_paths(values, os.environ).state / "instruments"
    store = history_store(values, folder)
    there = folder or (
        store if values.store.backend != FILES else desk_paths(values, os.environ).history
    )
    # fetched when the query turns out to be about bars
    archived = partial(archived_files, store, *time_range(first, last))
    answer = run_query(
        query,
        there,
        database=source,
        dumps=dumps,
        archived=archived,
        day=read_day(date) if date else day.max,
    )
    if format == "table" and out is None:
        sys.stdout.write(
            column_text(
                # a terminal shows the first rows; turning millions of them into text would take
                # minutes
                answer.column_names,
                list(answer_rows(answer.slice(0, SHOWN))),
                plainly=True,
            )
        )
    else:
        write_answer(answer, "csv" if format == "table" else format, out)
    more = (
        f", the first {SHOWN} are shown: --format csv"
        if format == "table" and len(answer) > SHOWN
        else ""
    )
    rows = "row" if len(answer) == 1 else "rows"
    sys.stderr.write(f"{len(answer):,} {rows}{plain_text(f' in {out}') if out else ''}{more}\n")
    return DONE


def _gap_row(run: "MissingRun") -> dict[str, object]:
    from store.export import ist_text

    return {
        "symbol": run.symbol,
        "from": ist_text(run.start)[:16].replace("T", " "),
        "to": ist_text(run.end)[:16].replace("T", " "),
        "bars": run.bars,
        "whole_days": run.days,
    }
