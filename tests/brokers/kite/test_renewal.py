"""A session that ends and the one that follows it.

Broker, feed, and what keeps both, without a restart.
"""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from brokers.kite.call_outcome import SessionExpired
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import KiteFeed
from brokers.session.day_session import DaySession
from brokers.session.session_keeper import SessionKeeper
from engine.errors import OperatorError, RetryableError
from tests.waiting import until

OPEN_NS = 1_767_325_500_000_000_000  # 2026-01-02 09:15:00 IST
MINUTE = 60_000_000_000
SIX = 1_767_400_200_000_000_000  # 2026-01-03 06:00 IST


@asynccontextmanager
async def running(work):
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def only(token, script):
    """A Kite that knows one access token."""

    async def answer(request, writer):
        good = request.headers["authorization"] == f"token key:{token}"
        dead = script.error(403, "TokenException", "Token is invalid or has expired.")
        writer.write(script.ok({"user_id": "AB1234"}) if good else dead)

    return answer


async def test_a_renewed_broker_goes_on_with_the_new_token_in_every_thread(stub, clock, script):
    died = []
    broker = KiteBroker(stub.url, "key", "old", clock, on_token_death=lambda: died.append(1))
    stub.on("*", only("old", script))
    assert await asyncio.gather(*(broker.account() for _ in range(4))) == ["AB1234"] * 4
    stub.on("*", only("new", script))
    with pytest.raises(SessionExpired):
        await broker.account()
    broker.renew("new")
    assert await asyncio.gather(*(broker.account() for _ in range(4))) == ["AB1234"] * 4
    assert died == [1]
    stub.on("*", only("newer", script))
    for _ in range(2):
        with pytest.raises(SessionExpired):
            await broker.account()
    assert died == [1, 1], "the death of each token is told, once"
    await broker.close()


async def test_a_late_refusal_of_the_old_token_does_not_bury_the_new_one(stub, clock, script):
    died, go_on = [], asyncio.Event()

    async def slow(request, writer):
        await go_on.wait()
        writer.write(script.error(403, "TokenException"))

    stub.on("*", slow)
    broker = KiteBroker(stub.url, "key", "old", clock, on_token_death=lambda: died.append(1))
    async with running(broker.account()) as call:
        await until(lambda: stub.requests)
        broker.renew("new")
        go_on.set()
        with pytest.raises(SessionExpired):
            await call
    await broker.close()
    assert died == []


async def test_a_renewable_feed_waits_for_a_login_and_comes_back_with_its_tokens(
    sockets, clock, sink
):
    died = []
    sockets.refuse = 403
    feed = KiteFeed(
        sockets.url,
        "key",
        "old",
        clock,
        rng=random.Random(1),
        first_delay=0.02,
        renewable=True,
        on_token_death=lambda: died.append(1),
    )
    await feed.subscribe([1, 2])
    async with running(feed.run(sink)) as task:
        await until(lambda: died)
        await asyncio.sleep(0.1)
        assert (len(sockets.queries), task.done()) == (1, False)
        sockets.refuse = 0
        feed.renew("new")
        await until(lambda: sockets.subscribed(2) == [1, 2])
    assert [query["access_token"] for query in sockets.queries] == ["old", "new"]
    assert sink.links == [True, False]
    assert [level for level, _ in sink.notices] == ["alarm"]


async def test_a_living_feed_is_made_anew_with_the_new_token(sockets, clock, sink):
    feed = KiteFeed(
        sockets.url, "key", "old", clock, rng=random.Random(1), first_delay=0.02, renewable=True
    )
    await feed.subscribe([7])
    async with running(feed.run(sink)):
        await until(lambda: sink.links == [True])
        feed.renew("new")
        await until(lambda: sockets.subscribed(2) == [7])
    assert [query["access_token"] for query in sockets.queries] == ["old", "new"]
    assert "another token" in sink.notices[0][1]


# the keeper


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self, now):
        self.time, self.moved, self.sleepers = now, asyncio.Event(), 0

    def now(self):
        return self.time

    def set(self, ts):
        self.time = ts
        self.moved.set()
        self.moved = asyncio.Event()

    async def sleep_until(self, ts):
        self.sleepers += 1
        try:
            while self.time < ts:
                await self.moved.wait()
        finally:
            self.sleepers -= 1


class Kite:
    """A broker and a feed in one, that note what they are told."""

    def __init__(self):
        self.tokens, self.fed, self.user, self.error = [], [], "AB1234", None

    def renew(self, token):
        self.tokens.append(token)

    async def account(self):
        if self.error is not None:
            raise self.error
        return self.user


class Feed:
    def __init__(self):
        self.tokens = []

    def renew(self, token):
        self.tokens.append(token)


class Watch:
    """A keeper with everything around it."""

    def __init__(self, now=OPEN_NS):
        self.clock, self.kite, self.feed = HandClock(now), Kite(), Feed()
        self.told, self.lives, self.stored, self.looks = [], [], None, 0
        self.old = DaySession("key", "old", "AB1234", SIX)
        self.keeper = SessionKeeper(
            self.old,
            self.kite,
            self.feed,
            self.clock,
            self.fetch,
            lambda *told: self.told.append(told),
            self.lives.append,
        )

    def fetch(self):
        self.looks += 1
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    async def look(self, found):
        """Let the keeper find this in the vault, once, and come to rest again."""
        await until(lambda: self.clock.sleepers)
        self.stored, looks = found, self.looks
        self.clock.set(self.clock.time + 5_000_000_000)
        await until(lambda: self.looks > looks and self.clock.sleepers)

    def levels(self):
        return [level for level, _ in self.told]


@pytest.fixture
async def watch():
    made = Watch()
    async with running(made.keeper.run()):
        await asyncio.sleep(0)
        yield made


async def test_the_end_at_six_is_announced_a_quarter_of_an_hour_before_and_stops_entries(watch):
    watch.clock.set(SIX - 15 * MINUTE - 1)
    await asyncio.sleep(0.02)
    assert (watch.told, watch.lives) == ([], [])
    watch.clock.set(SIX - 15 * MINUTE)
    await until(lambda: watch.levels() == ["warn"])
    assert watch.lives == []
    watch.clock.set(SIX)
    await until(lambda: watch.lives == [False])
    assert watch.levels() == ["warn", "alarm"]
    assert "patang login" in watch.told[1][1]


async def test_after_the_next_login_broker_and_feed_go_on(watch):
    watch.clock.set(SIX)
    await until(lambda: watch.lives == [False])
    await watch.look(None)
    await watch.look(watch.old)
    assert watch.kite.tokens == []
    fresh = DaySession("key", "new", "AB1234", SIX + 1440 * MINUTE)
    await watch.look(fresh)
    await until(lambda: watch.lives == [False, True])
    assert (watch.kite.tokens, watch.feed.tokens, watch.keeper.session) == (["new"], ["new"], fresh)
    watch.clock.set(SIX + 1440 * MINUTE)
    await until(lambda: watch.lives == [False, True, False])


async def test_a_token_that_dies_early_ends_the_session_at_once(watch):
    watch.keeper.note_token_death()
    await until(lambda: watch.lives == [False])
    await watch.look(watch.old)
    assert watch.kite.tokens == [], "the dead token lies in the vault still"
    await watch.look(watch.old._replace(access_token="new"))
    await until(lambda: watch.lives == [False, True])


async def test_a_desk_that_starts_with_a_dead_session_waits_for_a_login():
    watch = Watch(SIX + 1)
    async with running(watch.keeper.run()):
        await until(lambda: watch.lives == [False])
    assert watch.levels() == ["alarm"]


@pytest.mark.parametrize("who", ["login", "broker"])
async def test_somebody_elses_login_is_not_traded_on(watch, who):
    watch.clock.set(SIX)
    await until(lambda: watch.lives == [False])
    fresh = DaySession("key", "new", "AB1234", SIX + 1440 * MINUTE)
    if who == "login":
        fresh = fresh._replace(user_id="ZZ9999")
    watch.kite.user = "ZZ9999"
    for _ in range(3):
        await watch.look(fresh)
    assert (watch.feed.tokens, watch.lives) == ([], [False])
    assert [text for level, text in watch.told if "ZZ9999" in text] == [watch.told[-1][1]], (
        "told once"
    )


@pytest.mark.parametrize("trouble", [OperatorError("the vault is locked"), RetryableError("busy")])
async def test_a_login_that_cannot_be_used_yet_is_tried_again(watch, trouble):
    watch.clock.set(SIX)
    await until(lambda: watch.lives == [False])
    fresh = DaySession("key", "new", "AB1234", SIX + 1440 * MINUTE)
    if isinstance(trouble, OperatorError):
        await watch.look(trouble)
    else:
        watch.kite.error = trouble
        await watch.look(fresh)
    assert watch.told[-1] == ("alarm", str(trouble))
    watch.kite.error = None
    await watch.look(fresh)
    await until(lambda: watch.lives == [False, True])
