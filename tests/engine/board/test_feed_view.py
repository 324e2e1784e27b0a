"""The feed by instrument: silence is a fault only where ticks were due."""

from types import SimpleNamespace

from compiled.model.values import MINUTE, SECOND
from engine.board.feed_view import FeedView, MinuteCounts
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.live_pulses import worst_feeds

START = 10**18


class Market:
    def __init__(self, token, symbol):
        self.token = token
        self.trading = True
        hours = SimpleNamespace(is_trading=lambda _: self.trading)
        self.instrument = SimpleNamespace(symbol=symbol, hours=hours)
        self.heard_at, self.version, self.lag = START, 0, 0
        self.live, self.is_late, self.is_cold = True, False, False

    def tick(self, now, count=1):
        self.heard_at, self.version = now, self.version + count


class Scene:
    def __init__(self, *symbols):
        self.markets = [Market(n + 1, symbol) for n, symbol in enumerate(symbols)]
        kernel = SimpleNamespace(state=SimpleNamespace(markets={m.token: m for m in self.markets}))
        self.board, self.counts = Board("PAPER"), MinuteCounts({}, {})
        self.view = FeedView(BoardWriter(self.board), kernel, 10 * SECOND, lambda: self.counts)
        self.now, self.steady = START, 0

    def live(self, seconds, **per_second):
        for _ in range(seconds):
            self.now += SECOND
            self.steady += SECOND
            for market in self.markets:
                if count := per_second.get(market.instrument.symbol, 0):
                    market.tick(self.now, count)
            for _ in range(len(self.markets) // 100 + 1):
                self.view.publish(self.now, self.steady)

    def states(self):
        return {row.symbol: row.state for row in self.board.feed.rows}


def test_a_name_that_ticks_often_is_silent_after_twenty_due_ticks_and_a_rare_one_is_not():
    scene = Scene("OFTEN", "RARE")
    scene.live(130, OFTEN=1)
    assert scene.board.feed.rows[0].per_minute == 60.0
    scene.live(19)
    assert scene.states() == {"OFTEN": "live", "RARE": "live"}
    scene.live(3)
    assert scene.states() == {"OFTEN": "silent", "RARE": "live"}
    assert [row.symbol for row in worst_feeds(scene.board)] == ["OFTEN"]
    scene.live(1, OFTEN=1)
    assert scene.states() == {"OFTEN": "live", "RARE": "live"}


def test_silence_after_the_close_is_quiet_and_a_lost_link_is_worse_than_a_late_tick():
    scene = Scene("A", "B", "C", "D")
    scene.live(70, A=2, B=2, C=2, D=2)
    scene.markets[1].is_late = True
    scene.markets[2].live = False
    scene.markets[3].is_cold = True
    scene.live(2)
    assert scene.states() == {"A": "live", "B": "late", "C": "lost", "D": "cold"}
    assert [row.symbol for row in worst_feeds(scene.board)] == ["C", "B", "D"]
    scene.markets[0].trading = False
    scene.live(60)
    assert scene.states()["A"] == "quiet"


def test_lost_and_healed_minutes_stand_beside_their_instrument():
    scene = Scene("A", "B")
    scene.counts = MinuteCounts({2: 3}, {1: 4})
    scene.live(2)
    assert [(row.open_minutes, row.healed_minutes) for row in scene.board.feed.rows] == [
        (0, 4),
        (3, 0),
    ]


def test_thousands_are_looked_at_in_parts_and_each_once_a_second_at_most():
    scene = Scene(*(f"S{n}" for n in range(250)))
    scene.view.publish(START, SECOND)
    assert len(scene.board.feed.rows) == 100
    for _ in range(2):
        scene.view.publish(START, SECOND)
    assert len(scene.board.feed.rows) == 250
    version = scene.board.feed.version
    scene.markets[0].tick(START + 1)
    scene.view.publish(START, SECOND)
    assert scene.board.feed.version == version
    scene.view.publish(START + MINUTE, 2 * SECOND)
    assert scene.board.feed.version > version
