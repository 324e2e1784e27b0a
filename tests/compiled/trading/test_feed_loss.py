"""A lost feed holds entries back until the instrument ticks again."""

from compiled.model.events import FeedStatus, PlaceOrder
from compiled.model.values import SECOND, Side
from tests.compiled.trading.scripted import CANBK, Scene, only, some


def test_an_entry_asked_for_while_the_feed_is_lost_is_refused_until_the_instrument_ticks_again():
    scene = Scene()
    slot = scene.kernel.state.slots[0]
    slot.every, slot.due = SECOND, scene.now
    scene.script.on_timer = lambda ctx, ts: ctx.enter(CANBK, Side.BUY, 0, 2.0, quantity=5)
    scene.tell(FeedStatus(scene.now, 0, live=False))
    assert some(scene.timer(), PlaceOrder) == []
    assert scene.kernel.state.refusal_count == 1
    scene.tick(100.0)
    assert only(scene.timer(), PlaceOrder).order.token == CANBK
