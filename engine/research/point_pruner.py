"""Points of a sweep that are given up: worse than the best on the symbols that are done."""

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, final

import msgspec

from engine.errors import ConfigError
from engine.research.sweep_run import NamedTrial
from engine.research.trials import SweepPoint, TrialResult

SYMBOLS_AT_ONCE: Final = 5
"""Symbols that all points of a round run before any is looked at. Of fewer pairs than five a
one-tailed signed-rank test says nothing: the least p of four is 1/16."""

Names = Callable[[SweepPoint, Sequence[str]], Iterable[NamedTrial]]
Runner = Callable[[Iterable[NamedTrial]], Mapping[str, TrialResult]]


@final
class PointPruner:
    """Optuna's Wilcoxon pruner, told of points that it has not drawn itself.

    A pair is a symbol, on which a point and the best one that was finished before have a score. It
    has a study of its own beside the sampler's: random points have none. Told the same, it decides
    the same.
    """

    def __init__(self, threshold: float) -> None:
        """Raise `ConfigError` where optuna or scipy is not installed."""
        try:
            import optuna  # noqa: PLC0415  an extra, and heavy

            importlib.import_module("scipy.stats")  # optuna does not bring it along
        except ImportError:
            raise ConfigError("--prune needs optuna: pip install 'patang[optuna]'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is experimental
            pruner = optuna.pruners.WilcoxonPruner(
                p_threshold=threshold, n_startup_steps=SYMBOLS_AT_ONCE
            )
        self._states = optuna.trial.TrialState
        self._study: Any = optuna.create_study(direction="maximize", pruner=pruner)

    def begin(self) -> Any:
        """Return the record of a point, for the two below."""
        return self._study.ask()

    def is_hopeless(self, record: Any, scores: Mapping[int, float]) -> bool:
        """Take in a point's scores by symbol; return whether it is worse than the best one."""
        for symbol, score in scores.items():
            record.report(score, symbol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of symbols on which the best has no score
            return bool(record.should_prune())

    def finish(self, record: Any, score: float | None) -> None:
        """Close a point: its mean score, or None for one that was given up or has none."""
        state = self._states.PRUNED if score is None else self._states.COMPLETE
        self._study.tell(record, score, state=state)


@final
class PrunedRounds:
    """Points that run side by side, some symbols at a time, and those that are given up.

    All decisions are made between rounds, on what the whole round came to, in the order of the
    points: neither the number of workers nor a kill changes one.
    """

    def __init__(
        self,
        pruner: PointPruner,
        symbols: Sequence[str],
        *,
        named: Names,
        run: Runner,
        objective: str,
    ) -> None:
        self._pruner = pruner
        self._symbols = symbols
        self._named = named
        self._run = run
        self._objective = objective

    def run_points(
        self, points: Sequence[SweepPoint], mean_score: Callable[[SweepPoint], float | None]
    ) -> list[SweepPoint] | None:
        """Run points; return them, `pruned` where one is given up. None: stopped on the way.

        `mean_score` is of a point whose symbols are all done.
        """
        alive = {place: self._pruner.begin() for place, each in enumerate(points) if each.timeframe}
        found = list(points)
        for first in range(0, len(self._symbols), SYMBOLS_AT_ONCE):
            part = self._symbols[first : first + SYMBOLS_AT_ONCE]
            trials = {place: dict(self._named(points[place], part)) for place in alive}
            results = self._run(pair for own in trials.values() for pair in own.items())
            if any(name not in results for own in trials.values() for name in own):
                return None
            done = first + len(part)
            for place, own in trials.items():
                known = {
                    first + at: score
                    for at, name in enumerate(own)
                    if (score := results[name].metrics.get(self._objective)) is not None
                }
                hopeless = self._pruner.is_hopeless(alive[place], known)
                if hopeless and done < len(self._symbols):
                    found[place] = msgspec.structs.replace(points[place], pruned=done)
                    self._pruner.finish(alive.pop(place), None)
        for place, record in alive.items():
            self._pruner.finish(record, mean_score(points[place]))
        return found
