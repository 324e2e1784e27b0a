"""A backtest's credibility: rules for the usual reasons of results too good to be true."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from engine.backtest.linter.linter_case import LinterCase
from engine.backtest.linter.linter_rules import RULES, LinterRule
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics.run_metrics import RunMetric
from engine.history.bar_series import BarSeries

Status = Literal["fail", "warn", "pass", "not run"]
STATUSES: Final[tuple[Status, ...]] = ("fail", "warn", "pass", "not run")


class LinterFinding(NamedTuple):
    """The finding of one rule on a run, in one line.

    `value` is the measure, None where it was not run. `severity` is 1 to 3: how much a failure
    takes from the result. `why` and `mend` are the rule's.
    """

    rule: str
    label: str
    status: Status
    severity: int
    value: float | None
    text: str
    why: str
    mend: str


def lint_outcome(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    bars: Mapping[str, BarSeries] | None = None,
    ticks: Mapping[str, float] | None = None,
    seed: int = 1,
    delayed: int | None = None,
) -> list[LinterFinding]:
    """Return each rule's finding: failures, then warnings, passes, and rules not run, by severity.

    `metrics` are those of `statistics`. `bars` are those that were replayed, by symbol, `ticks`
    tick sizes in rupees: rules without their data are "not run" and say so. `seed` is of the
    resampling, `delayed` the net (paise) with every order a quarter of a second later.
    """
    case = LinterCase(
        outcome, {metric.key: metric.value for metric in metrics}, bars, ticks, seed, delayed
    )
    return sorted(
        (_rule_finding(rule, case) for rule in RULES),
        key=lambda each: (STATUSES.index(each.status), -each.severity),
    )


def _rule_finding(rule: LinterRule, case: LinterCase) -> LinterFinding:
    value, text = rule.check(case)
    status = "not run" if value is None else judge_value(rule, value)
    return LinterFinding(
        rule.id,
        rule.label,
        status=status,
        severity=rule.severity,
        value=value,
        text=text,
        why=rule.why,
        mend=rule.mend,
    )


def judge_value(rule: LinterRule, value: float) -> Status:
    """Return a rule's verdict on its measure."""
    if _is_beyond(rule.fail, value, rule.below):
        return "fail"
    return "warn" if _is_beyond(rule.warn, value, rule.below) else "pass"


def _is_beyond(limit: float | None, value: float, below: bool) -> bool:
    if limit is None:
        return False
    return value < limit if below else value >= limit


def overall_verdict(findings: Sequence[LinterFinding]) -> str:
    """Return one line: the worst status, the count of each, and the failures or warnings."""
    counts = {status: [each for each in findings if each.status == status] for status in STATUSES}
    worst: Status = next((status for status in STATUSES if counts[status]), "not run")
    tally = ", ".join(f"{len(found)} {status}" for status, found in counts.items())
    named = (
        ", ".join(each.label.lower() for each in counts[worst]) if worst in {"fail", "warn"} else ""
    )
    return f"{worst}: {tally}" + (f" ({named})" if named else "")
