"""The tabs of a backtest: curves, figures, months, groups, trades, checks, and a comparison."""

from collections.abc import Iterable, Sequence
from typing import Final

from engine.backtest.linter.result_linter import LinterFinding
from engine.backtest.results.figure_text import (
    SIGNED,
    duration_text,
    figure,
    metrics_by_group,
    moment_text,
    percent,
    ratio,
    side_word,
    tone,
)
from engine.backtest.results.run_comparison import compare_outcomes
from engine.backtest.run_outcome import RoundTrip
from engine.backtest.statistics import result_tables
from engine.market.calendar import DAY
from engine.numbers import count, counted, price, rupees
from store.backtest_results import BiasCheck, StoredResult
from tui.app.research_port import (
    CurveLine,
    ResultCurves,
    ResultTable,
    TableColumn,
    TabRow,
)

MOST_TRADES: Final = 3_000
"""Round trips of a tab: the worst and the best of more are what is looked for."""
MOST_POINTS: Final = 2_000
"""Moments of a curve: no terminal has as many dots side by side."""
CLOSE: Final = 10 * 3_600 * 1_000_000_000
"""15:30 IST in UTC."""
FEW_DAYS: Final = 10
"""Sessions from which on a curve by days says as much as one by moments."""
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
GROUPS: Final = ("strategy", "symbol", "side", "rung", "exit", "hour", "weekday")
VERDICTS: Final = {"fail": "danger", "warn": "notice", "pass": "up", "not run": "faint"}
MARKS: Final = {"fail": "✕", "warn": "!", "pass": "✓", "not run": "·"}


def curves_tab(stored: StoredResult) -> ResultCurves:
    """Return the account after charges beside the one before them, and the drawdown (%)."""
    outcome, daily = stored.outcome, stored.outcome.daily
    start = outcome.manifest.start_cash / 100
    title = f"account after charges, {outcome.manifest.first} to {outcome.manifest.last}"
    if len(daily.day) < FEW_DAYS:
        every = max(len(outcome.times) // MOST_POINTS, 1)
        worth = [start, *(outcome.curve[::every] / 100).tolist()]
        moments = outcome.times[::every].tolist()
        return ResultCurves(
            title,
            [*moments[:1], *moments],
            [CurveLine("net", "strong", worth)],
            below=depths(worth),
        )
    moments = [int(day) * DAY + CLOSE for day in daily.day]
    return ResultCurves(
        title,
        # Every curve begins with the cash of before the first session.
        [moments[0] - DAY, *moments],
        [
            CurveLine("gross", "faint", [start, *(daily.gross / 100).tolist()]),
            CurveLine("net", "strong", [start, *(daily.equity / 100).tolist()]),
        ],
        below=[0.0, *result_tables.underwater(outcome)],
    )


def depths(worth: Sequence[float]) -> list[float]:
    """Return how far each value stands below the highest so far, in %: 0 or negative."""
    found, highest = [], float("-inf")
    # an account that has fallen to nothing has no share of a peak left to speak of
    for value in worth:
        highest = max(highest, value)
        found.append(100 * (value / highest - 1) if highest > 0 else 0.0)
    return found


def figures_tab(stored: StoredResult) -> ResultTable:
    """Return every metric under its heading, with what it means."""
    rows = []
    for group, each in metrics_by_group(stored.metrics).items():
        for number, (metric, definition) in enumerate(each):
            value = metric.value
            signed = metric.key in SIGNED and isinstance(value, int | float)
            rows.append(
                plain_row(
                    metric.key,
                    [
                        "" if number else group,
                        definition.label,
                        figure(metric),
                        definition.means,
                    ],
                    ["title", "", tone(float(value or 0)) if signed else "strong", "faint"],
                )
            )
    columns = [
        TableColumn("", 14, right=False, rank=1),
        TableColumn("metric", 24, right=False),
        TableColumn("value", 16),
        TableColumn("what it is", 20, right=False, most=90, rank=2),
    ]
    return ResultTable(counted(len(rows), "figure"), columns, rows)


def months_tab(stored: StoredResult) -> ResultTable:
    """Return the returns by month and year, in %, the newest year first."""
    years = result_tables.yearly_returns(stored.outcome)[::-1]
    lines: list[tuple[str, list[str], list[str]]] = [
        (
            "year",
            [percent(each.total, signed=True)[:-1] for each in years],
            [tone(each.total) for each in years],
        ),
        ("net ₹", [rupees(each.net) for each in years], [tone(each.net) for each in years]),
    ]
    # A column a year: twelve beside each other would not fit the narrowest terminal.
    for place, name in enumerate(MONTHS):
        found = [each.months[place] for each in years]
        texts = ["" if month is None else percent(month, signed=True)[:-1] for month in found]
        lines.append((name, texts, [tone(month) for month in found]))
    rows = [
        plain_row(name, [name, *texts], ["title", *tones]) for name, texts, tones in lines if years
    ]
    columns = [
        TableColumn("%", 6, right=False),
        *(TableColumn(str(each.year), 14, rank=place) for place, each in enumerate(years)),
    ]
    return ResultTable("return of each month", columns, rows, "no session was replayed")


def groups_tab(stored: StoredResult) -> ResultTable:
    """Return the closed trades by strategy, symbol, side, rung, exit, hour and weekday."""
    found = result_tables.breakdowns(stored.outcome)
    rows = [
        plain_row(
            f"{name} {each.name}",
            [
                "" if place else name,
                each.name,
                count(each.trades),
                percent(each.win_rate, places=1),
                rupees(each.net),
                rupees(round(each.average)),
                ratio(each.profit_factor),
                rupees(each.charges),
            ],
            ["title", "", "", "", tone(each.net), tone(round(each.average)), "", "faint"],
            values=[0.0, 0.0, each.trades, each.win_rate, each.net, each.average],
        )
        for name in GROUPS
        for place, each in enumerate(found.get(name, ()))
    ]
    columns = [
        TableColumn("by", 8, right=False, rank=1),
        TableColumn("", 20, right=False, most=30),
        TableColumn("trades", 7),
        TableColumn("won", 6),
        TableColumn("net ₹", 13),
        TableColumn("a trade", 10, rank=1),
        TableColumn("factor", 6, rank=2),
        TableColumn("charges", 11, rank=3),
    ]
    return ResultTable("closed trades by what they have in common", columns, rows, "no trade")


def trades_tab(stored: StoredResult) -> ResultTable:
    """Return the round trips, the worst first."""
    # what went wrong teaches most, and a list by time is in the export
    trades = sorted(stored.outcome.trades, key=lambda each: (each.net, each.number))
    title = counted(len(trades), "round trip")
    if len(trades) > MOST_TRADES:
        half = MOST_TRADES // 2
        trades = trades[:half] + trades[-half:]
        title += f", the {count(half)} worst and best"
    return ResultTable(title, TRADE_COLUMNS, [_trade_row(each) for each in trades], "no trade")


TRADE_COLUMNS: Final = [
    TableColumn("entry", 16, right=False),
    TableColumn("symbol", 10, right=False, most=22),
    TableColumn("side", 5, right=False, rank=2),
    TableColumn("qty", 6, rank=2),
    TableColumn("in", 10, rank=1),
    TableColumn("out", 10, rank=1),
    TableColumn("held", 9, rank=2),
    TableColumn("net ₹", 12),
    TableColumn("charges", 9, rank=3),
    TableColumn("why out", 10, right=False, most=24, rank=1),
    TableColumn("strategy", 10, right=False, most=24, rank=3),
]


def trade_row(
    key: str,
    *,
    symbol: str,
    side: str,
    quantity: int,
    entry: tuple[int, float],
    exit: tuple[int, float],
    net: int,
    charges: int,
    reason: str,
    strategy: str,
) -> TabRow:
    """Return a round trip as a row; `entry` and `exit` are time (ns UTC) and price."""
    held = (exit[0] - entry[0]) / 1e9 if exit[0] else 0.0
    return plain_row(
        key,
        [
            moment_text(entry[0]),
            symbol,
            side,
            count(quantity),
            price(entry[1]),
            price(exit[1]),
            duration_text(held) if exit[0] else "open",
            rupees(net),
            rupees(charges),
            reason,
            strategy,
        ],
        ["dim", "strong", "", "", "", "", "dim", tone(net), "faint", "dim", "faint"],
        values=[
            float(entry[0]),
            0.0,
            0.0,
            float(quantity),
            entry[1],
            exit[1],
            held,
            float(net),
            float(charges),
        ],
        symbol=symbol,
        ts=entry[0],
    )


def _trade_row(trade: RoundTrip) -> TabRow:
    return trade_row(
        str(trade.number),
        symbol=trade.symbol,
        side=side_word(trade),
        quantity=trade.quantity,
        entry=(trade.entry_ts, trade.entry_price),
        exit=(trade.exit_ts, trade.exit_price),
        net=trade.net,
        charges=trade.charges,
        reason=trade.exit_reason,
        strategy=trade.strategy,
    )


def checks_tab(stored: StoredResult, check: BiasCheck | None) -> ResultTable:
    """Return the linter's findings, and the last bias check of the same strategies."""
    rows = list(finding_rows("linter", stored.findings))
    # nobody has looked: that is no pass, and the key that looks is said
    if check is None:
        said = "never: b runs patang check with what this run was made of"
        rows.append(plain_row("bias", ["bias", "·", "not checked", said], ["title", "", "", "dim"]))
    else:
        rows += bias_rows(check, stored.outcome.manifest.sources)
    return findings_table("what may be too good to be true", rows)


def bias_rows(check: BiasCheck, sources: dict[str, str] | None = None) -> list[TabRow]:
    """Return a bias check as rows; `sources` are the hashes of what it is shown beside."""
    rows = list(finding_rows("bias", check.findings))
    about = f"{check.made[:10]}, {check.about}"
    if sources is not None and sources != check.sources:
        # A verdict on another source says nothing of this one.
        about = f"of another source of the strategy; {about}"
    # what was left out may be what would have failed
    if check.stopped:
        about = f"stopped before its last test; {about}"
    return [plain_row("about", ["bias", "", check.verdict, about], ["title", "", "", "dim"]), *rows]


def finding_rows(group: str, findings: Iterable[LinterFinding]) -> Iterable[TabRow]:
    """Yield findings as rows, those that need an eye first."""
    # a linter of 28 rules mostly passes: what needs an eye stands above
    order = {"fail": 0, "warn": 1, "not run": 3}
    for each in sorted(findings, key=lambda one: order.get(one.status, 2)):
        mend = f" {each.mend}" if each.status in {"fail", "warn"} else ""
        yield plain_row(
            f"{group} {each.rule}",
            [group, MARKS.get(each.status, "?"), each.label, f"{each.text}{mend}"],
            ["faint", VERDICTS.get(each.status, ""), VERDICTS.get(each.status, ""), "dim"],
        )


def findings_table(title: str, rows: list[TabRow]) -> ResultTable:
    """Return findings as a tab."""
    columns = [
        TableColumn("", 8, right=False, rank=1),
        TableColumn("", 1, right=False),
        TableColumn("check", 26, right=False, most=34),
        TableColumn("found", 30, right=False, most=400),
    ]
    return ResultTable(title, columns, rows)


def compare_tab(before: StoredResult, after: StoredResult) -> ResultTable:
    """Return what differs between the marked run and this one."""
    left, right = before.outcome, after.outcome
    rows = [
        plain_row(
            str(place),
            [each.what, each.before, each.after, each.change],
            ["", "dim", "strong", _change_tone(each.change)],
        )
        for place, each in enumerate(compare_outcomes(left, before.metrics, right, after.metrics))
    ]
    columns = [
        TableColumn("what", 20, right=False, most=40),
        TableColumn(left.manifest.run[-15:], 15, most=24),
        TableColumn(right.manifest.run[-15:], 15, most=24),
        TableColumn("change", 14, rank=1),
    ]
    title = f"{left.manifest.run}, which is marked, beside {right.manifest.run}"
    return ResultTable(title, columns, rows, "the same in all but their time")


def _change_tone(change: str) -> str:
    return "down" if change.startswith("-") else "up" if change else ""


def plain_row(
    key: str,
    texts: list[str],
    tones: list[str],
    *,
    values: list[float] | None = None,
    symbol: str = "",
    ts: int = 0,
) -> TabRow:
    """Return a row of a tab, its numbers and tones as long as its texts."""
    # sorting by a column without numbers takes its texts
    missing = len(texts) - len(values or ())
    return TabRow(
        key,
        texts,
        tones + [""] * (len(texts) - len(tones)),
        [*(values or ()), *([0.0] * missing)],
        symbol,
        ts,
    )
