"""The running of a sweep's trials: batches to workers, every result into the journal."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Final, NamedTuple, Protocol, final

from engine.errors import DataError
from engine.research.parameter_space import point_text
from engine.research.trials import SweepTrial, TrialResult, without_trades

BATCH_S: Final = 0.5
"""A batch takes about so long: long beside its way to a worker, short beside a ctrl-c."""
MOST_IN_BATCH: Final = 64
AHEAD: Final = 2
"""Batches in flight for each worker: one runs, one waits for it."""
DEATHS: Final = 2
"""A trial that has taken so many workers with it, alone, has failed."""
MOST_DEADLY: Final = 5
"""So many such trials one after the other, and it is not the trials."""
DEADLY: Final = (
    "its worker died: an exit, a crash in native code, or out of memory (take fewer --workers)"
)

NamedTrial = tuple[str, SweepTrial]
Task = Callable[[Sequence[NamedTrial]], list[TrialResult]]


class TrialSink(Protocol):
    """The place where finished trials are kept."""

    def append(self, results: Sequence[TrialResult]) -> None:
        """Keep results, on the disk when it returns."""


class WorkerPool(Protocol):
    """A pool of processes, here or on other machines, that run one task on batches of trials."""

    deaths: tuple[type[BaseException], ...]
    """What a batch raises whose worker has died."""

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
        self._flying: dict[Future[list[TrialResult]], _TrialBatch] = {}
        self._suspects: deque[_TrialBatch] = deque()
        """Batches that flew when a worker died: one of them has killed it."""
        self._deadly = 0
        """How many trials have killed their workers since one came to its end."""
        self.was_stopped = False
        self.expected = 0
        """Trials that will be asked for in all rounds, as far as is known."""
        self._asked = SweepProgress(0, 0, 0)

    def run_trials(self, trials: Iterable[NamedTrial]) -> dict[str, TrialResult]:
        """Run what is not finished; return the results of those asked for, as far as they came.

        Raises what the workers raise but for a trial's own failure, which is its result.
        """
        wanted = dict(trials)
        # What a worker died of may be mended: more memory, fewer workers.
        done = {name for name, each in self.results.items() if each.failure != DEADLY}
        resumed = sum(name in done for name in wanted)
        left = deque(
            # a symbol's trials side by side: a worker keeps the bars of few symbols
            sorted(
                ((name, each) for name, each in wanted.items() if name not in done),
                key=lambda pair: (pair[1].symbol, pair[1].window),
            )
        )
        was = self._asked
        self._asked = SweepProgress(
            was.done + resumed, was.total + len(wanted), was.resumed + resumed
        )
        while (left or self._suspects or self._flying) and not self.was_stopped:
            self._send_batches(left)
            ready, _ = wait(self._flying, timeout=0.2, return_when=FIRST_COMPLETED)
            died, finished = [], 0
            for future in ready:
                batch = self._flying.pop(future)
                try:
                    finished += self._keep_results(future.result())
                    self._deadly = 0
                except self._workers.deaths:
                    died.append(batch)
            if died:
                finished += self._suspect_batches(died)
            self._asked = self._asked._replace(done=self._asked.done + finished)
            total = max(self._asked.total, self.expected)
            self.was_stopped = not self._go_on(self._asked._replace(total=total))
        for future in self._flying:
            future.cancel()
        return {name: self.results[name] for name in wanted if name in self.results}

    def _send_batches(self, left: deque[NamedTrial]) -> None:
        """Have as much in flight as suits the workers; of suspects one alone."""
        while self._suspects or left:
            most = 1 if self._suspects else AHEAD * self._workers.width
            if len(self._flying) >= most:
                return
            batch = self._suspects.popleft() if self._suspects else self._next_batch(left)
            self._flying[self._workers.submit(batch.trials)] = batch

    def _suspect_batches(self, died: list[_TrialBatch]) -> int:
        """Find out which trial kills workers; return how many are given up, 0 or 1."""
        # All that flew is lost with a pool, though only one batch has killed it.
        lost = [*died, *self._flying.values()]
        self._flying.clear()
        self._workers.revive()
        if len(lost) > 1:
            self._suspects.extend(lost)
            return 0
        [batch] = lost
        if len(batch.trials) > 1:
            half = len(batch.trials) // 2
            parts = batch.trials[:half], batch.trials[half:]
            self._suspects.extendleft(_TrialBatch(each) for each in reversed(parts))
            return 0
        batch.deaths += 1
        if batch.deaths < DEATHS:
            self._suspects.appendleft(batch)
            return 0
        self._deadly += 1
        if self._deadly >= MOST_DEADLY:
            raise DataError(
                f"{self._deadly} trials one after the other have killed their workers, the last "
                f"one {point_text(batch.trials[0][1].parameters)} on {batch.trials[0][1].symbol}: "
                "out of memory? Take fewer --workers"
            )
        return self._keep_results([TrialResult(trial=batch.trials[0][0], failure=DEADLY)])

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
            self.results[each.trial] = without_trades(each)
            if each.seconds:
                self._seconds += each.seconds
                self._timed += 1
        return len(results)
