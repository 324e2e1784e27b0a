"""The page on scoring: its example is reckoned again, by the code and without it."""

import ast
import operator
import re
from datetime import date
from statistics import fmean, pstdev

import pandas as pd
import pytest

from engine.research import scoring
from engine.research.scoring import DEFAULT_WEIGHTS, TERMS, score_sweep
from engine.research.trial_table import COLUMNS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
AS_OF = date(2026, 11, 27)
TEXTS = {"trial", "symbol", "parameters", "last_day", "term", "reason"}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def table(*head):
    """Return the rows of the page's table that begins with these names, numbers as such."""
    for block in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE):
        lines = [line.strip("| \n").split(" | ") for line in block.splitlines()]
        names, rows = lines[0], lines[2:]
        if tuple(names[: len(head)]) == head:
            cells = [dict(zip(names, row, strict=True)) for row in rows]
            return [
                {
                    name: cell.strip("`") if name in TEXTS else float(cell)
                    for name, cell in row.items()
                }
                for row in cells
            ]
    raise AssertionError(head)


def given_trials():
    rows = table("trial", "symbol", "parameters")
    return pd.DataFrame([{"strategy": "cross", "timeframe": 60} | row for row in rows])


def value(expression):
    """Return what a sum of plain numbers comes to."""

    def reckon(node):
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](reckon(node.left), reckon(node.right))
        return -reckon(node.operand) if isinstance(node, ast.UnaryOp) else node.value

    return reckon(ast.parse(expression, mode="eval").body)


def steps():
    [block] = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return {
        name: (sum_, float(result))
        for name, sum_, result in re.findall(r"^(.+?)  +(.+?) += (-?[\d.]+)$", block, re.MULTILINE)
    }


def percentile(values, share):
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 2)
    return ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])


def by_hand():
    """Return (raw, winsorised, z, weight, term) of every term by trial, without the code."""
    trials = table("trial", "symbol", "parameters")
    raw = {
        "annual_return": [row["net_return"] * 252 / row["days"] for row in trials],
        "sharpe": [row["sharpe"] for row in trials],
        "sortino": [row["sortino"] for row in trials],
        "win_rate": [row["win_rate"] for row in trials],
        "drawdown": [row["max_drawdown"] for row in trials],
        "turnover": [row["turnover"] for row in trials],
        "holding": [row["average_holding_s"] for row in trials],
        "penalties": [row["penalty_gaps"] for row in trials],
    }
    found = {row["trial"]: {} for row in trials}
    for term, values in raw.items():
        low, high = percentile(values, 0.01), percentile(values, 0.99)
        kept = [min(max(each, low), high) for each in values]
        for row, figure, clipped in zip(trials, values, kept, strict=True):
            z = (clipped - fmean(kept)) / pstdev(kept)
            weight = DEFAULT_WEIGHTS[term]
            found[row["trial"]][term] = (figure, clipped, z, weight, weight * z)
    return found


@pytest.fixture(scope="module")
def scores():
    return score_sweep(given_trials(), as_of=AS_OF)


def test_every_step_of_the_sum_comes_to_what_the_page_says():
    names = (
        "R of b1, 1st percentile, 99th percentile, mean, deviation, z, term, total, decay, score"
    )
    assert list(steps()) == names.split(", ")
    for name, (expression, result) in steps().items():
        assert value(expression) == pytest.approx(result, abs=6e-5), name


def test_the_steps_of_the_page_are_those_of_the_code(scores):
    row = scores.trials.set_index("trial").loc["b1"]
    kept = scores.trials["winsorised_annual_return"]
    coded = {
        "R of b1": row["raw_annual_return"],
        "1st percentile": kept.min(),
        "99th percentile": kept.max(),
        "mean": kept.mean(),
        "deviation": pstdev(kept),
        "z": row["z_annual_return"],
        "term": row["term_annual_return"],
        "total": row["total"],
        "decay": row["decay"],
        "score": row["score"],
    }
    assert {name: result for name, (_, result) in steps().items()} == pytest.approx(coded, abs=6e-5)


def test_the_terms_of_the_page_are_those_of_the_code_and_of_a_reckoning_without_it(scores):
    row = scores.trials.set_index("trial").loc["b1"]
    own, told = by_hand()["b1"], table("term", "raw")
    assert [each["term"] for each in told] == list(TERMS)
    for each in told:
        term = each.pop("term")
        assert list(each.values()) == pytest.approx(own[term], abs=6e-5)
        coded = [row[f"{kind}_{term}"] for kind in ("raw", "winsorised", "z", "weight", "term")]
        assert coded == pytest.approx(own[term], abs=1e-9)


def test_the_decision_of_the_page_is_that_of_the_code(scores):
    told = table("trial", "total")
    coded = scores.trials[list(told[0])].to_dict("records")
    for here, there in zip(told, coded, strict=True):
        assert here == pytest.approx(there, abs=6e-5)
    for row in coded:
        total = sum(term for *_, term in by_hand()[row["trial"]].values())
        assert row["total"] == pytest.approx(total, abs=1e-9)


def test_the_configurations_of_the_page_are_those_of_the_code(scores):
    told = table("parameters", "symbols")
    names = ["parameters", "symbols", "score_mean", "score_median", "score_worst"]
    coded = scores.configurations[[*names, "positive_share", "place"]].to_numpy().tolist()
    for here, (parameters, *figures) in zip(told, coded, strict=True):
        assert here.pop("parameters") == parameters
        assert list(here.values()) == pytest.approx(figures, abs=6e-5)


def test_the_page_names_every_column_term_and_step():
    words = set(re.findall(r"`(\w+)", PAGE))
    assert set(COLUMNS) <= words
    assert set(TERMS) <= words
    assert set(scoring.__all__) - {"SweepScores", "TERMS"} <= words | set(re.findall(r"\w+", PAGE))
