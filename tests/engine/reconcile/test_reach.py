"""Comparisons of the books before anything more leaves.

After a dead token at once, after silence in time.
"""

from types import SimpleNamespace

import pytest

from compiled.model.events import OperatorAct
from compiled.model.values import SECOND
from engine.day.broker_reach import UNSEEN, BrokerReach
from engine.day.day_loop import SESSION
from engine.errors import OperatorError, RetryableError

NOW = 1_000 * SECOND


def seen(error, failing_s, holds=(), unheard=False):
    """Return what a look asks of the kernel after books have failed for so many seconds."""
    lookups = SimpleNamespace(failing_since=NOW - int(failing_s * SECOND) if failing_s else 0)
    loop = SimpleNamespace(
        gateway=SimpleNamespace(waiting_since=lambda: (0, ""), lookups=lookups),
        holds=dict.fromkeys(holds, "why"),
        poller=SimpleNamespace(error=error),
        has_missed_events=unheard,
        reconciler=SimpleNamespace(books=object()),
        inbox=[],
    )
    BrokerReach(loop, 5 * SECOND).watch(NOW)
    assert (loop.reconciler.books is None) is bool(loop.inbox)
    return [each.act for each in loop.inbox]


@pytest.mark.parametrize(
    ("error", "failing_s", "holds", "unheard", "blind"),
    [
        (None, 0, (), False, False),
        (RetryableError("502"), 2, (), False, False),
        (RetryableError("502"), UNSEEN / SECOND, (), False, True),
        (OperatorError("the session has ended"), 2, (), False, True),
        (OperatorError("an old one"), 0, (), False, False),
        (None, 0, (SESSION,), False, True),
        (None, 0, (), True, True),
    ],
)
def test_the_books_come_first_after_a_dead_token_a_lost_feed_or_a_long_silence(
    error, failing_s, holds, unheard, blind
):
    assert seen(error, failing_s, holds, unheard) == ([OperatorAct.UNSEEN] if blind else [])
