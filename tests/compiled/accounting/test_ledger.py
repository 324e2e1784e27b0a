"""The ledger against an independent one in Decimal, and the laws of its books."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from compiled.accounting.ledger import Ledger, pro_rata
from compiled.model.values import Side

TICKS = {1: Decimal("0.05"), 2: Decimal("0.0025"), 3: Decimal(1)}


def whole(amount):
    return amount.quantize(Decimal(1), rounding=ROUND_HALF_UP)


class Reference:
    """One position, reckoned the long way: signed Decimal paise, a plain list of lots."""

    def __init__(self):
        self.quantity = Decimal(0)
        self.value = self.realised = self.fifo = Decimal(0)
        self.lots = []

    def trade(self, quantity, cost):
        if self.quantity * quantity >= 0:
            self.quantity += quantity
            self.value += cost
            self.lots.append([quantity, cost])
            return
        closed = min(abs(quantity), abs(self.quantity))
        paid = whole(cost * closed / abs(quantity))
        released = whole(self.value * closed / abs(self.quantity))
        self.realised += -released - paid
        self.fifo += -self.take(closed) - paid
        self.value -= released
        self.quantity += closed.copy_sign(quantity)
        if abs(quantity) > closed:
            self.trade(quantity - closed.copy_sign(quantity), cost - paid)

    def take(self, left):
        cost = Decimal(0)
        while left:
            quantity, value = self.lots.pop(0)
            taken = min(left, abs(quantity))
            part = whole(value * taken / abs(quantity))
            cost += part
            left -= taken
            if taken < abs(quantity):
                self.lots.insert(0, [quantity - taken.copy_sign(quantity), value - part])
        return cost


fills = st.lists(
    st.tuples(
        st.sampled_from(["ladder", "cross"]),
        st.sampled_from([1, 2, 3]),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 5_000),
        st.integers(1, 60_000),
    ),
    max_size=60,
)


def play(ledger, orders):
    """Book the fills; return the references by (strategy, token), "" for the account's."""
    books = {}
    for strategy, token, side, quantity, ticks in orders:
        price = TICKS[token] * ticks
        cost = whole(price * quantity * 100) * side
        for name in (strategy, ""):
            books.setdefault((name, token), Reference()).trade(Decimal(quantity * side), cost)
        ledger.fill(strategy, token, side, quantity, float(price))
    return books


@given(fills)
def test_every_position_agrees_with_an_independent_ledger_in_decimal(orders):
    ledger = Ledger(0)
    books = play(ledger, orders)
    for (strategy, token), book in books.items():
        position = ledger.position(strategy, token) if strategy else ledger.account(token)
        assert position.quantity == book.quantity
        assert position.value == book.value
        assert position.realised == book.realised
        assert position.realised_fifo == book.fifo


@given(fills, st.lists(st.integers(0, 10_000), max_size=5))
def test_cash_is_the_starting_cash_plus_sales_minus_purchases_minus_charges(orders, charges):
    ledger = Ledger(1_000_000_00)
    play(ledger, orders)
    for amount in charges:
        ledger.charge("ladder", 1, amount)
    bought = sum(position.buy_value for position in ledger.positions())
    sold = sum(position.sell_value for position in ledger.positions())
    assert ledger.cash == 1_000_000_00 + sold - bought - sum(charges)
    assert (
        ledger.charges
        == sum(charges)
        == sum(position.charges for position in ledger.account_positions())
    )


@given(fills)
def test_a_position_that_is_flat_again_has_realised_its_sales_minus_its_purchases_by_both_methods(
    orders,
):
    ledger = Ledger(0)
    play(ledger, orders)
    for position in ledger.positions():
        left = position.quantity
        if left:
            ledger.fill(
                position.strategy,
                position.token,
                Side.SELL if left > 0 else Side.BUY,
                abs(left),
                12.35,
            )
        assert position.value == 0
        assert position.average == 0.0
        assert position.unrealised == 0
        assert (
            position.realised == position.realised_fifo == position.sell_value - position.buy_value
        )


@given(fills, st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 60_000)), max_size=9))
def test_the_totals_are_the_sums_over_the_positions_after_every_mark(orders, marks):
    ledger = Ledger(0)
    play(ledger, orders)
    for token, ticks in marks:
        price = TICKS[token] * ticks
        ledger.mark(token, float(price))
        for position in ledger.positions():
            if position.token == token:
                assert (
                    position.unrealised == whole(price * position.quantity * 100) - position.value
                )
    assert ledger.realised == sum(position.realised for position in ledger.positions())
    assert ledger.unrealised == sum(position.unrealised for position in ledger.positions())
    assert ledger.net == ledger.realised + ledger.unrealised - ledger.charges
    worth = [
        whole(abs(Decimal(p.quantity)) * Decimal(str(p.last)) * 100)
        for p in ledger.account_positions()
    ]
    assert ledger.exposure == sum(worth)


def test_a_partial_sale_realises_against_the_average_price_and_fifo_against_the_oldest_shares():
    ledger = Ledger(10_000_00)
    ledger.fill("ladder", 1, Side.BUY, 10, 100.0)
    ledger.fill("ladder", 1, Side.BUY, 10, 110.0)
    assert ledger.fill("ladder", 1, Side.SELL, 5, 120.0) == 75_00
    position = ledger.position("ladder", 1)
    assert position.average == 105.0
    assert position.realised == 75_00
    assert position.realised_fifo == 100_00
    assert ledger.cash == 10_000_00 - 1_000_00 - 1_100_00 + 600_00


def test_a_sale_of_more_than_is_held_turns_the_position_short_at_its_own_price():
    ledger = Ledger(0)
    ledger.fill("cross", 1, Side.BUY, 100, 10.0)
    assert ledger.fill("cross", 1, Side.SELL, 150, 11.0) == 100_00
    position = ledger.position("cross", 1)
    assert (position.quantity, position.value, position.average) == (-50, -550_00, 11.0)
    assert ledger.fill("cross", 1, Side.BUY, 50, 10.5) == 25_00
    assert ledger.realised == 125_00


def test_a_third_of_an_odd_cost_is_rounded_and_the_rest_remains():
    ledger = Ledger(0)
    ledger.fill("ladder", 2, Side.BUY, 3, 0.0333)  # 9.99 paise: 10
    assert ledger.position("ladder", 2).value == 10
    realised = [ledger.fill("ladder", 2, Side.SELL, 1, 0.05) for _ in range(3)]
    assert realised == [2, 1, 2]  # costs 3, then 3.5 → 4, then the 3 that are left


def test_two_strategies_on_one_instrument_are_kept_apart_and_net_in_the_account():
    ledger = Ledger(0)
    ledger.fill("ladder", 1, Side.BUY, 100, 50.0)
    ledger.fill("cross", 1, Side.SELL, 100, 52.0)
    ledger.mark(1, 51.0)
    assert [(p.strategy, p.quantity, p.unrealised) for p in ledger.positions()] == [
        ("ladder", 100, 100_00),
        ("cross", -100, 100_00),
    ]
    account = ledger.account(1)
    assert (account.quantity, account.realised, account.unrealised) == (0, 200_00, 0)
    assert ledger.exposure == 0
    assert ledger.net == 200_00


def test_a_carried_position_moves_no_cash_and_realises_against_its_carried_average():
    ledger = Ledger(5_000_00)
    ledger.carry("ladder", 1, 30, 123.456789)
    assert ledger.cash == 5_000_00
    position = ledger.position("ladder", 1)
    assert (position.quantity, position.value) == (30, 3703_70)  # 3703.70367
    assert (position.carried_quantity, position.carried_value) == (30, 3703_70)
    assert ledger.fill("ladder", 1, Side.SELL, 30, 125.0) == 3750_00 - 3703_70
    assert ledger.cash == 5_000_00 + 3750_00
    assert position.buy_value == 0


def test_a_carried_average_comes_back_as_the_same_cost():
    before = Ledger(0)
    for quantity, price in ((7, 101.35), (13, 99.95), (1, 100.05)):
        before.fill("ladder", 1, Side.BUY, quantity, price)
    position = before.position("ladder", 1)
    after = Ledger(0)
    after.carry("ladder", 1, position.quantity, position.average)
    assert after.position("ladder", 1).value == position.value == 709_45 + 1299_35 + 100_05


def test_the_fill_price_values_a_position_until_the_first_mark_and_never_after_it():
    ledger = Ledger(0)
    ledger.fill("ladder", 1, Side.BUY, 10, 100.0)
    assert ledger.unrealised == 0
    ledger.mark(1, 101.0)
    ledger.fill("ladder", 1, Side.BUY, 10, 99.0)
    assert ledger.position("ladder", 1).last == 101.0
    assert ledger.unrealised == 10_00 + 20_00


def test_a_second_strategy_begins_at_the_last_price_and_not_at_its_own_late_fill():
    ledger = Ledger(0)
    ledger.fill("ladder", 1, Side.BUY, 10, 100.0)
    ledger.mark(1, 101.0)
    ledger.fill("cross", 1, Side.BUY, 10, 99.0)
    assert [(position.last, position.unrealised) for position in ledger.positions()] == [
        (101.0, 10_00),
        (101.0, 20_00),
    ]


def test_a_mark_of_an_instrument_nobody_holds_changes_nothing():
    ledger = Ledger(0)
    ledger.mark(9, 55.0)
    assert ledger.account(9) is None
    assert ledger.position("ladder", 9) is None
    assert ledger.positions() == ledger.account_positions() == []


def test_charges_booked_before_the_first_fill_are_kept_and_the_fill_sets_the_price():
    ledger = Ledger(1_000_00)
    ledger.charge("ladder", 1, 4_72)
    ledger.fill("ladder", 1, Side.BUY, 10, 20.0)
    position = ledger.position("ladder", 1)
    assert (position.charges, position.last, position.unrealised) == (4_72, 20.0, 0)
    assert ledger.account(1).last == 20.0
    assert ledger.cash == 1_000_00 - 4_72 - 200_00


def test_ten_thousand_small_sales_out_of_one_large_purchase_lose_no_paisa():
    ledger = Ledger(0)
    ledger.fill("ladder", 1, Side.BUY, 10_000, 333.35)
    ledger.fill("ladder", 1, Side.BUY, 7, 0.05)
    for _ in range(10_007):
        ledger.fill("ladder", 1, Side.SELL, 1, 333.4)
    position = ledger.position("ladder", 1)
    expected = 10_007 * 333_40 - 10_000 * 333_35 - 7 * 5
    assert position.realised == position.realised_fifo == expected
    assert ledger.cash == expected


def test_first_in_first_out_holds_over_thousands_of_open_lots():
    ledger = Ledger(0)
    for i in range(2_000):
        ledger.fill("ladder", 1, Side.BUY, 1, 100.0 + i)
    for i in range(1_000):
        ledger.fill("ladder", 1, Side.SELL, 1, 5_000.0)
        assert (
            ledger.position("ladder", 1).realised_fifo == sum(4_900 - k for k in range(i + 1)) * 100
        )


@given(st.integers(-(10**15), 10**15), st.integers(1, 2**31 - 1), st.data())
def test_a_share_is_the_exact_fraction_rounded_half_away_from_zero(amount, total, data):
    part = data.draw(st.integers(0, total))
    assert pro_rata(amount, part, total) == whole(Decimal(amount) * part / total)


def test_shares_of_which_a_consolidation_leaves_none_take_their_cost_with_them():
    ledger = Ledger(0)
    ledger.carry("s", 1, 5, 100.0)
    for position in list(ledger.held(1)):
        ledger.restate(position, 0, 1000.0)
    assert (ledger.realised, ledger.unrealised) == (-5 * 100_00, 0)
    ledger.fill("s", 1, Side.BUY, 10, 1000.0)
    ledger.fill("s", 1, Side.SELL, 10, 1001.0)
    position = ledger.position("s", 1)
    assert (position.quantity, position.value) == (0, 0)
    assert position.realised == position.realised_fifo == -5 * 100_00 + 10 * 100
    assert ledger.account(1).realised == position.realised


def test_a_division_keeps_what_each_method_has_realised():
    ledger = Ledger(0)
    for side, price in ((Side.BUY, 100.0), (Side.BUY, 200.0), (Side.SELL, 150.0)):
        ledger.fill("s", 1, side, 10, price)
    position = ledger.position("s", 1)
    assert (position.realised, position.realised_fifo) == (0, 10 * 50_00)
    for each in list(ledger.held(1)):
        ledger.restate(each, 20, 75.0)
    ledger.fill("s", 1, Side.SELL, 20, 60.0)
    # bought for 3,000, sold for 1,500 and 1,200
    assert position.realised == position.realised_fifo == -300_00
