"""A thread that gathers finished bars and stores them in batches."""

import threading
from collections.abc import Iterable
from typing import final

from compiled.model.values import Bar
from engine.board_rows import ATTENTION, WRONG
from engine.errors import DataError, OperatorError
from engine.ops.health_sources import PulseReading
from engine.ports import BarStore, Failure

THREAD = "bars"
CAPACITY = 500_000
"""How many bars may wait for the disk, if nothing else is said."""
WARM_UP = "warm-up"
"""The version of what a desk has read of earlier days, to warm its strategies up."""


@final
class BarWriter:
    """Writer that stores the offered bars every `seconds`, every `rows` bars, and at `close`.

    `failure` is called with a text for a batch that the disk refuses (it is kept and tried again),
    for one that can never be stored, and for the first bar lost because `capacity` were waiting.
    `symbols` may grow while the writer runs.
    """

    def __init__(
        self,
        store: BarStore,
        symbols: dict[int, str],
        failure: Failure,
        version: str = "live",
        seconds: float = 60.0,
        rows: int = 10_000,
        capacity: int = CAPACITY,
    ) -> None:
        self._store = store
        self._symbols = symbols
        self._failure = failure
        self._version = version
        self._seconds = seconds
        self._many = rows
        self._capacity = capacity
        self._changed = threading.Condition()
        self._waiting: list[Bar] = []
        self._refused: list[Bar] = []
        self._lost = self._stored = 0
        self._failed = False
        """Whether the store has refused the last batch."""
        self._overflowed = False
        self._closing = False
        # a disk that hangs must not keep the process from ending
        self._thread = threading.Thread(target=self._run_writer, name=THREAD, daemon=True)
        self._thread.start()

    def offer(self, bars: Iterable[Bar]) -> None:
        """Store bars soon, in this order; never blocks. Raises `OperatorError` after `close`."""
        with self._changed:
            if self._closing:
                raise OperatorError("the bar writer is closed")
            lost = self._lost
            for bar in bars:
                if len(self._waiting) + len(self._refused) < self._capacity:
                    self._waiting.append(bar)
                else:
                    self._lost += 1
            if self._batch_is_due():
                self._changed.notify()
            first = self._lost > lost and not self._overflowed
            self._overflowed = self._overflowed or first
        if first:
            text = (
                f"more than {self._capacity} bars were waiting for the disk: the next ones are lost"
            )
            self._failure(THREAD, OperatorError(text))

    def health(self) -> PulseReading:
        """Return how the keeping of bars stands; never waits."""
        # Read without the lock: a figure of a moment ago is as good.
        waiting, name = len(self._waiting) + len(self._refused), f"bars kept ({self._version})"
        if self._refused and self._failed:
            lost = f", {self._lost:,} lost" if self._lost else ""
            mend = "They wait and are tried again each minute: free the disk, mend [store]."
            return PulseReading(name, f"{waiting:,} wait{lost}", WRONG, mend)
        # The disk takes them again: nothing is wrong any more, and something is left to do.
        if self._lost:
            mend = "patang bars gaps names them; patang bars download reads them again."
            return PulseReading(name, f"{self._lost:,} lost", ATTENTION, mend)
        return PulseReading(name, f"{self._stored:,} written")

    def close(self) -> None:
        """Store waiting bars and end the thread.

        Raise `OperatorError` naming how many bars were lost.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        lost = self._lost + len(self._refused) + len(self._waiting)
        if lost:
            raise OperatorError(f"{lost} bars could not be stored")

    def _run_writer(self) -> None:
        try:
            while self._store_batch():
                pass
        except Exception as error:  # noqa: BLE001 - a thread's main: it dies loudly
            self._closing = True
            self._failure(THREAD, error)

    def _store_batch(self) -> bool:
        """Wait for the time or the number, store, and return False after the last batch."""
        with self._changed:
            self._changed.wait_for(self._batch_is_due, self._seconds)
            # told once, however often it is tried
            again = bool(self._refused)
            self._refused, self._waiting = self._refused + self._waiting, []
            closing = self._closing
        if self._refused:
            self._write_batch(again=again)
        return not closing

    def _batch_is_due(self) -> bool:
        return self._closing or len(self._waiting) >= self._many

    def _write_batch(self, *, again: bool) -> None:
        try:
            self._store.write(self._refused, self._symbols, self._version)
        # no disk will ever take it: kept, it would hold up every batch after it
        except DataError as error:
            with self._changed:
                self._lost += len(self._refused)
            self._failure(THREAD, DataError(f"{len(self._refused)} bars are lost: {error}"))
        except OperatorError as error:
            self._failed = True
            if not again:
                self._failure(THREAD, error)
            return
        else:
            self._stored += len(self._refused)
        self._failed = False
        self._refused = []
