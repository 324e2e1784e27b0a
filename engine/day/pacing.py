"""The two ways a day passes: with the clock, or in lockstep with an exchange that waits for the desk."""

import asyncio
from collections.abc import Coroutine

from compiled.events import Act, Operate, Timer
from compiled.model import MINUTE, NEVER, SECOND
from engine.ports import Feed, Pacer, Script
from engine.trading.clock import SteppedClock
from engine.trading.loop import SESSION, Loop
from engine.trading.overdue import Overdue
from engine.trading.reach import Reach
from engine.trading.reconcile import SOON

START_PATIENCE_S = 20.0
STOP_PATIENCE_S = 15.0
HOUR = 60 * MINUTE
LOOK_AGAIN = 2 * MINUTE
"""How often a desk at rest sees whether something is amiss."""


async def run_live(loop: Loop, poll: int, compare: int, beat_s: float, rest: int) -> None:
    """Turn until told to stop, or from `rest` on (ns UTC) until nothing is left to do, for an hour at the most.

    Frames and hints are taken as they come, and a timer every second.

    The books are read every `poll` ns and compared with ours every `compare` ns; `beat_s` seconds is the longest nap.
    A stop waits a while for what is under way: working entries are cancelled, exits go out, and what was bought gets
    its protection.
    """
    watch, reach = Watch(loop, poll, compare), Reach(loop, int(loop.gateway.patience.settle_s * SECOND))
    overdue = Overdue(loop)
    if loop.kernel.blind:  # what was seen once has to be confirmed, and everything waits for it
        watch.hurry(loop.clock.now() + SECOND)
    ending = 0.0
    next_timer = loop.clock.now() // SECOND * SECOND + SECOND
    beat = asyncio.create_task(_beat(loop, beat_s))
    try:
        while True:
            await loop.wake.wait()
            loop.wake.clear()
            now = loop.clock.now()
            if loop.stopping and not ending:
                ending = _wall() + STOP_PATIENCE_S
                loop.inbox.append(Operate(now, Act.HALT, reason="stopping"))
            reach.watch(now)  # before the first price after an outage
            if now >= next_timer:
                loop.inbox.append(Timer(now))
                next_timer = now // SECOND * SECOND + SECOND
            loop.turn()
            loop.watch_feed(now)
            overdue.watch(now)
            watch.start_if_due(now)
            if loop.bands is not None:
                loop.bands.start_if_due(now)
            if now >= loop.ends + MINUTE:
                loop.end_of_day()
            loop.publish()
            if ending and (loop.at_rest() or _wall() >= ending):
                return
            if not ending and now >= rest and (loop.at_rest() or now >= rest + HOUR):
                return
    finally:
        beat.cancel()
        watch.cancel()
        if loop.bands is not None:
            loop.bands.cancel()


async def run_night(loop: Loop, opens: int, beat_s: float) -> None:
    """Let the time to `opens` (ns UTC) pass, and on until there is a session with the broker, or a stop.

    The screen lives and the operator is heard; the books are looked at only for what he asks for (an after-market order,
    a cancellation, a choice), and every few minutes while something is amiss: shares without a stop, a request of
    unknown outcome, books that could not be read.
    """
    watch, moves = Watch(loop, NEVER, NEVER), loop.gateway.moves
    again = 0
    beat = asyncio.create_task(_beat(loop, beat_s))
    try:
        while not loop.stopping and (loop.clock.now() < opens or SESSION in loop.holds):
            await loop.wake.wait()
            loop.wake.clear()
            now = loop.clock.now()
            if now >= again or not loop.at_rest():
                loop.inbox.append(Timer(now))
            if now >= again:
                again = now + LOOK_AGAIN
                if loop.amiss():
                    watch.hurry(now)
            loop.turn()
            if loop.gateway.moves != moves and not loop.gateway.in_flight:
                moves, loop.hinted = loop.gateway.moves, True
            watch.start_if_due(now)
            loop.publish()
    finally:
        beat.cancel()
        watch.cancel()


def _wall() -> float:
    return asyncio.get_running_loop().time()


class Watch:
    """Looks at the broker's books beside the loop, one look at a time: hints, the poll, the unknown, the comparison."""

    def __init__(self, loop: Loop, poll: int, compare: int) -> None:
        self._loop = loop
        self._poll = poll
        self._compare = compare
        self._patience = min(compare, LOOK_AGAIN)
        self._next_poll = loop.clock.now() + poll
        self._next_compare = loop.clock.now() + compare
        self._soonest = 0
        self._beside = 0
        self._task: asyncio.Task[None] | None = None

    def start_if_due(self, now: int) -> None:
        """Begin a look if there is a reason for one and none is under way; raise what the last one died of."""
        loop = self._loop
        if self._task is not None:
            if not self._task.done():
                return
            self._task.result()
            self._task = None
        unknown = loop.gateway.look_due()
        polled = now >= self._next_poll
        if loop.books.beside != self._beside:  # somebody else has traded what we hold
            self._beside, loop.compare_soon = loop.books.beside, True
        resting = now < loop.gateway.lookups.rests
        if loop.choices.waiting:
            self._task = asyncio.create_task(self._decide())
        elif resting:
            return
        elif loop.hinted or polled or (unknown is not None and now >= unknown):
            loop.hinted = False
            if polled:  # GTTs are read then only: hints may not put that off
                self._next_poll = now + self._poll
            self._task = asyncio.create_task(self._look(gtts=polled))
        elif self._compares(now):
            loop.compare_soon = False
            self._soonest, self._next_compare = now + SOON, now + self._compare
            self._task = asyncio.create_task(self._reconcile())

    def _compares(self, now: int) -> bool:
        """Tell whether the books are to be compared now: the turn has come, or there is reason to, once a second."""
        soon = self._loop.compare_soon and now >= self._soonest
        return (soon or now >= self._next_compare) and not self._loop.gateway.lookups.seeking

    def hurry(self, now: int) -> None:
        """Have everything read and compared at this time."""
        self._next_poll = self._next_compare = now

    def cancel(self) -> None:
        """Give up the look under way."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self, *, gtts: bool) -> None:
        await self._loop.books.look(gtts=gtts)
        self._loop.wake.set()

    async def _decide(self) -> None:
        loop = self._loop
        await loop.choices.carry_out()
        loop.reconciled()

    async def _reconcile(self) -> None:
        """Compare the books; what is seen for the first time is looked at again, after another look at the orders.

        After books that could not be read, what has happened meanwhile is taken in before.
        """
        loop = self._loop
        if loop.books.behind and await loop.books.look(gtts=True):
            self._next_compare = loop.clock.now()
            loop.wake.set()
            return
        soon = await loop.reconciler.look()
        if soon:
            self._next_compare = loop.clock.now() + min(soon, self._patience)
            loop.hinted = True
        if loop.reconciler.open != loop.differences:
            loop.reconciled()
        else:
            loop.bound()
        loop.wake.set()


async def _beat(loop: Loop, seconds: float) -> None:
    """Wake the loop every so many seconds, whatever the market does."""
    while True:
        await asyncio.sleep(seconds)
        loop.wake.set()


class Lockstep:
    """Takes turns with the exchange: its clock moves on only when nothing is in flight here."""

    def __init__(self, loop: Loop, pacer: Pacer, feed: Feed, clock: SteppedClock) -> None:
        self._loop = loop
        self._pacer = pacer
        self._feed = feed
        self._clock = clock
        self._next_poll = 0
        self._beside = 0

    async def run(self, tokens: int) -> None:
        """Run the day to its end, or until told to stop; `tokens` instruments are being subscribed."""
        loop = self._loop
        await self._within(self._subscribed(tokens))
        over = False
        while not over and not loop.stopping:
            now, sent, over = await self._pacer.advance(self._next_time())
            self._clock.set(now)
            await self._received(sent)
            if now % SECOND == 0:
                loop.inbox.append(Timer(now))
            loop.turn()
            await self._settle()
            loop.publish()
        if over:
            loop.end_of_day()

    async def follow(self, script: Script) -> None:
        """Take what a recorded desk took, in its order and at its times; orders are settled at each instant."""
        loop = self._loop
        for ts, taken in script.script():
            while not await script.wait(ts) and not loop.stopping:
                loop.turn()
                loop.publish()
            if loop.stopping:
                return
            self._clock.set(ts)
            if (event := script.deliver(taken)) is not None:
                loop.inbox.append(event)
            loop.turn()
            loop.watch_feed(self._clock.now())
            await self._settle()
            loop.publish()
        loop.over()

    async def _within(self, wait: Coroutine[None, None, None]) -> None:
        async with asyncio.timeout(START_PATIENCE_S):
            await wait

    async def _subscribed(self, tokens: int) -> None:
        """Wait, with the exchange's clock at rest, until it has taken our subscription."""
        while await self._pacer.listening() < tokens:  # noqa: ASYNC110  the other end has no event to wait for
            await asyncio.sleep(0.005)

    def _next_time(self) -> int:
        """Return when the desk wants to hear the clock next: every second while orders work, else when bars close."""
        loop, now = self._loop, self._clock.now()
        if loop.gateway.waiting or loop.kernel.working():
            return (now // SECOND + 1) * SECOND
        closing = now // MINUTE * MINUTE + int(loop.kernel.grace)
        return min(closing if closing > now else closing + MINUTE, (now // (10 * SECOND) + 1) * 10 * SECOND)

    async def _received(self, sent: int) -> None:
        """Wait until every message the exchange has sent is here."""
        loop = self._loop
        while self._feed.frames_received < sent:
            await loop.wake.wait()
            loop.wake.clear()

    async def _settle(self) -> None:
        """Send, look and decide until nothing is left to do at this instant."""
        loop = self._loop
        while True:
            moved = await loop.gateway.drain()
            if moved:
                await self._received(await self._pacer.sent())
            now = self._clock.now()
            unknown = loop.gateway.look_due()
            polled = now >= self._next_poll
            if loop.choices.waiting:
                await loop.choices.carry_out()
                loop.reconciled()
                moved = True
            if loop.hinted or polled or (unknown is not None and unknown <= now):
                loop.hinted = False
                if polled:
                    self._next_poll = (now // MINUTE + 1) * MINUTE
                moved = await loop.books.look(gtts=polled) or moved
            if loop.bands is not None and (wanted := loop.bands.due(now)):
                await loop.bands.look(wanted)
            if not moved and not loop.inbox:
                if loop.books.beside == self._beside:
                    return
                self._beside = loop.books.beside  # somebody else has traded what we hold
                await loop.reconciler.look(at_once=True)
                loop.reconciled()
            loop.turn()
