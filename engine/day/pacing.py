"""The two ways a day passes: with the clock, or in lockstep with a waiting exchange."""

import asyncio
from collections.abc import Callable, Coroutine

from compiled.model.events import OperatorAct, OperatorInstruction, TimerEvent
from compiled.model.values import MINUTE, NEVER, SECOND
from engine.day.broker_reach import BrokerReach
from engine.day.day_loop import SESSION, DayLoop
from engine.day.desk_clocks import SteppedClock
from engine.day.overdue_positions import OverduePositions
from engine.day.replay_control import (
    DAY_OVER,
    NAP_S,
    InstantCounts,
    MinutePoint,
    ReplayControl,
    nap,
)
from engine.ports import ExchangePacer, Feed, RecordedScript
from engine.reconcile.reconciler import SOON

START_PATIENCE_S = 20.0
STOP_PATIENCE_S = 15.0
HOUR = 60 * MINUTE
INDEX = "NIFTY 50"
LOOK_AGAIN = 2 * MINUTE
"""How often a desk at rest sees whether something is amiss."""


async def run_live(loop: DayLoop, poll: int, compare: int, beat_s: float, rest: int) -> None:
    """Turn until stopped, or from `rest` on (ns UTC) until at rest, for an hour at most.

    Frames and hints are taken as they come, and a timer every second.

    The books are read every `poll` ns and compared with ours every `compare` ns; `beat_s` seconds
    is the longest nap. A stop waits a while for work under way: working entries are cancelled,
    exits go out, and bought shares get their protection.
    """
    watch, reach = (
        BooksWatch(loop, poll, compare),
        BrokerReach(loop, int(loop.gateway.settings.settle_s * SECOND)),
    )
    overdue = OverduePositions(loop)
    # what was seen once has to be confirmed, and everything waits for it
    if loop.kernel.state.is_blind:
        watch.hurry(loop.clock.now() + SECOND)
    ending = 0.0
    # Timers lie on whole seconds, as the exchange's stamps do, so that bars close at the same
    # instants in a replay.
    next_timer = loop.clock.now() // SECOND * SECOND + SECOND
    beat = asyncio.create_task(_wake_regularly(loop, beat_s))
    try:
        while True:
            await loop.wake.wait()
            loop.wake.clear()
            now = loop.clock.now()
            # A halt and not an end: entries are cancelled, exits and protection go on until the
            # desk is at rest or out of patience.
            if loop.stopping and not ending:
                ending = _wall_seconds() + STOP_PATIENCE_S
                loop.inbox.append(OperatorInstruction(now, OperatorAct.HALT, reason="stopping"))
            reach.watch(now)  # before the first price after an outage
            if now >= next_timer:
                loop.inbox.append(TimerEvent(now))
                next_timer = now // SECOND * SECOND + SECOND
            # Events first, then what judges their effect: lateness, overdue positions, the look at
            # the books.
            loop.turn()
            loop.watch_feed(now)
            overdue.watch(now)
            watch.start_if_due(now)
            if loop.bands is not None:
                loop.bands.start_if_due(now)
            if now >= loop.ends + MINUTE:
                loop.end_of_day()
            loop.publish()
            if ending and (loop.is_at_rest() or _wall_seconds() >= ending):
                return
            if not ending and now >= rest and (loop.is_at_rest() or now >= rest + HOUR):
                return
    finally:
        beat.cancel()
        watch.cancel()
        if loop.bands is not None:
            loop.bands.cancel()


async def run_night(loop: DayLoop, opens: int, beat_s: float) -> None:
    """Let the time to `opens` (ns UTC) pass, and on until a session with the broker, or a stop.

    The screen lives and the operator's requests are taken; the books are looked at only for those
    (an after-market order, a cancellation, a choice), and every few minutes while something is
    amiss: shares without a stop, a request of unknown outcome, books that could not be read.
    """
    watch, moves = BooksWatch(loop, NEVER, NEVER), loop.gateway.moves
    again = 0
    beat = asyncio.create_task(_wake_regularly(loop, beat_s))
    try:
        while not loop.stopping and (loop.clock.now() < opens or SESSION in loop.holds):
            await loop.wake.wait()
            loop.wake.clear()
            now = loop.clock.now()
            if now >= again or not loop.is_at_rest():
                loop.inbox.append(TimerEvent(now))
            if now >= again:
                again = now + LOOK_AGAIN
                if loop.needs_attention():
                    watch.hurry(now)
            loop.turn()
            # A request of the night has ended, and no stream speaks at night: the books are the
            # only word on it.
            if loop.gateway.moves != moves and not loop.gateway.in_flight:
                moves, loop.has_hint = loop.gateway.moves, True
            watch.start_if_due(now)
            loop.publish()
    finally:
        beat.cancel()
        watch.cancel()


def _wall_seconds() -> float:
    return asyncio.get_running_loop().time()


class BooksSchedule:
    """The rule when the broker's books are read, whether the clock or the exchange leads.

    After a hint, where an outcome is looked for, and on the `next_poll` (ns UTC), which `following`
    finds from the time of the one before. GTTs are read on that one only: hints may not put it off.
    """

    def __init__(self, loop: DayLoop, next_poll: int, following: Callable[[int], int]) -> None:
        self._loop = loop
        self._following = following
        self._foreign_shares = 0
        self.next_poll = next_poll

    def is_poll_due(self, now: int) -> bool:
        """Tell whether the books are to be read."""
        unknown = self._loop.gateway.poll_due()
        return (
            self._loop.has_hint or now >= self.next_poll or (unknown is not None and now >= unknown)
        )

    def begin_poll(self, now: int) -> bool:
        """Take the hints that lead to a reading; return whether GTTs are read, too."""
        polled = now >= self.next_poll
        self._loop.has_hint = False
        if polled:
            self.next_poll = self._following(now)
        return polled

    def others_traded(self) -> bool:
        """Tell, once each time, whether somebody else has traded what we hold."""
        before, self._foreign_shares = self._foreign_shares, self._loop.poller.foreign_shares
        return before != self._foreign_shares


class BooksWatch:
    """Looks at the broker's books beside the loop, one look at a time.

    Its reasons are hints, the poll, unknown requests, and the comparison.
    """

    def __init__(self, loop: DayLoop, poll: int, compare: int) -> None:
        self._loop = loop
        self._schedule = BooksSchedule(loop, loop.clock.now() + poll, lambda now: now + poll)
        self._compare = compare
        self._patience = min(compare, LOOK_AGAIN)
        self._next_compare = loop.clock.now() + compare
        self._soonest = 0
        self._task: asyncio.Task[None] | None = None

    def start_if_due(self, now: int) -> None:
        """Begin a look if there is a reason for one and none is under way.

        Raise the error that ended the last one.
        """
        loop = self._loop
        if self._task is not None:
            if not self._task.done():
                return
            # A look that died of a bug ends the day aloud; the loop must not go on without its
            # eyes.
            self._task.result()
            self._task = None
        if self._schedule.others_traded():
            loop.compare_soon = True
        # The operator goes first, even while the books are left alone: a decision reads them
        # itself.
        if loop.reconcile_actions.waiting:
            self._task = asyncio.create_task(self._carry_out_decisions())
        elif now < loop.gateway.lookups.paused_until:
            return
        # A look before a comparison: the books then agree with what has just happened, or do not.
        elif self._schedule.is_poll_due(now):
            gtts = self._schedule.begin_poll(now)
            self._task = asyncio.create_task(self._poll_books(gtts=gtts))
        elif self._comparison_due(now):
            loop.compare_soon = False
            self._soonest, self._next_compare = now + SOON, now + self._compare
            self._task = asyncio.create_task(self._compare_books())

    def _comparison_due(self, now: int) -> bool:
        """Return whether the books are to be compared now.

        They are in their turn, or for a reason, once a second.
        """
        # Not while a request is of unknown outcome: its shares would be somebody else's.
        soon = self._loop.compare_soon and now >= self._soonest
        return (soon or now >= self._next_compare) and not self._loop.gateway.lookups.is_seeking

    def hurry(self, now: int) -> None:
        """Have everything read and compared at this time."""
        self._schedule.next_poll = self._next_compare = now

    def cancel(self) -> None:
        """Give up the look under way."""
        if self._task is not None:
            self._task.cancel()

    async def _poll_books(self, *, gtts: bool) -> None:
        await self._loop.poller.poll(gtts=gtts)
        self._loop.wake.set()

    async def _carry_out_decisions(self) -> None:
        loop = self._loop
        await loop.reconcile_actions.carry_out()
        loop.apply_comparison()

    async def _compare_books(self) -> None:
        """Compare the books; look again at new differences, after another look at the orders.

        After books that could not be read, the events meanwhile are taken in before.
        """
        loop = self._loop
        # Fills missed during an outage first: compared at once they would all count as differences.
        if loop.poller.is_incomplete and await loop.poller.poll(gtts=True):
            self._next_compare = loop.clock.now()
            loop.wake.set()
            return
        soon = await loop.reconciler.compare_once()
        if soon:
            self._next_compare = loop.clock.now() + min(soon, self._patience)
            loop.has_hint = True
        if loop.reconciler.open_differences != loop.differences:
            loop.apply_comparison()
        else:
            loop.post_lacking()
        loop.wake.set()


async def _wake_regularly(loop: DayLoop, seconds: float) -> None:
    """Wake the loop every so many seconds, whatever the market does."""
    while True:
        await asyncio.sleep(seconds)
        loop.wake.set()


class LockstepDay:
    """Takes turns with the exchange: its clock moves on only when nothing is in flight here."""

    def __init__(
        self,
        loop: DayLoop,
        pacer: ExchangePacer,
        feed: Feed,
        clock: SteppedClock,
        control: ReplayControl | None = None,
    ) -> None:
        self._loop = loop
        self._pacer = pacer
        self._feed = feed
        self._clock = clock
        self._control = control
        """Pace and pauses of a day that somebody watches; None: as fast as it goes."""
        self._next_point = 0
        self._yardstick = next(
            (each for each in loop.kernel.view.instruments() if each.symbol == INDEX),
            next(iter(loop.kernel.view.instruments()), None),
        )
        """Whose price a day is compared with: the index, else the first instrument."""
        self._schedule = BooksSchedule(loop, 0, lambda now: (now // MINUTE + 1) * MINUTE)

    async def run(self, tokens: int) -> None:
        """Run the day to its end, or until stopped.

        `tokens` instruments are being subscribed.
        """
        loop = self._loop
        await self._wait_bounded(self._wait_subscribed(tokens))
        over = False
        await self._begin_day()
        while not over and not loop.stopping:
            now, sent, over = await self._pacer.advance(self._next_time())
            await self._keep_pace(now, alone=False)
            self._clock.set(now)
            await self._wait_received(sent)
            if now % SECOND == 0:
                loop.inbox.append(TimerEvent(now))
            loop.turn()
            await self._end_instant()
        if over:
            loop.end_of_day()
            await self._stay_at_end()

    async def follow_script(self, script: RecordedScript) -> None:
        """Take a recorded desk's events, in its order and at its times.

        Orders are settled at each instant.
        """
        loop = self._loop
        await script.listened()
        await self._begin_day()
        for ts, taken in script.script():
            await self._keep_pace(ts, alone=True)
            if loop.stopping:
                return
            self._clock.set(ts)
            if (event := script.deliver(taken)) is not None:
                loop.inbox.append(event)
            loop.turn()
            loop.watch_feed(self._clock.now())
            await self._end_instant()
        loop.announce_day_over()
        await self._stay_at_end()

    async def _begin_day(self) -> None:
        """Show the opened day to its watcher, who may want it to wait."""
        if self._control is not None:
            symbol = self._yardstick.symbol if self._yardstick is not None else ""
            self._control.note_start(self._clock.now(), self._instant_counts(), symbol)
            await self._hold_day()

    async def _end_instant(self) -> None:
        """Do what follows from an instant, show it, and wait where the watcher holds the day."""
        loop, control = self._loop, self._control
        await self._settle_instant()
        loop.publish()
        if control is not None:
            now = self._clock.now()
            control.note_instant(now, self._instant_counts())
            # Once a minute: what a practice is scored by costs the instants nothing.
            if now >= self._next_point:
                self._next_point = now // MINUTE * MINUTE + MINUTE
                control.curve.append(self._minute_point(now))
            if control.is_held:
                await self._hold_day()

    def _instant_counts(self) -> InstantCounts:
        kernel, loop = self._loop.kernel, self._loop
        state = kernel.state
        return InstantCounts(
            ticks=int(state.tick_count),
            bars=int(state.bar_count),
            decisions=int(kernel.decisions.next_number),
            orders=len(kernel.order_store.orders),
            fills=loop.fill_count,
            refusals=int(state.refusal_count),
            alarms=len(loop.board.alarms),
            gaps=loop.gaps.count,
        )

    def _minute_point(self, now: int) -> MinutePoint:
        kernel, stick = self._loop.kernel, self._yardstick
        market = kernel.state.markets.get(int(stick.token)) if stick is not None else None
        price = 0.0 if market is None or market.untraded else market.ltp
        return MinutePoint(now, int(kernel.state.day_pnl), int(kernel.view.open_positions()), price)

    async def _hold_day(self) -> None:
        """Wait while the watcher holds the day still; the operator's requests are carried out."""
        loop, control = self._loop, self._control
        if control is None or not control.is_held:
            return
        # The picture may be a tenth of a second old, and here it stays.
        loop.publish(final=True)
        while control.is_held and not loop.stopping:
            # Without a watcher nothing would ever let it go on.
            if not control.stays:
                loop.stopping = True
                return
            await nap(NAP_S)
            await self._answer_watcher()

    async def _answer_watcher(self) -> None:
        """Carry out what is asked of a time that stands still; nothing else may happen in it."""
        loop = self._loop
        loop.watch_latch()
        if loop.requests or loop.inbox:
            loop.turn()
            await self._settle_instant()
            # What the exchange would say a moment later it will not say before time goes on.
            if loop.hurry_verdicts():
                await self._settle_instant()
        loop.publish()

    async def _keep_pace(self, ts: int, *, alone: bool) -> None:
        """Wait for the time of the next instant by the pace.

        `alone`: nothing of that instant is here yet, and what is asked meanwhile is carried out
        before it; else the exchange stands there already, and what is asked has to wait for it.
        """
        loop, control = self._loop, self._control
        if control is None:
            return
        while not loop.stopping and (
            (left := control.seconds_until(ts, _wall_seconds())) > 0 or control.is_held
        ):
            await nap(left if left > 0 else NAP_S)
            if alone:
                await self._answer_watcher()
            elif loop.requests:
                return
            else:
                loop.publish()

    async def _stay_at_end(self) -> None:
        """Wait at the end of the day, where the watcher wants to look at it."""
        loop, control = self._loop, self._control
        if control is None:
            return
        control.note_end()
        loop.refusal = loop.refusal or DAY_OVER
        loop.publish(final=True)
        # Nothing is settled any more: the exchange has ended with its day.
        while control.stays and not loop.stopping:
            await nap(NAP_S)
            loop.turn()
            loop.publish()

    async def _wait_bounded(self, wait: Coroutine[None, None, None]) -> None:
        async with asyncio.timeout(START_PATIENCE_S):
            await wait

    async def _wait_subscribed(self, tokens: int) -> None:
        """Wait, with the exchange's clock at rest, until it has taken our subscription."""
        while await self._pacer.listening() < tokens:  # noqa: ASYNC110  the other end has no event to wait for
            await asyncio.sleep(0.005)

    def _next_time(self) -> int:
        """Return when the desk wants the clock next.

        It is every second while orders work, else when bars close.
        """
        loop, now = self._loop, self._clock.now()
        if loop.gateway.waiting or loop.kernel.view.has_work():
            return (now // SECOND + 1) * SECOND
        # A desk with work needs the clock every second; one at rest only where bars close, which
        # spares most of the turns of a day.
        closing = now // MINUTE * MINUTE + int(loop.kernel.market_feed.grace)
        return min(
            closing if closing > now else closing + MINUTE, (now // (10 * SECOND) + 1) * 10 * SECOND
        )

    async def _wait_received(self, sent: int) -> None:
        """Wait until every message the exchange has sent is here."""
        loop = self._loop
        while self._feed.frames_received < sent:
            await loop.wake.wait()
            loop.wake.clear()

    async def _settle_instant(self) -> None:
        """Send, look and decide until nothing is left to do at this instant."""
        loop = self._loop
        # The exchange's clock stands still meanwhile: everything that follows from this instant
        # happens in it, whatever the machine's speed.
        while True:
            moved = await loop.gateway.drain()
            if moved:
                await self._wait_received(await self._pacer.sent())
            now = self._clock.now()
            if loop.reconcile_actions.waiting:
                await loop.reconcile_actions.carry_out()
                loop.apply_comparison()
                moved = True
            if self._schedule.is_poll_due(now):
                gtts = self._schedule.begin_poll(now)
                moved = await loop.poller.poll(gtts=gtts) or moved
            if loop.bands is not None and (wanted := loop.bands.markets_due(now)):
                await loop.bands.read_bands(wanted)
            if not moved and not loop.inbox:
                if not self._schedule.others_traded():
                    return
                await loop.reconciler.compare_once(at_once=True)
                loop.apply_comparison()
            loop.turn()
