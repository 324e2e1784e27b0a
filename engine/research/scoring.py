"""Scores of a sweep's trials, and the choice for the next day: every step shows its figures.

    apply_constraints → score_rows → aggregate_by_config → select_topk_per_symbol_tf
        → decide_next_day

No step drops a row: each adds columns, so that the last table says of every trial why it was
chosen or not, and each score can be reckoned again by hand. `docs/scoring.md` does so.
"""

import math
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from msgspec.structs import asdict

from engine.config.scoring_settings import GateSettings, ScoringSettings, WeightSettings
from engine.config.toml_reader import nearest_hint
from engine.errors import ConfigError
from engine.history.bar_series import Floats
from engine.research.next_day import (
    aggregate_by_config,
    decide_next_day,
    ranked,
    select_topk_per_symbol_tf,
)
from engine.research.trial_table import Truths, ages, checked_trials, penalty_names

__all__ = (
    "DEFAULT_GATES",
    "DEFAULT_WEIGHTS",
    "TERMS",
    "SweepScores",
    "aggregate_by_config",
    "apply_constraints",
    "decide_next_day",
    "score_rows",
    "score_sweep",
    "select_topk_per_symbol_tf",
)

DEFAULT_SETTINGS: Final = ScoringSettings()
# Read-only: a caller who adds a gate to them would add it to every table that is scored after.
DEFAULT_GATES: Final[Mapping[str, float]] = MappingProxyType(asdict(GateSettings()))
"""The bound of each gate; 0 stands for none, but for `min_annual_return`."""
DEFAULT_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(asdict(WeightSettings()))
"""The weight of each term; below 0 where less is better."""
TERMS: Final = tuple(DEFAULT_WEIGHTS)
"""The terms of a score, in the order in which they are added."""
YEAR: Final = 252
"""Sessions of a year, as in the statistics of a backtest."""
NOISE: Final = 1e-12
"""Spread of a cohort, over its largest size, up to which it counts as equal: rounding alone."""


def apply_constraints(
    trials: pd.DataFrame, gates: Mapping[str, float] = DEFAULT_GATES
) -> pd.DataFrame:
    """Return the trials with a column `rejected`: every gate that one breaks, empty if none.

    A trial whose point was `pruned` is rejected as well. A gate that `gates` does not name keeps
    its default. Raise `DataError` for a table, and
    `ConfigError` for a gate, that cannot be.
    """
    bounds = _filled_in("gate", gates, DEFAULT_GATES)
    table = checked_trials(trials)
    raw = raw_figures(table)
    figures = raw.assign(drawdown=-raw["drawdown"], trades=table["trades"], days=table["days"])
    given_up = table["pruned"] if "pruned" in table.columns else [""] * len(table)
    faults = [[str(each)] if each else [] for each in given_up]
    for name, bound in bounds.items():
        figure = name[4:]
        values = figures[figure].to_numpy()
        broken, relation = _broken_gate(name, values, bound)
        for row in np.flatnonzero(broken):
            faults[row].append(
                f"{figure} is not defined"
                if np.isnan(values[row])
                else f"{figure} {values[row]:.4g} is {relation} {bound:g}"
            )
    return table.assign(rejected=["; ".join(each) for each in faults])


def score_rows(
    trials: pd.DataFrame,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    *,
    percentiles: tuple[float, float] = (DEFAULT_SETTINGS.winsor_low, DEFAULT_SETTINGS.winsor_high),
    half_life_days: float = DEFAULT_SETTINGS.half_life_days,
    as_of: date | None = None,
) -> pd.DataFrame:
    """Return the trials with their terms and their score, the best first, ties by trial id.

    A cohort is a strategy at a timeframe, rejected trials included: a gate changes no score.
    `as_of` is the day that the age of `last_day` is counted to; a half life of 0 ages nothing.
    Raise `DataError` for a table, and `ConfigError` for an argument, that cannot be.
    """
    known = _filled_in("weight", weights, DEFAULT_WEIGHTS)
    if not 0.0 <= percentiles[0] < percentiles[1] <= 100.0:
        raise ConfigError(f"percentiles {percentiles}: expected two from 0 to 100, the lower first")
    if not (math.isfinite(half_life_days) and half_life_days >= 0.0):
        raise ConfigError(f"half_life_days {half_life_days}: expected days, or 0 for no ageing")
    table = checked_trials(trials)
    raw = raw_figures(table)
    winsorised, z, cohorts = _cohort_scores(table, raw, percentiles)
    weight = pd.DataFrame(known, index=table.index, columns=list(TERMS))
    # A weight below 0 makes -0.0 of a z-score of 0, which looks like a figure; the sum is 0.0.
    term = z * weight + 0.0
    total = _sum_of_terms(term)
    age = ages(table, as_of)
    decay = 0.5 ** (age / half_life_days) if half_life_days else np.ones(len(table))
    # Halving a total below 0 would lift it: age takes the same part of its size off instead.
    score = total * np.where(total > 0.0, decay, 2.0 - decay)
    sums = {"total": total, "age_days": age, "decay": decay, "score": score}
    figures = {"raw": raw, "winsorised": winsorised, "z": z, "weight": weight, "term": term}
    parts = [figure.add_prefix(f"{name}_") for name, figure in figures.items()]
    shown = pd.concat([*parts, cohorts, pd.DataFrame(sums)], axis=1)
    # Without gates every trial stays; the later steps read the column.
    if "rejected" not in table.columns:
        shown["rejected"] = ""
    # A table that was scored before, with other weights, has these columns already.
    return ranked(pd.concat([table.drop(columns=shown.columns, errors="ignore"), shown], axis=1))


class SweepScores(NamedTuple):
    """The scored trials of a sweep, with the decision, and its configurations."""

    trials: pd.DataFrame
    configurations: pd.DataFrame


def score_sweep(
    trials: pd.DataFrame, settings: ScoringSettings = DEFAULT_SETTINGS, as_of: date | None = None
) -> SweepScores:
    """Take every step with the settings of `[scoring]`; raise `DataError` for the table."""
    scored = score_rows(
        apply_constraints(trials, asdict(settings.gates)),
        asdict(settings.weights),
        percentiles=(settings.winsor_low, settings.winsor_high),
        half_life_days=settings.half_life_days,
        as_of=as_of,
    )
    configurations = aggregate_by_config(scored)
    decided = decide_next_day(
        select_topk_per_symbol_tf(scored, settings.top_k),
        configurations,
        count=settings.next_day,
        per_symbol=settings.per_symbol,
        min_positive_share=settings.min_positive_share,
    )
    return SweepScores(decided, configurations)


def raw_figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return the figure of each term before it is compared, of a table that was checked.

    R is the net return over the sessions of the window × 252: windows of unequal length compare.
    It is not compounded, as the mean of the Sharpe ratio is not: 2 % in two days are no 1,100 %.
    Nor is it over the drawdown, which is a term of its own.
    """
    return pd.DataFrame(
        {
            "annual_return": table["net_return"] * YEAR / table["days"],
            "sharpe": table["sharpe"],
            "sortino": table["sortino"],
            "win_rate": table["win_rate"],
            "drawdown": table["max_drawdown"],
            "turnover": table["turnover"],
            "holding": table["average_holding_s"],
            "penalties": table[penalty_names(table)].sum(axis=1),
        },
        columns=list(TERMS),
    )


def standard_scores(values: Floats, percentiles: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return a cohort's values clipped to its percentiles, and their z-scores.

    Percentiles are linear between neighbours, deviations those of the population (ddof 0). Without
    variance every z-score is 0. What is NaN, a figure that is not defined, has the z-score 0 and
    moves no other; an infinite one counts as the percentile that it lies beyond.
    """
    finite = values[np.isfinite(values)]
    bounds = np.percentile(finite, percentiles) if len(finite) else (-1.0, 1.0)
    kept = np.clip(values, *bounds)
    known = ~np.isnan(kept)
    z = np.zeros(len(kept))
    if known.any():
        largest = float(np.abs(kept[known]).max())
        # Over the largest size squares neither overflow nor vanish; the z-scores are the same.
        sizes = kept[known] / (largest or 1.0)
        if float(np.ptp(sizes)) > NOISE:
            z[known] = (sizes - sizes.mean()) / sizes.std()
    return kept, z


def _filled_in(
    kind: str, given: Mapping[str, float], defaults: Mapping[str, float]
) -> dict[str, float]:
    """Return the defaults with what is given instead; raise `ConfigError`."""
    for name, value in given.items():
        if name not in defaults:
            raise ConfigError(f"there is no {kind} {name}{nearest_hint(name, defaults)}")
        # isfinite raises for a text, as one from a file that nobody has checked.
        try:
            is_finite = math.isfinite(value)
        except TypeError:
            is_finite = False
        if not is_finite:
            raise ConfigError(f"{kind} {name}: expected a number, got {value!r}")
    return {**defaults, **given}


def _broken_gate(name: str, values: Floats, bound: float) -> tuple[Truths, str]:
    """Return which values break a gate, and how they stand to its bound then."""
    if name == "min_annual_return":
        # The one bound that is not kept at it: a trial that came out at exactly 0 earned nothing.
        return values <= bound, "not above"
    if bound == 0.0:
        return np.zeros(len(values), dtype=np.bool_), ""
    below = name.startswith("min_")
    # What is not defined keeps no bound: it has not shown that it does.
    broken = (values < bound if below else values > bound) | np.isnan(values)
    return broken, "below" if below else "above"


def _cohort_scores(
    table: pd.DataFrame, raw: pd.DataFrame, percentiles: tuple[float, float]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return raw figures winsorised, their z-scores, and size and note of each trial's cohort."""
    figures = raw.to_numpy()
    winsorised, z = np.empty_like(figures), np.empty_like(figures)
    size, note = np.zeros(len(table), dtype=np.int64), np.full(len(table), "", dtype=object)
    for rows in table.groupby(["strategy", "timeframe"]).indices.values():
        for at in range(len(TERMS)):
            winsorised[rows, at], z[rows, at] = standard_scores(figures[rows, at], percentiles)
        size[rows] = len(rows)
        flat = _flat_terms(z[rows])
        note[rows] = ["; ".join(filter(None, (flat, _lacking(figures[row])))) for row in rows]
    terms = list(TERMS)
    return (
        pd.DataFrame(winsorised, columns=terms),
        pd.DataFrame(z, columns=terms),
        pd.DataFrame({"cohort_size": size, "z_note": note.astype(str)}),
    )


def _flat_terms(z: Floats) -> str:
    """Say of a cohort which of its z-scores are 0 for want of something to compare with."""
    if len(z) == 1:
        return "cohort of one"
    flat = [name for at, name in enumerate(TERMS) if not z[:, at].any()]
    return f"no variance: {', '.join(flat)}" if flat else ""


def _lacking(figures: Floats) -> str:
    """Say which terms of a trial are 0 because their figure is not defined."""
    names = [name for name, value in zip(TERMS, figures, strict=True) if np.isnan(value)]
    return f"not defined: {', '.join(names)}" if names else ""


def _sum_of_terms(terms: pd.DataFrame) -> Floats:
    """Return the sum of the terms of each row, always from the first to the last.

    Pairwise sums, as numpy's own, could round a row below one that it dominates.
    """
    total = np.zeros(len(terms))
    for name in TERMS:
        total = total + terms[name].to_numpy()
    return total
