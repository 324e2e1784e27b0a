"""Every trade of a run, packed for a few lines of script that unpack, filter and sort them; the first ones stand as they are."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Final

from engine.backtest.figures import NONE, moment, money, side, tone
from engine.backtest.outcome import Trade
from engine.backtest.report.markup import Cell, Column, Markup, joined, table, tag
from engine.numbers import SECOND, count, price
from engine.texts import plain

SHOWN: Final = 50
"""Trades on a page of the ledger."""

COLUMNS: Final = (
    Column("#", "n"), Column("Strategy"), Column("Symbol"), Column("Side"), Column("Rung", "n"),
    Column("Quantity", "n"), Column("In"), Column("at", "n"), Column("Out"), Column("at", "n"),
    Column("Gross", "n"), Column("Charges", "n"), Column("Net", "n"), Column("Slippage", "n"),
    Column("MAE", "n"), Column("MFE", "n"), Column("Why in"), Column("Why out"),
)  # fmt: skip


def ledger(trades: Sequence[Trade]) -> Markup:
    """Return the ledger: its filters, its first page, and the packed rest."""
    if not trades:
        return tag("p", "There are no trades.", class_="quiet")
    strategies, symbols = (sorted({plain(getattr(each, name)) for each in trades}) for name in ("strategy", "symbol"))
    filters = tag(
        "form",
        _choice("strategy", "Strategy", [(each, each) for each in strategies]),
        _choice("symbol", "Symbol", [(each, each) for each in symbols]),
        _choice("side", "Side", [("1", "long"), ("-1", "short")]),
        _choice("result", "Result", [("won", "won"), ("lost", "lost"), ("drew", "drew"), ("open", "open")]),
        id="filters", hidden="",
    )  # fmt: skip
    pages = tag(
        "p",
        tag("button", "previous", type="button", id="before"),
        tag("output", f"1 to {min(SHOWN, len(trades))} of {count(len(trades))} trades", id="told"),
        tag("button", "next", type="button", id="after"),
        id="pages", hidden="",
    )  # fmt: skip
    rest = (
        f"The first {SHOWN} of {count(len(trades))} trades; a browser with scripts shows all, an export has them, too."
    )
    shown = table("Trades", COLUMNS, [row(each) for each in trades[:SHOWN]], class_="ledger", id="rows")
    store = tag("script", Markup(packed(trades)), type="text/plain", id="packed")
    return joined(
        [filters, pages, shown, tag("p", rest if len(trades) > SHOWN else None, id="first", class_="quiet"), store]
    )


def row(trade: Trade) -> list[Cell]:
    """Return the cells of a trade; the script makes the same ones."""
    return [
        Cell(trade.number), Cell(trade.strategy), Cell(trade.symbol), Cell(side(trade)), Cell(trade.rung),
        Cell(count(trade.quantity)), Cell(moment(trade.entry_ts)), Cell(price(round(trade.entry_price, 2))),
        Cell("open" if trade.open else moment(trade.exit_ts)), Cell(price(round(trade.exit_price, 2))),
        Cell(money(trade.gross, signed=True)), Cell(money(trade.charges)),
        Cell(money(trade.net, signed=True), tone(trade.net)), Cell(money(trade.slippage)),
        Cell(money(trade.mae, signed=True)), Cell(money(trade.mfe, signed=True)),
        Cell(trade.entry_reason or NONE), Cell(trade.exit_reason or NONE),
    ]  # fmt: skip


def packed(trades: Sequence[Trade]) -> str:
    """Return all trades as base64 of deflated JSON: texts once each, columns of whole numbers.

    Times are seconds UTC, prices and amounts paise. Numbers and entries are steps from the one before, exits are what they
    are off their entries, and gross is what it is off the product of quantity and difference: small numbers pack well.
    """
    columns: dict[str, list[int]] = {
        name: [getattr(each, name) for each in trades]
        for name in ("side", "rung", "quantity", "charges", "slippage", "mae", "mfe")
    }
    columns["number"] = _steps([each.number for each in trades])
    columns["entry"] = _steps([each.entry_ts // SECOND for each in trades])
    columns["held"] = [each.exit_ts // SECOND - each.entry_ts // SECOND if each.exit_ts else -1 for each in trades]
    columns["in"] = [round(each.entry_price * 100) for each in trades]
    columns["out"] = [round(each.exit_price * 100) - price for each, price in zip(trades, columns["in"], strict=True)]
    columns["gross"] = [
        each.gross - each.side * moved * each.quantity for each, moved in zip(trades, columns["out"], strict=True)
    ]
    texts: dict[str, list[str]] = {}
    for name in ("strategy", "symbol", "entry_reason", "exit_reason"):
        held = [getattr(each, name) for each in trades]
        shown = {text: plain(text) for text in set(held)}
        texts[name] = sorted(set(shown.values()))
        number = {told: i for i, told in enumerate(texts[name])}
        columns[name] = [number[shown[text]] for text in held]
    raw = json.dumps({"texts": texts, "columns": columns}, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(raw)).decode()


def _steps(values: Sequence[int]) -> list[int]:
    return [value - before for before, value in zip((0, *values), values, strict=False)]


def _choice(name: str, label: str, choices: Sequence[tuple[str, str]]) -> Markup:
    options = [tag("option", "all", value=""), *(tag("option", text, value=value) for value, text in choices)]
    return tag("label", label, tag("select", *options, name=name))
