"""The order path's wait for the disk: entries for good, exits and stops for a second at most."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from compiled.model.values import OrderPurpose
from engine.board_rows import DiskState
from engine.errors import OperatorError
from engine.ports import Journal

DISK_S: Final = 1.0
"""Seconds that exits and protection wait for a disk from which somebody waits in vain.

Then they leave from memory.
"""
AGAIN_S: Final = 1.0
"""Seconds after which a disk that has refused is asked again, whether anybody waits or not."""
ENDLESS: Final = 1e9
GRAIN_S: Final = 1e-3
"""Less than this is not waited for: timers are no finer."""
SLOW: Final = (
    "the disk does not keep up: exits and protection leave before they are on record, entries wait"
)
CAUGHT_UP: Final = "the disk has caught up: all that has left is on record"


class DurableJournal:
    """The journal as requests wait for it; belongs to the engine's event loop.

    A commit that succeeds has taken everything asked for before it, refusals included. While one is
    in vain for longer than `DISK_S`, nothing that protects or leaves waits at all: the second is
    that of the disk, not of each request.
    """

    def __init__(
        self,
        journal: Journal,
        entry_wait_s: float,
        tell: Callable[[str, str, str], None],
        note_wait: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.bounded = False
        """Whether the wait has a bound at all.

        In lockstep nothing may depend on the machine's speed.
        """
        self.ahead = 0
        self.journal = journal
        self._entry_wait_s = entry_wait_s
        self._tell = tell
        self._note_wait = note_wait
        self._waited = 0.0
        self._begun: list[float] = []
        """When each commit was asked for that the disk still owes (loop seconds), oldest first."""
        self._told = False
        self._trying = False

    @property
    def state(self) -> DiskState:
        """Return how the disk keeps up."""
        behind = self._seconds_behind()
        return DiskState(behind, max(self._waited, behind), self.ahead)

    async def commit_for(self, purpose: OrderPurpose) -> None:
        """Have everything so far on disk, or let an exit or protection leave without.

        Raise `OperatorError` for an entry.
        """
        entry = purpose is OrderPurpose.ENTRY
        try:
            await self.commit_within(self._entry_wait_s if entry else None)
        except OperatorError:
            if entry:
                raise
            self._count_ahead()

    async def commit_within(self, seconds: float | None) -> None:
        """Have everything so far on disk within some seconds.

        With None it waits until some request has waited for `DISK_S`; where nothing is `bounded`,
        however long it takes. Raise `OperatorError` where the disk refuses, or takes longer.
        """
        # Every request has its own commit; the seconds are counted from the oldest that the disk
        # still owes, so that ten exits wait one second together and not ten.
        clock, commit = asyncio.get_running_loop(), self._start_commit()
        seconds = seconds if self.bounded else ENDLESS
        ends = clock.time() + (ENDLESS if seconds is None else seconds)
        while not commit.done():
            left = DISK_S - self._seconds_behind() if seconds is None else ends - clock.time()
            await asyncio.wait({commit}, timeout=max(0.0, left))
            # A timer may come a grain early: within the grain the time counts as over, or the loop
            # would spin.
            over = seconds is not None or self._seconds_behind() >= DISK_S - GRAIN_S
            if left <= GRAIN_S and over and not commit.done():
                raise OperatorError(f"the disk has not answered for {self._seconds_behind():.1f} s")
        await commit

    def _seconds_behind(self) -> float:
        return asyncio.get_running_loop().time() - self._begun[0] if self._begun else 0.0

    def _start_commit(self) -> "asyncio.Future[None]":
        begun = asyncio.get_running_loop().time()
        commit = asyncio.ensure_future(self.journal.commit())
        self._begun.append(begun)
        commit.add_done_callback(partial(self._commit_done, begun))
        return commit

    def _retry_commit(self) -> None:
        self._trying = False
        self._start_commit()

    def _commit_done(self, begun: float, commit: "asyncio.Future[None]") -> None:
        if commit.cancelled():
            return
        # Refused rows stay owed and are tried again; later requests would otherwise find the disk
        # in order.
        if commit.exception() is not None:
            if self.bounded and not self._trying:
                self._trying = True
                asyncio.get_running_loop().call_later(AGAIN_S, self._retry_commit)
            return
        self._waited = max(self._waited, self._seconds_behind())
        self._note_wait(int((asyncio.get_running_loop().time() - begun) * 1e9))
        # A commit takes everything asked for before it along.
        self._begun = [other for other in self._begun if other > begun]
        if self._told and not self._begun:
            self._told = False
            self._tell("info", "disk", CAUGHT_UP)

    def _count_ahead(self) -> None:
        self.ahead += 1
        if not self._told:
            self._told = True
            self._tell("alarm", "disk", SLOW)
