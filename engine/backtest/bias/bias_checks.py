"""The tests of the bias suite that change the past, the order or the data, and their findings."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import numpy as np

from compiled.model.values import SECOND, Side
from compiled.trading.order_store import BookedFill
from compiled.trading.risk import REFUSING
from compiled.trading.strategy import Strategy
from engine.backtest.bias.bias_bench import BiasBench, BiasResult
from engine.backtest.bias.changed_futures import bars_known_on, moves_prices
from engine.backtest.bias.request_trace import (
    BiasSubject,
    Change,
    RequestTrace,
    TracedRequest,
    clock_text,
    first_difference,
    requests_apart,
    unchanged_bars,
)
from engine.day.opening import DAY_SPAN
from engine.history.bar_series import day_number, ist_days
from engine.market.calendar import midnight
from engine.texts import first_names

T = TypeVar("T")
SHARE: Final = 0.1
"""Of all requests: so many may differ where prices are only rounded in another way."""
SESSIONS: Final = 60
"""Sessions that are run with more warm-up."""
TIMES: Final = (1, 2, 4)
MOST: Final = 3
"""Corporate actions that are looked at."""
USED_UP: Final = (*(code.name for code, limit in REFUSING.items() if limit.used), "FUNDS")
"""Refusals by limits that have room for some, and not for those who come after them."""


def check_same_bar(fills: Sequence[BookedFill]) -> BiasResult:
    """Look for a fill before the end of the bar that caused its order."""
    if not fills:
        return BiasResult("not run", "nothing was filled")
    # An order is made when its bar has closed: a fill before that used a price of the bar itself.
    early = [fill for fill in fills if fill.ts < fill.order.created]
    if not early:
        return BiasResult("pass", f"{len(fills):,} fills, none before its order")
    fill = min(early, key=lambda each: int(each.ts))
    return BiasResult(
        "fail",
        f"{len(early):,} of {len(fills):,} fills before their order; first {fill.order.strategy} "
        f"at {clock_text(int(fill.ts))}, "
        f"asked for at {clock_text(int(fill.order.created))}",
    )


# other data


def _compare_loosely(
    before: Sequence[TracedRequest], after: RequestTrace, what: str, whose: str
) -> BiasResult:
    """Compare the requests, prices and sizes left aside."""
    if after.failures:
        first = first_difference(before, after.asks, after.failures)
        return BiasResult("fail", f"{whose}: {first.text if first else ''}", first)
    odd, last, one = requests_apart(before, after.asks)
    whole = max(len(before) + len(after.asks), 1)
    if one is None:
        return BiasResult("pass", f"{len(before):,} requests, none differs {what}")
    first = first_difference(sorted(before), sorted(after.asks))
    text = (
        f"{odd:,} of {whole:,} requests differ {what}, the last {clock_text(last)}; "
        f"first {clock_text(one.ts)} {one.strategy} {one.symbol}: {one.what}"
    )
    # Rounding moves a few requests over a threshold; more than a tenth is no rounding.
    return BiasResult("fail" if odd > SHARE * whole else "warn", text, first)


def check_actions(bench: BiasBench) -> BiasResult:
    """Run up to splits with prices as they were then."""
    subject = bench.subject
    if subject.suspects:
        return BiasResult("warn", subject.suspects[0])
    if not subject.actions:
        return BiasResult("not run", "no list of corporate actions (desk.corporate_actions)")
    first, last = midnight(subject.market.days[0]), midnight(subject.market.days[-1])
    dates = {
        midnight(step.ex)
        for steps in subject.steps.values()
        for step in steps
        if first < midnight(step.ex) <= last
    }
    if not dates:
        return BiasResult("not run", "no share that is traded was split in these days")
    worst: BiasResult | None = None
    for at in sorted(dates)[-MOST:]:
        change: Change = partial(bars_known_on, at, subject.raw, subject.steps)
        trace = bench.attempt_replay(change, (at,), whole=False)
        split = ", ".join(
            symbol for symbol, steps in subject.steps.items() if moves_prices(steps, at)
        )
        # Up to the split alone: later ones saw it on both sides.
        before = [each for each in bench.reference.asks if each.ts <= at]
        found = _compare_loosely(
            before, trace, f"with prices as they were before {clock_text(at)[:10]}", split
        )
        if worst is None or ("pass", "warn", "fail").index(found.status) > (
            "pass",
            "warn",
            "fail",
        ).index(worst.status):
            worst = found
    return worst or BiasResult("not run", "no share that is traded was split in these days")


def check_vintage(bench: BiasBench) -> BiasResult:
    """Run on the version before and the newest."""
    subject = bench.subject
    older, newer = subject.vintages
    if not subject.newer:
        return BiasResult("not run", "fewer than two golden versions of these bars")
    trace = bench.attempt_replay(lambda series: {**series, **subject.newer})
    return _compare_loosely(bench.reference.asks, trace, f"between {older} and {newer}", newer)


# another past


def check_warm_up(bench: BiasBench) -> BiasResult:
    """Run the same sessions with once, twice and four times the warm-up."""
    subject, once = bench.subject, bench.subject.settings.warm_up
    market = subject.market
    spans = {int(each.span) for each in _make_strategies(bench)}
    if DAY_SPAN in spans:
        return BiasResult(
            "not run", "strategies on days hear all there is before the first, up to 400 days"
        )
    if not once:
        return BiasResult("not run", "no warm-up was asked for")
    there = np.unique(np.concatenate([ist_days(bars.start) for bars in subject.series.values()]))
    before = int((there < day_number(market.days[0])).sum())
    # Sessions of the run itself serve as history where there is too little before it, at most half
    # of them.
    skipped = min(max(4 * once - before, 0), len(market.days) // 2)
    times = [each for each in TIMES if each * once <= before + skipped]
    if len(times) < 2:
        return BiasResult(
            "not run",
            f"{before + skipped} sessions before the first that could be run: twice the warm-up "
            f"is {2 * once}",
        )
    later = market.since(skipped)
    until = int(later.sessions.closes[min(SESSIONS, len(later.days)) - 1])
    traces = [
        bench.attempt_replay(
            stops=(until,),
            whole=False,
            subject=subject._replace(
                market=later, settings=subject.settings._replace(warm_up=each * once)
            ),
        )
        for each in times
    ]
    found = [requests_apart(traces[k].asks, traces[-1].asks) for k in range(len(times) - 1)]
    of = f"{len(traces[-1].asks):,} requests from {later.days[0]} to {clock_text(until)[:10]}"
    multiples = " and ".join(f"{each} ×" for each in times)
    if not traces[-1].asks:
        return BiasResult(
            "not run", f"nothing was asked for from {later.days[0]} to {clock_text(until)[:10]}"
        )
    if not any(odd for odd, _, _ in found):
        return BiasResult("pass", f"{of}, the same with {multiples} {once} sessions")
    odd, last, _ = found[0]
    settled = [each for each, (many, _, _) in zip(times, found, strict=False) if not many]
    first = first_difference(traces[0].asks, traces[-1].asks)
    until_when = (
        f"{odd:,} differ between {times[0]} × and {times[-1]} × {once} sessions, until "
        f"{clock_text(last)}"
        if odd
        else (f"{found[1][0]:,} differ between 2 × and 4 × {once} sessions")
    )
    if settled:
        return BiasResult(
            "warn", f"of {of} {until_when}; --warm-up {settled[0] * once} is enough", first
        )
    return BiasResult(
        "fail", f"of {of} {until_when}; more than {times[-2] * once} sessions are needed", first
    )


def _make_strategies(bench: BiasBench) -> Sequence[Strategy]:
    with bench.subject.make(unchanged_bars) as strategies:
        return list(strategies)


# another order


def check_order(bench: BiasBench) -> BiasResult:
    """Run with the symbols in reverse.

    Refusals by limits until then explain a difference.
    """
    subject = bench.subject
    if len(subject.series) < 2:
        return BiasResult("not run", "there is one symbol only")
    turned = subject._replace(
        series=_reversed_mapping(subject.series),
        market=subject.market._replace(instruments=_reversed_mapping(subject.market.instruments)),
        symbols={name: tuple(reversed(each)) for name, each in subject.symbols.items()},
    )
    trace = bench.attempt_replay(subject=turned)
    names = {int(each.token): symbol for symbol, each in subject.market.instruments.items()}
    one, two = _requests_and_fills(bench.reference, names), _requests_and_fills(trace, names)
    first = first_difference(one, two, trace.failures)
    if first is None:
        return BiasResult("pass", f"{len(one):,} requests and fills, the same in reverse order")
    at = first.ts + SECOND
    by_then = bench.attempt_replay(stops=(at,), whole=False).refusals
    turned_by_then = bench.attempt_replay(stops=(at,), whole=False, subject=turned).refusals
    # A limit that had room for some makes the order of symbols matter without a fault of the
    # strategy.
    limits = [name for name in USED_UP if by_then.get(name) or turned_by_then.get(name)]
    if limits and not trace.failures:
        said = ", ".join(
            f"{name} ({max(by_then.get(name, 0), turned_by_then.get(name, 0))}×)" for name in limits
        )
        return BiasResult(
            "warn",
            f"it matters from {clock_text(first.ts)} on, for limits had room for some only: "
            f"{said}; {first.text}",
            first,
        )
    return BiasResult(
        "fail",
        f"no limit of the desk refused anybody by then: the strategy itself prefers whoever comes "
        f"first; {first.text}",
        first,
    )


def _requests_and_fills(trace: RequestTrace, names: Mapping[int, str]) -> list[TracedRequest]:
    """Return requests and fills by time, sorted within a moment whatever the symbols' order."""
    fills = [
        TracedRequest(
            int(fill.ts),
            fill.order.strategy,
            names[int(fill.order.token)],
            "bought" if fill.order.side is Side.BUY else "sold",
            (f"{fill.quantity} shares at ₹{fill.price:.2f}",),
        )
        for fill in trace.fills
    ]
    return sorted(trace.asks + fills)


def _reversed_mapping(of: Mapping[str, T]) -> dict[str, T]:
    return dict(reversed(list(of.items())))


def check_survivorship(subject: BiasSubject) -> BiasResult:
    """Hold the symbols against those that their list had on each day."""
    universe, days = subject.universe, subject.market.days
    if universe is None:
        return BiasResult("not run", "nobody told which symbols there were on which day")
    if not universe.is_dated:
        return BiasResult("warn", f"{universe.name} has no dates: whoever is there today survived")
    there = universe.on_days(days[0], days[-1])
    if missing := [symbol for symbol in there if symbol not in subject.market.instruments]:
        return BiasResult(
            "fail",
            f"{universe.name}: {len(missing)} of {len(there)} have no bars: {first_names(missing)}",
        )
    gone = universe.gone_by(days[0], days[-1])
    years = (days[-1] - days[0]).days / 365.25
    # every index of the exchanges is reviewed twice a year
    if not gone and years >= 1.0:
        return BiasResult("warn", f"nobody left {universe.name} in {years:.1f} years")
    came = [symbol for symbol in there if universe.members[symbol][0][0] > days[0]]
    return BiasResult(
        "pass",
        f"{len(there)} symbols of {universe.name}, {len(came)} came and {len(gone)} left in "
        "these days, each traded while it belonged",
    )
