"""The workers of a sweep: processes of this machine, or those of a Dask scheduler."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor, wait
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, final

from engine.errors import ConfigError, OperatorError
from engine.numbers import count
from engine.research.sweep_run import NamedTrial
from engine.research.trials import TrialResult
from tui.commands.research.trial_worker import has_native_core, run_batch, run_remote_batch
from tui.commands.shared.progress_line import narrate

Results = Future[list[TrialResult]]
GRACE_S: Final = 3.0
"""Patience with trials that still run when a sweep ends: several batches' time."""


@final
class LocalWorkers:
    """Processes of this machine, which map the same file of bars."""

    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, width: int) -> None:
        self.width = width
        self._task = b""
        self._running: set[Results] = set()
        # Not forked: threads of the libraries may hold locks at that moment, and a child would
        # wait for them for ever.
        self._context = multiprocessing.get_context("spawn")
        self._leash, self._hold = self._context.Pipe(duplex=False)
        self._pool = self._new_pool()

    def take_task(self, task: bytes, bars: Path) -> None:
        """Have a task for what is submitted; its bars lie where it says."""
        del bars
        self._task = task

    def submit(self, batch: Sequence[NamedTrial]) -> Results:
        """Have a batch run."""
        future = self._pool.submit(run_batch, self._task, batch)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def revive(self) -> None:
        """Start anew: a pool that has lost a process takes nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def close(self) -> None:
        """End the processes; what they are at is lost, and need not have an end."""
        try:
            for future in list(self._running):
                future.cancel()
            wait(list(self._running), GRACE_S)
        finally:
            if self._running:
                self._hold.close()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._hold.close()
            self._leash.close()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.width, self._context, initializer=begin_worker, initargs=(self._leash,)
        )


def begin_worker(leash: Connection) -> None:
    """Leave ctrl-c to the process that has begun the workers, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, args=(leash,), daemon=True).start()


def _end_with_owner(leash: Connection) -> None:
    # A killed owner tells nobody: the system closes its end of the pipe for it.
    with contextlib.suppress(OSError, EOFError):
        leash.recv_bytes()
    os._exit(1)


@final
class DaskWorkers:
    """The workers of a Dask scheduler, which get the bars once each."""

    def __init__(self, client: Any) -> None:
        from distributed import KilledWorker

        # A scheduler cancels what was to run on data that a worker has died with.
        self.deaths: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)
        self._client = client
        self._pool = client.get_executor(pure=False)

    @property
    def width(self) -> int:
        """Return how many batches run at once."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def take_task(self, task: bytes, bars: Path) -> None:
        """Send a task and its bars to every worker."""
        self._sent = (task, bars.read_bytes())
        self._scatter_bars()

    def submit(self, batch: Sequence[NamedTrial]) -> Results:
        """Have a batch run; the scheduler gives it to another worker where one dies."""
        found: Results = self._pool.submit(run_remote_batch, self._task, self._bars, batch)
        return found

    def revive(self) -> None:
        """Hand out the bars anew: a worker may have died with the only copy."""
        self._scatter_bars()

    def _scatter_bars(self) -> None:
        try:
            self._task, self._bars = (
                self._client.scatter(each, broadcast=True, hash=False) for each in self._sent
            )
        except (OSError, TimeoutError) as error:
            raise OperatorError(f"the scheduler lost its workers: {error}") from error


@contextlib.contextmanager
def local_workers(width: int) -> Iterator[LocalWorkers]:
    """Have so many processes for a while."""
    workers = LocalWorkers(width)
    try:
        yield workers
    finally:
        workers.close()


def _tell_plain_workers(client: Any) -> None:
    plain = sum(not native for native in client.run(has_native_core).values())
    # The results are the same; only somebody who waits for them would find out.
    if plain and has_native_core():
        narrate(
            f"note: {count(plain)} of the scheduler's workers run the core interpreted, which is "
            "many times slower: build it there (make native)"
        )


@contextlib.contextmanager
def dask_workers(address: str) -> Iterator[DaskWorkers]:
    """Have a scheduler's workers for a while; raise `ConfigError` or `OperatorError`."""
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError("--dask needs dask: pip install 'patang[dask]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise OperatorError(f"--dask {address}: {error}; is a scheduler there?") from error
    try:
        if not client.nthreads():
            raise OperatorError(f"--dask {address}: the scheduler has no workers")
        _tell_plain_workers(client)
        yield DaskWorkers(client)
    finally:
        client.close()
