"""Instruments come under watch and leave it while a desk runs, and the next start knows."""

import asyncio
import json
from datetime import date

import pytest

from compiled.model.events import AddedInstrument, TickBatch
from compiled.model.values import MINUTE, SECOND, Instrument, Product, Side, Tick, TradingHours
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from engine.board.event_log import EventLog
from engine.day.watched_instruments import WatchedInstruments, kept_changes
from engine.errors import DataError, OperatorError, RetryableError
from engine.history.feed_recording import (
    COUNT,
    FeedRecording,
    RecordKind,
    added_instrument,
)
from engine.history.minute_gaps import MinuteGaps
from engine.market.charges import load_rate_table
from engine.ports import PriceBand
from tests.compiled.trading.scripted import BEL, CANBK, CLOSE, OPEN, Scene
from tests.engine.day.test_warming import DAY, HOURS, NOW, Still

ITC, FUTURE = 424961, 14000386
"""A share and a contract that the desk does not watch at first."""


class Journal:
    """Keeps rows, as the database does."""

    def __init__(self):
        self.tables = {}

    def append(self, table, row):
        key = row.get("key", len(self.tables.get(table, {})))
        self.tables.setdefault(table, {})[key] = row

    def load(self, table, where="", parameters=()):
        rows = list(self.tables.get(table, {}).values())
        return [row for row in rows if row.get("key") == parameters[0]] if parameters else rows


class Feed:
    """Notes what it is asked for, and serves at most so many."""

    def __init__(self):
        self.tokens = set()
        self.fails = ""

    async def subscribe(self, tokens, mode="full"):
        assert mode == "full"
        if self.fails:
            raise OperatorError(self.fails)
        self.tokens |= set(tokens)

    async def unsubscribe(self, tokens):
        self.tokens -= set(tokens)


class Broker:
    """Lists a contract on NFO, nothing elsewhere, and knows every band."""

    def __init__(self):
        self.asked = []

    async def instruments(self, exchange):
        self.asked.append(exchange)
        if exchange != "NFO":
            raise RetryableError(f"nothing on {exchange}")
        return [Instrument(FUTURE, "NFO", "ITC25OCTFUT", 0.05, 1600, "FUT", "ITC", expiry=20251028)]

    async def bands(self, wanted):
        return [PriceBand(int(each.token), 360.0, 440.0, 400.0) for each in wanted]


class Watching:
    """A day of CANBK and BEL, both a strategy's, three minutes after the open."""

    def __init__(self, most=4, journal=None):
        self.scene = Scene(now=NOW)
        self.kernel = self.scene.kernel
        self.journal, self.feed, self.broker = journal or Journal(), Feed(), Broker()
        self.taken = []
        every = self.kernel.view.instruments()
        self.gaps = MinuteGaps(HOURS, every, NOW, lambda *_: None)
        self.watched = WatchedInstruments(
            self.kernel,
            self.broker,
            feed=self.feed,
            journal=self.journal,
            clock=Still(),
            hours=HOURS,
            gaps=self.gaps,
            charges=load_rate_table(),
            log=EventLog(self.journal, Still()),
            listed=[*every, Instrument(ITC, "NSE", "ITC", 0.05, name="ITC")],
            most=most,
            early=0,
            take=self.take,
        )

    def take(self, event):
        self.taken.append(event)
        self.scene.tell(event)
        if isinstance(event, AddedInstrument):
            self.watched.follow(event.instrument)

    def add(self, symbol):
        return asyncio.run(self.watched.add(symbol))

    def remove(self, symbol):
        return asyncio.run(self.watched.remove(symbol))


def test_an_added_instrument_ticks_makes_bars_and_can_be_traded():
    desk = Watching()
    assert desk.add("ITC").ok
    assert desk.feed.tokens == {ITC}
    desk.scene.tick(401.0, ITC)
    desk.scene.tick(402.5, ITC, after=61)
    desk.scene.timer(2)
    bar = desk.kernel.market_feed.closed_bars[0]
    assert (int(bar.token), int(bar.start), bar.open, bar.close) == (ITC, NOW, 401.0, 401.0)
    market = desk.kernel.state.markets[ITC]
    assert (market.instrument.lower, market.instrument.close) == (360.0, 400.0)
    rates = {Product(int(key) % 8) for key in desk.kernel.state.rates if key // 8 == ITC}
    assert rates == {Product.CNC, Product.MIS, Product.MTF}
    assert desk.gaps.due_in(ITC, NOW + 2 * MINUTE, NOW + 3 * MINUTE)


def test_a_contract_is_found_on_its_own_exchange_with_its_products():
    desk = Watching()
    assert desk.broker.asked == []
    assert desk.add("ITC25OCTFUT").ok
    rates = {Product(int(key) % 8) for key in desk.kernel.state.rates if key // 8 == FUTURE}
    assert rates == {Product.NRML, Product.MIS}
    assert desk.broker.asked == ["NFO", "BFO", "BSE", "MCX"]


def test_what_is_listed_nowhere_is_refused_with_the_nearest_names():
    desk = Watching()
    outcome = desk.add("ITCC")
    assert outcome.verdict == "refused"
    assert outcome.text.startswith("ITCC is listed nowhere that this desk trades; near it: ITC")
    assert desk.feed.tokens == set()
    assert desk.kernel.state.markets.get(ITC) is None


def test_the_feed_is_not_asked_for_more_than_it_serves():
    desk = Watching(most=3)
    assert desk.add("ITC").ok
    outcome = desk.add("ITC25OCTFUT")
    assert outcome.text.startswith("the feed serves 3 instruments, and as many are under watch")
    assert desk.watched.count == 3
    # what is under watch already needs no room
    assert desk.add("ITC").ok


def test_a_feed_that_refuses_leaves_nothing_under_watch():
    desk = Watching()
    desk.feed.fails = "Kite serves 9000 instruments at most"
    assert desk.add("ITC").text == "ITC cannot be had: Kite serves 9000 instruments at most"
    assert desk.watched.hidden == {ITC}
    assert kept_changes(desk.journal, DAY).added == ()
    desk.feed.fails = ""
    assert desk.add("ITC").ok
    assert desk.watched.hidden == set()


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda desk: None, "it belongs to script"),
        (
            lambda desk: (
                desk.kernel.state.slots[0].tokens.remove(CANBK),
                desk.scene.act(lambda ctx: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=5)),
            ),
            "a position in it is open",
        ),
    ],
)
def test_what_something_of_ours_depends_on_stays(prepare, why):
    desk = Watching()
    prepare(desk)
    assert desk.remove("CANBK").text == f"CANBK stays under watch: {why}"
    assert desk.watched.hidden == set()


def test_what_is_taken_off_is_silent_and_misses_no_minutes_until_it_is_back():
    desk = Watching()
    desk.add("ITC")
    desk.scene.tick(401.0, ITC)
    assert desk.remove("ITC").ok
    assert desk.feed.tokens == set()
    assert not desk.kernel.state.markets[ITC].live
    desk.gaps.check_minutes(NOW + 10 * MINUTE)
    desk.gaps.check_minutes(NOW + 20 * MINUTE, over=True)
    assert not any(token == ITC for token, _ in desk.gaps._missing)
    assert desk.remove("ITC").text == "ITC is not under watch"
    assert desk.add("ITC").ok
    assert (desk.feed.tokens, desk.watched.count) == ({ITC}, 3)


def test_the_next_start_of_the_day_knows_what_was_changed_and_the_next_day_does_not():
    desk = Watching()
    desk.kernel.state.slots[0].tokens.clear()
    desk.add("ITC")
    desk.remove("BEL")
    assert kept_changes(desk.journal, DAY) == ((("NSE", "ITC"),), (("NSE", "BEL"),))
    assert kept_changes(desk.journal, date(2025, 10, 8)) == ((), ())
    # a change that is taken back is none
    again = Watching(journal=desk.journal)
    again.add("ITC")
    again.remove("ITC")
    assert kept_changes(desk.journal, DAY).added == ()


def test_a_row_of_the_journal_that_is_no_change_is_named():
    journal = Journal()
    journal.append("meta", {"key": f"watch:{DAY}", "value": '{"added": [7]}'})
    with pytest.raises(DataError, match=f"the journal's row watch:{DAY} of meta cannot be read"):
        kept_changes(journal, DAY)


def test_a_recording_takes_the_added_instrument_up_where_its_desk_did():
    kernel = Scene(now=NOW).kernel
    kept = []

    class Record:
        def put(self, kind, connection, ts, payload):
            kept.append((kind, ts, payload))

    recording = FeedRecording(Record(), kernel, mode="paper", broker="kite", spans=[60])
    hours = TradingHours(OPEN, CLOSE)
    recording.note_event(TickBatch(NOW, []))
    added = AddedInstrument(NOW + SECOND, Instrument(ITC, "NSE", "ITC", 0.05, close=400.0), hours)
    recording.note_event(added)
    kind, ts, payload = kept[-1]
    assert (kind, ts, COUNT.unpack_from(payload)[0]) == (RecordKind.ADDED, NOW + SECOND, 1)
    played = Kernel(KernelSetup(OPEN, CLOSE, 0, RiskLimits(), [60]), [], [], {})
    played.handle(added_instrument(ts, payload))
    played.handle(TickBatch(NOW + 2 * SECOND, [Tick(ITC, NOW + 2 * SECOND, 401.0)]))
    market = played.state.markets[ITC]
    assert (market.instrument.symbol, market.ltp, market.instrument.close) == ("ITC", 401.0, 400.0)
    assert int(market.instrument.hours.opens) == OPEN


def test_a_damaged_record_of_an_added_instrument_is_named():
    with pytest.raises(DataError, match="does not say which instrument was added"):
        added_instrument(NOW, COUNT.pack(1) + json.dumps({"token": ITC}).encode())


def test_what_the_kernel_knows_keeps_its_price_when_it_is_added_again():
    scene = Scene()
    again = Instrument(CANBK, "NSE", "CANBK", 0.05)
    scene.tell(AddedInstrument(scene.now, again, TradingHours(OPEN, CLOSE)))
    assert scene.kernel.state.markets[CANBK].ltp == 100.0
    assert scene.kernel.state.markets.get(BEL) is not None
