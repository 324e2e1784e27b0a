"""Times of the way from a message of the feed to the broker's answer, by step."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, final

from engine.system.latency_histogram import LatencyHistogram

EXCHANGE: Final = "exchange → desk"
QUEUE: Final = "message → turn"
DECISION: Final = "event → decision"
COMMAND: Final = "tick → command"
SENDING: Final = "command → sent"
ANSWER: Final = "sent → answered"
DISK: Final = "row → disk"
PICTURE: Final = "board"
STEPS: Final = {
    EXCHANGE: "age of a packet by the exchange's stamp, which has whole seconds",
    QUEUE: "a message waits on the desk for the engine's turn",
    DECISION: "the kernel takes one event, strategies and risk checks included",
    COMMAND: "from a message's arrival to the order that follows from it",
    SENDING: "an order or change waits for the governor and for the disk",
    ANSWER: "the broker's answer to a request",
    DISK: "a commit of the journal, as requests wait for it",
    PICTURE: "the board is brought up to date for the screens",
}
"""Every step in its order, and what is measured."""


class RequestMark(NamedTuple):
    """Times at which a request was put into the queue, and left (0: not yet), ns."""

    put: int
    sent: int = 0


@final
class LatencyBook:
    """One histogram a step, and the marks of requests under way; `steady` is monotonic ns.

    Only the engine's thread writes. It decides nothing: a replay gives the same without it.
    """

    def __init__(self, steady: Callable[[], int] = time.perf_counter_ns) -> None:
        self.steady = steady
        self.steps = {name: LatencyHistogram() for name in STEPS}
        self._marks: dict[int, RequestMark] = {}

    def note_put(self, intent: int) -> None:
        """Take note that a request of this intent waits to be sent."""
        self._marks[intent] = RequestMark(self.steady())

    def note_sent(self, intent: int) -> None:
        """Take note that it leaves."""
        now = self.steady()
        mark = self._marks.get(intent)
        # Decided by a desk before this one: since when it waits is not known.
        if mark is not None:
            self.steps[SENDING].add(now - mark.put)
        self._marks[intent] = RequestMark(now, now)

    def note_answered(self, intent: int) -> None:
        """Take note of its answer, or that there will be none."""
        # What was refused before it left has no answer of the broker's to be timed.
        mark = self._marks.pop(intent, None)
        if mark is not None and mark.sent:
            self.steps[ANSWER].add(self.steady() - mark.sent)
