"""The surroundings of the best trial in the grid of parameters: a plateau, a peak, or an edge."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

ParameterValue = int | float | bool | str


class ParameterSlice(NamedTuple):
    """The scores along one parameter, all others as the best trial has them.

    `spread` is the highest less the lowest of `scores`, `step` the largest change from one value to
    the next; None where they have no order (`numeric` is false) or are fewer than two. `at_edge`
    says that the best has the first or the last value of a numeric parameter with more than two.
    """

    parameter: str
    numeric: bool
    values: tuple[ParameterValue, ...]
    scores: tuple[float, ...]
    spread: float
    step: float | None
    at_edge: bool


class ScorePlateau(NamedTuple):
    """The best trial and its face neighbours: one step of one numeric parameter away.

    `best` is its place among the trials. `share` is the median of the neighbours' scores in % of
    its own; None without a neighbour, or where its own is not above 0.
    """

    best: int
    score: float
    neighbours: tuple[float, ...]
    share: float | None
    slices: tuple[ParameterSlice, ...]

    @property
    def edges(self) -> tuple[str, ...]:
        """Return the parameters at whose edge the best is."""
        return tuple(each.parameter for each in self.slices if each.at_edge)


def score_plateau(
    parameters: Sequence[Mapping[str, ParameterValue]], scores: Sequence[float]
) -> ScorePlateau | None:
    """Look around the trial with the highest score.

    `parameters` and `scores` have one entry a trial; a trial that failed has the score NaN. All
    trials have the same parameters, and no two the same values: else it is a ValueError. It is None
    where every trial failed. Numbers are in order; truths and texts are not: they have neither
    neighbours nor an edge.
    """
    if len(parameters) != len(scores):
        raise ValueError(f"{len(parameters)} trials have {len(scores)} scores")
    names = tuple(parameters[0]) if parameters else ()
    if any(set(each) != set(names) for each in parameters):
        raise ValueError("all trials of a grid have the same parameters")
    points = [tuple(each[name] for name in names) for each in parameters]
    if len(set(points)) < len(points):
        raise ValueError("two trials have the same parameters")
    known = {
        point: score for point, score in zip(points, scores, strict=True) if math.isfinite(score)
    }
    if not known:
        return None
    best = max(known, key=lambda point: known[point])
    slices, neighbours = [], []
    for place, name in enumerate(names):
        axis = _axis_values([point[place] for point in points])
        numeric = not any(isinstance(value, bool | str) for value in axis)
        line = [(value, (*best[:place], value, *best[place + 1 :])) for value in axis]
        found = [(value, known[point]) for value, point in line if point in known]
        values, heights = zip(*found, strict=True)
        at = axis.index(best[place])
        slices.append(
            ParameterSlice(
                name,
                numeric,
                values=values,
                scores=heights,
                spread=max(heights) - min(heights),
                step=(
                    float(np.abs(np.diff(heights)).max()) if numeric and len(heights) > 1 else None
                ),
                at_edge=numeric and len(axis) > 2 and at in {0, len(axis) - 1},
            )
        )
        if numeric:
            beside = [line[next_to][1] for next_to in (at - 1, at + 1) if 0 <= next_to < len(line)]
            neighbours += [known[point] for point in beside if point in known]
    score = known[best]
    return ScorePlateau(
        points.index(best),
        score,
        neighbours=tuple(neighbours),
        share=(
            100.0 * float(np.median(neighbours)) / score if neighbours and score > 0.0 else None
        ),
        slices=tuple(slices),
    )


def _axis_values(values: Sequence[ParameterValue]) -> list[ParameterValue]:
    """Return the different values: numbers in order, anything else in the order it was given."""
    different = list(dict.fromkeys(values))
    if any(isinstance(value, bool | str) for value in different):
        return different
    return sorted(different, key=float)
