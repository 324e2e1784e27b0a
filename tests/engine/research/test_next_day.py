"""Configurations over their symbols, the best of a symbol, and the choice for the next day."""

import pytest

from engine.errors import ConfigError, DataError
from engine.research.next_day import (
    aggregate_by_config,
    decide_next_day,
    select_topk_per_symbol_tf,
)
from tests.engine.research.trials import by_trial, trials


def scored(**rows):
    """Return trials with the scores, returns and rejections that are given."""
    plain = {"score": 0.0, "raw_annual_return": 0.1, "rejected": ""}
    return trials(**{name: plain | row for name, row in rows.items()})


def selected(k=3, **rows):
    return select_topk_per_symbol_tf(scored(**rows), k)


def reasons(table, *configurations, **bounds):
    return {
        name: row["reason"]
        for name, row in by_trial(decide_next_day(table, *configurations, **bounds)).items()
    }


def test_a_configuration_is_judged_by_the_median_over_its_symbols():
    table = scored(
        a={"symbol": "INFY", "score": 9.0},
        b={"symbol": "TCS", "score": 1.0, "raw_annual_return": -0.2, "rejected": "lost"},
        c={"symbol": "SBIN", "score": -1.0},
        d={"symbol": "ITC", "score": 2.0, "raw_annual_return": 0.0},
        e={"symbol": "INFY", "score": 2.0, "parameters": "other"},
    )
    best, other = aggregate_by_config(table).to_dict("records")
    assert best == {
        "strategy": "cross",
        "timeframe": 60,
        "parameters": "other",
        "symbols": 1,
        "score_mean": 2.0,
        "score_median": 2.0,
        "score_worst": 2.0,
        "positive_share": 1.0,
        "trial": "e",
        "trials": 1,
        "rejected_trials": 0,
        "score": 2.0,
        "place": 1,
    }
    assert other["score_mean"] == 11.0 / 4.0
    assert other["score"] == other["score_median"] == 1.5
    assert other["score_worst"] == -1.0
    assert other["positive_share"] == 0.5
    assert (other["symbols"], other["trials"], other["rejected_trials"]) == (4, 4, 1)
    assert (other["trial"], other["place"]) == ("a", 2)


def test_trials_of_one_symbol_count_once_by_their_mean():
    table = scored(
        a={"symbol": "INFY", "score": 1.0, "raw_annual_return": -0.3},
        b={"symbol": "INFY", "score": 4.0, "raw_annual_return": 0.2},
        c={"symbol": "TCS", "score": 0.5},
    )
    [row] = aggregate_by_config(table).to_dict("records")
    assert (row["symbols"], row["trials"]) == (2, 3)
    assert (row["score_mean"], row["score_worst"], row["positive_share"]) == (1.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("second", "order"),
    [
        ({"INFY": 1.0, "TCS": 3.0}, ["b", "a"]),
        ({"INFY": 0.0, "TCS": 4.0}, ["a", "b"]),
    ],
)
def test_configurations_that_tie_stand_by_their_worst_symbol_then_by_trial_id(second, order):
    """The median is 2 each time; the worst of the first is 0."""
    table = scored(
        **{
            f"{name}{symbol}": {"symbol": symbol, "parameters": name, "score": score}
            for name, pair in (("b", second), ("a", {"INFY": 0.0, "TCS": 4.0}))
            for symbol, score in pair.items()
        }
    )
    assert list(aggregate_by_config(table)["parameters"]) == order


def test_strategies_and_timeframes_are_configurations_of_their_own():
    table = scored(a={}, b={"timeframe": 300}, c={"strategy": "ladder"})
    assert len(aggregate_by_config(table)) == 3


def test_the_best_of_a_symbol_and_timeframe_are_selected_without_the_rejected():
    table = selected(
        2,
        a={"score": 5.0, "rejected": "lost"},
        b={"score": 3.0},
        c={"score": 4.0},
        d={"score": 2.0},
        e={"score": 1.0, "timeframe": 300},
        f={"score": 0.5, "symbol": "TCS"},
    )
    places = {name: (row["place"], row["selected"]) for name, row in by_trial(table).items()}
    assert places == {
        "a": (0, False),
        "b": (2, True),
        "c": (1, True),
        "d": (3, False),
        "e": (1, True),
        "f": (1, True),
    }


def test_ties_go_to_the_smaller_trial_id():
    table = selected(1, b={}, a={}, c={})
    assert list(table["trial"]) == ["a", "b", "c"]
    assert list(table["place"]) == [1, 2, 3]
    assert list(table["selected"]) == [True, False, False]


def test_the_day_is_told_of_every_trial_why():
    table = selected(
        2,
        a={"score": 9.0, "rejected": "drawdown 0.3 is above 0.2"},
        b={"score": 8.0},
        c={"score": 7.0},
        d={"score": 6.0},
        e={"score": 5.0, "symbol": "TCS"},
        f={"score": 4.0, "symbol": "SBIN"},
    )
    decided = decide_next_day(table, count=2, per_symbol=1)
    assert reasons(table, count=2, per_symbol=1) == {
        "a": "rejected: drawdown 0.3 is above 0.2",
        "b": "chosen as 1 of at most 2: score 8, place 1 of INFY at 60 s",
        "c": "INFY has its 1 already",
        "d": "not selected: place 3 of INFY at 60 s",
        "e": "chosen as 2 of at most 2: score 5, place 1 of TCS at 60 s",
        "f": "the day has its 2 already",
    }
    assert list(decided["trial"][decided["chosen"]]) == ["b", "e"]
    assert list(decided["turn"]) == [0, 1, 0, 0, 2, 0]


def test_five_are_chosen_and_two_of_a_symbol():
    rows = {
        f"{symbol}{n}": {"symbol": symbol, "score": 10.0 - n}
        for symbol in ("INFY", "TCS", "SBIN", "ITC")
        for n in range(3)
    }
    decided = decide_next_day(selected(**rows))
    chosen = decided["trial"][decided["chosen"]]
    assert list(chosen) == ["INFY0", "ITC0", "SBIN0", "TCS0", "INFY1"]


def test_fewer_are_chosen_where_fewer_stay():
    assert decide_next_day(selected(a={}, b={"rejected": "lost"}))["chosen"].sum() == 1
    assert decide_next_day(selected(a={"rejected": "lost"}))["chosen"].sum() == 0


def test_a_configuration_that_earns_on_few_symbols_sends_not_even_its_best():
    table = scored(
        a={"symbol": "INFY", "score": 9.0, "parameters": "lucky"},
        b={"symbol": "TCS", "raw_annual_return": -0.1, "rejected": "lost", "parameters": "lucky"},
        c={"symbol": "SBIN", "raw_annual_return": 0.0, "rejected": "lost", "parameters": "lucky"},
        d={"symbol": "INFY", "score": 1.0, "parameters": "steady"},
        e={"symbol": "TCS", "raw_annual_return": -0.1, "rejected": "lost", "parameters": "steady"},
    )
    best, configurations = select_topk_per_symbol_tf(table), aggregate_by_config(table)
    done = reasons(best, configurations)
    assert done["a"] == "its configuration earns on 33% of its symbols alone"
    assert done["d"] == "chosen as 1 of at most 5: score 1, place 2 of INFY at 60 s"
    assert reasons(best)["a"].startswith("chosen as 1")
    assert reasons(best, configurations, min_positive_share=0.33)["a"].startswith("chosen as 1")
    assert "50% of its symbols" in reasons(best, configurations, min_positive_share=0.51)["d"]


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda: select_topk_per_symbol_tf(scored(a={}), 0), ConfigError, "k 0: expected at least"),
        (lambda: decide_next_day(selected(a={}), count=0), ConfigError, "count 0: expected at"),
        (lambda: decide_next_day(selected(a={}), per_symbol=0), ConfigError, "per_symbol 0: exp"),
        (
            lambda: aggregate_by_config(trials(a={})),
            DataError,
            "there is no column raw_annual_return; score_rows makes it",
        ),
        (
            lambda: select_topk_per_symbol_tf(trials(a={})),
            DataError,
            "there is no column score; score_rows makes it",
        ),
        (
            lambda: decide_next_day(scored(a={})),
            DataError,
            "there is no column place; select_topk_per_symbol_tf makes it",
        ),
        (
            lambda: decide_next_day(selected(a={}), trials(a={})),
            DataError,
            "there is no column positive_share; aggregate_by_config makes it",
        ),
    ],
)
def test_a_step_out_of_order_is_one_line(call, error, complaint):
    with pytest.raises(error) as caught:
        call()
    assert complaint in str(caught.value)
