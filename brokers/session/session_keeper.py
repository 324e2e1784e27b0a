"""The session of a running desk: its end, the operator's next login, and the new token."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, final

from brokers.session.day_session import DaySession
from compiled.model.values import MINUTE, SECOND
from engine.errors import PatangError
from engine.ports import Clock

WARN_BEFORE: Final = 15 * MINUTE
LOOK_EVERY: Final = 5 * SECOND


class RenewableConnection(Protocol):
    """A feed that goes on with another token."""

    def renew(self, access_token: str) -> None:
        """Use this token from now on."""
        ...


class RenewableBroker(RenewableConnection, Protocol):
    """A broker that goes on with another token, and returns its user."""

    async def account(self) -> str:
        """Return the account's user id."""
        ...


@final
class SessionKeeper:
    """Watch over one session.

    `note_token_death` is what broker and feed call when the token is refused before its hour.
    `fetch` returns the stored session, blocking (it is called in a thread). `tell` takes a level
    and a text. `living` is called with False when the session ends, with True when the next one has
    begun: no entry may be sent in between.
    """

    def __init__(
        self,
        session: DaySession,
        broker: RenewableBroker,
        feed: RenewableConnection,
        clock: Clock,
        fetch: Callable[[], DaySession | None],
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
        self.has_session = True
        """Whether there is a session."""

    def note_token_death(self) -> None:
        """Take note that the token is dead; on the event loop."""
        self._dead.set()

    async def run(self) -> None:
        """Keep the session until cancelled."""
        while True:
            await self._await_end()
            self.has_session = False
            self._living(False)
            self._tell(
                "alarm", "the session with the broker has ended: no new entries; run `patang login`"
            )
            while not await self._begin_next_session():
                await self._clock.sleep_until(self._clock.now() + LOOK_EVERY)
            self.has_session = True
            self._living(True)
            self._tell("info", f"logged in again as {self.session.user_id}")

    async def _await_end(self) -> None:
        """Return when the token has died, or reached its hour; warn a quarter of an hour before."""
        ends = self.session.expires
        if self._clock.now() < ends and not await self._token_dies_before(ends - WARN_BEFORE):
            hour = f"{self.session.last_moment:%H:%M} IST"
            self._tell("warn", f"the session with the broker ends at {hour}: log in again then")
            await self._token_dies_before(ends)

    async def _token_dies_before(self, ts: int) -> bool:
        death = asyncio.ensure_future(self._dead.wait())
        hour = asyncio.ensure_future(self._clock.sleep_until(ts))
        try:
            await asyncio.wait({death, hour}, return_when=asyncio.FIRST_COMPLETED)
            return death.done()
        finally:
            death.cancel()
            hour.cancel()

    async def _begin_next_session(self) -> bool:
        """Look for a newer session of the same account and go on with it.

        Return whether there is one.
        """
        try:
            found = await asyncio.to_thread(self._fetch)
            if (
                found is None
                or not found.is_unexpired(self._clock.now())
                or found.access_token == self.session.access_token
            ):
                return False
            if found.user_id != self.session.user_id:
                self._complain_once(
                    f"the new login is {found.user_id}'s, this desk trades "
                    f"{self.session.user_id}'s account"
                )
                return False
            self._broker.renew(found.access_token)
            # by the broker's own word, before feed or orders go on under the new token
            user = await self._broker.account()
        except PatangError as error:
            self._complain_once(str(error))
            return False
        if user != self.session.user_id:
            self._complain_once(
                f"the new token is {user}'s, this desk trades {self.session.user_id}'s account"
            )
            return False
        self._feed.renew(found.access_token)
        self.session = found
        self._dead.clear()
        self._told = ""
        return True

    def _complain_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._tell("alarm", text)
