"""Every trade of a run, packed for a few lines of script that unpack, filter and sort them.

The first ones stand as they are.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Final

from compiled.model.values import SECOND
from engine.backtest.report.html_markup import (
    HtmlCell,
    HtmlColumn,
    HtmlMarkup,
    joined_markup,
    table,
    tag,
)
from engine.backtest.results.figure_text import NONE, moment_text, money, side_word, tone
from engine.backtest.run_outcome import RoundTrip
from engine.numbers import count, price
from engine.texts import plain_text

# Also what a browser without scripts gets.
SHOWN: Final = 50
"""Trades on a page of the ledger."""

COLUMNS: Final = (
    HtmlColumn("#", "n"),
    HtmlColumn("Strategy"),
    HtmlColumn("Symbol"),
    HtmlColumn("Side"),
    HtmlColumn("Rung", "n"),
    HtmlColumn("Quantity", "n"),
    HtmlColumn("In"),
    HtmlColumn("at", "n"),
    HtmlColumn("Out"),
    HtmlColumn("at", "n"),
    HtmlColumn("Gross", "n"),
    HtmlColumn("Charges", "n"),
    HtmlColumn("Net", "n"),
    HtmlColumn("Slippage", "n"),
    HtmlColumn("MAE", "n"),
    HtmlColumn("MFE", "n"),
    HtmlColumn("Why in"),
    HtmlColumn("Why out"),
)


def ledger_markup(trades: Sequence[RoundTrip]) -> HtmlMarkup:
    """Return the ledger: its filters, its first page, and the packed rest."""
    if not trades:
        return tag("p", "There are no trades.", class_="quiet")
    strategies, symbols = (
        sorted({plain_text(getattr(each, name)) for each in trades})
        for name in ("strategy", "symbol")
    )
    filters = tag(
        "form",
        _filter_choice("strategy", "Strategy", [(each, each) for each in strategies]),
        _filter_choice("symbol", "Symbol", [(each, each) for each in symbols]),
        _filter_choice("side", "Side", [("1", "long"), ("-1", "short")]),
        _filter_choice(
            "result",
            "Result",
            [("won", "won"), ("lost", "lost"), ("drew", "drew"), ("open", "open")],
        ),
        id="filters",
        hidden="",
    )
    pages = tag(
        "p",
        tag("button", "previous", type="button", id="before"),
        tag("output", f"1 to {min(SHOWN, len(trades))} of {count(len(trades))} trades", id="told"),
        tag("button", "next", type="button", id="after"),
        id="pages",
        hidden="",
    )
    rest = (
        f"The first {SHOWN} of {count(len(trades))} trades; a browser with scripts shows all, an "
        f"export has them, too."
    )
    shown = table(
        "Trades",
        COLUMNS,
        [trade_cells(each) for each in trades[:SHOWN]],
        class_="ledger",
        id="rows",
    )
    store = tag("script", HtmlMarkup(packed_trades(trades)), type="text/plain", id="packed")
    return joined_markup(
        [
            filters,
            pages,
            shown,
            tag("p", rest if len(trades) > SHOWN else None, id="first", class_="quiet"),
            store,
        ]
    )


def trade_cells(trade: RoundTrip) -> list[HtmlCell]:
    """Return the cells of a trade; the script makes the same ones."""
    return [
        HtmlCell(trade.number),
        HtmlCell(trade.strategy),
        HtmlCell(trade.symbol),
        HtmlCell(side_word(trade)),
        HtmlCell(trade.rung),
        HtmlCell(count(trade.quantity)),
        HtmlCell(moment_text(trade.entry_ts)),
        HtmlCell(price(round(trade.entry_price, 2))),
        HtmlCell("open" if trade.is_open else moment_text(trade.exit_ts)),
        HtmlCell(price(round(trade.exit_price, 2))),
        HtmlCell(money(trade.gross, signed=True)),
        HtmlCell(money(trade.charges)),
        HtmlCell(money(trade.net, signed=True), tone(trade.net)),
        HtmlCell(money(trade.slippage)),
        HtmlCell(money(trade.mae, signed=True)),
        HtmlCell(money(trade.mfe, signed=True)),
        HtmlCell(trade.entry_reason or NONE),
        HtmlCell(trade.exit_reason or NONE),
    ]


def packed_trades(trades: Sequence[RoundTrip]) -> str:
    """Return all trades as base64 of deflated JSON: texts once each, columns of whole numbers.

    Times are seconds UTC, prices and amounts paise. Numbers and entries are steps from the one
    before, exits are offsets from their entries, and gross is the offset from the product of
    quantity and difference: small numbers pack well.
    """
    columns: dict[str, list[int]] = {
        name: [getattr(each, name) for each in trades]
        for name in ("side", "rung", "quantity", "charges", "slippage", "mae", "mfe")
    }
    columns["number"] = _step_sizes([each.number for each in trades])
    columns["entry"] = _step_sizes([each.entry_ts // SECOND for each in trades])
    columns["held"] = [
        each.exit_ts // SECOND - each.entry_ts // SECOND if each.exit_ts else -1 for each in trades
    ]
    columns["in"] = [round(each.entry_price * 100) for each in trades]
    columns["out"] = [
        round(each.exit_price * 100) - price
        for each, price in zip(trades, columns["in"], strict=True)
    ]
    columns["gross"] = [
        each.gross - each.side * moved * each.quantity
        for each, moved in zip(trades, columns["out"], strict=True)
    ]
    texts: dict[str, list[str]] = {}
    for name in ("strategy", "symbol", "entry_reason", "exit_reason"):
        held = [getattr(each, name) for each in trades]
        # Each text once: reasons repeat by the thousand.
        shown = {text: plain_text(text) for text in set(held)}
        texts[name] = sorted(set(shown.values()))
        number = {text: i for i, text in enumerate(texts[name])}
        columns[name] = [number[shown[text]] for text in held]
    raw = json.dumps({"texts": texts, "columns": columns}, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(raw)).decode()


def _step_sizes(values: Sequence[int]) -> list[int]:
    return [value - before for before, value in zip((0, *values), values, strict=False)]


def _filter_choice(name: str, label: str, choices: Sequence[tuple[str, str]]) -> HtmlMarkup:
    options = [
        tag("option", "all", value=""),
        *(tag("option", text, value=value) for value, text in choices),
    ]
    return tag("label", label, tag("select", *options, name=name))
