"""`patang bars import`: files of bars into the store, with what was found in them."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from engine.errors import ConfigError, DataError, NothingFound
from engine.exit_codes import DONE, FAILED
from engine.texts import first_names, plain_text
from tui.commands.bars.bar_selection import (
    Exchange,
    Kind,
    check_new_version,
    expected_bars,
    store_of,
)
from tui.commands.shared.options import AsJson, ConfigFile, Folder

if TYPE_CHECKING:
    from engine.history.bar_import import ImportReport
    from engine.history.bar_series import BarSeries

HELD = 2_000_000
"""Bars that an import gathers before it writes them.

Days of many symbols rewrite each symbol's file once, not once a day.
"""


def import_(
    path: Annotated[Path, Parameter(help="A CSV or Parquet file, or a folder of them.")],
    *,
    symbol: Annotated[
        str, Parameter(help="Whose bars; empty: by a column, or by the file's name.")
    ] = "",
    column: Annotated[
        tuple[str, ...],
        Parameter(name="--map", help="ROLE=COLUMN where the guess is wrong; may be repeated."),
    ] = (),
    zone: Annotated[
        Literal["", "IST", "UTC"],
        Parameter(help="Of times without a zone; empty: whichever lies within the session."),
    ] = "",
    stamp: Annotated[
        Literal["", "start", "end"],
        Parameter(help="What a bar's time names; empty: by the first and last of a day."),
    ] = "",
    span: Annotated[
        int, Parameter(help="Length of the bars in seconds; 0: by their distance.")
    ] = 0,
    exchange: Exchange = "NSE",
    kind: Kind = "EQ",
    outside: Annotated[
        bool, Parameter(negative="", help="Keep bars outside the session, too.")
    ] = False,
    version: Annotated[str, Parameter(help="Version to store them under.")] = "imported",
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only tell what would be stored.")
    ] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Bring files of bars in; what is there already stays, the same bar again replaces itself."""
    from engine.history.bar_files import files_in, read_table
    from engine.history.bar_import import ImportOptions, import_bars
    from engine.history.bar_series import merge

    if not 0 <= span <= 86_400:
        raise ConfigError(f"span {span}: expected 1 to 86400 seconds, or 0")
    check_new_version(version)
    options = ImportOptions(symbol.upper(), span, zone or None, stamp or None, outside)
    store, expected = store_of(folder, config), expected_bars(exchange, kind)
    rows: list[dict[str, object]] = []
    refused = held = 0
    waiting: dict[int, dict[str, list[BarSeries]]] = {}

    def put() -> None:
        for seconds, named in waiting.items():
            parts = {name: merge(series) for name, series in named.items()}
            store.write_many(parts, seconds, version)
        waiting.clear()

    for file in files_in(path):
        try:
            raw = read_table(file, _column_mapping(column))
            found = list(import_bars(raw, options, expected))
        except DataError as error:
            # of a folder the other files are still wanted
            if path.is_file():
                raise
            refused += 1
            # told at once: a folder of years may go on for minutes
            sys.stderr.write(f"patang: {plain_text(str(error))}\n")
            continue
        for one in found:
            if not dry_run and len(one.series.start):
                named = waiting.setdefault(one.report.span, {})
                named.setdefault(one.symbol, []).append(one.series)
                held += len(one.series.start)
            rows.append(
                {
                    "file": str(file),
                    "format": raw.layout.format,
                    "columns": raw.layout.column,
                    **_report_row(one.report),
                }
            )
            if not as_json:
                _print_report(file, str(raw.layout), one.report)
        # between two files only: a file is taken whole or not at all
        if held >= HELD:
            put()
            held = 0
    put()
    total = sum(int(str(row["bars"])) for row in rows)
    if as_json:
        sys.stdout.write(
            json.dumps({"version": version, "bars": total, "stored": not dry_run, "series": rows})
            + "\n"
        )
    else:
        what = "would be stored" if dry_run else f"stored as version {version}"
        series = {(row["symbol"], row["span"]) for row in rows if row["bars"]}
        sys.stderr.write(plain_text(f"{total:,} bars of {len(series)} series {what}") + "\n")
    if not total:
        raise NothingFound(f"no bars in {path}")
    return FAILED if refused else DONE


def _column_mapping(columns: Sequence[str]) -> dict[str, str]:
    for text in columns:
        if "=" not in text:
            raise ConfigError(f"--map {text}: expected ROLE=COLUMN")
    # a column may have a sign of equality in its name
    return dict(text.split("=", 1) for text in columns)


def _report_row(report: "ImportReport") -> dict[str, object]:
    from store.export import ist_text

    return {
        "symbol": report.symbol,
        "span": report.span,
        "zone": report.zone,
        "stamp": report.side,
        "rows": report.rows,
        "bars": report.bars,
        "first": ist_text(report.first) if report.bars else None,
        "last": ist_text(report.last) if report.bars else None,
        "rounded": report.rounded,
        "left_out": [
            {"why": left.why, "rows": left.total, "first": list(left.rows)}
            for left in report.left_out
        ],
        "hours_not_known": [str(day) for day in report.unknown],
    }


def _print_report(file: Path, columns: str, report: "ImportReport") -> None:
    fields = _report_row(report)
    lines = [
        f"{report.symbol or '(empty)'}  {report.bars:,} bars of {report.span} s"
        + (f"  {fields['first']} to {fields['last']}" if report.bars else ""),
        f"  {file.name}: {columns}; times {report.zone}, of the {report.side} of each bar",
    ]
    lines += [
        (
            f"  {left.total:,} rows left out, {left.why}: row "
            f"{', '.join(map(str, left.rows))}{' …' if left.total > len(left.rows) else ''}"
        )
        for left in report.left_out
    ]
    if report.rounded:
        lines.append(f"  {report.rounded:,} bars had prices finer than 0.0001: rounded")
    if report.unknown:
        lines.append(
            f"  hours not known, so not checked: {first_names([*map(str, report.unknown)])}"
        )
    sys.stdout.write("".join(f"{plain_text(line)}\n" for line in lines))
