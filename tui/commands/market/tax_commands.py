"""The tax and account statements of a financial year, from the command line."""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.errors import ConfigError
from engine.exit_codes import DONE
from engine.market import charges as rate_tables
from engine.market.accounts.account_statement import NOTE, AccountPosting, account_postings
from engine.market.accounts.deals import (
    OPENING,
    AccountDeal,
    Quantity,
    charged_deals,
    deals_of,
    renamed_deals,
    without_repeats,
)
from engine.market.accounts.lot_matching import MatchedLots, match_lots
from engine.market.accounts.tax_report import (
    SLAB,
    GainsBucket,
    TaxEntry,
    TaxReport,
    TaxRules,
    financial_year,
)
from engine.market.accounts.tradebook import read_holdings, read_tradebook
from engine.market.asset_classes import AssetClass
from engine.market.charges import ARTICLES
from engine.market.corporate_actions.action_list import CorporateActions
from engine.system.whole_files import write_whole
from engine.system.workbook import SpreadsheetTable, as_csv, write_workbook
from engine.texts import plain_text
from store.database_integrity import open_for_reading
from tui.commands.shared.options import AsJson
from tui.run.configured import configuration
from tui.run.run_records import latest_database

# what reconciliation has booked was traded elsewhere, and stands in the tradebook
FILLS = """
SELECT f.trade_id, f.order_id, f.ts, f.exchange, f.symbol, f.side, f.quantity, f.price, i.product,
       json_extract(i.request, '$.asset') AS asset
FROM fills AS f LEFT JOIN intents AS i ON i.intent = f.intent
WHERE f.order_id NOT LIKE 'correction-%'
ORDER BY f.ts, f.trade_id
"""


def tax(
    *,
    fy: Annotated[str, Parameter(help="Financial year, April to March, as 2025-26.")],
    view: Annotated[
        Literal["trades", "summary", "open", "account"],
        Parameter(help="Which table csv writes; xlsx holds all."),
    ] = "trades",
    format: Annotated[
        Literal["csv", "xlsx"], Parameter(help="How to write it; xlsx needs --out.")
    ] = "csv",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    trades: Annotated[
        tuple[Path, ...],
        Parameter(
            negative="",
            consume_multiple=False,
            help=(
                "Tradebook of Zerodha's Console (CSV, xlsx) instead of the desk's fills, beside "
                "them with --database; may be repeated."
            ),
        ),
    ] = (),
    holdings: Annotated[
        tuple[Path, ...],
        Parameter(
            negative="",
            consume_multiple=False,
            help=(
                "What came without a trade (CSV, xlsx): symbol, quantity, price (rupees), date; "
                "may be repeated."
            ),
        ),
    ] = (),
    actions: Annotated[
        Path | None,
        Parameter(
            help="NSE's corporate actions (Parquet): splits, bonuses, demergers of what is held."
        ),
    ] = None,
    mode: Annotated[
        Mode | None, Parameter(help="Whose fills, instead of desk.mode: the last database of it.")
    ] = None,
    database: Annotated[Path | None, Parameter(help="Database to read instead.")] = None,
    config: Annotated[
        Path | None, Parameter(help="Configuration file instead of ./config.toml.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """State capital gains, intraday and derivatives of a financial year, first in first out.

    Reads the desk's fills, or the tradebooks that are named (both, if --database is given with
    them).
    """
    year = financial_year(fy)
    # before the fills are read
    if format == "xlsx" and (out is None or as_json):
        raise ConfigError("xlsx is no text: name a file with --out, and leave --json out")
    table = rate_tables.load_rate_table()
    # of a trade that both know, the desk's own fill says the product
    told = (
        _read_fills(database or _latest_database(mode, config))
        # tradebooks that are named stand for all trades, unless the desk's are asked for as well
        if database is not None or not trades
        else []
    )
    told += [deal for file in trades for deal in read_tradebook(file)]
    told += [deal for file in holdings for deal in read_holdings(file)]
    # renamed first: one trade may stand under both names of a share
    told, again = without_repeats(renamed_deals(told))
    # what has no rate is told on stderr, and stops nothing
    gaps: set[str] = set()
    deals = charged_deals(told, table, gaps)
    matched = match_lots(deals, CorporateActions.load(actions) if actions else None, year.last)
    report = TaxRules.load().report(matched, year)
    postings = account_postings(deals, table, year.first, year.last, gaps=gaps)
    sheets = {sheet.name: sheet for sheet in sheets_of(report, matched, postings)}
    _write_warnings(report, deals, again, gaps)
    if as_json:
        _write_output(
            out, json.dumps(_report_object(report, list(sheets.values())), default=str) + "\n"
        )
    elif format == "csv":
        _write_output(out, as_csv(sheets[view]))
    elif out is not None:
        write_workbook(out, list(sheets.values()))
    return DONE


def sheets_of(
    report: TaxReport, matched: MatchedLots, postings: Sequence[AccountPosting]
) -> list[SpreadsheetTable]:
    """Return the tables of a year; money is in rupees."""
    waiting = [
        *(("open", lot) for lot in matched.open),
        *(("no purchase", lot) for lot in matched.unmatched),
    ]
    return [
        SpreadsheetTable(
            "trades",
            (
                "section",
                "exchange",
                "symbol",
                "direction",
                "quantity",
                "opened",
                "closed",
                "days",
                "cost",
                "proceeds",
                "charges",
                "stt",
                "gain",
                "term",
                "percent",
                "turnover",
            ),
            [_trade_row(entry) for entry in report.entries],
        ),
        SpreadsheetTable("summary", ("item", "percent", "amount"), _summary_rows(report, postings)),
        SpreadsheetTable(
            "open",
            ("state", "exchange", "symbol", "side", "quantity", "day", "value"),
            [
                (
                    state,
                    lot.exchange,
                    lot.symbol,
                    lot.side.name,
                    _whole_units(lot.quantity),
                    lot.day,
                    _in_rupees(lot.value),
                )
                for state, lot in waiting
            ],
        ),
        SpreadsheetTable(
            "account",
            (
                "day",
                "exchange",
                "segment",
                "what",
                "bought",
                "sold",
                "charges",
                "amount",
                "balance",
            ),
            [(p.day, p.exchange, p.segment, p.what, *map(_in_rupees, p[4:])) for p in postings],
        ),
    ]


def _trade_row(entry: TaxEntry) -> tuple[object, ...]:
    line = entry.line
    return (
        line.section,
        line.exchange,
        line.symbol,
        line.direction,
        _whole_units(line.quantity),
        line.opened,
        line.closed,
        (line.closed - line.opened).days,
        _in_rupees(line.cost),
        _in_rupees(line.proceeds),
        _in_rupees(line.charges),
        _in_rupees(line.stt),
        _in_rupees(entry.gain),
        entry.term,
        _percent_text(entry.percent),
        _in_rupees(entry.turnover),
    )


def _summary_rows(
    report: TaxReport, postings: Sequence[AccountPosting]
) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (
            f"{bucket.term}-term gains{_fund_suffix(bucket)}",
            _percent_text(bucket.percent),
            _in_rupees(bucket.gain),
        )
        for bucket in report.gains
    ]
    # shown also where it is 0: whoever looks for it must find it
    rows.append(("long-term gains that are free", "", _in_rupees(report.exemption)))
    rows += [
        (
            f"{bucket.term}-term gains{_fund_suffix(bucket)} taxed",
            _percent_text(bucket.percent),
            _in_rupees(bucket.gain),
        )
        for bucket in report.taxable
    ]
    slab = (
        ", without those at the slab rate"
        if any(bucket.percent == SLAB for bucket in report.taxable)
        else ""
    )
    rows.append((f"tax on gains{slab}, before surcharge and cess", "", _in_rupees(report.tax)))
    for business in report.business:
        rows += [
            (f"{business.section} {name}", "", _in_rupees(getattr(business, name)))
            for name in ("turnover", "difference", "charges", "profit")
        ]
    notes = sum(each.charges for each in postings if each.what == NOTE)
    rows.append(("charges of the year's contract notes", "", _in_rupees(notes)))
    rows.append(("depository", "", _in_rupees(sum(each.charges for each in postings) - notes)))
    return rows


def _whole_units(quantity: Quantity) -> Quantity:
    """Return whole units without a fraction of zeros."""
    # units of funds have three decimals
    return int(quantity) if quantity == int(quantity) else quantity


def _percent_text(percent: float) -> float | str:
    return "slab" if percent == SLAB else percent or ""


def _fund_suffix(bucket: GainsBucket) -> str:
    return "" if bucket.equity else " on other funds and bonds"


def _report_object(report: TaxReport, sheets: Sequence[SpreadsheetTable]) -> dict[str, object]:
    facts: dict[str, object] = {"fy": report.year.name, "unmatched": report.unmatched}
    for sheet in sheets:
        facts[sheet.name] = [
            {
                name: float(value) if isinstance(value, Decimal) else value
                for name, value in zip(sheet.columns, row, strict=True)
            }
            for row in sheet.rows
        ]
    return facts


def _write_warnings(
    report: TaxReport, deals: Sequence[AccountDeal], again: int, gaps: set[str]
) -> None:
    """Report on stderr what the statement rests on."""
    lines = []
    if again:
        lines.append(
            f"{again} rows repeat a trade of the same day, exchange and number: each trade counts "
            "once"
        )
    if gaps:
        first, *more = sorted(gaps)
        lines.append(
            f"no rate is known for {first}{f' and {len(more)} more' if more else ''}: nothing is "
            "charged for it there"
        )
    kinds: defaultdict[AssetClass, set[str]] = defaultdict(set)
    for deal in deals:
        if deal.is_security and deal.asset is not AssetClass.SHARE:
            # taxed otherwise than shares: whether it is what it was taken for, the owner knows best
            kinds[deal.asset].add(deal.symbol)
    lines += [
        f"taken for {ARTICLES[asset]}: {', '.join(sorted(names))}"
        for asset, names in sorted(kinds.items())
    ]
    doubtful = sorted({deal.symbol for deal in deals if _lacks_group(deal)})
    if doubtful:
        lines.append(f"charged as BSE's groups A and B, as no group is told: {', '.join(doubtful)}")
    if report.unmatched:
        lines.append(
            f"{report.unmatched} shares were sold without a purchase on record: they are not in "
            "the gains; name the "
            "tradebooks of earlier years with --trades, and what came without a trade with "
            "--holdings"
        )
    sys.stderr.write("".join(f"{plain_text(line)}\n" for line in lines))


def _lacks_group(deal: AccountDeal) -> bool:
    return (
        deal.exchange == "BSE"
        and deal.is_security
        and not deal.group
        and not deal.segment.startswith(("MF_", OPENING))
    )


def _write_output(out: Path | None, text: str) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    write_whole(out, lambda fresh: fresh.write_text(text, encoding="utf-8"))


def _read_fills(database: Path) -> list[AccountDeal]:
    with open_for_reading(database) as connection:
        cursor = connection.execute(FILLS)
        names = [name for name, *_ in cursor.description]
        return deals_of(dict(zip(names, row, strict=True)) for row in cursor)


def _latest_database(mode: str | None, config: Path | None) -> Path:
    values = configuration(config)
    found = latest_database(values, mode or values.desk.mode)
    sys.stderr.write(f"{plain_text(f'fills of {found}')}\n")
    return found


def _in_rupees(value: int) -> Decimal:
    # exact: a sheet adds these up
    return Decimal(value).scaleb(-2)
