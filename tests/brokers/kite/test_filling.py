"""Gaps of the feed, and their filling.

Written down at once, read when Kite has it, tried again when Kite is busy.
"""

import asyncio

from brokers.backfill.feed_gaps import FeedGap
from brokers.backfill.gap_filler import TRIES, GapFiller
from compiled.model.values import Bar
from engine.errors import RetryableError

OPEN = 1_767_325_500_000_000_000  # 2026-01-02 09:15:00 IST
MINUTE = 60_000_000_000
SECOND = 1_000_000_000


class Pages:
    """A journal that keeps the last row of each key."""

    def __init__(self):
        self.rows = {}

    def append(self, table, row):
        self.rows[table, row["token"], row["began"]] = row


class Desk:
    def __init__(self, clock, failures=0):
        self.asked, self.kept, self.told, self.journal, self.failures = (
            [],
            [],
            [],
            Pages(),
            failures,
        )
        self.clock = clock
        self.filler = GapFiller(
            self.history,
            clock,
            self.journal,
            self.kept.extend,
            lambda *told: self.told.append(told),
            lambda: [2],
        )

    async def history(self, token, start, end, span):
        self.asked.append((self.clock.now(), token, start, end))
        if self.failures:
            self.failures -= 1
            raise RetryableError("busy")
        return [Bar(token, at, span, 1.0, 1.0, 1.0, 1.0, 5) for at in range(start, end, MINUTE)]

    async def fill(self, *gaps):
        self.filler.note_gaps(gaps)
        task = asyncio.ensure_future(self.filler.run())
        async with asyncio.timeout(60):
            while not self.told:  # noqa: ASYNC110 (the filler has no event to wait for)
                await asyncio.sleep(0.001)
        task.cancel()


async def test_a_gap_is_read_once_its_last_minute_has_settled_and_what_is_held_goes_first(clock):
    desk = Desk(clock)
    start, end = OPEN + 90 * SECOND, OPEN + 200 * SECOND
    await desk.fill(FeedGap(1, start, end), FeedGap(2, start, end))
    minutes = (OPEN + MINUTE, OPEN + 4 * MINUTE)
    assert [(token, *span) for _, token, *span in desk.asked] == [(2, *minutes), (1, *minutes)]
    assert desk.asked[0][0] >= OPEN + 4 * MINUTE
    assert [(bar.token, bar.start) for bar in desk.kept[:3]] == [
        (2, OPEN + n * MINUTE) for n in (1, 2, 3)
    ]
    assert {(row["state"], row["bars"]) for row in desk.journal.rows.values()} == {("filled", 3)}
    assert desk.told == [("info", "the feed missed 2 stretches; 6 minutes were read")]


async def test_minutes_without_a_bar_are_read_unless_the_feed_has_told_of_them(clock):
    desk = Desk(clock)
    two, six = (
        (FeedGap(token, OPEN + 2 * MINUTE, OPEN + 3 * MINUTE) for token in (1, 2)),
        OPEN + 6 * MINUTE,
    )
    desk.filler.note_gaps([FeedGap(1, OPEN + 90 * SECOND, OPEN + 200 * SECOND)])
    desk.filler.note_missing_minutes(two)
    # within a minute that is read: written down, too
    await desk.fill(FeedGap(1, OPEN + 230 * SECOND, OPEN + 235 * SECOND))
    assert sorted((token, (end - start) // MINUTE) for _, token, start, end in desk.asked) == [
        (1, 3),
        (2, 1),
    ]
    assert len(desk.journal.rows) == 3
    desk.told.clear()
    desk.filler.note_missing_minutes([FeedGap(1, six - MINUTE, six)])
    await desk.fill()
    assert desk.asked[-1][1:] == (1, six - MINUTE, six)


async def test_a_busy_broker_is_asked_again_a_minute_later(clock):
    desk = Desk(clock, failures=1)
    await desk.fill(FeedGap(1, OPEN, OPEN + MINUTE))
    assert [at - desk.asked[0][0] for at, *_ in desk.asked] == [0, MINUTE]
    assert [row["state"] for row in desk.journal.rows.values()] == ["filled"]


async def test_a_gap_that_stays_unreadable_is_written_down_as_such(clock):
    desk = Desk(clock, failures=TRIES)
    await desk.fill(FeedGap(1, OPEN, OPEN + MINUTE))
    assert len(desk.asked) == TRIES
    assert [row["state"] for row in desk.journal.rows.values()] == ["unread"]
    assert desk.told[0][0] == "warn"
    assert desk.kept == []
