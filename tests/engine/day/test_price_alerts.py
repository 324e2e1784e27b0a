"""A price alert fires once, is kept, and is no alarm of the engine."""

import pytest

from engine.board.event_log import EventLog
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.day.price_alerts import PriceAlerts
from engine.errors import DataError
from engine.operator_requests import AlertRequest
from tests.compiled.trading.scripted import CANBK, Scene
from tests.engine.day.test_warming import Still
from tests.engine.day.test_watching import Journal


class Alerted:
    """A desk on which CANBK stands at ₹100.00, after a close of ₹98.00."""

    def __init__(self, journal=None):
        self.scene = Scene()
        self.scene.kernel.state.markets[CANBK].instrument.close = 98.0
        self.journal = journal or Journal()
        self.log = EventLog(self.journal, Still())
        self.board = Board("PAPER")
        writer = BoardWriter(self.board)
        self.log.board_writer = writer
        self.alerts = PriceAlerts(
            self.scene.kernel, writer, journal=self.journal, clock=Still(), log=self.log
        )

    def tick(self, price):
        self.scene.tick(price, after=1)
        self.alerts.look()

    def ask(self, way, level, symbol="CANBK", note=""):
        return self.alerts.add(AlertRequest(symbol, way, level, note))

    @property
    def said(self):
        return [(row.level, row.text) for row in self.board.events]


@pytest.mark.parametrize(
    ("way", "level", "short_of", "at", "words"),
    [
        ("above", 103.0, 102.95, 103.0, "at 103.00 or above"),
        ("below", 97.0, 97.05, 97.0, "at 97.00 or below"),
        # 98 · 1.05 = 102.90, and 98 · 0.97 = 95.06
        ("change", 5.0, 102.85, 102.95, "up 5 % or more"),
        ("change", -3.0, 95.10, 95.05, "down 3 % or more"),
    ],
)
def test_it_fires_once_where_its_price_is_reached(way, level, short_of, at, words):
    desk = Alerted()
    assert desk.ask(way, level, note="look").text == f"alert 1: CANBK {words}"
    desk.tick(short_of)
    assert desk.said == []
    desk.tick(at)
    desk.tick(short_of)
    desk.tick(at)
    assert desk.said == [("alert", f"CANBK is {words}: last {at:.2f} (look)")]
    assert (desk.board.alarms, desk.board.alerts.rows[0].at) == ({}, at)


def test_a_level_that_was_reckoned_with_is_the_price_that_it_is_shown_as():
    desk = Alerted()
    # As 1496.2 + 0.4 comes out: a hair above the price that is meant.
    assert desk.ask("above", 103.00000000000003).text == "alert 1: CANBK at 103.00 or above"
    desk.tick(103.0)
    assert desk.said == [("alert", "CANBK is at 103.00 or above: last 103.00")]
    for way in ("below", "change"):
        assert not desk.ask(way, 0.00001).ok, "nothing is left of it"


def test_it_outlives_the_desk_and_is_removed_for_good():
    first = Alerted()
    first.ask("above", 103.0)
    first.ask("below", 90.0)
    assert first.alerts.drop(2).ok
    second = Alerted(first.journal)
    assert [(row.number, row.level) for row in second.board.alerts.rows] == [(1, 103.0)]
    second.tick(104.0)
    assert len(second.said) == 1
    third = Alerted(first.journal)
    third.tick(104.0)
    assert third.said == [], "it has fired"
    assert third.board.alerts.rows[0].fired
    assert third.alerts.drop(1).ok
    assert third.board.alerts.rows == []
    assert third.alerts.drop(1).text == "there is no alert 1"


def test_one_that_could_tell_nothing_new_is_refused():
    desk = Alerted()
    assert desk.ask("above", 99.0).text == "CANBK is at 99.00 or above already: last 100.00"
    assert desk.ask("above", 9.0, "INFY").text == "INFY is not under watch: add it first"
    assert desk.ask("below", -1.0).text == "an alert needs a price above 0"
    assert desk.board.alerts.rows == []


def test_a_price_of_the_day_before_fires_nothing():
    desk = Alerted()
    desk.ask("above", 103.0)
    market = desk.scene.kernel.state.markets[CANBK]
    desk.scene.kernel.market_feed.note_untraded_quote(market, 104.0, 0.0, 0.0, 0)
    desk.alerts.look()
    assert desk.said == []


def test_alerts_that_cannot_be_read_are_named():
    journal = Journal()
    journal.append("meta", {"key": "alerts", "value": "[1]"})
    with pytest.raises(DataError, match="the journal's row alerts of meta cannot be read"):
        Alerted(journal)
