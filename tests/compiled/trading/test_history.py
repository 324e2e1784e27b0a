"""The bars a desk warms up with, from a broker that turns some requests away."""

import asyncio

from compiled.model.values import MINUTE, Bar
from engine.day.desk_clocks import SteppedClock
from engine.day.opening import read_history
from engine.errors import RetryableError
from engine.market.calendar import Calendar
from engine.market.instrument_hours import InstrumentHours
from engine.market.safeguards import TradingSafeguards
from tests.compiled.trading.scripted import BEL, CANBK, OPEN, instruments


class Busy:
    """Turns the first `times` requests for a token away."""

    def __init__(self, **times):
        self.left = {CANBK: times.get("canbk", 0), BEL: times.get("bel", 0)}
        self.asked = []

    async def history(self, token, start, end, span):
        del start, end
        self.asked.append(token)
        if self.left[token]:
            self.left[token] -= 1
            raise RetryableError("Too many requests (HTTP 429)")
        return [Bar(token, OPEN, span, 100.0, 101.0, 99.0, 100.5, 10)]


def warmed(broker):
    told = []
    hours = InstrumentHours(Calendar.load(), TradingSafeguards.load(), set())
    clock = SteppedClock(OPEN + 2 * MINUTE)
    bars = asyncio.run(
        read_history(broker, hours, instruments(), {60}, clock, lambda *line: told.append(line))
    )
    return [bar.token for bar in bars], told


def test_what_a_busy_broker_turned_away_is_asked_for_again():
    broker = Busy(bel=1)
    assert warmed(broker) == ([CANBK, BEL], [])
    assert broker.asked == [CANBK, BEL, BEL]


def test_a_broker_that_answers_nothing_is_not_asked_for_ever():
    broker = Busy(canbk=9, bel=9)
    tokens, told = warmed(broker)
    assert tokens == []
    assert [text for _, _, text in told] == [
        "CANBK: no history (Too many requests (HTTP 429))",
        "BEL: no history (Too many requests (HTTP 429))",
    ]
    assert broker.asked == [CANBK, BEL]
