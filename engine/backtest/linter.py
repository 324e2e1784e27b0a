"""How far a backtest can be believed: rules that look for what usually makes one too good to be true."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome
from engine.history.series import BarSeries

Status = Literal["pass", "warn", "fail", "not run"]


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
    """Return what each rule says, failures first, then warnings, by severity.

    `metrics` are what `statistics` returned. `bars` are those that were replayed, by symbol, `ticks` tick sizes in rupees:
    rules that need what was not given are "not run" and say so. `seed` is of the resampling.
    """
    raise NotImplementedError


def verdict(findings: Sequence[Finding]) -> str:
    """Return one line: the worst status, how many of each, and what failed."""
    raise NotImplementedError
