"""Parity for a terminal: the percent and the difference first, what makes it, then the decisions that do not match."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from engine.backtest.figures import money, percent
from engine.backtest.parity.attribution import Difference, Parity
from engine.backtest.parity.days import LEAVE, OK
from engine.backtest.parity.matching import Decision
from engine.numbers import clock, price
from engine.texts import plain
from tui.tables import columns

if TYPE_CHECKING:
    from rich.console import Console

    from store.results import ParityDay
    from tui.parity import ParityResult

MOST: Final = 40
"""Differences that are shown, without `--all`."""
BAR: Final = 24
INDENT: Final = "    "
SIDES: Final = {1: "long", -1: "short"}


def shown(result: "ParityResult", *, every: bool, console: "Console | None" = None) -> None:
    """Print a comparison on stdout, or on `console`, as wide as that is."""
    from rich.console import Console  # noqa: PLC0415  50 ms, for who shows a report
    from rich.text import Text  # noqa: PLC0415

    out = console or Console(highlight=False, markup=False, emoji=False)
    for line in lines(result, out.width, every=every):
        out.print(Text(plain(line)), soft_wrap=True)


def lines(result: "ParityResult", width: int, *, every: bool) -> Iterator[str]:
    """Return the lines of a comparison, none longer than `width`; a difference is one line where all of them fit."""
    parity, curves = result.parity, result.curves
    yield f"Parity {percent(parity.percent)}   \N{GREEK CAPITAL LETTER DELTA}\N{INDIAN RUPEE SIGN} {_signed(parity.delta)}"
    yield f"{result.mode}, {result.day:%a %-d %b %Y}: {parity.matched.same} of {len(parity.matched.decisions)} decisions are the same"
    yield f"P&L of the desk {money(parity.desk, signed=True)}, of the backtest {money(parity.backtest, signed=True)}, after charges"
    alike = "none" if curves.correlation is None else f"{curves.correlation:.3f}"
    yield f"curves: correlation of returns {alike}, DTW distance \N{INDIAN RUPEE SIGN}{curves.distance:,.2f} a step"
    yield ""
    yield from _waterfall(parity)
    other = [each for each in parity.differences if not each.decision.same]
    same = sorted((each for each in parity.differences if each.decision.same), key=lambda each: -abs(each.amount))
    yield from _listed("Decisions that do not match", other, width, every=every)
    yield from _listed("The same decisions, another result", same, width, every=every)


def _waterfall(parity: Parity) -> Iterator[str]:
    rows = [("backtest", parity.backtest), *parity.causes.items(), ("desk", parity.desk)]
    most = max(abs(paise) for _, paise in rows[1:-1]) or 1
    names, amounts = max(len(name) for name, _ in rows), max(len(_signed(paise)) for _, paise in rows)
    for name, paise in rows:
        share = 0 if name in {"backtest", "desk"} else round(BAR * abs(paise) / most)
        mark = ("+" if paise > 0 else "-") * share
        yield f"  {name:<{names}}  {_signed(paise):>{amounts}}  {mark}".rstrip()


def _listed(title: str, found: Sequence[Difference], width: int, *, every: bool) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield f"{title} ({len(found)})"
    taken = found if every else found[:MOST]
    table = list(_wide(taken))
    yield from table if max(map(len, table)) <= width else _narrow(taken, width)
    if len(taken) < len(found):
        yield f"and {len(found) - len(taken)} more: --all"


def _wide(found: Iterable[Difference]) -> Iterator[str]:
    head = ("time", "strategy", "symbol", "what", "desk", "backtest", "\N{INDIAN RUPEE SIGN}", "cause")
    rows = [
        (*_what(each), deed(each.decision, desk=True), deed(each.decision, desk=False), _signed(each.amount), _cause(each))
        for each in found
    ]  # fmt: skip
    yield from columns(head, rows).splitlines()


def _narrow(found: Iterable[Difference], width: int) -> Iterator[str]:
    for each in found:
        yield from wrap(f"{'  '.join(_what(each))}  {_signed(each.amount)}", width, subsequent_indent=INDENT)
        both = f"desk {deed(each.decision, desk=True)}; backtest {deed(each.decision, desk=False)}"
        for text in (both, _cause(each)):
            yield from wrap(text, width, initial_indent=INDENT, subsequent_indent=INDENT)


def _what(each: Difference) -> tuple[str, str, str, str]:
    decision = each.decision
    of = decision.of
    return clock(decision.ts), of.strategy or "nobody", of.symbol, f"{decision.kind} P{of.place} {SIDES[of.side]}"


def _cause(each: Difference) -> str:
    return f"{each.why.cause}: {each.why.text}" if each.why.text else each.why.cause


def deed(decision: Decision, *, desk: bool) -> str:
    """Return what one side did: when, for how many shares and at which price, or what it was answered."""
    signal, trip, at = (
        (decision.desk, decision.trip, decision.when) if desk else (decision.backtest, decision.other, decision.then)
    )
    if at is None:
        return "still holds" if decision.kind == LEAVE and trip is not None else "nothing"
    if decision.kind != LEAVE and signal is not None and signal.verdict != OK:
        return f"{clock(at)} {signal.verdict}"
    leg = None if trip is None else trip.exit if decision.kind == LEAVE else trip.entry
    if trip is None or leg is None or not leg.quantity:
        return f"{clock(at)} not filled"
    why = f", {trip.reason}" if decision.kind == LEAVE else ""
    return f"{clock(at)} {leg.quantity} at {price(leg.value / leg.quantity / 100)}{why}"


def _signed(paise: int) -> str:
    return money(paise, signed=True)


def told(days: Sequence["ParityDay"]) -> str:
    """Return the days that were compared, the newest first."""
    rows = [
        {
            "date": each.date, "mode": each.mode, "parity": percent(each.percent), "same": f"{each.same}/{each.decisions}",
            "delta": _signed(each.desk - each.backtest),
            **{name: _signed(paise) for name, paise in each.causes.items() if paise},
        }
        for each in days
    ]  # fmt: skip
    names = list(dict.fromkeys(name for row in rows for name in row))
    return columns(names, [[row.get(name, "") for name in names] for row in rows])
