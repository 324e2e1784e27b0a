"""The broker's reachability: without answers entries wait, and afterwards the books come first."""

from typing import Final, final

from compiled.model.events import OperatorAct, OperatorInstruction
from compiled.model.values import SECOND
from engine.day.day_loop import BROKER, SESSION, DayLoop
from engine.errors import OperatorError

TOLD: Final = 12 * SECOND
"""After so long without an answer it is an alarm."""
UNSEEN: Final = 15 * SECOND
"""After so long without the books anything may have happened to them.

They are compared before anything more leaves.

So they are after a dead token, and after a feed that was away, however short: what was done
meanwhile nobody has heard of.
"""
COMPARES: Final = 20 * SECOND
"""How long exits and stops wait for that comparison once the order book can be read."""


@final
class BrokerReach:
    """Follows how long something has waited for the broker: a request, its outcome, or the books.

    After `patience` ns no entry leaves before he has answered.
    """

    def __init__(self, loop: DayLoop, patience: int) -> None:
        self._loop = loop
        self._patience = patience
        self._level = ""
        self._unseen = False
        self._seen = 0
        """Since when the order book can be read again, ns."""

    def watch(self, now: int) -> None:
        """Look how it stands."""
        loop, (since, what) = self._loop, self._loop.gateway.waiting_since()
        waits = now - since if since else 0
        if waits >= self._patience:
            self._hold_entries(what, waits)
        elif self._level and not self._unseen:
            self._level = ""
            loop.hold(BROKER, "")
            loop.log.add_event("info", BROKER, "the broker answers again")
        failing, dead = loop.gateway.lookups.failing_since, SESSION in loop.holds
        dead = dead or (failing > 0 and isinstance(loop.poller.error, OperatorError))
        unheard, loop.has_missed_events = loop.has_missed_events, False
        if unheard or ((dead or (failing and now - failing >= UNSEEN)) and not self._unseen):
            self._unseen = True
            loop.reconciler.books = None
            loop.inbox.append(OperatorInstruction(now, OperatorAct.UNSEEN))
        elif self._unseen:
            self._await_comparison(now, failing=failing > 0 or dead)

    def _hold_entries(self, what: str, waits: int) -> None:
        level = "alarm" if waits >= TOLD else "warn"
        self._loop.hold(BROKER, f"the broker does not answer ({what})")
        if level != self._level:
            self._level = level
            text = (
                f"the broker has not answered for {waits // SECOND} s ({what}): no entries before "
                f"he does"
            )
            self._loop.log.add_event(level, BROKER, text)

    def _await_comparison(self, now: int, *, failing: bool) -> None:
        """Have the books compared as soon as they can be read.

        Exits and stops do not wait for ever where some cannot.
        """
        loop = self._loop
        if failing:
            self._seen = 0
        elif not self._seen:
            self._seen, loop.compare_soon = now, True
        elif not loop.kernel.state.is_blind:
            self._unseen, self._seen = False, 0
        elif now - self._seen >= COMPARES:
            self._unseen, self._seen = False, 0
            loop.log.add_event(
                "alarm", BROKER, "the books cannot be compared: exits and stops go by our own"
            )
            loop.inbox.append(OperatorInstruction(now, OperatorAct.COMPARED))
