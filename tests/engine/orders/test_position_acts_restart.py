"""Acts on positions over a death: what was put by hand is there again; nothing is sold twice."""

import pytest

from compiled.model.events import (
    ModifyGtt,
    PartExit,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    StopMove,
)
from compiled.model.values import OrderStatus, Side
from compiled.trading.strategy import RungAddition
from tests.compiled.trading.scripted import BEL, CANBK, only, some
from tests.engine.orders.test_order_path_restart import Life

ACCEPTED = RequestOutcome.ACCEPTED


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


def leave_forty(scene):
    gtt = scene.hold()
    scene.seconds(5)
    scene.tell(PartExit(scene.now, scene.rung.rung_id, 40))
    found = scene.answer(gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)
    return only(found, PlaceOrder).order


def test_the_exit_of_a_part_goes_on_beside_the_stop_of_the_rest(life):
    def act(scene):
        scene.accept(leave_forty(scene), "X1")

    life.run(act)
    scene, _ = life.again()
    rung = scene.rung
    assert (rung.part, rung.staying, rung.exit) == (40, 60, None)
    scene.tick(100.0)
    assert some(scene.seconds(5), PlaceOrder) == []
    scene.book("X1", OrderStatus.COMPLETE, 40, quantity=40, side=Side.SELL)
    scene.trade("t9", "X1", 40, 100.0, Side.SELL)
    assert (rung.quantity, rung.part, rung.part_exit) == (60, 0, None)
    assert rung.gtt.legs[0].quantity == 60
    assert some(scene.seconds(5), ModifyGtt) == []


def test_a_part_that_had_not_left_stays_and_its_stop_is_made_whole(life):
    def act(scene):
        gtt = scene.hold()
        scene.seconds(5)
        scene.tell(PartExit(scene.now, scene.rung.rung_id, 40))
        scene.answer(gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)

    life.run(act)
    scene, unknown = life.again()
    # its order left between intent and answer: until it is known nothing is sold a second time
    assert len(unknown) == 1
    scene.tick(100.0)
    assert some(scene.seconds(3), PlaceOrder) == []
    found = scene.answer(unknown[0], RequestOutcome.LOST) + scene.seconds(8)
    assert scene.rung.part == 0
    assert [leg.quantity for leg in only(found, ModifyGtt).gtt.pending] == [100]


def test_a_stop_that_was_put_by_hand_trails_on_at_its_distance_after_a_restart(life):
    def act(scene):
        gtt = scene.hold()
        scene.tell(StopMove(scene.now, scene.rung.rung_id, 99.0, 110.0))
        scene.answer(gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)

    life.run(act)
    scene, _ = life.again()
    rung = scene.rung
    assert (rung.stop, rung.target) == (99.0, 110.0)
    assert rung.plan.stop_percent == pytest.approx(1.0)
    scene.tick(100.0)
    found = scene.tick(104.0, after=6)
    assert only(found, ModifyGtt).gtt.pending[0].trigger == 102.95


def test_added_rungs_keep_their_numbers_beside_those_of_later_ladders(life):
    numbers = []

    def act(scene):
        scene.hold()
        ladder = scene.kernel.state.owners[scene.rung.ladder_id]
        scene.tick(200.0, BEL)
        for number in (1, 2):
            event = RungAddition(scene.now, ladder.ladder_id, 10 * number, 1.0)
            scene.tell(event)
            scene.fill(event.order, f"B{number}x")
            scene.act(
                lambda ctx: (
                    ctx.enter(BEL, Side.BUY, 0, 2.0, quantity=5) if not ctx.ladders(BEL) else None
                )
            )
        numbers.extend(
            (int(rung.rung_id), int(rung.quantity))
            for each in scene.kernel.state.ladders.values()
            for rung in each.rungs
        )

    life.run(act)
    assert len({number for number, _ in numbers}) == 4
    scene, _ = life.again()
    assert [
        (int(rung.rung_id), int(rung.quantity))
        for each in scene.kernel.state.ladders.values()
        for rung in each.rungs
    ] == numbers
    held = [
        ladder for ladder in scene.kernel.state.ladders.values() if ladder.instrument.token == CANBK
    ]
    assert [rung.plan.quantity for rung in held[0].rungs] == [0, 10, 20]
