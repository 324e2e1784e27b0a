"""`patang bars golden`: make a golden version, compare two, verify one."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from engine.errors import DataError, NothingFound, PatangError
from engine.exit_codes import DONE, FAILED
from engine.market.calendar import ist_day
from engine.numbers import counted
from engine.texts import plain_text
from store.bars.registry import FILES
from tui.commands.bars.bar_selection import Symbols, folder_of, store_averages, store_of
from tui.commands.shared.options import ConfigFile, Folder, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.commands.shared.typed_values import END_OF_TIME, symbol_set
from tui.run.configured import configuration

if TYPE_CHECKING:
    from engine.history.bar_series import BarSeries
    from engine.history.golden_bars import (
        GoldenBars,
        GoldenDifference,
        SeriesManifest,
    )
    from engine.history.tick_evidence import TickEvidence
    from tui.run.recordings import RecordedRun

MINUTE_S = 60

golden = App(name="golden", help="Make, compare and verify golden bars.", help_format="plaintext")

Version = Annotated[str, Parameter(help="A golden version, as golden-3; empty: the newest.")]


@golden.command
def build(
    *,
    symbols: Symbols = "",
    span: Annotated[int, Parameter(help="Length of the bars in seconds.")] = 60,
    dry_run: Annotated[bool, Parameter(negative="", help="Only tell what differs.")] = False,
    recordings: Annotated[
        bool,
        Parameter(help="Look for causes in the recordings of the feed of the days that differ."),
    ] = True,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Make the next version from the broker's bars and, where it has none, the raw ones.

    Tell what differed, and why.
    """
    from engine.history import golden_bars as made
    from tui.commands.bars.tick_evidence import runs_by_day
    from tui.run.recordings import all_runs

    store, place = store_of(folder, config), folder_of(folder, config)
    there = [
        each
        for each in store.contents()
        # golden and adjusted bars are made of these, and are no evidence of their own
        if each.span == span and each.version in {*made.RAW, made.VENDOR}
    ]
    wanted = symbol_set(symbols)
    known = sorted({each.symbol for each in there if not wanted or each.symbol in wanted})
    if strange := sorted(wanted - {*known}):
        raise DataError(f"no raw bars and none of the broker's of {', '.join(strange)}")
    if not known:
        raise NothingFound(
            f"no bars of {span} s to make golden ones of: see patang bars import and download"
        )
    name = (
        # a dry run takes no number
        made.next_version(place, [each.version for each in store.contents()])
        if dry_run
        else made.claim_version(store, place)
    )
    # listed once: the archive is asked over the network
    days = runs_by_day(all_runs(configuration(config))) if recordings else {}
    parts, results = {}, {}
    for symbol in known:
        raw = [
            (version, store.columns(symbol, span, -END_OF_TIME, END_OF_TIME, version))
            for version in made.RAW
        ]
        vendor = store.columns(symbol, span, -END_OF_TIME, END_OF_TIME, made.VENDOR)
        result = made.make_golden(
            symbol,
            [(version, series) for version, series in raw if len(series.start)],
            vendor,
            days,
        )
        if not dry_run:
            store.write_columns(symbol, span, name, result.series)
        # the bars are stored: kept here, all symbols of years would not fit into memory
        results[symbol] = result._replace(series=result.series.pick(slice(0, 0)))
    rows = []
    for symbol, found, part in _explained_results(results, span, days):
        parts[symbol] = part
        rows += [each._asdict() | {"day": str(each.day)} for each in found]
    manifest = made.GoldenManifest(
        version=name,
        span=span,
        made=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        by=f"patang {version_of('patang')}",
        symbols=parts,
    )
    if not dry_run:
        store.fold()
        # last: without its manifest it is no version, whatever ended the build
        made.write_manifest(place, manifest)
        on_server = folder is None and configuration(config).store.backend != FILES
        # others look up a version's minutes with them
        if on_server and span == MINUTE_S:
            for symbol in manifest.symbols:
                store_averages(store, symbol, span, manifest.version)
    total = sum(part.bars for part in parts.values())
    what = "would hold" if dry_run else "holds"
    print_table(
        rows,
        as_json=as_json,
        summary=(
            f"{name} {what} {total:,} bars of {counted(len(parts), 'symbol')}, "
            f"sha256 {manifest.sha256[:16]}"
        ),
    )
    return DONE


@golden.command(name="list")
def list_(*, folder: Folder = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the golden versions: what they were made of, and what was healed."""
    from engine.history.golden_bars import golden_versions, read_manifest

    place = folder_of(folder, config)
    rows: list[dict[str, object]] = []
    for name in golden_versions(place):
        manifest = read_manifest(place, name)
        healed = sum(sum(part.healed.values()) for part in manifest.symbols.values())
        rows.append(
            {
                "version": name,
                "made": manifest.made,
                "span": manifest.span,
                "symbols": len(manifest.symbols),
                "bars": sum(part.bars for part in manifest.symbols.values()),
                "differed": healed,
                "sha256": manifest.sha256[:16],
            }
        )
    if not rows:
        raise NothingFound(f"no golden version in {place}: see patang bars golden build")
    print_table(rows, as_json=as_json, summary=counted(len(rows), "version"))
    return DONE


@golden.command
def verify(
    version: Version = "",
    *,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Hold the stored bars of a version against the hashes of its manifest.

    Prints the symbols that differ, with how many bars they have and should have.
    Exits with 1 where there is one.
    """
    from engine.history.golden_bars import read_manifest, series_digest

    store, place = store_of(folder, config), folder_of(folder, config)
    manifest = read_manifest(place, version or newest_version(place))
    rows: list[dict[str, object]] = []
    for symbol, part in manifest.symbols.items():
        series = store.columns(symbol, manifest.span, -END_OF_TIME, END_OF_TIME, manifest.version)
        if series_digest(series) != part.sha256:
            rows.append({"symbol": symbol, "bars": len(series.start), "expected": part.bars})
    for symbol in sorted(
        # bars that nobody put into the version are as wrong as changed ones
        {*store.symbols(manifest.span, manifest.version)} - manifest.symbols.keys()
    ):
        series = store.columns(symbol, manifest.span, -END_OF_TIME, END_OF_TIME, manifest.version)
        rows.append({"symbol": symbol, "bars": len(series.start), "expected": 0})
    text = (
        f"{len(rows)} of {counted(len(manifest.symbols), 'symbol')} differ"
        if rows
        else f"{counted(len(manifest.symbols), 'symbol')} as they were made"
    )
    print_table(rows, as_json=as_json, summary=f"{manifest.version}: {text}")
    return FAILED if rows else DONE


@golden.command
def diff(
    before: Annotated[str, Parameter(help="A version, as golden-3, or live, vendor, imported.")],
    after: Annotated[str, Parameter(help="Another one.")],
    *,
    span: Annotated[int, Parameter(help="Length of the bars in seconds.")] = 60,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Tell which symbols have other bars in the second of two versions.

    Exits with 1 where there are some.
    """
    from engine.history.golden_bars import count_changes

    store = store_of(folder, config)
    there = {each.version for each in store.contents() if each.span == span}
    if strange := [version for version in (before, after) if version not in there]:
        raise DataError(
            f"no bars of version {', '.join(strange)}; there are "
            f"{', '.join(sorted(there)) or 'none'}"
        )

    def read(version: str, symbol: str) -> "BarSeries":
        return store.columns(symbol, span, -END_OF_TIME, END_OF_TIME, version)

    rows: list[dict[str, object]] = []
    for symbol in sorted({*store.symbols(span, before), *store.symbols(span, after)}):
        new, gone, other = count_changes(read(before, symbol), read(after, symbol))
        if new or gone or other:
            rows.append({"symbol": symbol, "new": new, "gone": gone, "changed": other})
    print_table(
        rows,
        as_json=as_json,
        summary=f"{counted(len(rows), 'symbol')} differ" if rows else "the same bars",
    )
    return FAILED if rows else DONE


def _explained_results(
    results: "dict[str, GoldenBars]", span: int, days: "dict[date, list[RecordedRun]]"
) -> "Iterator[tuple[str, list[GoldenDifference], SeriesManifest]]":
    """Yield each symbol's differences with their causes, and its part of the manifest.

    A day's recording is read once.
    """
    from engine.history.golden_bars import explain_differences
    from tui.commands.bars.tick_evidence import evidence_of

    wanted: defaultdict[date, set[str]] = defaultdict(set)
    for symbol, result in results.items():
        for each in result.differing:
            # a day of recordings takes seconds to decode: once, for all its symbols
            wanted[ist_day(each.start)].add(symbol)
    found: defaultdict[str, dict[date, TickEvidence]] = defaultdict(dict)
    for day, symbols in wanted.items():
        try:
            for symbol, known in evidence_of(day, days[day], symbols).items():
                found[symbol][day] = known
        # a damaged recording leaves the prices as evidence
        except PatangError as error:
            sys.stderr.write(plain_text(f"{day}: causes by the prices alone: {error}") + "\n")
    for symbol, result in results.items():
        yield symbol, *explain_differences(symbol, result, span, found[symbol])


def newest_version(place: Path) -> str:
    """Return the newest golden version; raise `NothingFound` where there is none."""
    from engine.history.golden_bars import golden_versions

    there = golden_versions(place)
    if not there:
        raise NothingFound(f"no golden version in {place}: see patang bars golden build")
    return there[-1]
