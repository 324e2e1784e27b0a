"""Cross-validation of a sweep: each fold of the days is judged by what all the others chose."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.day_folds import purged_folds
from engine.research.evidence.walk_forward import walk_forward

SHORTEST_NIGHT_S: Final = 10 * 3600
"""What is held for less has been left on its own day: no two sessions are that close."""
DAY_S: Final = 86_400


class JudgedFold(NamedTuple):
    """One fold of days: who was the best on the others, and what became of it here.

    `winner` is the place of the trial. Returns are of a year, as in `WalkForwardRun`.
    """

    first: date
    last: date
    learned: int
    winner: int
    in_sample: float
    out_of_sample: float


class FoldStudy(NamedTuple):
    """The folds of a cross-validation, in order.

    `purge` are the days on both sides of a fold, `embargo` those after the later side. `efficiency`
    is the return out of sample over that in sample, both over all folds. `note` is why there are
    none.
    """

    folds: list[JudgedFold]
    purge: int
    embargo: int
    efficiency: float | None
    note: str = ""


def study_folds(
    returns: Floats, days: Sequence[date], folds: int, *, embargo: int, longest_s: float
) -> FoldStudy:
    """Judge each of so many folds by the best of the others, purged and with an embargo.

    `returns` is of shape (days, trials); `longest_s` is how long the longest trade of any of them
    was held, which is what a purge has to reach.
    """
    purge = sessions_reached(days, longest_s)
    if folds > len(days):
        return FoldStudy([], purge, embargo, None, f"{len(days)} days are fewer than {folds} folds")
    every = purged_folds(len(days), folds, purge, embargo)
    found = []
    for fold in every:
        run = walk_forward(returns, [fold])
        if run.winners:
            found.append(
                JudgedFold(
                    days[int(fold.test[0])],
                    days[int(fold.test[-1])],
                    learned=len(fold.train),
                    winner=run.winners[0],
                    in_sample=run.in_sample[0],
                    out_of_sample=run.out_of_sample[0],
                )
            )
    note = "" if found else f"no days are left to learn from: a trade is held for {purge} days"
    return FoldStudy(found, purge, embargo, walk_forward(returns, every).efficiency, note)


def sessions_reached(days: Sequence[date], seconds: float) -> int:
    """Return how many sessions after its own a trade may reach that is held for so long.

    The most that any stretch of that length has: holidays make some shorter.
    """
    if seconds < SHORTEST_NIGHT_S:
        return 0
    numbers = np.array([day.toordinal() for day in days])
    ends = np.searchsorted(numbers, numbers + math.ceil(seconds / DAY_S), side="right")
    return int((ends - np.arange(len(numbers))).max()) - 1
