"""Our statistics against QuantStats and empyrical, where they mean the same.

Where they do not, what turns one into the other.
"""

import json
import math
import subprocess

import numpy as np
import pytest

from engine.backtest.statistics.result_tables import rolling_sharpe, yearly_returns
from engine.backtest.statistics.run_statistics import statistics
from tests.conftest import ROOT
from tests.engine.backtest.made_up import CASH, outcome, trade, walk, weekdays

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]
PYTHON = ROOT / ".venv-oracles" / "bin" / "python"
RISK_FREE = 0.06
DAILY_RATE = 1.06 ** (1 / 252) - 1
DAYS = 300
NETS = np.random.default_rng(3).integers(-9000, 10000, 200).tolist()
PERCENT = (
    "volatility",
    "max_drawdown",
    "return",
    "best_day",
    "worst_day",
    "best_month",
    "worst_month",
    "winning_days",
    "var_95",
    "cvar_95",
    "kelly",
)


@pytest.fixture(scope="module", params=[1, 2, 3])
def run(request):
    """Return an outcome, and the returns of it and of its market."""
    # the first day does not move: where the first close is the base of the others' returns, it is
    # the cash of ours
    equity = np.concatenate(
        ([CASH], walk(DAYS - 1, seed=request.param, spread=0.012, start=100 * CASH) // 100)
    )
    market = np.concatenate(
        ([22_000.0], walk(DAYS - 1, seed=50 + request.param, start=22_000_00) / 100)
    )
    trades = [
        trade(number, gross=net, exit_ts=number * 10**9) for number, net in enumerate(NETS, start=1)
    ]
    return outcome(equity, trades, market=market), equity, market


@pytest.fixture(scope="module")
def told(run):
    if not (PYTHON.parent.parent / ".ready").exists():
        pytest.skip("no .venv-oracles: see .ci/oracles")
    _, equity, market = run
    given = {
        "days": [day.isoformat() for day in weekdays(DAYS)],
        "returns": [0.0, *(equity[1:] / equity[:-1] - 1.0).tolist()],
        "market": [0.0, *(market[1:] / market[:-1] - 1.0).tolist()],
        "risk_free": RISK_FREE,
        "daily_rate": DAILY_RATE,
        "trades": NETS,
    }
    done = subprocess.run(
        [PYTHON, ROOT / "tests/peers/oracles.py"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def figures(made, risk_free):
    found = {metric.key: metric.value for metric in statistics(made, risk_free)}
    return found | {key: found[key] / 100.0 for key in PERCENT}


def test_what_means_the_same_is_the_same(run, told):
    ours = figures(run[0], RISK_FREE)
    for key in (
        "sharpe",
        "sortino",
        "volatility",
        "omega",
        "tail_ratio",
        "max_drawdown",
        "return",
        "best_day",
        "worst_day",
        "best_month",
        "worst_month",
        "profit_factor",
        "payoff",
        "kelly",
        "max_wins",
        "max_losses",
    ):
        assert ours[key] == pytest.approx(told["quantstats"][key], rel=1e-9), key
    for key in (
        "sharpe",
        "sortino",
        "volatility",
        "omega",
        "tail_ratio",
        "max_drawdown",
        "return",
        "var_95",
        "cvar_95",
    ):
        assert ours[key] == pytest.approx(told["empyrical"][key], rel=1e-9), key


def test_moments_of_the_population_become_those_of_the_sample(run, told):
    ours = figures(run[0], 0.0)
    n = DAYS
    skew = ours["skew"] * math.sqrt(n * (n - 1)) / (n - 2)
    kurtosis = ((n + 1) * ours["kurtosis"] + 6) * (n - 1) / (n - 2) / (n - 3)
    assert skew == pytest.approx(told["quantstats"]["skew"])
    assert kurtosis == pytest.approx(told["quantstats"]["kurtosis"])


def test_days_that_did_not_move_are_no_winners_here_and_none_at_all_there(run, told):
    equity = run[1]
    moved = int((np.diff(equity, prepend=CASH) != 0).sum())
    ours = figures(run[0], 0.0)["winning_days"]
    assert ours * DAYS / moved == pytest.approx(told["quantstats"]["winning_days"])


def test_against_the_market_once_the_first_day_is_left_out_there_too(run, told):
    """Ours begin with the second session, theirs count the first as one without a move."""
    made, equity, market = run
    ours = figures(made, 0.0)
    both = np.array(
        [np.concatenate(([0.0], values[1:] / values[:-1] - 1.0)) for values in (equity, market)]
    )
    beta = np.cov(both)[0, 1] / both[1].var(ddof=1)
    assert told["quantstats"]["beta"] == pytest.approx(beta)
    assert told["empyrical"]["beta"] == pytest.approx(beta)
    late = np.cov(both[:, 1:])[0, 1] / both[1, 1:].var(ddof=1)
    assert ours["beta"] == pytest.approx(late)
    assert ours["alpha"] / 100.0 == pytest.approx(
        252 * (both[0, 1:].mean() - late * both[1, 1:].mean())
    )
    assert told["quantstats"]["alpha"] == pytest.approx(
        252 * (both[0].mean() - beta * both[1].mean())
    )
    apart = both[0] - both[1]
    assert told["quantstats"]["information_ratio"] == pytest.approx(
        apart.mean() / apart.std(ddof=1)
    )
    assert told["empyrical"]["information_ratio"] == pytest.approx(apart.mean() / apart.std(ddof=1))
    assert ours["information_ratio"] == pytest.approx(
        math.sqrt(252) * apart[1:].mean() / apart[1:].std(ddof=1)
    )


def test_months_and_years_are_theirs(run, told):
    found = yearly_returns(run[0])
    theirs = told["quantstats"]
    assert {str(year.year): year.total for year in found} == pytest.approx(
        {k: 100 * v for k, v in theirs["years"].items()}
    )
    assert {str(year.year): [month or 0.0 for month in year.months] for year in found} == {
        year: pytest.approx([100 * value for value in months])
        for year, months in theirs["months"].items()
    }
    flat = [month / 100 for year in found for month in year.months if month is not None]
    assert flat == pytest.approx(told["empyrical"]["months"])


def test_the_rolling_sharpe_ratio_is_theirs(run, told):
    ours = rolling_sharpe(run[0], 60).values
    assert ours == pytest.approx(told["quantstats"]["rolling_sharpe"][-len(ours) :])
