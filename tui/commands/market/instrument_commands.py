"""The instrument dumps from the command line: keep a day's, look into it, compare two."""

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from engine.config.disk_places import desk_paths
from engine.errors import ConfigError, DataError
from engine.exit_codes import DONE, FAILED
from engine.market.calendar import Calendar
from engine.market.corporate_actions.action_list import CorporateAction, CorporateActions
from engine.market.day_instruments import instruments_of_day
from engine.market.instrument_dumps import DumpFolder, content_of
from engine.market.instruments import InstrumentList, InstrumentListing
from engine.market.safeguards import TradingSafeguards
from engine.texts import plain_text
from tui.commands.shared.options import ConfigFile, Day, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.commands.shared.typed_values import read_day, symbol_list
from tui.run.bar_stores import share_dumps, shared_dumps
from tui.run.configured import configuration

if TYPE_CHECKING:
    from store.bars.postgres_instruments import PostgresDumps


Folder = Annotated[Path | None, Parameter(help="Folder of the dumps instead of the desk's own.")]

instruments = App(
    name="instruments",
    help="Keep and look into the daily instrument dumps.",
    help_format="plaintext",
)


@instruments.command
def keep(
    file: Annotated[Path, Parameter(help="Kite's instrument dump, CSV, gzipped or not.")],
    *,
    day: Day = "",
    folder: Folder = None,
    config: ConfigFile = None,
) -> int:
    """Store the dump of a day; nothing that is stored is ever overwritten."""
    try:
        content = content_of(file)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    for version in _local_dumps(folder, config).keep(read_day(day), content):
        sys.stdout.write(f"{plain_text(str(version.path))}\n")
    if folder is None:
        # other machines read the server's: those of a folder that is named are nobody's
        share_dumps(configuration(config))
    return DONE


@instruments.command
def share(*, config: ConfigFile = None) -> int:
    """Give the Postgres of the bars every dump that is kept here and not there."""
    values = configuration(config)
    if values.store.backend != "postgres":
        raise ConfigError('store.backend is not "postgres": there is no server to share dumps with')
    sys.stderr.write(f"{share_dumps(values)} dumps given\n")
    return DONE


@instruments.command
def days(*, folder: Folder = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List of which days dumps are kept, by exchange."""
    dumps = _kept_dumps(folder, config)
    there = [(exchange, dumps.days(exchange)) for exchange in dumps.exchanges()]
    _print_rows(
        [
            {"exchange": name, "from": str(found[0]), "to": str(found[-1]), "days": len(found)}
            for name, found in there
        ],
        as_json=as_json,
    )
    return DONE


@instruments.command
def terms(
    symbols: Annotated[str, Parameter(help="Whose, with commas between.")],
    *,
    exchange: Annotated[str, Parameter(help="Of which exchange.")] = "NSE",
    day: Day = "",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Tell token, tick and lot of a day, by its dump or the last before it.

    Stderr says which one that was.
    """
    found = instruments_of_day(
        _kept_dumps(folder, config), read_day(day), exchange.upper(), symbol_list(symbols)
    )
    if found.remark:
        sys.stderr.write(plain_text(found.remark) + "\n")
    rows = [
        {
            "symbol": name,
            "token": each.token,
            "kind": each.kind,
            "tick": each.tick,
            "lot": each.lot,
            "dump": str(found.dump),
        }
        for name, each in found.instruments.items()
    ]
    _print_rows(rows, as_json=as_json)
    # a script must not go on with the terms of some
    return FAILED if found.missing else DONE


@instruments.command
def find(
    text: Annotated[
        str, Parameter(help="Beginning of a symbol, part of a name, a token, or an underlying.")
    ],
    *,
    exchange: Annotated[str, Parameter(help="Only this exchange.")] = "",
    kind: Annotated[
        Literal["", "FUT", "CE", "PE"], Parameter(help="Only such contracts on the underlying.")
    ] = "",
    expiry: Annotated[
        str, Parameter(help="Only contracts on the underlying of this expiry, YYYY-MM-DD.")
    ] = "",
    strike: Annotated[
        float | None, Parameter(help="Only contracts on the underlying at this strike, rupees.")
    ] = None,
    day: Day = "",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Find instruments in the last dump on or before a day."""
    book = _latest_listings(folder, config, day)
    market = exchange.upper()
    if kind or expiry or strike is not None:
        found = book.derivatives(
            text.upper(), kind, read_day(expiry) if expiry else None, strike, market
        )
    else:
        token = book.by_token(int(text)) if text.isascii() and text.isdecimal() else None
        found = [
            each
            # a number that is no token may still begin a symbol
            for each in ([token] if token else book.search(text))
            if market in {"", each.exchange}
        ]
    if not found:
        asked = " ".join(
            str(each) for each in (text, market, kind, expiry, strike) if each not in {"", None}
        )
        raise DataError(f"the dump of {book.day} lists nothing like {asked}")
    _print_rows([_listing_row(book, each) for each in found], as_json=as_json)
    return DONE


@instruments.command
def chain(
    name: Annotated[str, Parameter(help="The underlying, as NIFTY.")],
    *,
    expiry: Annotated[str, Parameter(help="YYYY-MM-DD; empty: the nearest.")] = "",
    day: Day = "",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """List the option chain of one expiry."""
    name, book = name.upper(), _latest_listings(folder, config, day)
    on = (
        read_day(expiry)
        if expiry
        else book.nearest_expiry(name, "CE", read_day(day) if day else None)
    )
    rows = [
        {
            "strike": each.price,
            "call": each.call.symbol if each.call else "",
            "put": each.put.symbol if each.put else "",
        }
        for each in book.chain(name, on)
    ]
    if not rows:
        raise DataError(f"the dump of {book.day} lists no options on {name} of {on}")
    _print_rows(rows, as_json=as_json)
    return DONE


@instruments.command
def expiries(
    name: Annotated[str, Parameter(help="The underlying, as NIFTY.")],
    *,
    exchange: Annotated[str, Parameter(help="NFO or BFO.")] = "NFO",
    by_rule: Annotated[
        bool, Parameter(negative="", help="By the dated rules: the rest of the year.")
    ] = False,
    day: Day = "",
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """List the days on which contracts on an underlying expire."""
    # a dump lists contracts that exist; those of later months are not opened yet
    if by_rule:
        first = read_day(day)
        calendar, rules, last = Calendar.load(), TradingSafeguards.load(), date(first.year, 12, 31)
        days = rules.expiries(calendar, name, first, last, exchange)
        monthly = rules.expiries(calendar, name, first, last, exchange, monthly=True)
    else:
        book = _latest_listings(folder, config, day)
        days, monthly = (
            book.expiries(name, exchange=exchange),
            book.monthly_expiries(name, exchange=exchange),
        )
    if not days:
        raise DataError(f"no contract on {name} at {exchange}")
    _print_rows(
        [{"expiry": str(each), "monthly": each in monthly} for each in days], as_json=as_json
    )
    return DONE


@instruments.command
def changes(
    before: Annotated[str, Parameter(help="The earlier day, YYYY-MM-DD.")],
    after: Annotated[str, Parameter(help="The later day, YYYY-MM-DD.")],
    *,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Compare the dumps of two days: what is new, gone, or has another token, tick or lot."""
    dumps = _local_dumps(folder, config)
    then, now = dumps.load(read_day(before)), dumps.load(read_day(after))
    # a token given to another instrument would mix two histories
    reused = {key.symbol for _, key in now.reused_tokens(then).values()}
    rows = [each._asdict() | {"reused": each.symbol in reused} for each in now.changes_since(then)]
    _print_rows(rows, as_json=as_json)
    return DONE


@instruments.command
def actions(
    file: Annotated[Path, Parameter(help="NSE's corporate actions (Parquet).")],
    symbol: Annotated[str, Parameter(help="Whose; empty: all of the day.")] = "",
    *,
    day: Day = "",
    as_json: RowsAsJson = False,
) -> int:
    """List the corporate actions of a share, or of all shares whose ex-date is the day."""
    book = CorporateActions.load(file)
    found = book.of_symbol(symbol) if symbol else book.on_ex_date(read_day(day))
    _print_rows([_action_row(each) for each in found], as_json=as_json)
    return DONE


def _action_row(each: CorporateAction) -> dict[str, object]:
    return {
        "symbol": each.symbol,
        "ex": str(each.ex),
        "kind": each.kind.value,
        "ratio": each.ratio,
        "amount": each.amount,
        "text": each.text,
    }


def _listing_row(book: InstrumentList, each: InstrumentListing) -> dict[str, object]:
    return {
        "exchange": each.exchange,
        "symbol": each.symbol,
        "token": each.token,
        "kind": each.kind,
        "name": each.name,
        "expiry": str(each.expiry or ""),
        "strike": each.strike,
        "tick": each.tick,
        "lot": each.lot,
        "restrictions": "; ".join(book.held_against(each)),
    }


def _kept_dumps(folder: Path | None, config: Path | None) -> "DumpFolder | PostgresDumps":
    """Return the dumps of this machine, or where it has none those of the server."""
    found = _local_dumps(folder, config)
    if (
        folder is None
        # a dump that is here is the one the desk traded by
        and not found.exchanges()
        and (values := configuration(config)).store.backend == "postgres"
    ):
        return shared_dumps(values)
    return found


def _local_dumps(folder: Path | None, config: Path | None) -> DumpFolder:
    if folder is not None:
        return DumpFolder(folder)
    return DumpFolder(desk_paths(configuration(config), os.environ).state / "instruments")


def _latest_listings(folder: Path | None, config: Path | None, day: str) -> InstrumentList:
    return _local_dumps(folder, config).latest(read_day(day))


def _print_rows(rows: Sequence[dict[str, object]], *, as_json: bool) -> None:
    print_table(
        [
            {
                # a tick of 0.05 and a strike of 25000.0 read best as they are quoted
                name: f"{value:g}" if isinstance(value, float) else value
                for name, value in row.items()
            }
            for row in rows
        ]
        if not as_json
        else rows,
        as_json=as_json,
        summary="" if rows else "nothing",
        plainly=True,
    )
