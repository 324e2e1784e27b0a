"""The bias suite catches every cheat by the test meant for it, and passes honest ones."""

from datetime import date

import numpy as np
import pytest

from compiled.model.values import MINUTE, Order, OrderPurpose, OrderType, Product, Side
from compiled.trading.order_store import BookedFill
from compiled.trading.risk import RiskLimits
from engine.backtest.backtest_run import BacktestRun, StrategyFailure
from engine.backtest.bias.bias_bench import plan_moments
from engine.backtest.bias.bias_checks import (
    check_actions,
    check_order,
    check_same_bar,
    check_vintage,
    check_warm_up,
)
from engine.backtest.bias.bias_suite import run_suite
from engine.backtest.bias.changed_futures import KINDS, cut_future, poison_future
from engine.backtest.bias.request_trace import (
    ReferenceFailed,
    RequestTrace,
    first_difference,
    replay_subject,
)
from engine.backtest.replayed_bars import replay_bars
from engine.history.bar_adjustment import adjusted_series
from engine.market.calendar import midnight
from engine.market.corporate_actions.action_list import AdjustmentStep
from strategies import build, load_config
from tests.engine.backtest.biased import (
    BARS,
    DAYS,
    Cheap,
    FirstComes,
    LastRow,
    LongMemory,
    Meddling,
    NextBar,
    Once,
    Remembering,
    SinceTheBeginning,
    TodaysClose,
    Tomorrow,
    Trader,
    bench,
    checked,
    subject,
    two,
    walk,
)
from tests.engine.backtest.histories import walk as minutes
from tests.engine.backtest.made_up import at, weekdays
from tui.commands.backtest.backtest_request import BacktestRequest, chosen_strategies

FUTURES = ("truncation-days", "truncation-moments", "poison", "closing")


def statuses(found, *tests):
    return [found[each].status for each in tests]


def test_an_honest_strategy_passes_all_that_can_be_run():
    found = checked(subject(Trader, days=DAYS[1:]))
    assert {each.status for each in found.values()} == {"pass", "not run"}
    assert {
        test
        for test, each in found.items()
        if each.status == "not run" and not test.startswith("lint")
    } == {
        "actions",
        "survivorship",
        "vintage",
    }
    assert "requests, digest" in found["state"].text


@pytest.mark.parametrize("name", ["momentum_ladder", "moving_average_cross"])
def test_what_is_shipped_passes(name):
    settings = (
        "timeframe_s=900",
        *(("momentum_percent=0.1", "scan_s=900") if name == "momentum_ladder" else ()),
    )
    [(_, _, table)] = chosen_strategies(
        load_config(None).values, BacktestRequest(name, settings=settings)
    )
    found = checked(subject(lambda _: build(name, table), days=DAYS[1:]), moments=2)
    assert statuses(found, *FUTURES, "state", "same-bar", "warm-up", "order") == ["pass"] * 8


@pytest.mark.parametrize(
    ("cheat", "tests"),
    [
        (NextBar, ("truncation-moments", "poison")),
        (LastRow, FUTURES),
        (TodaysClose, ("closing", "truncation-moments", "poison")),
        (Tomorrow, ("truncation-days", "poison")),
    ],
)
def test_who_reads_what_is_to_come_is_caught_and_the_first_decision_is_named(cheat, tests):
    found = checked(subject(cheat))
    assert statuses(found, *tests) == ["fail"] * len(tests)
    first = found[tests[0]].first
    assert first.strategy == "trader"
    assert first.symbol in {"INFY", "ITC"}
    assert first.before != first.after
    assert first.text in found[tests[0]].text
    assert found["state"].status == "pass"


def test_the_first_decision_that_differs_is_the_one_before_the_cut():
    """A look one bar ahead is wrong at the last bar before the future begins, and only there."""
    made = subject(NextBar)
    trace = replay_subject(made, lambda _: True)
    stops = plan_moments(made, trace, 4, 1)
    asked = {each.ts for each in trace.asks}
    assert len(asked & {*stops.moments}) >= 2
    found = checked(made, moments=4)["truncation-moments"]
    assert found.first.ts in stops.moments


def test_who_asks_for_the_same_and_meddles_with_what_it_holds_is_caught_by_the_orders():
    found = checked(subject(Meddling), moments=4)["truncation-days"]
    assert found.status == "fail"
    assert "orders with digest" in found.first.before


def test_who_fails_without_the_future_is_caught_too():
    class Careless(NextBar):
        def wants(self, ctx, bar, closes):
            frame = self.frame(ctx, bar)
            return (
                bar.end >= at(DAYS[-1], "15:30")
                or frame.close[np.searchsorted(frame.start, bar.end)] > bar.close
            )

    found = checked(subject(Careless))["truncation-moments"]
    assert found.status == "fail"
    assert "it fails: IndexError" in found.first.after


def test_who_fails_before_it_asks_for_anything_differs_at_once():
    found = first_difference([], [], [StrategyFailure("told", ValueError("by hand"))])
    assert found.ts == 0
    assert found.text == "at once told: no failure; in the other run: it fails: ValueError: by hand"
    assert first_difference([], []) is None


def test_state_of_the_class_is_caught_and_nothing_else_is_compared():
    Remembering.highest.clear()
    found = checked(subject(Remembering))
    assert found["state"].status == "fail"
    assert "the second run differs: 2024-06-" in found["state"].text
    assert statuses(found, *FUTURES) == ["not run"] * 4
    assert found["poison"].text == "the same run twice is not the same"


def test_a_strategy_that_fails_in_the_plain_run_is_no_finding():
    class Broken(Trader):
        def wants(self, ctx, bar, closes):
            raise ZeroDivisionError("by hand")

    with pytest.raises(ReferenceFailed) as caught:
        checked(subject(Broken))
    assert isinstance(caught.value.failures[0].error, ZeroDivisionError)


def test_who_stops_it_gets_what_is_done_and_the_rest_is_not_run():
    done = []
    found = checked(
        subject(Trader),
        go_on=lambda more: done.append(more) or sum(done) < 3 * 2 * BARS * len(DAYS),
    )
    assert found["state"].status == "pass"
    assert (found["order"].status, found["order"].text) == ("not run", "stopped before")


def test_how_much_is_to_be_done_is_known_beforehand():
    """All but a third of the warm-up, none of four times as much, and a session of the others.

    To these it begins later.
    """
    made = subject(Trader, days=DAYS[1:])
    done, told = [], []
    run_suite(made, {}, lambda more: done.append(more) or True, 3, 1, told.append)
    [expected] = told
    assert sum(done) == expected - 2 * BARS * (3 + 2)


def test_a_day_that_ends_in_an_auction_closes_where_that_begins():
    day = date(2026, 8, 10)
    nothing = RequestTrace([], {}, {}, [], [], "")
    for derivatives, clock in (({"TCS"}, "15:29"), ({"INFY"}, "15:15")):
        made = subject(Trader, {"INFY": minutes([day], 1)}, [day], derivatives=derivatives)
        assert plan_moments(made, nothing, 3, 1).closings == [at(day, clock)]


def test_a_witness_changes_nothing():
    made = subject(Trader)
    plain = BacktestRun(
        [Trader()],
        {},
        replay_bars(made.series, made.market),
        made.span,
        made.market,
        made.calendar,
        made.settings,
    )
    plain.run()
    assert replay_subject(made, lambda _: True).digest == plain.digest
    assert len(plain.fills) > 20


# other futures


def test_garbage_is_a_market_of_its_own_from_a_moment_on_and_the_past_stays():
    series, moment = two(), at(DAYS[1], "11:00")
    for kind in KINDS:
        changed = poison_future(moment, kind, 1)(series)
        for name, bars in series.items():
            n = int(np.searchsorted(bars.start, moment))
            other = changed[name]
            assert [column[:n].tolist() for column in other] == [
                column[:n].tolist() for column in bars
            ]
            assert other.start.tolist() == bars.start.tolist()
            assert (other.close[n:] != bars.close[n:]).mean() > 0.9
            assert (other.low <= np.minimum(other.open, other.close)).all()
            assert (other.high >= np.maximum(other.open, other.close)).all()
            assert (other.low > 0).all()
            assert np.allclose(np.round(other.close / 0.05) * 0.05, other.close)
        assert {len(bars.start) for bars in cut_future(moment)(series).values()} == {BARS + 7}
    [alone] = poison_future(moment, KINDS[0], 1)({"INFY": series["INFY"]}).values()
    assert (alone.close[BARS + 7 :] != series["INFY"].close[BARS + 7 :]).mean() > 0.9


# other pasts


@pytest.mark.parametrize(
    ("strategy", "status"), [(Trader, "pass"), (LongMemory, "warn"), (SinceTheBeginning, "fail")]
)
def test_a_warm_up_that_is_too_short_is_told_from_one_that_never_is_enough(strategy, status):
    days = weekdays(6)
    found = check_warm_up(bench(subject(strategy, two(days), days[4:])))
    assert found.status == status
    if status == "warn":
        assert "--warm-up 2 is enough" in found.text
    assert (found.first is None) == (status == "pass")


def test_without_enough_sessions_or_without_a_warm_up_none_is_compared():
    assert check_warm_up(bench(subject(Trader, two(DAYS[:1]), DAYS[:1]))).status == "not run"
    assert check_warm_up(bench(subject(Trader, warm_up=0))).text == "no warm-up was asked for"


# other orders


def test_who_prefers_whoever_comes_first_is_caught_and_limits_explain_where_they_do():
    found = check_order(bench(subject(FirstComes)))
    assert found.status == "fail"
    assert "the strategy itself prefers whoever comes first" in found.text
    found = check_order(bench(subject(Trader, limits=RiskLimits(max_positions=1))))
    assert found.status == "warn"
    assert "limits had room for some only: POSITIONS" in found.text
    found = check_order(bench(subject(Once, limits=RiskLimits(max_positions=1))))
    assert (found.status, found.first.symbol) == ("warn", "INFY")
    assert found.first.before.startswith("bought"), (
        "the requests are the same, and one of them is refused"
    )
    assert check_order(bench(subject(Once))).status == "pass"
    assert check_order(bench(subject(Trader, {"INFY": walk()}))).status == "not run"


# other data


def test_prices_that_know_of_a_later_split_are_told_from_those_of_the_day():
    split = AdjustmentStep(DAYS[2], 2.0, 2.0)
    halved = {
        name: bars._replace(
            **{  # as it is stored: ₹500 until the split, ₹250 from then on
                field: np.where(bars.start < midnight(DAYS[2]), column, column / 2)
                for field, column in zip(("open", "high", "low", "close"), bars[1:5], strict=True)
            }
        )
        for name, bars in two().items()
    }
    steps = {name: [split] for name in halved}
    series = {name: adjusted_series(bars, [split]) for name, bars in halved.items()}
    given = {"actions": True, "raw": halved, "steps": steps}
    assert check_actions(bench(subject(Cheap, series, **given))).status == "fail"
    assert check_actions(bench(subject(Trader, series, **given))).status == "pass"
    assert (
        "no share that is traded was split"
        in check_actions(bench(subject(Trader, actions=True))).text
    )
    assert check_actions(bench(subject(Trader, suspects=["looks like a split"]))).status == "warn"


def test_decisions_that_a_newer_version_of_the_data_changes_are_counted():
    series = two()
    names = ("golden-1", "golden-2")
    assert (
        check_vintage(bench(subject(Trader, series, newer=series, vintages=names))).status == "pass"
    )
    fixed = series["INFY"].close.copy()
    fixed[10] += 5.0
    bars = series["INFY"]._replace(close=fixed, high=np.maximum(series["INFY"].high, fixed))
    found = check_vintage(
        bench(subject(Trader, series, newer={**series, "INFY": bars}, vintages=names))
    )
    assert found.status == "warn"
    assert at(DAYS[0], "12:00") <= found.first.ts <= at(DAYS[0], "14:30"), (
        "a mean of ten bars knows it for ten bars"
    )
    assert found.first.symbol == "INFY"
    assert (
        checked(
            subject(
                Trader, series, newer={"INFY": walk(seed=7), "ITC": walk(seed=8)}, vintages=names
            )
        )["vintage"].status
        == "fail"
    )


def test_a_fill_before_its_order_is_caught():
    def fill(asked, filled):
        order = Order(
            1,
            "B1",
            "told",
            1,
            Side.BUY,
            10,
            OrderType.MARKET,
            Product.CNC,
            OrderPurpose.ENTRY,
            created=at(DAYS[0], asked),
        )
        return BookedFill(at(DAYS[0], filled), "T1", order, 10, 100.0, 0, 0)

    assert check_same_bar([]).status == "not run"
    assert check_same_bar([fill("09:20", "09:20"), fill("09:20", "09:31")]).status == "pass"
    found = check_same_bar([fill("09:20", "09:20"), fill("09:20", "09:19")])
    assert found.status == "fail"
    assert (
        "1 of 2 fills before their order; first told at 2024-06-03 09:19:00, asked for at "
        "2024-06-03 09:20:00" in found.text
    )


def test_failures_come_first_and_each_test_says_why_it_matters_and_what_mends_it():
    found = run_suite(subject(LastRow), {}, lambda _: True, 2)
    statuses_in_order = ["fail", "warn", "pass", "not run"]
    places = [statuses_in_order.index(each.found.status) for each in found]
    assert places == sorted(places)
    assert places[0] == 0
    told = found[0].as_dict()
    assert told["first"]["ts"] % MINUTE == 0
    assert all(each.finding.why and each.finding.mend for each in found)
