"""How far a backtest can be believed: rules that look for what usually makes one too good to be true."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from engine.backtest.case import Case
from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome
from engine.backtest.rules import RULES, Rule
from engine.history.series import BarSeries

Status = Literal["fail", "warn", "pass", "not run"]
STATUSES: Final[tuple[Status, ...]] = ("fail", "warn", "pass", "not run")


class Finding(NamedTuple):
    """What one rule says of a run, in one line; `value` is what was measured, None where it was not run.

    `severity` is 1 to 3: how much a failure takes from the result. `why` and `mend` are the rule's.
    """

    rule: str
    label: str
    status: Status
    severity: int
    value: float | None
    text: str
    why: str
    mend: str


def lint(
    outcome: Outcome,
    metrics: Sequence[Metric],
    bars: Mapping[str, BarSeries] | None = None,
    ticks: Mapping[str, float] | None = None,
    seed: int = 1,
) -> list[Finding]:
    """Return what each rule says: failures first, then warnings, what passed, what was not run; by severity.

    `metrics` are what `statistics` returned. `bars` are those that were replayed, by symbol, `ticks` tick sizes in rupees:
    rules that need what was not given are "not run" and say so. `seed` is of the resampling.
    """
    case = Case(outcome, {metric.key: metric.value for metric in metrics}, bars, ticks, seed)
    return sorted(
        (_finding(rule, case) for rule in RULES), key=lambda each: (STATUSES.index(each.status), -each.severity)
    )


def _finding(rule: Rule, case: Case) -> Finding:
    value, text = rule.check(case)
    status = "not run" if value is None else judge(rule, value)
    return Finding(rule.id, rule.label, status, rule.severity, value, text, rule.why, rule.mend)


def judge(rule: Rule, value: float) -> Status:
    """Return what a rule says of what was measured."""
    if _beyond(rule.fail, value, rule.below):
        return "fail"
    return "warn" if _beyond(rule.warn, value, rule.below) else "pass"


def _beyond(limit: float | None, value: float, below: bool) -> bool:
    if limit is None:
        return False
    return value < limit if below else value >= limit


def verdict(findings: Sequence[Finding]) -> str:
    """Return one line: the worst status, how many of each, and what failed or, if nothing has, warned."""
    counts = {status: [each for each in findings if each.status == status] for status in STATUSES}
    worst: Status = next((status for status in STATUSES if counts[status]), "not run")
    tally = ", ".join(f"{len(found)} {status}" for status, found in counts.items())
    named = ", ".join(each.label.lower() for each in counts[worst]) if worst in {"fail", "warn"} else ""
    return f"{worst}: {tally}" + (f" ({named})" if named else "")
