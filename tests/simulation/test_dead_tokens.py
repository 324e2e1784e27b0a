"""A token that dies at any request ends nothing.

What was asked for waits for the next session, of the same desk.
"""

import pytest

from brokers.backfill.feed_gaps import FeedGap
from compiled.model.values import SECOND
from tests.simulation.session import InSession
from tests.simulation.trader import Want
from tests.simulation.world import World

AWAY_S = 12.0
"""After so long the operator has logged in again."""
ENDS_S = 110.0
HISTORY = "GET /instruments/historical/"


class Kept(InSession, World):
    """A quiet day whose session is kept as a real one is.

    The token dies as the request of this number arrives (0: none).
    """

    def __init__(self, dies, monkeypatch):
        self.dies = dies
        self.asked = []
        self.died = ""
        super().__init__(5, self._strategies, sigma=0.0)
        self.keep_session(monkeypatch)
        self.start()

    def _strategies(self):
        token = int(self.exchange.listings["NSE:SBIN"].instrument.token)
        return [
            Want(
                token,
                10,
                self.clock.start + 3 * SECOND,
                self.clock.start + int(ENDS_S * 2) * SECOND,
            )
        ]

    def perform(self, request):
        self.asked.append(f"{request.method} {request.path}")
        if len(self.asked) == self.dies:
            self.died = self.asked[-1]
            self.exchange.session.expire()
            self.loop.call_later(AWAY_S, self.log_in)
        return super().perform(request)

    def beside(self, loop):
        works = super().beside(loop)
        token, now = int(self.exchange.listings["NSE:ITC"].instrument.token), self.clock.now()
        self.market._filler.note_gaps([FeedGap(token, now, now + 5 * SECOND)])
        return works


@pytest.fixture
def day(monkeypatch):
    made = []

    def live(dies=0):
        made.append(Kept(dies, monkeypatch))
        made[-1].run(ENDS_S)
        return made[-1]

    yield live
    for world in made:
        world.close()


def survived(world):
    """Check that the first desk still runs, in session, with its shares under a stop."""
    assert world.deaths == 0
    assert world.process.task.done() is False
    assert world.market._keeper.has_session
    assert "session" not in world.process.desk._loop.holds
    assert [int(p.quantity) for p in world.process.kernel.ledger.account_positions()] == [10]
    assert world.process.kernel.view.naked() == 0
    world.checks.final()


def opening(world):
    """Return how many requests a day's opening makes."""
    return world.asked.index("POST /orders/regular")


def test_a_quiet_day_asks_for_all_there_is(day):
    world = day()
    survived(world)
    assert any(path.startswith(HISTORY) for path in world.asked[opening(world) :])


def test_a_token_that_dies_at_any_request_ends_nothing(day):
    whole = day()
    seen = {}
    for number, path in enumerate(whole.asked, 1):
        if number > opening(whole):
            seen.setdefault(path, number)
    for path, number in seen.items():
        world = day(number)
        assert world.died == path, number
        survived(world)
