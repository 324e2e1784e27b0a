"""The report of a promotion on a terminal, and as JSON: steps, changes, the diff."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.text import Text

from engine.indian_time import made_text
from engine.numbers import count
from engine.promotion.file_changes import day_changes, file_diff
from engine.promotion.next_day_file import NextDayFile, TrialOrigin, TrialPromise
from engine.promotion.promotion_log import PromotionRecord, PromotionStep, record_line
from engine.texts import plain_text

if TYPE_CHECKING:
    from tui.commands.research.promotion_job import PlannedPromotion

MARKS: Final = {"pass": ("✓", "green"), "fail": ("✕", "bold red")}
STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}
SIGNS: Final = {"+": "green", "-": "red", "~": "yellow"}


def new_console() -> Console:
    """Return a console that colours on a terminal only."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class StepPrinter:
    """The steps of trials, printed one by one under the trial's name."""

    def __init__(self, out: Console, force: str) -> None:
        self._out = out
        self._force = force
        self._name: str | None = None

    def print_step(self, name: str, step: PromotionStep) -> None:
        """Print a step as soon as it is done."""
        if name != self._name:
            self._name = name
            self._out.print(Text(plain_text(name) or "the sweep", "bold"))
        mark, style = MARKS[step.verdict]
        text = Text("  ").append(mark, style).append(f" {step.step:<9}", "bold")
        text.append(plain_text(step.text))
        if step.verdict == "fail":
            text.append(_force_text(step, self._force), "dim")
        self._out.print(text)


def _force_text(step: PromotionStep, force: str) -> str:
    if not step.forceable:
        return " (cannot be forced)"
    return f" (forced: {plain_text(force)})" if force else ""


def print_changes(out: Console, old: NextDayFile, new: NextDayFile) -> None:
    """Print what changes, and the diff of the two files."""
    for line in file_diff(old, new):
        out.print(Text(line, STYLES.get(line[:1], "")))
    out.print()
    for change in day_changes(old, new):
        out.print(Text(str(change), SIGNS[change.sign]))


def print_state(out: Console, file: NextDayFile, records: Sequence[PromotionRecord]) -> None:
    """Print what is promoted, with reasons."""
    if not file.strategy:
        out.print("nothing is promoted")
        return
    made = {each.number: made_text(each.made) for each in records}
    number = f", promotion {file.number} of {made[file.number]}" if file.number in made else ""
    out.print(f"{len(file.strategy)} promoted, ₹{count(file.spent)} in all{plain_text(number)}")
    for each in file.promoted:
        origin, promise = each.origin, each.promise
        out.print(
            Text(
                plain_text(f"{each.name}  {' '.join(each.symbols)}  ₹{count(each.budget)}"), "bold"
            )
        )
        told = [
            _origin_text(origin),
            origin.why,
            _promise_text(promise),
        ]
        if origin.forced:
            told.append(f"forced: {origin.forced}")
        for line in told:
            out.print(f"  {plain_text(line)}")


def _origin_text(origin: TrialOrigin) -> str:
    trial = f"trial {origin.trial} of sweep {origin.sweep}"
    return f"since {origin.since}, {trial}, {origin.first} to {origin.last}"


def _promise_text(promise: TrialPromise) -> str:
    return (
        f"promised {promise.annual_return:+.1%} a year, Sharpe {promise.sharpe:.2f}, "
        f"{promise.win_rate:.0%} won, drawdown {promise.max_drawdown:.1%}, "
        f"{promise.trades_a_day:.2f} trades a day over {promise.sessions} sessions"
    )


def print_history(out: Console, records: Sequence[PromotionRecord], number: int) -> None:
    """Print the records, newest last; the one whose file is there is marked."""
    if not records:
        out.print("nothing was ever promoted")
    for each in records:
        what = f" back to {each.state or 'nothing'}" if each.act == "rollback" else ""
        what = f" {each.sweep}" if each.act == "promotion" else what
        names = ", ".join(each.after.strategy) or "nothing"
        why = "forced: " if each.act == "promotion" else ""
        reason = f"; {why}{each.reason}" if each.reason else ""
        out.print(
            plain_text(
                f"{'*' if each.number == number else ' '} {each.number:>4}  "
                f"{made_text(each.made)}  "
                f"{each.act}{what} by {each.who or 'unknown'}: {names}{reason}"
            )
        )


def plan_json(plan: "PlannedPromotion", **facts: object) -> str:
    """Return a promotion as one line of JSON."""
    trials = [
        {
            "name": each.plan.name,
            "trial": each.plan.chosen.name,
            "promoted": each.plan.name in plan.taken,
            "steps": msgspec.to_builtins(each.steps),
        }
        for each in plan.trials
    ]
    return json.dumps(
        facts
        | {
            "sweep": plan.sweep,
            "steps": msgspec.to_builtins(plan.whole),
            "trials": trials,
        }
        | changes_facts(plan.old, plan.new),
    )


def changes_facts(old: NextDayFile, new: NextDayFile) -> dict[str, object]:
    """Return what changes from one file to the next as JSON has it."""
    return {
        "changes": [each._asdict() for each in day_changes(old, new)],
        "diff": file_diff(old, new),
    }


def state_json(file: NextDayFile) -> str:
    """Return what is promoted as one line of JSON."""
    return msgspec.json.encode(file).decode()


def history_json(records: Sequence[PromotionRecord], number: int) -> str:
    """Return the records as one line of JSON."""
    return json.dumps([record_line(each) | {"in_force": each.number == number} for each in records])
