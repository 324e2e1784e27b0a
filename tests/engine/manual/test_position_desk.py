"""Acts on positions by hand: which shares of which rung are meant, and why not."""

import pytest

from compiled.accounting.charges import ChargeRates, ChargeRow
from compiled.model.events import ModifyGtt, PlaceOrder, RequestOutcome, RequestVerb
from compiled.model.values import OrderStatus, Product, Side
from compiled.trading.risk import RiskLimits
from engine.manual.break_even import break_even, exit_charges
from engine.manual.manual_orders import ManualOrderDesk
from engine.manual.position_desk import LEAVES_WITHIN, PositionDesk
from engine.operator_requests import AddRungRequest, ExitRequest, ReverseRequest, StopRequest
from tests.compiled.trading.scripted import CANBK, Scene, only, some

ACCEPTED = RequestOutcome.ACCEPTED


class Hand:
    """A scene with somebody at its positions."""

    def __init__(self, scene):
        self.scene = scene
        self.desk = PositionDesk(scene.kernel, ManualOrderDesk(scene.kernel))

    def leave(self, **what):
        return self.told(self.desk.leave_part(self.scene.now, ExitRequest(symbol="CANBK", **what)))

    def stop(self, **what):
        return self.told(self.desk.move_stop(self.scene.now, StopRequest(symbol="CANBK", **what)))

    def told(self, found):
        self.commands = found[1]
        return str(found[0])

    def add(self, quantity=50, stop=1.0, **what):
        """Add a rung, and have it filled and protected."""
        scene = self.scene
        request = AddRungRequest(symbol="CANBK", quantity=quantity, stop=stop, **what)
        outcome, self.commands, event = self.desk.add_rung(scene.now, request)
        if event is not None:
            filled = scene.fill(event.order, f"B{event.order.intent}")
            gtt = next(c.gtt for c in filled if hasattr(c, "gtt"))
            scene.answer(gtt.intent, ACCEPTED, str(100 + int(gtt.intent)))
        return str(outcome)


@pytest.fixture
def hand():
    made = Hand(Scene())
    made.scene.hold()
    return made


def test_the_newest_rung_leaves_first_and_the_oldest_keeps_the_rest(hand):
    hand.add()
    assert hand.leave(quantity=70) == (
        "done: leaving 70 of 150 CANBK (script P2, 20 of script P1); the stop of the other 80 stays"
    )
    first, second = hand.scene.kernel.state.ladders.values().__iter__().__next__().rungs
    assert (first.part, first.leaving, second.leaving) == (20, False, True)


def test_a_percentage_is_of_all_that_is_held_rounded_down(hand):
    hand.add(quantity=51)
    assert "leaving 75 of 151 CANBK" in hand.leave(part=50.0)


def test_one_rung_leaves_by_its_number_or_its_place(hand):
    hand.add()
    rung = hand.scene.rung
    assert hand.leave(rung="P2").startswith("done: leaving 50 of 50 CANBK (script P2)")
    assert hand.leave(rung=str(rung.rung_id), quantity=10) == (
        "done: leaving 10 of 100 CANBK (10 of script P1); the stop of the other 90 stays"
    )


def test_nothing_leaves_where_one_of_the_rungs_cannot(hand):
    hand.add()
    # The rung added last is free, the one below it is busy with a part of its own.
    hand.leave(rung="P1", quantity=10)
    assert hand.leave(quantity=70) == (
        "refused: script P1 of CANBK: a part of it is leaving already"
    )
    assert hand.commands == []
    first, second = hand.scene.kernel.state.ladders.values().__iter__().__next__().rungs
    assert (first.part, second.part, second.leaving) == (10, 0, False)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"quantity": 10, "part": 5.0}, "refused: shares or a percentage: one of them"),
        ({"quantity": 101}, "refused: 101 CANBK cannot leave: 100 are held"),
        ({"part": 0.5}, "refused: 0.5 % of 100 CANBK is less than 1"),
        ({"rung": "P7"}, "refused: CANBK has no one rung P7: there are 2 (script P1)"),
    ],
)
def test_what_cannot_leave_is_refused_with_its_figures(hand, what, why):
    assert hand.leave(**what) == why


def test_what_is_not_held_is_named():
    hand = Hand(Scene())
    assert hand.leave(quantity=1) == "refused: CANBK is not held"
    assert hand.stop(price=99.0) == "refused: CANBK is not held"
    assert hand.add() == "refused: CANBK is not held"


def test_a_stop_goes_to_a_price_to_a_percentage_or_to_where_nothing_is_lost(hand):
    assert hand.stop(price=99.0) == (
        "done: moving script P1 of CANBK: stop to 99.00; it trails on from there at that distance"
    )
    assert only(hand.commands, ModifyGtt).gtt.pending[0].trigger == 99.0
    hand.scene.answer(hand.scene.rung.gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)
    hand.scene.tick(110.0, after=1)
    assert "stop to 108.90;" in hand.stop(percent=1.0)
    # without charges that is what was paid
    hand.scene.answer(hand.scene.rung.gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)
    assert "stop to 100.00;" in hand.stop(break_even=True)


def test_all_rungs_are_moved_or_none(hand):
    hand.add()
    assert hand.stop(price=101.0).startswith("refused: script P1 of CANBK: stop: ₹101.00")
    assert hand.commands == []
    assert hand.stop(price=98.5, target=110.0) == (
        "done: moving 2 rungs of CANBK: stop to 98.50; it trails on from there at that distance, "
        "target to 110.00"
    )
    assert len(some(hand.commands, ModifyGtt)) == 2


def test_a_stop_that_is_not_said_or_said_twice_is_asked_for(hand):
    assert hand.stop() == "refused: say where the stop or the target goes"
    assert hand.stop(price=99.0, percent=1.0) == (
        "refused: a price, a percentage or the break-even: one of them"
    )


def test_an_added_rung_says_its_order_its_place_and_its_stop(hand):
    assert hand.add() == ("done: order 3: BUY 50 CANBK MARKET, script P2, stop 1 %")


def test_an_added_rung_is_refused_with_the_figures_of_its_limit():
    hand = Hand(Scene(limits=RiskLimits(max_positions=1)))
    hand.scene.hold()
    assert hand.add() == "refused: POSITIONS: too many rungs are open: 1 of 1"


def test_the_bound_on_gtts_is_met_here_before_the_broker_meets_it(hand):
    out = hand.scene.kernel.order_store
    out.most_gtts, out.foreign_gtts = 500, 499
    assert hand.add() == (
        "refused: GTTS: its stop is a GTT, and the account holds as many as the broker allows: "
        "500 of 500 GTTs stand, or are on their way"
    )


# reversing


def intraday(quantity=100, side=Side.BUY):
    hand = Hand(Scene())
    hand.scene.hold_intraday(quantity, side=side)
    return hand


def reverse(hand, **what):
    scene = hand.scene
    outcome, hand.commands = hand.desk.reverse(scene.now, 7, ReverseRequest(symbol="CANBK", **what))
    return outcome


def test_delivery_is_not_reversed_and_why_is_said_in_words(hand):
    assert str(reverse(hand)) == (
        "refused: CANBK is held for delivery (CNC), which cannot be sold short: only MIS and NRML "
        "are reversed"
    )
    assert hand.commands == []
    assert not hand.scene.rung.leaving


def test_the_other_side_is_entered_once_it_is_flat_with_the_stop_it_had():
    hand = intraday()
    scene = hand.scene
    assert reverse(hand) is None
    assert scene.rung.leaving
    assert hand.desk.due_reversals(scene.now) == ([], {})
    stop = scene.rung.stop_order
    scene.answer(stop.intent, ACCEPTED, "G1", RequestVerb.CANCEL)
    scene.book("G1", OrderStatus.CANCELLED, quantity=100, side=Side.SELL)
    scene.fill(scene.exits()[-1], "X1")
    flat, given_up = hand.desk.due_reversals(scene.now)
    assert given_up == {}
    assert (flat[0].number, flat[0].token) == (7, CANBK)
    ticket = flat[0].ticket
    assert (ticket.side, ticket.quantity, ticket.product, ticket.stop) == ("SELL", 100, "MIS", 2.0)
    assert hand.desk.due_reversals(scene.now) == ([], {})


def test_a_reversal_that_does_not_get_flat_enters_nothing():
    hand = intraday(side=Side.SELL)
    reverse(hand, stop=1.0)
    now = hand.scene.now + LEAVES_WITHIN
    flat, given_up = hand.desk.due_reversals(now)
    assert flat == []
    assert str(given_up[7]) == (
        "refused: CANBK has not left within 60 s: nothing is entered; it goes on leaving"
    )


def test_a_reversal_that_the_gate_would_refuse_leaves_nothing():
    hand = intraday()
    hand.scene.kernel.state.halted = True
    assert "KILLED" in str(reverse(hand))
    assert not hand.scene.rung.leaving


def test_a_full_desk_reverses_since_the_exit_makes_room():
    hand = Hand(Scene(limits=RiskLimits(max_positions=1)))
    hand.scene.hold_intraday()
    assert reverse(hand) is None


def leave_intraday(hand):
    """Let the intraday position leave, down to its last share."""
    scene = hand.scene
    stop = scene.rung.stop_order
    scene.answer(stop.intent, ACCEPTED, "G1", RequestVerb.CANCEL)
    scene.book("G1", OrderStatus.CANCELLED, quantity=100, side=Side.SELL)
    scene.fill(scene.exits()[-1], "X1")


def test_a_reversal_asked_for_twice_enters_the_other_side_once():
    hand = intraday()
    assert reverse(hand) is None
    assert str(reverse(hand)) == "refused: CANBK is being reversed already"
    assert hand.commands == []
    leave_intraday(hand)
    flat, given_up = hand.desk.due_reversals(hand.scene.now)
    assert (len(flat), given_up) == (1, {})


def test_an_exit_by_hand_takes_a_reversal_back():
    hand = intraday()
    reverse(hand)
    hand.desk.withdraw_reversals(CANBK + 1)
    hand.desk.withdraw_reversals(CANBK)
    # Who turns it once more means it: the newest word counts.
    assert reverse(hand) is None
    flat, given_up = hand.desk.due_reversals(hand.scene.now)
    assert flat == []
    assert str(given_up[7]) == (
        "refused: CANBK: everything was left by hand, its other side is not entered"
    )
    leave_intraday(hand)
    assert len(hand.desk.due_reversals(hand.scene.now)[0]) == 1


def test_a_halt_takes_a_reversal_back_even_where_it_is_lifted_before_the_position_has_left():
    hand = intraday()
    reverse(hand)
    hand.scene.kernel.state.halted = True
    _, given_up = hand.desk.due_reversals(hand.scene.now)
    assert str(given_up[7]) == (
        "refused: CANBK: the desk was halted meanwhile, its other side is not entered"
    )
    hand.scene.kernel.state.halted = False
    leave_intraday(hand)
    assert hand.desk.due_reversals(hand.scene.now) == ([], {})


# the break-even


def test_a_rest_that_the_sold_part_has_paid_for_has_no_break_even(hand):
    scene = hand.scene
    scene.seconds(5)
    hand.leave(quantity=99)
    found = scene.answer(scene.rung.gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)
    scene.fill(only(found, PlaceOrder).order, "X1", price=102.0)
    assert scene.rung.quantity == 1
    # 99 × ₹102 have come in for 100 × ₹100: the last share may fall to nothing.
    assert hand.stop(break_even=True) == (
        "refused: script P1 of CANBK has no break-even: what has left of it outweighs all that "
        "stays"
    )


def test_a_short_rest_that_has_lost_more_than_it_can_make_has_no_break_even_either():
    hand = intraday(side=Side.SELL)
    scene = hand.scene
    rung = scene.rung
    ladder = scene.kernel.state.owners[rung.ladder_id]
    # 100 sold at ₹100, 99 of them bought back at ₹102.
    rung.sold, rung.sold_value = 99, 99 * 102_00
    assert break_even(scene.kernel, ladder, rung) == 0.0


def dear_rates():
    """Return rates of one paisa in a hundred of the value, either way."""
    row = ChargeRow("tax", "EQ_INTRADAY", "NSE", 0, 99991231, 2_000_000, 2_000_000)
    zero = ChargeRow("tax", "EQ_INTRADAY", "NSE", 0, 99991231, 0, 0)
    return ChargeRates(row, zero, zero, zero, zero, zero, zero)


def test_the_break_even_pays_what_was_charged_and_what_leaving_costs():
    scene = Scene(rates={Product.CNC: dear_rates(), Product.MIS: dear_rates()})
    scene.hold_intraday()
    rung = scene.rung
    ladder = scene.kernel.state.owners[rung.ladder_id]
    price = break_even(scene.kernel, ladder, rung)
    left = exit_charges(scene.kernel, ladder, rung, price)
    assert left > 0
    made = round((price - 100.0) * 100 * 100) - int(rung.charges) - left
    tick_before = round((price - 0.05 - 100.0) * 100 * 100) - int(rung.charges) - left
    assert made >= 0 > tick_before


def test_the_break_even_of_a_short_position_lies_below_its_price():
    scene = Scene(rates={Product.CNC: dear_rates(), Product.MIS: dear_rates()})
    scene.hold_intraday(side=Side.SELL)
    ladder = scene.kernel.state.owners[scene.rung.ladder_id]
    assert break_even(scene.kernel, ladder, scene.rung) < 100.0


def test_a_place_order_follows_a_part_only_with_the_smaller_stop(hand):
    hand.scene.seconds(5)
    hand.leave(part=50.0)
    assert some(hand.commands, PlaceOrder) == []
    found = hand.scene.answer(hand.scene.rung.gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)
    assert only(found, PlaceOrder).order.quantity == 50
