"""Calls to the official client.

They run in a few threads that may block, at the documented rates, each with its own client.

Changes and reads have threads of their own, so that no slow download ever stands before an exit.
Each thread has its own client and so its own HTTP session, which requests does not share safely.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, final

from brokers.kite import call_outcome
from brokers.kite.request_pacer import HISTORY, OTHERS, QUOTES, RequestPacer
from engine.errors import PatangError, RetryableError
from engine.ports import Clock

if TYPE_CHECKING:
    from brokers.kite.thread_client import ThreadClient

T = TypeVar("T")


class ClientSettings(NamedTuple):
    """Address and credentials for a `ThreadClient`."""

    rest: str
    api_key: str
    access_token: str
    timeout: float
    """Seconds."""
    source: str
    """Local address that connections are made from; empty: the system chooses."""
    environment: bool
    """Whether the proxies and CA files count that the environment names."""
    heard: Callable[[str, float], None] | None = None
    """Called in the asking thread with the date of each successful answer and its seconds."""


@final
class CallPool:
    """Threads that work off `work(client)`.

    `on_token_death` is called once, on the event loop, for each token that has died.
    """

    def __init__(
        self,
        session: ClientSettings,
        clock: Clock,
        workers: int,
        pool: Callable[[int, str], Executor],
        *,
        limits: bool,
    ) -> None:
        self.quotes, self.history, self.others = (
            RequestPacer(clock, rate) for rate in (QUOTES, HISTORY, OTHERS)
        )
        self.on_token_death: Callable[[], None] | None = None
        self._session = session
        self._timeout = session[3]
        self._limits = limits
        self._changes = pool(max(1, workers - workers // 2), "kite-change")
        self._reads = pool(max(1, workers // 2), "kite-read")
        self._free = asyncio.Semaphore(max(1, workers // 2))
        """A read counts once a thread is free to send it: none pile up behind a slow answer."""
        self._thread = threading.local()
        self._clients: list[ThreadClient] = []
        self._closed = False
        self._dead = False

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns: the rates are of real seconds."""
        for pace in (self.quotes, self.history, self.others):
            pace.shift_clock(by)

    def renew(self, access_token: str) -> None:
        """Go on with another access token; calls under way end with the old one."""
        self._session = self._session._replace(access_token=access_token)
        self._dead = False

    async def close(self) -> None:
        """Let go of the connections; calls in flight finish or fail."""
        self._closed = True
        await asyncio.gather(
            *(asyncio.to_thread(pool.shutdown) for pool in (self._changes, self._reads))
        )
        for wire in self._clients:
            wire.close()

    async def send_order(self, work: Callable[[Any], T]) -> T:
        """Send a new order; the rate of those is the governor's business."""
        return await self._call_client(self._changes, work, call_outcome.change_error)

    async def send_change(self, work: Callable[[Any], T]) -> T:
        """Make a change that is no new order: it counts with the reads, and goes before them."""
        while self._limits and not self.others.admit(change=True):
            await self.others.wait(change=True)
        return await self.send_order(work)

    async def read(
        self,
        work: Callable[[Any], T],
        pace: RequestPacer | None = None,
        failure: Callable[[call_outcome.CallFailed], PatangError] = call_outcome.read_error,
    ) -> T:
        """Ask for something, at the pace of its class (that of `others` by default)."""
        pace = pace or self.others
        while True:
            async with self._reader_slot():
                if not self._limits or pace.admit():
                    return await self._call_client(self._reads, work, failure)
            await pace.wait()

    @asynccontextmanager
    async def _reader_slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError:
            raise RetryableError(
                f"no thread came free within {self._timeout:g} s; nothing was sent"
            ) from None
        try:
            yield
        finally:
            self._free.release()

    async def _call_client(
        self,
        pool: Executor,
        work: Callable[[Any], T],
        failure: Callable[[call_outcome.CallFailed], PatangError],
    ) -> T:
        session = self._session
        try:
            return await self._submit_and_wait(pool, work)
        except call_outcome.CallFailed as failed:
            # a late refusal of an old token does not count against the new one
            if failed.error == call_outcome.TOKEN_EXCEPTION and session is self._session:
                self._report_token_death()
            raise failure(failed) from None

    def _report_token_death(self) -> None:
        told, self._dead = self._dead, True
        if not told and self.on_token_death is not None:
            self.on_token_death()

    async def _submit_and_wait(self, pool: Executor, work: Callable[[Any], T]) -> T:
        if self._closed:
            raise RetryableError("the broker connection is closed")
        job = pool.submit(lambda: self.thread_client().call(work))
        answer = asyncio.wrap_future(job)
        answer.add_done_callback(_consume_failure)
        try:
            await asyncio.wait({answer}, timeout=self._timeout)
            # only a job that no thread has begun can be cancelled: nothing was sent. One that is
            # under way ends with the client's own time-out, and its answer decides.
            if not answer.done() and job.cancel():
                raise RetryableError(
                    f"no thread came free within {self._timeout:g} s; nothing was sent"
                )
            return await answer
        finally:
            # a caller that gives up takes back what no thread has begun
            job.cancel()

    def thread_client(self) -> "ThreadClient":
        """Return the client of the calling thread."""
        session = self._session
        known: tuple[object, ThreadClient] | None = getattr(self._thread, "known", None)
        # by identity: after `renew` each thread makes itself another with the new token
        if known is not None and known[0] is session:
            return known[1]
        from brokers.kite.thread_client import ThreadClient as Official  # noqa: PLC0415 (Twisted comes with it: only where it is used)

        wire = Official(*session)
        if known is not None:
            self._clients.remove(known[1])
            known[1].close()
        self._thread.known = session, wire
        self._clients.append(wire)
        return wire


def _consume_failure(answer: "asyncio.Future[Any]") -> None:
    """Note an answer without a caller, so that its failure is no unhandled exception."""
    if not answer.cancelled():
        answer.exception()
