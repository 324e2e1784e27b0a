"""What every broker does.

Classes of tests that an adapter's own class derives from, with a fixture `subject`
(`tests.conformance.market.AdapterSubject`): `MarketSuite` for who is read only, `OrderSuite` for
who takes orders too.
"""

import itertools

import pytest

from compiled.model.order_terms import OrderChange
from compiled.model.values import Gtt, GttLeg, GttStatus, OrderStatus, OrderType, Product, Side
from engine.errors import OrderRefused

NUMBERS = itertools.count(1)
DAY = 86_400_000_000_000


async def row_of(subject, order_id):
    """Return how an order stands in the book."""
    return next(each for each in await subject.broker.orders() if each.order_id == order_id)


async def refusal_of(request):
    """Return the definite no that a request comes to, None where it is done."""
    try:
        await request
    except OrderRefused as no:
        return no
    return None


class MarketSuite:
    """The reading half of the port, in the core's units."""

    async def test_the_account_has_a_name(self, subject):
        name = await subject.broker.account()
        assert name
        assert name == await subject.broker.account()

    async def test_instruments_are_on_a_grid_and_have_a_token_each(self, subject):
        listed = await subject.broker.instruments("NSE")
        assert len({int(each.token) for each in listed}) == len(listed) > 0
        assert all(each.tick > 0.0 and each.lot > 0 and each.symbol for each in listed)
        assert {each.exchange for each in listed} == {"NSE"}

    async def test_a_band_holds_the_last_close_and_only_what_was_asked_for_has_one(self, subject):
        [band] = await subject.broker.bands([subject.share])
        assert band.token == subject.share.token
        assert 0.0 < band.lower < band.close < band.upper
        assert await subject.broker.bands([]) == []

    async def test_history_lies_in_its_range_oldest_first(self, subject):
        _, received, _ = subject.sink.messages[-1]
        start, end = received - 10 * DAY, received
        bars = await subject.broker.history(int(subject.share.token), start, end, 60)
        starts = [int(bar.start) for bar in bars]
        assert starts
        assert starts == sorted(set(starts))
        assert all(start <= each < end for each in starts)
        assert all(bar.low <= min(bar.open, bar.close) <= bar.high for bar in bars)

    async def test_books_are_lists_and_money_is_paise(self, subject):
        for read in (
            subject.broker.orders,
            subject.broker.trades,
            subject.broker.gtts,
            subject.broker.positions,
            subject.broker.holdings,
        ):
            assert isinstance(await read(), list)
        funds = await subject.broker.funds()
        assert isinstance(funds, int)
        assert funds > 0


class OrderSuite(MarketSuite):
    """The whole port: done, refused or unknown, and books that show what was done."""

    async def rest(self, subject):
        """Return an order that works far from the market, and its id."""
        price = subject.share.snap(subject.share.lower, 1)
        order = subject.order(next(NUMBERS), Side.BUY, OrderType.LIMIT, price=price)
        return order, await subject.broker.place(order)

    async def test_an_order_stands_in_the_book_under_its_tag(self, subject):
        order, order_id = await self.rest(subject)
        await subject.pass_time(2)
        row = await row_of(subject, order_id)
        assert (row.tag, row.token, row.side) == (order.tag, subject.share.token, Side.BUY)
        assert (row.quantity, row.filled, row.status) == (10, 0, OrderStatus.OPEN)
        assert row.price == order.price
        await subject.broker.cancel(order_id)

    async def test_the_book_is_told_oldest_first(self, subject):
        made = [(await self.rest(subject))[1] for _ in range(3)]
        await subject.pass_time(2)
        assert [each.order_id for each in await subject.broker.orders()][-3:] == made
        for order_id in made:
            await subject.broker.cancel(order_id)

    async def test_a_changed_order_has_its_new_terms(self, subject):
        order, order_id = await self.rest(subject)
        await subject.pass_time(2)
        price = subject.share.snap(order.price + 2 * subject.share.tick)
        await subject.broker.modify(order_id, OrderChange(quantity=7, price=price))
        await subject.pass_time(2)
        row = await row_of(subject, order_id)
        assert (row.quantity, row.price, row.status) == (7, price, OrderStatus.OPEN)
        await subject.broker.cancel(order_id)

    async def test_a_cancelled_order_is_gone_and_cannot_be_cancelled_again(self, subject):
        _, order_id = await self.rest(subject)
        await subject.pass_time(2)
        await subject.broker.cancel(order_id)
        await subject.pass_time(2)
        assert (await row_of(subject, order_id)).status is OrderStatus.CANCELLED
        with pytest.raises(OrderRefused):
            await subject.broker.cancel(order_id)

    async def test_what_nobody_knows_is_refused(self, subject):
        with pytest.raises(OrderRefused):
            await subject.broker.cancel("999999999999999")
        with pytest.raises(OrderRefused):
            await subject.broker.delete_gtt(999_999_999)

    async def test_an_order_that_cannot_be_is_refused_with_a_code_or_rejected(self, subject):
        price = subject.share.snap(subject.share.upper * 2)
        order = subject.order(next(NUMBERS), Side.BUY, OrderType.LIMIT, price=price)
        refused = await refusal_of(subject.broker.place(order))
        if refused is not None:
            assert refused.code
            assert refused.reason
            return
        await subject.pass_time(2)
        row = (await subject.broker.orders())[-1]
        assert (row.tag, row.status) == (order.tag, OrderStatus.REJECTED)
        assert row.reason

    async def test_a_market_order_fills_and_its_trades_make_the_position(self, subject):
        before = await self.held(subject)
        order = subject.order(next(NUMBERS), Side.BUY, OrderType.MARKET)
        order_id = await subject.broker.place(order)
        await subject.pass_time(5)
        row = await row_of(subject, order_id)
        assert (row.status, row.filled) == (OrderStatus.COMPLETE, 10)
        trades = [each for each in await subject.broker.trades() if each.order_id == order_id]
        assert sum(each.quantity for each in trades) == 10
        assert len({each.trade_id for each in trades}) == len(trades)
        value = sum(each.quantity * each.price for each in trades)
        # the trades are what counts: a book may leave the average out
        assert row.average == 0.0 or abs(row.average - value / 10) < 0.01
        assert await self.held(subject) == before + 10

    async def held(self, subject):
        """Return the net position in the share."""
        return sum(
            each.quantity
            for each in await subject.broker.positions()
            if each.token == subject.share.token
        )

    async def test_a_gtt_is_listed_changed_and_deleted(self, subject):
        if not subject.rules.gtts:
            pytest.skip("this broker has no GTTs")
        share, last = subject.share, subject.last
        legs = [GttLeg(share.snap(last * 0.96), share.snap(last * 0.95), Side.SELL, 10)]
        gtt = Gtt(next(NUMBERS), "suite", share.token, Product.CNC, 1, last, legs)
        gtt.gtt_id = await subject.broker.place_gtt(gtt)
        assert gtt.gtt_id > 0
        assert [leg.trigger for leg in await self.legs_of(subject, gtt)] == [legs[0].trigger]
        gtt.pending = [GttLeg(share.snap(last * 0.97), share.snap(last * 0.96), Side.SELL, 10)]
        await subject.broker.modify_gtt(gtt)
        assert [(leg.trigger, leg.quantity) for leg in await self.legs_of(subject, gtt)] == [
            (gtt.pending[0].trigger, 10)
        ]
        await subject.broker.delete_gtt(int(gtt.gtt_id))
        assert await self.legs_of(subject, gtt) is None

    async def legs_of(self, subject, gtt):
        """Return the legs of a GTT that stands, None where it does not."""
        return next(
            (
                each.legs
                for each in await subject.broker.gtts()
                if each.gtt_id == gtt.gtt_id and each.status is GttStatus.ACTIVE
            ),
            None,
        )

    async def test_a_hint_is_given_of_what_happens_to_an_order(self, subject):
        _, order_id = await self.rest(subject)
        await subject.pass_time(2)
        await subject.broker.cancel(order_id)
        await subject.pass_time(2)
        assert order_id in subject.sink.hints
