"""The tabs of the desk itself: its account by days, closed trades, parity, promotions."""

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Final

from engine.backtest.parity.difference_causes import TWIN
from engine.backtest.results.figure_text import money, percent, tone
from engine.indian_time import made_text
from engine.market.calendar import DAY, ist_day, midnight
from engine.numbers import count, counted, rupees
from engine.promotion.file_changes import DayChange, day_changes
from engine.promotion.next_day_file import read_next_day
from engine.promotion.promotion_log import PromotionLog
from store.backtest_results import ParityDay
from store.closed_trades import ClosedTrade
from tui.app.research_port import (
    CurveLine,
    ResultCurves,
    ResultTable,
    TableColumn,
    TabRow,
)
from tui.commands.research_screen.result_tabs import (
    CLOSE,
    TRADE_COLUMNS,
    plain_row,
    trade_row,
)

SIGNS: Final = {"+": "up", "-": "down", "~": "notice"}
WAYS: Final = {"BUY": "long", "SELL": "short"}


def account_curves(trades: Sequence[ClosedTrade]) -> ResultCurves:
    """Return the P&L of all closed trades, added up: by days, of a single day trade by trade."""
    ordered = sorted(trades, key=lambda each: each.exit_ts)
    if not ordered:
        return ResultCurves("no trade of this desk is closed yet", [], [])
    days = {
        day: [*found] for day, found in groupby(ordered, key=lambda each: ist_day(each.exit_ts))
    }
    # of one or two days a curve by days would be a stroke: each trade is a point there
    by_day = len(days) > 2
    steps = (
        [(midnight(day) + CLOSE, found) for day, found in days.items()]
        if by_day
        else [(each.exit_ts, [each]) for each in ordered]
    )
    net = [0.0, *accumulate(sum(each.net for each in found) / 100 for _, found in steps)]
    # charges beside the P&L: what a strategy earns and its charges eat is seen here first
    gross = [
        0.0,
        *accumulate(sum(each.net + each.charges for each in found) / 100 for _, found in steps),
    ]
    told = f"{counted(len(ordered), 'closed trade')} of {counted(len(days), 'day')}"
    return ResultCurves(
        f"P&L after charges, {told}",
        [steps[0][0] - (DAY if by_day else 1), *(moment for moment, _ in steps)],
        [CurveLine("gross", "faint", gross), CurveLine("net", "strong", net)],
    )


def closed_tab(trades: Sequence[ClosedTrade]) -> ResultTable:
    """Return the closed trades, the last day first and the worst of each day above."""
    # yesterday's worst trade is what is looked for: days newest first, the worst above
    ordered = sorted(trades, key=lambda each: (-ist_day(each.exit_ts).toordinal(), each.net))
    rows = [
        trade_row(
            str(each.trade),
            symbol=each.symbol,
            side=WAYS.get(each.side, each.side),
            quantity=each.quantity,
            entry=(each.entry_ts, each.entry_price),
            exit=(each.exit_ts, each.exit_price),
            net=each.net,
            charges=each.charges,
            reason=each.exit_reason,
            strategy=each.strategy,
        )._replace(ts=each.exit_ts)
        for each in ordered
    ]
    title = f"{counted(len(rows), 'closed trade')}, the worst of each day first"
    return ResultTable(title, TRADE_COLUMNS, rows, "no trade of this desk is closed yet")


def parity_tab(days: Sequence[ParityDay]) -> ResultTable:
    """Return the days that were compared with a backtest, each cause of the difference in ₹."""
    rows = [_parity_row(each) for each in days]
    columns = [
        TableColumn("day", 10, right=False),
        TableColumn("mode", 7, right=False, rank=3),
        TableColumn("parity", 7),
        TableColumn("same", 9, rank=1),
        TableColumn("desk ₹", 11),
        TableColumn("backtest", 11, rank=1),
        TableColumn("Δ₹", 11),
        TableColumn("most of it", 18, right=False, most=26),
        TableColumn("all causes", 20, right=False, most=120, rank=2),
    ]
    empty = "no day was compared yet: :parity --date DAY"
    return ResultTable("days of the desk beside a backtest of them", columns, rows, empty)


def _parity_row(day: ParityDay) -> TabRow:
    delta = day.desk - day.backtest
    causes = sorted(
        ((name, paise) for name, paise in day.causes.items() if paise and name != TWIN),
        key=lambda each: -abs(each[1]),
    )
    # the largest cause has a column of its own, which stays on a narrow terminal
    told = [f"{name} {money(paise, signed=True)}" for name, paise in causes]
    return plain_row(
        f"{day.mode} {day.date}",
        [
            day.date,
            day.mode,
            percent(day.percent, places=1),
            f"{count(day.same)}/{count(day.decisions)}",
            rupees(day.desk),
            rupees(day.backtest),
            rupees(delta),
            told[0] if told else "",
            ", ".join(told[1:]),
        ],
        ["strong", "faint", _parity_tone(day.percent), "", tone(day.desk), "", tone(delta), "dim"],
        values=[0.0, 0.0, day.percent, float(day.same), day.desk, day.backtest, delta],
    )


def _parity_tone(value: float) -> str:
    return "up" if value >= 90 else "notice" if value >= 80 else "danger"


def promoted_tab(log: PromotionLog, opened: bool) -> ResultTable:
    """Return what is promoted, and what of it is due at the next opening."""
    file = read_next_day(log.state)
    # a desk that never opened has no file to compare with: all of it would be due for ever
    due = {each.name: each for each in day_changes(log.opened(), file)} if opened else {}
    rows = []
    for each in file.promoted:
        change = due.pop(each.name, None)
        promise = each.promise
        rows.append(
            plain_row(
                each.name,
                [
                    each.name,
                    " ".join(each.symbols),
                    f"₹{count(each.budget)}",
                    each.origin.since,
                    _due_text(change) if change else "trades",
                    f"{promise.annual_return:+.1%} a year, Sharpe {promise.sharpe:.2f}",
                    "; forced: ".join(filter(None, (each.origin.why, each.origin.forced))),
                ],
                ["strong", "", "", "dim", SIGNS["~" if change else "+"], "dim", "faint"],
                symbol=each.symbols[0] if each.symbols else "",
            )
        )
    rows += [
        plain_row(
            name, [name, "", "", "", f"due: goes {each.text}"], ["strong", "", "", "", "down"]
        )
        for name, each in due.items()
    ]
    columns = [
        TableColumn("strategy", 32, right=False, most=48),
        TableColumn("symbols", 10, right=False, most=22, rank=1),
        TableColumn("budget", 10),
        TableColumn("since", 10, right=False, rank=1),
        TableColumn("next opening", 14, right=False, most=60),
        TableColumn("promised", 30, right=False, most=60, rank=2),
        TableColumn("why", 20, right=False, most=120, rank=3),
    ]
    empty = "nothing is promoted: :promote last --dry-run says what would be"
    title = f"{count(len(file.strategy))} promoted, ₹{count(file.spent)} in all"
    return ResultTable(title, columns, rows, empty)


def _due_text(change: DayChange) -> str:
    # symbols and budget of a new one stand in columns of their own
    return "due: new" if change.sign == "+" else f"due: {change.text}"


def promotions_tab(log: PromotionLog) -> ResultTable:
    """Return the promotions, demotions and rollbacks, the last one first."""
    # a damaged file hides no record: the fault is the title, and the records are listed
    in_force, fault = log.in_force()
    rows = [
        plain_row(
            str(each.number),
            [
                f"{'*' if each.number == in_force.number else ''}{each.number}",
                made_text(each.made)[:16],
                each.act,
                each.who or "unknown",
                ", ".join(each.after.strategy) or "nothing",
                each.sweep,
                each.reason,
            ],
            ["strong", "dim", SIGNS["+" if each.act == "promotion" else "-"], "", "strong", "dim"],
        )
        for each in reversed(log.records())
    ]
    columns = [
        TableColumn("no", 4),
        TableColumn("made", 16, right=False),
        TableColumn("act", 10, right=False),
        TableColumn("by", 10, right=False, rank=2),
        TableColumn("promoted then", 26, right=False, most=60),
        TableColumn("sweep", 12, right=False, most=40, rank=2),
        TableColumn("reason", 16, right=False, most=160, rank=1),
    ]
    return ResultTable(
        fault or "promotions, demotions and rollbacks; * is in force",
        columns,
        rows,
        "nothing was ever promoted",
    )
