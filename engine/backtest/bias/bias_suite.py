"""The bias suite: a backtest run again with another future, past or order.

It names the first decision that changes. The kernel is deterministic, so that every difference
comes from the change.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from engine.backtest.bias import bias_checks, changed_futures
from engine.backtest.bias.bias_bench import BiasBench, BiasResult, StopMoments, plan_moments
from engine.backtest.bias.bias_tests import TESTS, BiasTest
from engine.backtest.bias.request_trace import (
    BiasSubject,
    Change,
    ReferenceFailed,
    SuiteStopped,
    replay_subject,
)
from engine.backtest.bias.source_lint import SourceHit
from engine.backtest.linter.result_linter import STATUSES, LinterFinding, Status

STOPPED: Final = "stopped before"


class BiasFinding(NamedTuple):
    """The finding of one test; `first` is the first decision that differs, None where none does."""

    test: BiasTest
    found: BiasResult

    @property
    def finding(self) -> LinterFinding:
        """Return it as the linter of results says it."""
        test, found = self
        return LinterFinding(
            test.id,
            test.label,
            status=found.status,
            severity=3,
            value=None,
            text=found.text,
            why=test.why,
            mend=test.mend,
        )

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        first = self.found.first
        return {
            "test": self.test.id,
            "label": self.test.label,
            "what": self.test.what,
            "status": self.found.status,
            "text": self.found.text,
            "why": self.test.why,
            "mend": self.test.mend,
            "first": None if first is None else first._asdict(),
        }


def run_suite(
    subject: BiasSubject,
    hits: Mapping[str, Sequence[SourceHit]],
    go_on: Callable[[int], bool],
    moments: int = 8,
    seed: int = 1,
    expect: Callable[[int], None] = lambda _: None,
) -> list[BiasFinding]:
    """Return each test's finding, failures first.

    `hits` are the findings of `lint_strategies` in the source. `moments` is how many ends of
    sessions, and how many moments, are tried with each other future. `go_on` is called with how
    many bars more are done; where it says no, the rest is not run; `expect` is called with their
    number in all, once that is known. Raises `ReferenceFailed`.
    """
    found: dict[str, BiasResult] = {
        f"lint-{rule}": _source_result(each) for rule, each in hits.items()
    }
    try:
        reference = replay_subject(subject, go_on)
        if reference.failures:
            raise ReferenceFailed(reference.failures)
        found["same-bar"] = bias_checks.check_same_bar(reference.fills)
        stops = plan_moments(subject, reference, moments, seed)
        # Not before the first run: the moments, and with them the work, follow from its decisions.
        expect(bars_to_do(subject, stops))
        again = replay_subject(subject, go_on, stops=stops.all_moments)
        bench = BiasBench(subject, reference, again, go_on)
        found["state"] = bench.compare_repeat()
        # A run that is not the same twice proves nothing when something is changed.
        if found["state"].status == "pass":
            for name, run in _suite_runs(bench, stops, seed).items():
                found[name] = run()
    except SuiteStopped:
        pass
    # Named all the same: a reader has to know what was not looked at.
    found["survivorship"] = bias_checks.check_survivorship(subject)
    why = (
        "the same run twice is not the same"
        if "state" in found and found["state"].status == "fail"
        else STOPPED
    )
    left = BiasResult("not run", why)
    return sorted(
        (BiasFinding(test, found.get(test.id, left)) for test in TESTS),
        key=lambda each: STATUSES.index(each.found.status),
    )


def _suite_runs(
    bench: BiasBench, stops: StopMoments, seed: int
) -> dict[str, Callable[[], BiasResult]]:
    kinds = changed_futures.KINDS
    poisons = [
        (
            at,
            changed_futures.poison_future(at, kinds[k % len(kinds)], seed + k),
            kinds[k % len(kinds)],
        )
        for k, at in enumerate(stops.moments)
    ]

    def cuts(moments: Sequence[int]) -> list[tuple[int, Change, str]]:
        return [(at, changed_futures.cut_future(at), "") for at in moments]

    return {
        "truncation-days": partial(
            bench.compare_futures, cuts(stops.days), f"ends of sessions of {stops.sessions - 1}"
        ),
        "truncation-moments": partial(bench.compare_futures, cuts(stops.moments), "moments"),
        "poison": partial(bench.compare_futures, poisons, "moments"),
        "closing": partial(
            bench.compare_futures, cuts(stops.closings), f"closes of {stops.sessions}"
        ),
        "actions": partial(bias_checks.check_actions, bench),
        "warm-up": partial(bias_checks.check_warm_up, bench),
        "order": partial(bias_checks.check_order, bench),
        "vintage": partial(bias_checks.check_vintage, bench),
    }


def _source_result(hits: Sequence[SourceHit]) -> BiasResult:
    if not hits:
        return BiasResult("pass", "nothing of the kind")
    status: Status = "fail" if any(hit.fails for hit in hits) else "warn"
    more = f"; and {len(hits) - 3} more" if len(hits) > 3 else ""
    return BiasResult(status, "; ".join(hit.text for hit in hits[:3]) + more)


def bars_to_do(subject: BiasSubject, stops: StopMoments) -> int:
    """Return the number of bars in all runs of a check but those that look into a difference."""
    sessions = subject.market.sessions
    starts = np.sort(np.concatenate([bars.start for bars in subject.series.values()]))
    starts = starts[np.searchsorted(starts, int(min(sessions.opens))) :]
    settled = int(list(sessions.closes)[: bias_checks.SESSIONS][-1])
    # Moments count twice: they are cut off, and poisoned.
    ends = stops.days + 2 * stops.moments + stops.closings + len(bias_checks.TIMES) * [settled]
    return int(np.searchsorted(starts, ends).sum()) + len(starts) * (3 + bool(subject.newer))
