"""Samplers of a sweep: which points of the space are tried, and in which order."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final, Protocol, final

from engine.errors import ConfigError
from engine.research.parameter_space import ParameterAxis, ParameterSpace, Point

DEFAULT_TRIALS: Final = 100


class PointSampler(Protocol):
    """A source of points that may learn from how they did."""

    def ask(self, count: int) -> list[Point]:
        """Return so many points to try next; none: all were."""

    def tell(self, point: Point, score: float | None) -> None:
        """Take in how a point did; None: it could not be tried."""


@final
class ListSampler:
    """Points that are known beforehand."""

    def __init__(self, points: Iterable[Point]) -> None:
        self._points = iter(points)

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        return list(islice(self._points, count))

    def tell(self, point: Point, score: float | None) -> None:
        """Learn nothing."""


@final
class TpeSampler:
    """Optuna's tree-structured Parzen estimator: it looks where earlier points did well.

    Asked for the same number of points at a time and told the same, it gives the same points.
    """

    def __init__(self, space: ParameterSpace, trials: int, seed: int) -> None:
        """Raise `ConfigError` where optuna is not installed."""
        try:
            import optuna  # noqa: PLC0415  an extra, and heavy
        except ImportError:
            raise ConfigError("--sampler tpe needs optuna: pip install 'patang[optuna]'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._space = space
        self._left = trials
        self._study: Any = optuna.create_study(
            direction="maximize",
            # without it all points that are asked for together would be alike
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        )
        self._open: dict[str, Any] = {}

    def ask(self, count: int) -> list[Point]:
        """Return the next points; of a point that comes again, the first time."""
        found: list[Point] = []
        for _ in range(min(count, self._left)):
            self._left -= 1
            trial = self._study.ask()
            point = {axis.name: _suggested_value(trial, axis) for axis in self._space.axes}
            if repr(point) in self._open:
                self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
                continue
            self._open[repr(point)] = trial
            found.append(point)
        return found if found or not self._left else self.ask(count)

    def tell(self, point: Point, score: float | None) -> None:
        """Let the estimator learn."""
        trial = self._open[repr(point)]
        if score is None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, score)


def _suggested_value(trial: Any, axis: ParameterAxis) -> Any:
    if axis.is_continuous:
        return trial.suggest_float(axis.name, axis.low, axis.high)
    # Numbers have an order that the estimator can use, whatever their steps: their place has it.
    if axis.is_numeric:
        return axis.values[trial.suggest_int(axis.name, 0, len(axis.values) - 1)]
    return trial.suggest_categorical(axis.name, list(axis.values))
