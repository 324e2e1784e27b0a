"""Every adapter through the suites of its ports, on the sandbox."""

import asyncio
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from brokers.connection import ConnectionTerms
from brokers.dry_broker import DryBroker
from brokers.paper.paper_broker import PaperBroker, PaperTerms, PaperWorld
from brokers.paper.simulated_exchange import SimulatedExchange
from brokers.registry import connect
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.lockstep import LockstepPacer
from brokers.sandbox.server import Sandbox
from brokers.shadow.shadow_broker import ShadowBroker
from compiled.model.values import OrderType, Side
from compiled.venue.slippage import Slippage
from engine.config.schema import BrokerSettings
from engine.day.desk_clocks import SteppedClock
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused
from engine.market import charges
from engine.market.calendar import Calendar, ist_day
from engine.market.order_rules import venue_rules
from store.sqlite_journal import SqliteJournal
from tests.conformance.broker import MarketSuite, OrderSuite
from tests.conformance.feed import FeedSuite
from tests.conformance.market import SECOND, AdapterSubject, SinkRecord, wait_until
from tui.run.tapped_feed import TappedFeed


class SandboxAccess(NamedTuple):
    """The sandbox as a place to connect to."""

    rest: str
    ws: str
    api_key: str
    token: str
    user: str = ""


class Surroundings(NamedTuple):
    """What an adapter stands on: a connection, its clock, and a journal."""

    broker: object
    feed: object
    clock: SteppedClock
    journal: SqliteJournal


@pytest.fixture(scope="module")
def access():
    sandbox = Sandbox(SandboxConfig(speed=None, symbols=("INFY",), limits="off"))
    endpoint = sandbox.start()
    yield SandboxAccess(endpoint.rest, endpoint.ws, endpoint.api_key, endpoint.access_token)
    sandbox.stop()


@asynccontextmanager
async def connected(access, journal, adapt):
    """The adapter that `adapt` makes of a connection, its feed running and the share traded."""
    pacer, sink = LockstepPacer(access.rest), SinkRecord()
    clock = SteppedClock(await pacer.start())
    terms = ConnectionTerms(settings=BrokerSettings(), clock=clock, paced=True)
    connection = connect("sandbox", access, terms)
    broker, feed = adapt(Surroundings(connection.broker, connection.feed, clock, journal))

    async def pass_time(seconds):
        goal = clock.now() + seconds * SECOND
        while clock.now() < goal:
            now, sent, _ = await pacer.advance(goal)
            clock.set(now)
            await wait_until(lambda sent=sent: feed.frames_received >= sent - before)

    before = await pacer.sent()
    running = asyncio.ensure_future(feed.run(sink))
    try:
        share = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
        fill_in_bands([share], await broker.bands([share]))
        await feed.subscribe([int(share.token)])
        await wait_until(lambda: sink.links)
        while not sink.prices(int(share.token)):
            await pass_time(10)
        yield AdapterSubject(broker, feed, sink, share, connection.rules, pass_time)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await broker.close()
        await pacer.close()


@pytest.fixture
async def subject(request, access, tmp_path):
    failures = []
    journal = SqliteJournal(tmp_path / "desk.db", lambda *told: failures.append(told))
    async with connected(access, journal, request.cls.adapt) as made:
        yield made
    await journal.commit()
    journal.close()
    assert failures == []


class TestKite(OrderSuite, FeedSuite):
    """Kite's adapter, as the registry makes it."""

    @staticmethod
    def adapt(around):
        return around.broker, around.feed


class TestPaper(OrderSuite, FeedSuite):
    """Paper trading at live prices."""

    @staticmethod
    def adapt(around):
        world = PaperWorld(around.clock, Calendar.load(), charges.load_rate_table(), around.journal)
        broker = PaperBroker(around.broker, world, PaperTerms(10_000_000_00), stamped=False)
        feed = TappedFeed(around.feed, broker.take_ticks)
        broker.hint = feed.hint
        return broker, feed


class TestShadow(OrderSuite, FeedSuite):
    """Real orders with a simulated twin beside each."""

    @staticmethod
    def adapt(around):
        rules = venue_rules(ist_day(around.clock.now()), 0)

        def simulate(hear):
            return SimulatedExchange(rules, Slippage(), around.clock, hear, stamped=False)

        calendar = Calendar.load()
        broker = ShadowBroker(
            around.broker, around.clock, calendar, around.journal, simulate, lambda pairs: None
        )
        return broker, TappedFeed(around.feed, broker.take_ticks)


class TestDry(MarketSuite, FeedSuite):
    """Nothing is sent: every request is refused, and the books stay empty."""

    @staticmethod
    def adapt(around):
        return DryBroker(around.broker), around.feed

    async def test_every_order_is_refused(self, subject):
        with pytest.raises(OrderRefused, match="not sent"):
            await subject.broker.place(subject.order(1, Side.BUY, OrderType.MARKET))
        assert await subject.broker.orders() == []
