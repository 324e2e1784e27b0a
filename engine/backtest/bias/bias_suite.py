"""The bias suite: runs a backtest again with another future, past or order, and says which decision that changes.

The kernel is deterministic, so that whatever differs comes of what was changed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from engine.backtest import bias_checks, bias_futures
from engine.backtest.bias_bench import Bench, Found, Stops, plan
from engine.backtest.bias_lint import Hit
from engine.backtest.bias_tests import TESTS, BiasTest
from engine.backtest.bias_trace import Change, ReferenceFailed, Stopped, Subject, play
from engine.backtest.linter import STATUSES, Finding, Status

STOPPED: Final = "stopped before"


class BiasFinding(NamedTuple):
    """What one test says; `first` is the first decision that differs, None where none does."""

    test: BiasTest
    found: Found

    @property
    def finding(self) -> Finding:
        """Return it as the linter of results says it."""
        test, found = self
        return Finding(test.id, test.label, found.status, 3, None, found.text, test.why, test.mend)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        first = self.found.first
        return {
            "test": self.test.id, "label": self.test.label, "what": self.test.what, "status": self.found.status,
            "text": self.found.text, "why": self.test.why, "mend": self.test.mend,
            "first": None if first is None else first._asdict(),
        }  # fmt: skip


def check(
    subject: Subject,
    hits: Mapping[str, Sequence[Hit]],
    go_on: Callable[[int], bool],
    moments: int = 8,
    seed: int = 1,
    expect: Callable[[int], None] = lambda _: None,
) -> list[BiasFinding]:
    """Return what each test says, failures first; `hits` are what `bias_lint.lint` found in the source.

    `moments` is how many ends of sessions, and how many moments, are tried with each other future. `go_on` hears how many
    bars more are done; where it says no, what is left is not run; `expect` hears how many there are in all, once that is known.
    Raises `ReferenceFailed`.
    """
    found: dict[str, Found] = {f"lint-{rule}": _of_source(each) for rule, each in hits.items()}
    try:
        reference = play(subject, go_on)
        if reference.failures:
            raise ReferenceFailed(reference.failures)
        found["same-bar"] = bias_checks.same_bar(reference.fills)
        stops = plan(subject, reference, moments, seed)
        expect(bars_to_do(subject, stops))
        again = play(subject, go_on, stops=stops.all)
        bench = Bench(subject, reference, again, go_on)
        found["state"] = bench.repeated()
        if found["state"].status == "pass":
            for name, run in _runs(bench, stops, seed).items():
                found[name] = run()
    except Stopped:
        pass
    found["survivorship"] = Found("not run", "nobody told which symbols there were on which day")
    why = "the same run twice is not the same" if "state" in found and found["state"].status == "fail" else STOPPED
    left = Found("not run", why)
    return sorted(
        (BiasFinding(test, found.get(test.id, left)) for test in TESTS),
        key=lambda each: STATUSES.index(each.found.status),
    )


def _runs(bench: Bench, stops: Stops, seed: int) -> dict[str, Callable[[], Found]]:
    kinds = bias_futures.KINDS
    poisons = [
        (at, bias_futures.poison(at, kinds[k % len(kinds)], seed + k), kinds[k % len(kinds)])
        for k, at in enumerate(stops.moments)
    ]

    def cuts(moments: Sequence[int]) -> list[tuple[int, Change, str]]:
        return [(at, bias_futures.cut(at), "") for at in moments]

    return {
        "truncation-days": partial(bench.futures, cuts(stops.days), f"ends of sessions of {stops.sessions - 1}"),
        "truncation-moments": partial(bench.futures, cuts(stops.moments), "moments"),
        "poison": partial(bench.futures, poisons, "moments"),
        "closing": partial(bench.futures, cuts(stops.closings), f"closes of {stops.sessions}"),
        "actions": partial(bias_checks.actions, bench),
        "warm-up": partial(bias_checks.warm_up, bench),
        "order": partial(bias_checks.order, bench),
        "vintage": partial(bias_checks.vintage, bench),
    }


def _of_source(hits: Sequence[Hit]) -> Found:
    if not hits:
        return Found("pass", "nothing of the kind")
    status: Status = "fail" if any(hit.fails for hit in hits) else "warn"
    more = f"; and {len(hits) - 3} more" if len(hits) > 3 else ""
    return Found(status, "; ".join(hit.text for hit in hits[:3]) + more)


def bars_to_do(subject: Subject, stops: Stops) -> int:
    """Return how many bars all runs of a check replay together, but for those that look into a difference."""
    sessions = subject.market.sessions
    starts = np.sort(np.concatenate([bars.start for bars in subject.series.values()]))
    starts = starts[np.searchsorted(starts, int(min(sessions.opens))) :]
    settled = int(list(sessions.closes)[: bias_checks.SESSIONS][-1])
    ends = stops.days + 2 * stops.moments + stops.closings + len(bias_checks.TIMES) * [settled]
    return int(np.searchsorted(starts, ends).sum()) + len(starts) * (3 + bool(subject.newer))
