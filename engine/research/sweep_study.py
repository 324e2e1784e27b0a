"""The study of a finished sweep: scores of its trials, and how much of the best is luck."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from engine.config.scoring_settings import ScoringSettings
from engine.errors import ConfigError, NothingFound
from engine.history.bar_series import Floats
from engine.research.evidence.day_folds import walk_forward_windows
from engine.research.evidence.deflated_sharpe import deflated_sharpe
from engine.research.evidence.evidence_gate import (
    EvidenceFinding,
    TrialEvidence,
    judge_evidence,
    passes_gate,
)
from engine.research.evidence.overfitting import OverfittingEstimate, overfitting_probability
from engine.research.evidence.score_plateau import ScorePlateau, score_plateau
from engine.research.evidence.superior_ability import SuperiorAbility, superior_ability
from engine.research.evidence.walk_forward import WalkForwardRun, walk_forward
from engine.research.fold_study import FoldStudy, study_folds
from engine.research.parameter_space import Point
from engine.research.scoring import SweepScores, score_sweep
from engine.research.trial_chance import TrialChance, trial_chance
from engine.research.trials import StudyTerms, SweepRow, SweepTrial

TIMEFRAME: Final = "timeframe_s"
FEWEST_SESSIONS: Final = 2
"""Sessions from which on returns have a deviation."""


class TrialFreshness(NamedTuple):
    """The age of a sweep's trials, calendar days from their last session to `as_of`.

    `decay` is the part of a score above 0 that it leaves.
    """

    last_day: date
    as_of: date
    age_days: int
    decay: float


class ChosenTrial(NamedTuple):
    """A trial that the scores would trade the next day, and what speaks for and against it."""

    name: str
    row: SweepRow
    score: float
    findings: list[EvidenceFinding]
    plateau: ScorePlateau | None

    @property
    def is_believed(self) -> bool:
        """Return whether it passes the gate."""
        return passes_gate(self.findings)


class SweepStudy(NamedTuple):
    """Scores of all trials, the chosen ones in their order, and a walk-forward where asked for."""

    scores: SweepScores
    chosen: list[ChosenTrial]
    best: ChosenTrial
    """The one of the highest score, chosen or not; one that breaks a gate where all do."""
    overfitting: OverfittingEstimate | None
    superior: SuperiorAbility
    forward: WalkForwardRun | None
    freshness: TrialFreshness
    folds: FoldStudy | None = None
    names: Sequence[str] = ()
    """Names of the trials by their place, as `forward` and `folds` have them."""
    chances: Mapping[str, TrialChance] = MappingProxyType({})
    """Chance in the best and the chosen ones, by name, where it was looked at."""

    @property
    def leaders(self) -> dict[str, ChosenTrial]:
        """Return the best and the chosen ones by name, each once."""
        return {each.name: each for each in (self.best, *self.chosen)}


def freshness_of(
    last_day: date, settings: ScoringSettings, as_of: date | None = None
) -> TrialFreshness:
    """Return the age of trials; raise `ConfigError` for a day before their last session."""
    day = as_of or last_day
    if day < last_day:
        raise ConfigError(f"--as-of {day}: the last session is {last_day}: name it, or a later day")
    age, half_life = (day - last_day).days, settings.half_life_days
    return TrialFreshness(last_day, day, age, 0.5 ** (age / half_life) if half_life else 1.0)


def study_sweep(
    rows: Sequence[SweepRow],
    days: Sequence[date],
    settings: ScoringSettings,
    terms: StudyTerms,
    thresholds: Mapping[str, float] | None = None,
) -> SweepStudy:
    """Score the trials and judge the best; raise `NothingFound` where none has a result.

    Every trial counts as tried, of all symbols.
    """
    kept = [row for row in rows if not row.result.failure]
    if not kept:
        why = rows[0].result.failure if rows else "there was none"
        raise NothingFound(f"no trial has a result: {why}")
    freshness = freshness_of(days[-1], settings, terms.as_of)
    scores = score_sweep(trial_table(kept, days[-1]), settings, freshness.as_of)
    by_name = {row.name: row for row in kept}
    names = [row.name for row in kept]
    returns = returns_matrix(kept)
    overfitting = overfitting_probability(returns)
    superior = superior_ability(returns, terms.seed)
    table = scores.trials
    score_of = dict(zip(table["trial"], table["score"], strict=True))

    def judged(name: str) -> ChosenTrial:
        row = by_name[name]
        plateau = _plateau_around(row, kept, score_of)
        evidence = TrialEvidence(
            deflated_sharpe(returns, names.index(name)), overfitting, plateau, superior
        )
        findings = judge_evidence(evidence, thresholds)
        return ChosenTrial(name, row, float(score_of[name]), findings, plateau)

    stays = table[table["rejected"] == ""]
    chosen = table[table["chosen"]].sort_values("turn")["trial"]
    return SweepStudy(
        scores,
        [judged(name) for name in chosen],
        judged(str((stays if len(stays) else table)["trial"].iloc[0])),
        overfitting,
        superior,
        _follow_windows(returns, days, terms.windows) if terms.windows else None,
        freshness,
        folds=_cross_validate(kept, returns, days, terms) if terms.folds else None,
        names=names,
    )


def trial_table(rows: Sequence[SweepRow], last_day: date) -> pd.DataFrame:
    """Return trials as the scoring takes them; `last_day` is the last session of their window.

    A figure that is not defined is NaN: without a trade there is no win rate. A ratio over no risk
    at all, of a trial that never lost, is as high as any: infinite.
    """
    return pd.DataFrame([_scored_row(row) | {"last_day": str(last_day)} for row in rows])


def returns_matrix(rows: Sequence[SweepRow]) -> Floats:
    """Return the daily returns of trials, shape (days, trials)."""
    return np.stack([row.result.daily for row in rows], axis=1)


def own_parameters(trial: SweepTrial) -> Point:
    """Return a trial's parameters but for the timeframe, which has a column of its own."""
    return {name: value for name, value in trial.parameters.items() if name != TIMEFRAME}


def _scored_row(row: SweepRow) -> dict[str, Any]:
    metrics = row.result.metrics

    def figure(key: str, unit: float = 1.0) -> float:
        return (metrics.get(key) or 0.0) / unit

    def open_figure(key: str, unit: float = 1.0) -> float:
        value = metrics.get(key)
        return math.nan if value is None else value / unit

    def ratio(key: str) -> float:
        value, earned = metrics.get(key), figure("return")
        if value is not None:
            return value
        # Of one session there is no deviation yet, which is no merit.
        undecided = earned == 0.0 or figure("sessions") < FEWEST_SESSIONS
        return math.nan if undecided else math.copysign(math.inf, earned)

    turnover = open_figure("annual_turnover")
    return {
        "trial": row.name,
        "strategy": row.trial.strategy,
        "symbol": row.trial.symbol,
        "timeframe": row.timeframe,
        "parameters": json.dumps(own_parameters(row.trial), sort_keys=True),
        "net_return": figure("return", 100.0),
        "days": max(figure("sessions"), 1.0),
        "sharpe": ratio("sharpe"),
        "sortino": ratio("sortino"),
        "win_rate": open_figure("win_rate", 100.0),
        "max_drawdown": figure("max_drawdown", 100.0),
        # An account below nothing has no turnover: its mean equity may be negative.
        "turnover": turnover if turnover >= 0.0 else math.nan,
        "average_holding_s": open_figure("average_holding"),
        "trades": figure("trades"),
        "pruned": row.pruned,
    }


def _plateau_around(
    row: SweepRow, rows: Sequence[SweepRow], score_of: Mapping[str, float]
) -> ScorePlateau | None:
    """Return how a symbol's best stands among its neighbours in the grid."""
    own = [
        each
        for each in rows
        if (each.trial.symbol, each.trial.strategy) == (row.trial.symbol, row.trial.strategy)
    ]
    return score_plateau(
        [each.trial.parameters for each in own], [float(score_of[each.name]) for each in own]
    )


def draw_chances(study: SweepStudy, trades: Mapping[str, Floats], seed: int) -> SweepStudy:
    """Return a study with the chance in its best and its chosen; `trades` as far as known."""
    found = {
        name: trial_chance(each.row.result.daily, trades.get(name), seed)
        for name, each in study.leaders.items()
    }
    return study._replace(chances=found)


def _cross_validate(
    rows: Sequence[SweepRow], returns: Floats, days: Sequence[date], terms: StudyTerms
) -> FoldStudy:
    held = (row.result.metrics.get("longest_holding") or 0.0 for row in rows)
    return study_folds(returns, days, terms.folds, embargo=terms.embargo, longest_s=max(held))


def _follow_windows(returns: Floats, days: Sequence[date], windows: str) -> WalkForwardRun:
    try:
        folds = walk_forward_windows(list(days), windows)
    except ValueError as error:
        raise ConfigError(f"--walk-forward {windows}: {error}") from None
    if not folds:
        raise ConfigError(f"--walk-forward {windows}: {days[0]} to {days[-1]} has no such window")
    return walk_forward(returns, folds)
