"""Calls to the official client: a few threads that may block, the documented rates, one client for each thread.

Changes and reads have threads of their own, so that no slow download ever stands before an exit. Each thread has its
own client and so its own HTTP session, which requests does not share safely.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, final

from brokers.kite import outcome
from brokers.kite.pace import HISTORY, OTHERS, QUOTES, Pace
from engine.errors import PatangError, RetryableError
from engine.ports import Clock

if TYPE_CHECKING:
    from brokers.kite.wire import Wire

T = TypeVar("T")


class Session(NamedTuple):
    """Whom to ask, and as whom: what a `Wire` is made of."""

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
    """Hears, in the thread that asked, the date of each answer that is a success, and how many seconds it took."""


@final
class Calls:
    """Works `work(client)` off in threads; `on_token_death` hears once, on the event loop, of each token that has died."""

    def __init__(
        self, session: Session, clock: Clock, workers: int, pool: Callable[[int, str], Executor], *, limits: bool
    ) -> None:
        self.quotes, self.history, self.others = (Pace(clock, rate) for rate in (QUOTES, HISTORY, OTHERS))
        self.on_token_death: Callable[[], None] | None = None
        self._session = session
        self._timeout = session[3]
        self._limits = limits
        self._changes = pool(max(1, workers - workers // 2), "kite-change")
        self._reads = pool(max(1, workers // 2), "kite-read")
        self._free = asyncio.Semaphore(max(1, workers // 2))
        """A read is counted when a thread is free to send it, so that none pile up behind a slow answer."""
        self._thread = threading.local()
        self._wires: list[Wire] = []
        self._closed = False
        self._dead = False

    def moved(self, by: int) -> None:
        """Take note that the clock was set on by so many ns: the rates are of real seconds."""
        for pace in (self.quotes, self.history, self.others):
            pace.moved(by)

    def renew(self, access_token: str) -> None:
        """Go on with another access token; calls under way end with the old one."""
        self._session = self._session._replace(access_token=access_token)
        self._dead = False

    async def close(self) -> None:
        """Let go of the connections; calls in flight finish or fail."""
        self._closed = True
        await asyncio.gather(*(asyncio.to_thread(pool.shutdown) for pool in (self._changes, self._reads)))
        for wire in self._wires:
            wire.close()

    async def place(self, work: Callable[[Any], T]) -> T:
        """Send a new order; the rate of those is the governor's business."""
        return await self._call(self._changes, work, outcome.of_change)

    async def alter(self, work: Callable[[Any], T]) -> T:
        """Make a change that is no new order: it counts with the reads, and goes before them."""
        while self._limits and not self.others.take(change=True):
            await self.others.wait(change=True)
        return await self.place(work)

    async def read(
        self,
        work: Callable[[Any], T],
        pace: Pace | None = None,
        failure: Callable[[outcome.CallFailed], PatangError] = outcome.of_read,
    ) -> T:
        """Ask for something, at the pace of its class (that of `others` unless told)."""
        pace = pace or self.others
        while True:
            async with self._turn():
                if not self._limits or pace.take():
                    return await self._call(self._reads, work, failure)
            await pace.wait()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError:
            raise RetryableError(f"no thread came free within {self._timeout:g} s; nothing was sent") from None
        try:
            yield
        finally:
            self._free.release()

    async def _call(
        self, pool: Executor, work: Callable[[Any], T], failure: Callable[[outcome.CallFailed], PatangError]
    ) -> T:
        session = self._session
        try:
            return await self._wait(pool, work)
        except outcome.CallFailed as failed:
            if failed.error == outcome.TOKEN_EXCEPTION and session is self._session:
                self._mourn()
            raise failure(failed) from None

    def _mourn(self) -> None:
        told, self._dead = self._dead, True
        if not told and self.on_token_death is not None:
            self.on_token_death()

    async def _wait(self, pool: Executor, work: Callable[[Any], T]) -> T:
        if self._closed:
            raise RetryableError("the broker connection is closed")
        job = pool.submit(lambda: self.wire().call(work))
        answer = asyncio.wrap_future(job)
        answer.add_done_callback(_heard)
        try:
            await asyncio.wait({answer}, timeout=self._timeout)
            if not answer.done() and job.cancel():
                raise RetryableError(f"no thread came free within {self._timeout:g} s; nothing was sent")
            return await answer
        finally:
            job.cancel()

    def wire(self) -> "Wire":
        """Return the client of the calling thread."""
        session = self._session
        known: tuple[object, Wire] | None = getattr(self._thread, "known", None)
        if known is not None and known[0] is session:
            return known[1]
        from brokers.kite.wire import Wire as Official  # noqa: PLC0415 (Twisted comes with it: only where it is used)

        wire = Official(*session)
        if known is not None:
            self._wires.remove(known[1])
            known[1].close()
        self._thread.known = session, wire
        self._wires.append(wire)
        return wire


def _heard(answer: "asyncio.Future[Any]") -> None:
    """Take note of an answer whose caller may be gone, so that its failure is no complaint about nobody listening."""
    if not answer.cancelled():
        answer.exception()
