"""Shares that lack their authorisation at the depository.

When they count as unprotected, and what is told.
"""

import asyncio

import pytest

from compiled.model.events import PlaceOrder
from compiled.model.values import OrderStatus, Product
from engine.books.books_snapshot import BooksSnapshot
from engine.books.depository import DepositoryWatch
from engine.errors import SaleUnauthorised
from engine.ports import BrokerHolding
from tests.compiled.trading.reports.test_lying_answers import failing
from tests.compiled.trading.scripted import CANBK, OPEN, Scene, only, some
from tests.engine.orders.test_order_path_gateway import Engine
from tests.engine.orders.test_order_path_restart import Life, tomorrow


def books(lacking, quantity=100):
    held = BrokerHolding(CANBK, "CANBK", quantity, 100.0, unauthorised=lacking)
    return BooksSnapshot([], [held], 0, [], [], [], {})


def watching(scene, refused=(), *, standing):
    told = []
    return DepositoryWatch(
        scene.kernel, lambda *line: told.append(line), set(refused), standing=standing
    ), told


@pytest.fixture
def carried(tmp_path):
    """A position of yesterday, protected by a GTT."""
    life = Life(tmp_path / "desk.db")
    life.run(lambda scene: scene.hold(100))
    scene, _ = life.again(day=1)
    tomorrow(scene)
    return scene


def test_what_is_held_from_earlier_days_is_bare_until_it_is_authorised(carried):
    watch, told = watching(carried, standing=False)
    assert carried.kernel.view.naked() == 0
    for _ in range(3):
        watch.compare_holdings(books(100))
    assert carried.kernel.view.naked() == 1
    assert [(level, name) for level, name, _ in told] == [("alarm", "unauthorised")]
    assert told[0][2].startswith("100 CANBK need an authorisation")
    assert "TPIN" in told[0][2]
    watch.compare_holdings(books(0))
    watch.compare_holdings(books(0))
    assert (carried.kernel.view.naked(), len(told)) == (0, 2)


def test_an_account_with_a_standing_authorisation_is_asked_for_none_before_a_sale_is_refused(
    carried,
):
    watch, told = watching(carried, standing=True)
    watch.compare_holdings(books(100))
    assert (carried.kernel.view.naked(), told) == (0, [])
    watch, told = watching(carried, [CANBK], standing=True)
    watch.compare_holdings(books(100))
    assert (carried.kernel.view.naked(), len(told)) == (1, 1)
    watch.compare_holdings(books(0))
    watch.compare_holdings(books(100))
    assert carried.kernel.view.naked() == 0, (
        "it was authorised, and the next morning may say so by its refusal"
    )


def test_what_is_bought_today_or_intraday_needs_none():
    scene = Scene(now=OPEN + 60 * 10**9)
    scene.hold(100)
    watching(scene, standing=False)[0].compare_holdings(books(50))
    assert scene.kernel.state.markets[CANBK].instrument.bound == 50
    assert scene.kernel.view.naked() == 0
    scene.kernel.ladder_book.set_bound_shares(CANBK, 0)
    intraday = Scene()
    intraday.hold_intraday(100)
    assert intraday.rung.entry.product is Product.MIS
    intraday.kernel.ladder_book.set_bound_shares(CANBK, 50)
    assert intraday.kernel.view.naked() == 0


def test_a_sale_that_is_refused_for_want_of_one_is_asked_for_again_after_five_minutes(tmp_path):
    async def story():
        engine = Engine(tmp_path)
        engine.scene.hold()
        leaving = engine.scene.leave()
        engine.broker.outcome = failing(
            SaleUnauthorised("OrderException", "100 shares need authorisation at depository")
        )
        engine.gateway.put(PlaceOrder(leaving))
        await engine.gateway.drain()
        await engine.look()
        assert (leaving.status, engine.gateway.unauthorised_tokens) == (
            OrderStatus.REJECTED,
            {CANBK},
        )
        assert some(engine.scene.seconds(299), PlaceOrder) == []
        assert only(engine.scene.seconds(2), PlaceOrder).order.quantity == 100

    asyncio.run(story())
