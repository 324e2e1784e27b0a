"""An event loop on virtual time: where nothing is ready it jumps to its next timer.

No socket, no thread, no wall clock.
"""

import asyncio
import threading
from asyncio import events

BUSY = 20_000
"""Turns without time moving after which somebody spins."""


class Stuck(AssertionError):
    """Nothing is ready and nothing will ever be, or something is ready for ever."""


class _Jump:
    """Stand-in for a loop's selector: waiting moves the time."""

    def __init__(self, loop):
        self._loop = loop

    def select(self, timeout):
        if timeout is None:
            raise Stuck(f"nothing will ever happen again after {self._loop.time():.3f} s")
        loop = self._loop
        loop.still = 0 if timeout > 0.0 else loop.still + 1
        if loop.still > BUSY:
            raise Stuck(f"{BUSY} turns of the loop, and it is still {loop.time():.3f} s")
        loop.seconds += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks and tasks in the order of their virtual time (seconds).

    `steps` counts its turns.
    """

    def __init__(self):
        self.seconds = 0.0
        self.still = 0
        super().__init__()
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        self.steps = 0

    def time(self):
        """Return virtual seconds."""
        return self.seconds

    def turn(self):
        """Run what is ready; where nothing is, jump to the next timer first."""
        self.steps += 1
        self._run_once()

    def running(self):
        """Return a context in which this loop counts as the running one."""
        return _Running(self)

    def run_in_executor(self, executor, func, *args):
        """Call at once: there are no threads."""
        del executor
        done = self.create_future()
        done.set_result(func(*args))
        return done

    def _process_events(self, event_list):
        """There are none."""

    def _write_to_self(self):
        """Nobody sleeps who would have to be woken."""


class _Running:
    def __init__(self, loop):
        self._loop = loop

    def __enter__(self):
        self._before = events._get_running_loop()
        events._set_running_loop(self._loop)
        self._loop._thread_id = threading.get_ident()
        return self._loop

    def __exit__(self, *error):
        self._loop._thread_id = None if self._before is None else threading.get_ident()
        events._set_running_loop(self._before)


class VirtualClock:
    """The desk's clock over a virtual loop: `start` (ns UTC) at second 0.

    `skew` (ns) is how far the machine's is off.

    A desk may `amend` it for itself; `restart` forgets that.
    """

    def __init__(self, loop, start):
        self._loop = loop
        self.start = start
        self.skew = 0
        self.restart()

    def restart(self):
        """Go by the machine's clock, as a new process does."""
        self.amended = 0
        self._least = None

    def true(self):
        """Return the right time in ns UTC."""
        return self.start + round(self._loop.seconds * 1e9)

    def aim(self):
        """Return the time it shows, or will when it has waited for it."""
        return self.true() + self.skew + self.amended

    def amend(self, by):
        """Be so many ns later, or earlier; at half speed where it was ahead."""
        self._least = self.now(), self.true()
        self.amended += by

    def now(self):
        """Return the time this clock shows."""
        if self._least is None:
            return self.aim()
        shown, since = self._least
        return max(self.aim(), shown + (self.true() - since) // 2)

    async def sleep_until(self, ts):
        """Return when `now()` has reached `ts`."""
        while (left := ts - self.now()) > 0:  # noqa: ASYNC110  the clock may be set meanwhile
            await asyncio.sleep(left / 1e9)
