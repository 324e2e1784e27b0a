"""A desk left on over a weekend.

It closes its day, rests, and opens the next one by itself, in virtual time.
"""

import re
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox.assumptions import KiteAssumptions
from compiled.model.values import MINUTE, SECOND, OrderStatus
from compiled.trading.ladder import protected_quantity
from engine.errors import ConfigError
from strategies import load_config
from tests.asking import answer_of, asked
from tests.engine.market.test_hours import at
from tests.simulation.trader import Want
from tests.simulation.world import World
from tui.run.settings import rebuild_strategies

FRIDAY, MONDAY = "2026-11-20", "2026-11-23"  # the Tuesday after is a holiday


class Blind:
    """Checks nothing: the promises of one day do not reach over a night."""

    def __getattr__(self, name):
        return lambda *_: None


class Weekend(World):
    """Friday from 15:08 on, a night in which the token dies, and the exchange of Monday."""

    def __init__(self, logs_in="08:40", **ports):
        self.made = []
        super().__init__(
            11,
            self._strategies,
            start="15:08",
            choices=KiteAssumptions(holdings="other"),
            beat_s=20.0,
        )
        self.checks = Blind()
        self.logs_in = at(MONDAY, logs_in)
        self.ports = {"tomorrow": self._strategies, "beside": self._beside} | ports
        self.loop.call_later(self.seconds(FRIDAY, "23:00"), self._monday)
        self.start()

    def _monday(self):
        self.next_exchange(MONDAY, "08:30", "")
        self.exchange.limits.clock_stands = (
            True  # its clock stands until then, and nothing else would ever let reads go on
        )

    def _strategies(self):
        token = int(self.exchange.listings["NSE:SBIN"].instrument.token)
        self.made.append(Want(token, 10, at(FRIDAY, "15:10"), at(MONDAY, "09:30")))
        return self.made[-1:]

    def _beside(self, loop):
        return [self._session(loop)] if len(self.made) == 1 else []

    async def _session(self, loop):
        """Hold the desk from 06:00 on until the operator has logged in, as the keeper does."""
        await self.clock.sleep_until(at("2026-11-21", "06:00"))
        loop.hold("session", "logged out")
        await self.clock.sleep_until(self.logs_in)
        self.log_in()
        loop.hold("session", "")

    def seconds(self, day, clock):
        return (at(day, clock) - self.clock.start) / SECOND

    def until(self, day, clock):
        self.run(self.seconds(day, clock))

    def starts_again(self, day, clock):
        """Log in and start another desk at a time of day, after the one that runs has died now."""
        self.kill_process()
        self.loop.call_later(
            self.seconds(day, clock) - self.loop.seconds, lambda: (self.log_in(), self.start())
        )

    @property
    def header(self):
        return self.process.board.header

    def told(self, name):
        return [row["text"] for row in self.process.journal.load("events") if row["name"] == name]


def standing(kernel):
    """Return the one rung, whose ten shares are protected."""
    (ladder,) = kernel.state.ladders.values()
    (rung,) = ladder.rungs
    assert (int(rung.quantity), int(protected_quantity(ladder, rung, 0.0))) == (10, 10)
    return rung


@pytest.fixture
def weekend():
    made = []

    def make(**options):
        made.append(Weekend(**options))
        return made[-1]

    yield make
    for world in made:
        world.close()


def test_a_desk_left_on_rests_over_the_weekend_and_opens_monday_with_what_it_carries(weekend):
    world = weekend()
    world.until(FRIDAY, "15:40")
    friday = world.process.kernel
    rung = standing(friday)
    gtt = rung.gtt.gtt_id
    assert (world.header.state, world.header.day_over) == ("running", True)

    world.until(FRIDAY, "16:10")
    assert world.header.state == "closed"
    asked = len(world.diary)
    world.until(MONDAY, "08:44")
    assert world.header.now >= at(MONDAY, "08:43")  # the screen lives through the night
    assert world.process.kernel is friday
    assert len(world.diary) == asked

    world.until(MONDAY, "08:46")
    monday = world.process.kernel
    assert monday is not friday
    assert (world.header.state, world.header.day_over) == ("running", False)
    opened, closes = int(monday.state.open), int(monday.state.close)
    assert (opened, closes) == (at(MONDAY, "09:15"), at(MONDAY, "15:15"))
    assert standing(monday).gtt.gtt_id == gtt
    assert monday.ledger.start_cash == world.exchange.funds.cash < friday.ledger.start_cash
    assert monday.state.entry_count == 0
    assert len(world.made) == 2

    world.until(MONDAY, "09:35")
    assert not monday.state.ladders
    moved = sum(order.ask.side * order.filled for order in world.exchange.orders.orders.values())
    assert moved == -10  # what was carried is sold, once
    assert world.process.kill.latch is None
    assert world.process.desk.error is None


def test_a_stop_that_fires_before_the_desk_starts_is_booked_once(weekend):
    world = weekend()
    world.until(FRIDAY, "15:40")
    standing(world.process.kernel)
    del world.ports["tomorrow"]
    world.starts_again(MONDAY, "09:31")
    world.until(MONDAY, "09:16")
    first = world.exchange.funds.cash
    (fair,) = [
        each._fair
        for each in world.exchange.market._traders
        if each.listing.instrument.symbol == "SBIN"
    ]
    for step in range(60):  # slowly, so that the stop's limit is met
        world.loop.call_later(step, fair.jump, -0.001)
    world.until(MONDAY, "09:17:30")
    (sale,) = world.exchange.orders.trades
    world.until(MONDAY, "09:33")
    kernel = world.process.kernel
    assert (not kernel.state.ladders, world.header.state, world.process.desk._loop.differences) == (
        True,
        "running",
        (),
    )
    assert kernel.ledger.start_cash == first
    assert kernel.ledger.cash + kernel.ledger.charges == first + 10 * sale.ticks * 5
    world.starts_again(MONDAY, "09:40")
    world.until(MONDAY, "09:42")
    assert world.process.kernel.ledger.start_cash == first


def test_without_a_login_the_day_opens_as_soon_as_there_is_one(weekend):
    world = weekend(logs_in="09:47")
    world.until(MONDAY, "09:46")
    assert world.header.state == "closed"
    world.until(MONDAY, "09:48")
    assert world.header.state == "running"
    assert world.process.kill.latch is None


def test_an_exchange_that_cannot_be_reached_in_the_morning_is_tried_every_minute(weekend):
    world = weekend()
    world.until(MONDAY, "08:42")
    world.network.down = True
    world.until(MONDAY, "08:50")
    # the same refusal once more is counted on its line
    counts = [re.search(r"\((\d+) times\)$", text) for text in world.told("opening")]
    assert 2 <= sum(int(found[1]) if found else 1 for found in counts) <= 6
    world.network.down = False
    world.until(MONDAY, "08:52")
    assert world.header.state == "running"
    assert world.process.desk.error is None


def test_a_stop_in_the_night_is_obeyed_at_once(weekend):
    world = weekend()
    world.until("2026-11-21", "03:00")
    ended = []
    world.process.task.add_done_callback(lambda _: ended.append(world.clock.now()))
    stopped = world.clock.now()
    world.loop.call_soon(world.process.desk.stop)
    world.run(world.loop.seconds + 1.0)
    assert len(ended) == 1
    assert ended[0] - stopped < MINUTE


def ask(world, act, **fields):
    """Have the operator ask for something now; return what he is told."""
    number = world.process.desk.submit(asked(act, **fields))
    world.run(world.loop.seconds + 25.0)
    return answer_of(world.process.desk, number)


def by_hand(world, price):
    return ask(
        world, "order", symbol="WIPRO", side="BUY", quantity=5, stop=2.0, price=price, variety="amo"
    )


def test_an_after_market_order_given_to_a_desk_that_rests_leaves_at_once_and_trades_in_the_morning(
    weekend,
):
    world = weekend()
    world.until(FRIDAY, "18:30")
    assert world.header.state == "closed"
    wipro = world.exchange.listings["NSE:WIPRO"]
    told = by_hand(world, wipro.instrument.snap(wipro.ltp * 1.015))
    assert told.startswith("done: order")
    (order,) = world.exchange.varieties.waiting_orders()
    kept = world.process.kernel.order_store.by_tag[order.ask.tag]
    assert (kept.order_id, kept.status) == (order.order_id, OrderStatus.OPEN)
    world.until(MONDAY, "09:16")
    (fair,) = [
        each._fair
        for each in world.exchange.market._traders
        if each.listing.instrument.symbol == "WIPRO"
    ]
    fair._level = 0.0  # where it closed, below the order's limit
    world.until(MONDAY, "09:17")
    assert wipro.instrument.token in world.process.kernel.state.markets
    (ladder,) = [
        each
        for each in world.process.kernel.state.ladders.values()
        if each.instrument.symbol == "WIPRO"
    ]
    assert (
        ladder.strategy,
        int(ladder.rungs[0].quantity),
        int(protected_quantity(ladder, ladder.rungs[0], 0.0)),
    ) == (
        "operator",
        5,
        5,
    )


def test_an_after_market_order_is_taken_back_in_the_night(weekend):
    world = weekend()
    world.until(FRIDAY, "18:30")
    number = (
        by_hand(world, world.exchange.listings["NSE:WIPRO"].instrument.close).split()[2].rstrip(":")
    )
    assert ask(world, "cancel", order=number) == f"done: cancelling order {number}"
    assert world.exchange.varieties.waiting_orders() == []
    assert world.process.kernel.order_store.orders[int(number)].status is OrderStatus.CANCELLED


def test_a_desk_started_on_a_holiday_shows_the_last_day_closed_and_opens_the_next(weekend):
    world = weekend()
    world.until(FRIDAY, "15:40")
    world.starts_again("2026-11-21", "12:00")
    world.until("2026-11-21", "12:05")
    assert world.process.desk.error is None
    assert (world.header.state, world.header.phase, world.header.day_over) == (
        "closed",
        "closed",
        True,
    )
    assert world.header.phase_ends == at(MONDAY, "09:00")
    standing(world.process.kernel)
    saturday = world.process.kernel
    asked = len(world.diary)
    world.until(MONDAY, "08:44")
    assert (world.process.kernel, len(world.diary)) == (saturday, asked)
    world.until(MONDAY, "09:35")
    assert world.header.state == "running"
    assert not world.process.kernel.state.ladders
    assert world.process.kill.latch is None


def test_a_desk_that_opens_no_other_day_is_refused_on_a_holiday(weekend):
    world = weekend()
    del world.ports["tomorrow"]
    world.starts_again("2026-11-21", "12:00")
    noon = world.seconds("2026-11-21", "12:00")
    world.run(noon + 0.01)
    process = world.process
    while not world.deaths and world.loop.seconds < noon + 60.0:
        world.run(world.loop.seconds + 0.1)
    assert str(process.desk.error) == "2026-11-21 is no trading day: the exchange is closed"


def test_what_an_ex_date_does_to_what_stands_is_in_the_status_and_on_screen(weekend, tmp_path):
    file = tmp_path / "actions.parquet"
    row = {
        "symbol": "SBIN",
        "series": "EQ",
        "exDate": datetime(2026, 11, 23),
        "subject": "Bonus 1:1",
    }
    pq.write_table(pa.Table.from_pylist([row]), file)
    world = weekend()
    world.process.desk.settings = replace(world.process.desk.settings, actions=file)
    world.until(FRIDAY, "15:40")
    assert world.process.desk.describe()["ex_dates"] == []
    rung = standing(world.process.kernel)
    gtt, stop, bought = rung.gtt.gtt_id, rung.stop, rung.average
    world.until(MONDAY, "08:50")
    found = world.process.desk.describe()["ex_dates"]
    assert [line.partition(":")[0] for line in found] == [
        "SBIN, bonus from today (Bonus 1",
        "SBIN, bonus from today (Bonus 1",
    ]
    assert f"GTT {gtt}" in found[0]
    assert f"stand at {stop / 2:.2f}" in found[1]
    assert [
        row["text"] for row in world.process.journal.load("events") if row["name"] == "ex_date"
    ] == found
    assert {row.name: (row[1], row.bad) for row in world.process.board.risk.rows}[
        "Ex-date flags"
    ] == ("2", True)
    (rung,) = [
        rung for ladder in world.process.kernel.state.ladders.values() for rung in ladder.rungs
    ]
    assert (rung.quantity, rung.absent, rung.average) == (20, 10, pytest.approx(bought / 2)), (
        "and it is carried over"
    )
    assert rung.stop < stop * 0.6


def test_a_strategy_that_cannot_be_made_again_is_told_once_and_the_rest_of_the_desk_opens(
    weekend, monkeypatch
):
    made = []

    def build(name, table):
        made.append(name)
        if name == "moving_average_cross":
            raise ConfigError(f"strategy {name} cannot be made") from OSError(
                "its file of levels is gone"
            )
        return Want(
            int(world.exchange.listings["NSE:SBIN"].instrument.token),
            10,
            at(MONDAY, "09:16"),
            at(MONDAY, "09:30"),
        )

    world = weekend()
    monkeypatch.setattr("tui.run.settings.build", build)
    config = load_config(None).values
    world.ports["tomorrow"] = lambda: rebuild_strategies(config)
    world.process.desk.ports = world.process.desk.ports._replace(tomorrow=world.ports["tomorrow"])
    world.until(MONDAY, "08:42")
    world.network.down = True
    world.until(MONDAY, "08:49")
    world.network.down = False
    world.until(MONDAY, "09:20")
    assert len(made) >= 4, "tried again while the exchange is away"
    assert world.header.state == "running"
    stopped = [
        row["text"]
        for row in world.process.journal.load("events")
        if row["name"] == "strategy_stopped"
    ]
    assert stopped == ["moving_average_cross stopped: OSError: its file of levels is gone"]
    assert [row.strategy for row in world.process.board.failures.rows] == ["moving_average_cross"]
    assert {ladder.strategy for ladder in world.process.kernel.state.ladders.values()} == {"want"}
    assert world.process.kill.latch is None
