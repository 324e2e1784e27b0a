"""The running of a sweep's trials: batches to workers, every result into the journal."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Final, NamedTuple, Protocol, final

from engine.errors import DataError
from engine.research.trials import SweepTrial, TrialResult

BATCH_S: Final = 0.5
"""A batch takes about so long: long beside its way to a worker, short beside a ctrl-c."""
MOST_IN_BATCH: Final = 64
AHEAD: Final = 2
"""Batches in flight for each worker: one runs, one waits for it."""
DEATHS: Final = 3
"""A batch that has taken so many workers with it is given up."""

NamedTrial = tuple[str, SweepTrial]
Task = Callable[[Sequence[NamedTrial]], list[TrialResult]]


class TrialSink(Protocol):
    """The place where finished trials are kept."""

    def append(self, results: Sequence[TrialResult]) -> None:
        """Keep results, on the disk when it returns."""


class WorkerPool(Protocol):
    """A pool of processes, here or on other machines, that run one task on batches of trials."""

    @property
    def width(self) -> int:
        """Return how many batches run at once."""

    def submit(self, batch: Sequence[NamedTrial]) -> "Future[list[TrialResult]]":
        """Have a batch run."""

    def revive(self) -> None:
        """Start anew what has died."""


class SweepProgress(NamedTuple):
    """The progress of a sweep."""

    done: int
    total: int
    resumed: int
    """Of those done, the ones that an earlier run has left."""


@final
class _TrialBatch:
    """Trials that go to a worker together."""

    def __init__(self, trials: Sequence[NamedTrial]) -> None:
        self.trials = trials
        self.deaths = 0


@final
class SweepRun:
    """Trials through workers into a journal; `done` are those that are finished, by id."""

    def __init__(
        self,
        workers: WorkerPool,
        journal: TrialSink,
        done: Mapping[str, TrialResult],
        go_on: Callable[[SweepProgress], bool] = lambda _: True,
    ) -> None:
        self._workers = workers
        self._journal = journal
        self.results = dict(done)
        self._go_on = go_on
        self._seconds = 0.0
        self._timed = 0
        self.was_stopped = False

    def run_trials(self, trials: Iterable[NamedTrial]) -> dict[str, TrialResult]:
        """Run what is not finished; return the results of those asked for, as far as they came.

        Raises what the workers raise but for a trial's own failure, which is its result.
        """
        wanted = dict(trials)
        resumed = sum(name in self.results for name in wanted)
        left = deque(
            # a symbol's trials side by side: a worker keeps the bars of few symbols
            sorted(
                ((name, each) for name, each in wanted.items() if name not in self.results),
                key=lambda pair: (pair[1].symbol, pair[1].window),
            )
        )
        flying: dict[Future[list[TrialResult]], _TrialBatch] = {}
        again: deque[_TrialBatch] = deque()
        finished = resumed
        while (left or again or flying) and not self.was_stopped:
            while (left or again) and len(flying) < AHEAD * self._workers.width:
                batch = again.popleft() if again else self._next_batch(left)
                flying[self._workers.submit(batch.trials)] = batch
            ready, _ = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            died = False
            for future in ready:
                batch = flying.pop(future)
                try:
                    finished += self._keep_results(future.result())
                # A scheduler cancels what was to run on data that a worker has died with.
                except (BrokenExecutor, CancelledError):
                    died = True
                    batch.deaths += 1
                    if batch.deaths >= DEATHS:
                        raise DataError(
                            f"a worker died {DEATHS} times on trials of {batch.trials[0][1].symbol}"
                            ": out of memory? Take fewer --workers"
                        ) from None
                    again.append(batch)
            if died:
                # All that flew is lost with a pool, though only one batch has killed it.
                again.extend(flying.values())
                flying.clear()
                self._workers.revive()
            self.was_stopped = not self._go_on(SweepProgress(finished, len(wanted), resumed))
        for future in flying:
            future.cancel()
        return {name: self.results[name] for name in wanted if name in self.results}

    def _next_batch(self, left: deque[NamedTrial]) -> _TrialBatch:
        each = self._seconds / self._timed if self._timed else BATCH_S
        size = max(1, min(MOST_IN_BATCH, int(BATCH_S / max(each, 1e-6))))
        first = left.popleft()
        batch = [first]
        while left and len(batch) < size and left[0][1].symbol == first[1].symbol:
            batch.append(left.popleft())
        return _TrialBatch(batch)

    def _keep_results(self, results: Sequence[TrialResult]) -> int:
        self._journal.append(results)
        for each in results:
            self.results[each.trial] = each
            self._seconds += each.seconds
            self._timed += 1
        return len(results)
