"""The broker's moods, one by one on a quiet day, and simulated days full of them."""

import re

import pytest

from compiled.model.values import SECOND
from engine.operator_requests import ExitRequest
from tests.simulation.moods import bear
from tests.simulation.moody import Moody

BATCHES, DAYS = 2, 1
SOAK = 400


@pytest.fixture
def moody():
    made = []

    def make(*strategies, **options):
        made.append(Moody(strategies, **options))
        made[-1].start()
        made[-1].run(3.0)
        return made[-1]

    yield make
    for world in made:
        world.close()


def test_maintenance_with_an_unknown_outcome_is_told_in_time_and_nothing_more_is_entered(moody):
    world = moody()
    began = world.loop.seconds
    world.mood("rest-away")
    told = world.by_hand("SBIN")
    assert told.startswith("unknown: order 1: BUY 10 SBIN"), "not as if it had been sent"
    assert world.by_hand("ITC").startswith("refused: NOT_READY")
    world.run(began + 120.0)
    (first, *_) = [row for row in world.told("broker") if row["level"] == "alarm"]
    assert first["ts"] - world.clock.start <= (began + 15.0) * SECOND
    assert len(world.since(began, path="/orders/")) == 1
    looks = world.since(began, ("GET",), "/orders")
    assert len(looks) <= 120 / 8 + 5, "1, 2, 4, then 8 seconds apart"
    assert world.process.board.header.state == "read-only"
    world.over()
    world.run(began + 140.0)
    assert world.process.board.header.state == "running"
    assert world.by_hand("ITC").startswith("done: order")


def test_after_an_outage_over_the_brokers_square_off_the_books_come_first_and_nothing_is_sent(
    moody,
):
    world = moody(start="15:08")  # 240 s before the broker squares these names off
    names = ("SBIN", "WIPRO", "ITC")
    for name in names:
        assert world.by_hand(name, "MIS").startswith("done: order")
    world.run(60.0)
    world.mood("rest-away")
    world.run(270.0)
    positions = world.exchange.portfolio.position_rows()["net"]
    assert [row["quantity"] for row in positions] == [0, 0, 0], "the broker has squared them off"
    world.over()
    world.run(330.0)
    assert world.since(270.0) == []
    missing = {
        row["text"].split(":")[0] for row in world.told("difference") if "missing" in row["text"]
    }
    assert missing == set(names)
    assert world.process.kernel.view.naked() == 0


@pytest.mark.parametrize("cause", ["token", "rest-away"])
def test_intraday_positions_that_cannot_be_squared_off_are_told_with_cause_and_remedy(moody, cause):
    world = moody(start="15:08")  # their time is over at 120 s, and the broker's own at 240
    for name in ("SBIN", "WIPRO"):
        assert world.by_hand(name, "MIS").startswith("done: order")
    assert world.by_hand("ITC").startswith("done: order")
    world.run(100.0)
    if cause == "token":
        world.exchange.session.expire()
        world.process.desk._loop.hold(
            "session", "the session with the broker has ended: run `patang login`"
        )
    else:
        world.mood(cause)
    world.run(119.0)
    assert (world.told("overdue"), world.process.board.header.overdue) == ([], 0)
    assert world.ask(ExitRequest(world.token("SBIN"))).startswith("done: leaving; it waits: the ")
    world.run(150.0)
    (told,) = world.told("overdue")
    assert told["level"] == "alarm"
    assert told["text"].startswith("SBIN, WIPRO: intraday, and cannot be squared off now: the ")
    assert told["text"].endswith("; on 20 Nov 15:12 the broker does it himself, for a fee")
    assert ("run `patang login`" in told["text"]) is (cause == "token")
    status = world.process.desk.describe()
    assert (status["login"], status["overdue"]) == (cause == "token", ["SBIN", "WIPRO"])
    if cause == "token":
        world.log_in()
        world.process.desk._loop.hold("session", "")
    else:
        world.over()
    world.run(200.0)
    assert world.process.board.header.overdue == 0
    assert [row["quantity"] for row in world.exchange.portfolio.position_rows()["net"]] == [
        0,
        0,
        10,
    ]


@pytest.mark.parametrize("seconds", [2.5, 8.0])
def test_what_the_owner_has_closed_while_the_token_was_dead_is_not_bought_again(moody, seconds):
    world = moody()
    assert world.by_hand("SBIN", "MIS", side="SELL").startswith("done: order")
    world.run(10.0)
    (stop,) = world.exchange.orders.live_orders()
    assert world.outside("DELETE", f"/orders/regular/{stop.order_id}", {})
    market = {
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "transaction_type": "BUY",
        "quantity": "10",
        "product": "MIS",
    }
    assert world.outside(
        "POST",
        "/orders/regular",
        market
        | {
            "order_type": "MARKET",
            "market_protection": "-1",
            "validity": "DAY",
        },
    )
    world.exchange.session.expire()
    world.run(10.0 + seconds)
    world.log_in()
    world.run(45.0)
    assert world.since(10.0, ("POST",), "/orders/") == []
    assert [row["text"].split(":")[2] for row in world.told("difference")] == [" missing"]


def test_a_feed_that_comes_late_is_no_price_to_enter_at_or_to_move_a_stop_by(moody):
    world = moody(sigma=0.002)
    assert world.by_hand("SBIN", trail=True).startswith("done: order")
    world.run(8.0)
    world.mood("late-feed", seconds=30.0)
    world.run(45.0)
    header = world.process.board.header
    assert 29 * SECOND <= header.feed_lag <= 32 * SECOND
    assert world.by_hand("ITC").startswith("refused: STALE_DATA")
    world.run(65.0)
    assert world.since(38.0, path="/gtt") == []
    assert [row["level"] for row in world.told("late")] == ["alarm"]
    world.over()
    world.run(100.0)
    assert world.process.board.header.feed_lag == 0
    assert [row["level"] for row in world.told("late")] == ["alarm", "info"]
    assert world.by_hand("ITC").startswith("done: order")


def test_an_order_by_hand_hears_the_risk_checks_no_and_refusals_are_one_line_with_the_symbol(moody):
    world = moody()
    world.mood("rms", seconds=0.3)
    for _ in range(3):
        assert re.match(
            r"refused: order \d: BUY 10 SBIN .*RMS:Margin Exceeds", world.by_hand("SBIN")
        )
        world.run(world.loop.seconds + 8.0)
    (line,) = world.told("order_refused")
    assert line["text"].startswith("SBIN: operator: RMS:Margin Exceeds")
    assert line["text"].endswith("(2 times)"), "the disk hears of the second, the fourth, ..."


def test_a_gtt_whose_order_the_broker_rejects_is_told_with_symbol_and_reason(moody):
    world = moody()
    assert world.by_hand("SBIN").startswith("done: order")
    world.run(10.0)
    world.mood("rms", seconds=0.0)
    for trader in world.exchange.market._traders:
        trader._fair.jump(-0.04)
    world.run(30.0)
    (line,) = [*world.told("gtt_failed"), *world.told("order_refused")]
    assert re.match(r"SBIN: .*RMS:Margin Exceeds", line["text"])
    tries = [each for each in world.since(10.0, path="/orders/") if each[0] < 30.0]
    assert len(tries) <= 5, "1, 4, 9 seconds apart"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_mood_the_broker_is_in_every_promise_holds(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        bear(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES, SOAK))
def test_many_more_days_of_moods_hold(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        bear(seed)
