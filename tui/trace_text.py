"""A trace as text: the life of an order, or what a strategy failed of."""

from typing import TYPE_CHECKING

from engine.numbers import instant

if TYPE_CHECKING:
    from store.decision_trace import DecisionTrace, TraceStep


def trace_lines(found: "DecisionTrace") -> list[str]:
    """Return a trace as text: one line per step, with IST and the time since the step before."""
    row = found.decision
    # a strategy that failed has tracebacks, not the steps of an order
    if found.strategy:
        return [
            f"strategy {found.strategy}",
            *(line for step in found.steps for line in _failure_lines(step)),
        ]
    title = (
        f"D{row['decision']}  {row['strategy']}  {row['symbol']}  {row['verdict']}"
        if row
        else "no decision of ours"
    )
    return [
        title,
        *(
            f"{instant(step.ts)}  {gap:>10}  {step.what:<10}  {step.text}"
            for step, gap in _step_gaps(found.steps)
        ),
    ]


def _failure_lines(step: "TraceStep") -> list[str]:
    """Return the traceback of a strategy, what it raised first."""
    return [
        f"{instant(step.ts)}  failed: {last_line(step)}",
        *(f"  {line}" for line in step.text.splitlines()),
    ]


def last_line(step: "TraceStep") -> str:
    """Return the last line of a traceback, "" where there is none."""
    return (step.text.splitlines() or [""])[-1]


def _step_gaps(steps: tuple["TraceStep", ...]) -> list[tuple["TraceStep", str]]:
    """Return each step with the time since those before.

    It is empty for the first, and for a stamp that lies before theirs.
    """
    told: list[tuple[TraceStep, str]] = []
    # a fill is stamped with a whole second, and may stand before what led to it
    latest = 0
    for step in steps:
        told.append((step, _span_text(step.ts - latest) if 0 < latest <= step.ts else ""))
        latest = max(latest, step.ts)
    return told


def _span_text(ns: int) -> str:
    seconds = ns / 1e9
    return (
        f"+{seconds * 1e3:.1f} ms"
        if seconds < 1
        else f"+{seconds:.2f} s"
        if seconds < 60
        else f"+{seconds / 60:.1f} min"
    )
