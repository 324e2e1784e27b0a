"""Keeps a running desk in session: tells when a token ends, waits for the operator's next login, and goes on with it."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, final

from brokers.kite.session import Session
from compiled.model import MINUTE, SECOND
from engine.errors import PatangError
from engine.ports import Clock

WARN_BEFORE: Final = 15 * MINUTE
LOOK_EVERY: Final = 5 * SECOND


class Renewable(Protocol):
    """A feed that goes on with another token."""

    def renew(self, access_token: str) -> None:
        """Use this token from now on."""
        ...


class Questionable(Renewable, Protocol):
    """A broker that goes on with another token, and says whose it is."""

    async def account(self) -> str:
        """Return the account's user id."""
        ...


@final
class Keeper:
    """Watches one session; `died` is what broker and feed call when Kite refuses the token before its hour.

    `fetch` returns the stored session, blocking (it is called in a thread). `tell` takes a level and a text. `living`
    hears False when the session ends, True when the next one has begun: no entry may be sent in between.
    """

    def __init__(
        self,
        session: Session,
        broker: Questionable,
        feed: Renewable,
        clock: Clock,
        fetch: Callable[[], Session | None],
        tell: Callable[[str, str], None],
        living: Callable[[bool], None],
    ) -> None:
        self.session = session
        self._broker = broker
        self._feed = feed
        self._clock = clock
        self._fetch = fetch
        self._tell = tell
        self._living = living
        self._dead = asyncio.Event()
        self._told = ""
        self.lives = True
        """Whether there is a session."""

    def died(self) -> None:
        """Take note that the token is dead; on the event loop."""
        self._dead.set()

    async def run(self) -> None:
        """Keep the session until cancelled."""
        while True:
            await self._end()
            self.lives = False
            self._living(False)
            self._tell("alarm", "the session with Kite has ended: no new entries; run `patang login`")
            while not await self._begin():
                await self._clock.sleep_until(self._clock.now() + LOOK_EVERY)
            self.lives = True
            self._living(True)
            self._tell("info", f"logged in again as {self.session.user_id}")

    async def _end(self) -> None:
        """Return when the token has died, or reached its hour; a quarter of an hour before, say so."""
        ends = self.session.expires
        if self._clock.now() < ends and not await self._dies_before(ends - WARN_BEFORE):
            self._tell("warn", "the session with Kite ends at 06:00 IST: log in again then")
            await self._dies_before(ends)

    async def _dies_before(self, ts: int) -> bool:
        death = asyncio.ensure_future(self._dead.wait())
        hour = asyncio.ensure_future(self._clock.sleep_until(ts))
        try:
            await asyncio.wait({death, hour}, return_when=asyncio.FIRST_COMPLETED)
            return death.done()
        finally:
            death.cancel()
            hour.cancel()

    async def _begin(self) -> bool:
        """Look for a newer session of the same account and go on with it; tell whether that is done."""
        try:
            found = await asyncio.to_thread(self._fetch)
            if found is None or not found.living(self._clock.now()) or found.access_token == self.session.access_token:
                return False
            if found.user_id != self.session.user_id:
                self._complain(f"the new login is {found.user_id}'s, this desk trades {self.session.user_id}'s account")
                return False
            self._broker.renew(found.access_token)
            user = await self._broker.account()
        except PatangError as error:
            self._complain(str(error))
            return False
        if user != self.session.user_id:
            self._complain(f"the new token is {user}'s, this desk trades {self.session.user_id}'s account")
            return False
        self._feed.renew(found.access_token)
        self.session = found
        self._dead.clear()
        self._told = ""
        return True

    def _complain(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._tell("alarm", text)
