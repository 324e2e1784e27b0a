"""Parity for a terminal: percent and difference, its causes, the unmatched decisions."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from engine.backtest.parity.attribution import NOBODY, DayParity, ParityDifference
from engine.backtest.parity.day_records import LEAVE, OK
from engine.backtest.parity.decision_matching import PairedDecision
from engine.backtest.parity.difference_causes import TWIN
from engine.backtest.results.figure_text import money, percent
from engine.numbers import price, time_of_day
from engine.texts import plain_text
from tui.commands.shared.text_tables import column_text

if TYPE_CHECKING:
    from rich.console import Console

    from store.backtest_results import ParityDay
    from tui.commands.backtest.parity_run import ParityResult

MOST: Final = 40
"""Differences that are shown, without `--all`."""
BAR: Final = 24
INDENT: Final = "    "
ROOM: Final = 56
"""Columns that a cause needs beside its decision."""
DELTA: Final = "\N{GREEK CAPITAL LETTER DELTA}\N{INDIAN RUPEE SIGN}"
SIDES: Final = {1: "long", -1: "short"}


def print_parity(result: "ParityResult", *, every: bool, console: Console | None = None) -> None:
    """Print a comparison on stdout, or on `console`, as wide as that is."""
    out = console or Console(highlight=False, markup=False, emoji=False)
    for line in parity_lines(result, out.width, every=every):
        out.print(Text(plain_text(line)), soft_wrap=True)


def parity_lines(result: "ParityResult", width: int, *, every: bool) -> Iterator[str]:
    """Return the lines of a comparison, none longer than `width`.

    A difference is one line where all of them fit.
    """
    parity, curves = result.parity, result.curves
    yield f"Parity {percent(parity.percent)}   {DELTA} {_signed_money(parity.delta)}"
    yield (
        f"{result.mode}, {result.day:%a %-d %b %Y}: {parity.matched.same} of "
        f"{len(parity.matched.decisions)} decisions are the same"
    )
    yield (
        f"P&L of the desk {money(parity.desk, signed=True)}, of the backtest "
        f"{money(parity.backtest, signed=True)}, after charges"
    )
    alike = "none" if curves.correlation is None else f"{curves.correlation:.3f}"
    yield (
        f"curves: correlation of returns {alike}, DTW distance "
        f"\N{INDIAN RUPEE SIGN}{curves.distance:,.2f} a step"
    )
    yield ""
    yield from _waterfall_lines(parity)
    if parity.inferred:
        yield (
            f"{money(parity.inferred)} of it (without signs) is likely only: no record shows the "
            "cause"
        )
    if len(result.strategies) > 1:
        yield ""
        yield from _strategy_lines(result, width)
    other = [each for each in parity.differences if not each.decision.same]
    same = sorted(
        (each for each in parity.differences if each.decision.same),
        # what came to the same matters by its rupees; what did not match, by its time
        key=lambda each: -abs(each.amount),
    )
    yield from _difference_list("Decisions that do not match", other, width, every=every)
    yield from _difference_list("The same decisions, another result", same, width, every=every)


def _waterfall_lines(parity: DayParity) -> Iterator[str]:
    # only a shadow desk has twins
    causes = [each for each in parity.causes.items() if each[0] != TWIN or each[1]]
    rows = [("backtest", parity.backtest), *causes, ("desk", parity.desk)]
    # bars show the causes beside each other; the two P&Ls would dwarf them
    most = max(abs(paise) for _, paise in rows[1:-1]) or 1
    names, amounts = (
        max(len(name) for name, _ in rows),
        max(len(_signed_money(paise)) for _, paise in rows),
    )
    for name, paise in rows:
        share = 0 if name in {"backtest", "desk"} else round(BAR * abs(paise) / most)
        mark = ("+" if paise > 0 else "-") * share
        yield f"  {name:<{names}}  {_signed_money(paise):>{amounts}}  {mark}".rstrip()


def _difference_list(
    title: str, found: Sequence[ParityDifference], width: int, *, every: bool
) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield f"{title} ({len(found)})"
    taken = found if every else found[:MOST]
    table = list(_wide_lines(taken))
    # a table that wraps cannot be read
    yield from table if max(map(len, table)) <= width else _narrow_lines(taken, width)
    if len(taken) < len(found):
        yield f"and {len(found) - len(taken)} more: --all"


def _wide_lines(found: Iterable[ParityDifference]) -> Iterator[str]:
    head = (
        "time",
        "strategy",
        "symbol",
        "what",
        "desk",
        "backtest",
        "\N{INDIAN RUPEE SIGN}",
        "cause",
    )
    rows = [
        (
            time,
            each.decision.subject.strategy or NOBODY,
            symbol,
            what,
            side_text(each.decision, desk=True),
            side_text(each.decision, desk=False),
            amount,
            _cause_text(each),
        )
        for each in found
        for time, symbol, what, amount in (_decision_head(each),)
    ]
    yield from column_text(head, rows).splitlines()


def _strategy_lines(result: "ParityResult", width: int) -> Iterator[str]:
    head = ("strategy", "parity", "same", "desk", "backtest", DELTA, "most of it")
    rows = [
        (
            name,
            percent(part.percent),
            f"{part.matched.same}/{len(part.matched.decisions)}",
            _signed_money(part.desk),
            _signed_money(part.backtest),
            _signed_money(part.delta),
            _largest_cause(part),
        )
        for name, (part, _) in result.strategies.items()
    ]
    table = column_text(head, rows).splitlines()
    if max(map(len, table)) > width:
        table = column_text(head[:-1], [row[:-1] for row in rows]).splitlines()
    yield from table


def _largest_cause(parity: DayParity) -> str:
    name = max(parity.causes, key=lambda each: abs(parity.causes[each]))
    return f"{name} {_signed_money(parity.causes[name])}" if parity.causes[name] else ""


def _narrow_lines(found: Sequence[ParityDifference], width: int) -> Iterator[str]:
    """Return two lines for a difference, or three where its cause does not fit beside it."""
    heads = [_decision_head(each) for each in found]
    columns = [max(map(len, column)) for column in zip(*heads, strict=True)]
    indent = " " * (sum(columns) + 2 * len(columns))
    for each, (time, symbol, what, amount) in zip(found, heads, strict=True):
        head = f"{time}  {symbol:<{columns[1]}}  {what:<{columns[2]}}  {amount:>{columns[3]}}  "
        sides = (
            f"desk {side_text(each.decision, desk=True)}; backtest "
            f"{side_text(each.decision, desk=False)}"
        )
        strategy = each.decision.subject.strategy or NOBODY
        if width - len(indent) >= ROOM:
            yield from wrap(_cause_text(each), width, initial_indent=head, subsequent_indent=indent)
            sides = f"{strategy}: {sides}"
        else:
            yield from wrap(head + strategy, width, subsequent_indent=INDENT)
            yield from wrap(
                _cause_text(each), width, initial_indent=INDENT, subsequent_indent=INDENT
            )
        yield from wrap(sides, width, initial_indent=INDENT, subsequent_indent=INDENT)


def _decision_head(each: ParityDifference) -> tuple[str, str, str, str]:
    of = each.decision.subject
    return (
        time_of_day(each.decision.ts),
        of.symbol,
        f"{each.decision.kind} P{of.place} {SIDES[of.side]}",
        _signed_money(each.amount),
    )


def _cause_text(each: ParityDifference) -> str:
    cause = f"likely {each.why.cause}" if each.why.inferred else each.why.cause
    return f"{cause}: {each.why.text}" if each.why.text else cause


def side_text(decision: PairedDecision, *, desk: bool) -> str:
    """Return what one side did: time, shares, price, or the answer to it."""
    signal, trip, at = (
        (decision.desk, decision.trip, decision.desk_ts)
        if desk
        else (decision.backtest, decision.other, decision.backtest_ts)
    )
    if at is None:
        return "still holds" if decision.kind == LEAVE and trip is not None else "nothing"
    # a refused entry has an answer instead of a price
    if decision.kind != LEAVE and signal is not None and signal.verdict != OK:
        return f"{time_of_day(at)} {signal.verdict}"
    leg = None if trip is None else trip.exit if decision.kind == LEAVE else trip.entry
    if trip is None or leg is None or not leg.quantity:
        return f"{time_of_day(at)} not filled"
    why = f", {trip.reason}" if decision.kind == LEAVE else ""
    return f"{time_of_day(at)} {leg.quantity} at {price(leg.value / leg.quantity / 100)}{why}"


def _signed_money(paise: int) -> str:
    return money(paise, signed=True)


def history_text(days: Sequence["ParityDay"]) -> str:
    """Return the days that were compared, the newest first."""
    rows = [
        {
            "date": each.date,
            "mode": each.mode,
            "parity": percent(each.percent),
            "same": f"{each.same}/{each.decisions}",
            "delta": _signed_money(each.desk - each.backtest),
            **{name: _signed_money(paise) for name, paise in each.causes.items() if paise},
        }
        for each in days
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return column_text(names, [[row.get(name, "") for name in names] for row in rows])
