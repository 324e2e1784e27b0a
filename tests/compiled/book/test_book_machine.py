"""The book against the reference book, call by call, and the laws that hold for any book."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from compiled.book.order_book import DAY, FOK, IOC, BookRefusal, OrderBook
from tests.reference.book import ReferenceBook

LOW, HIGH = 95, 105
WIDE = (60, 140)  # as far as the band is widened
prices = st.integers(LOW, HIGH)
quantities = st.integers(1, 30)
sides = st.sampled_from((1, -1))
owners = st.sampled_from((0, 0, 0, 1, 2))


class BookMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.book = OrderBook(LOW, HIGH)
        self.reference = ReferenceBook()
        self.last = 0
        self.entered = 0
        self.removed = 0
        self.band = LOW, HIGH

    def fresh(self):
        self.last += 1
        return self.last

    def pick(self, draw):
        return sorted(self.reference.orders)[draw % len(self.reference.orders)]

    def same_trades(self, before):
        traded = [self.book.fill(index) for index in range(before, self.book.fills())]
        assert traded == self.reference.fills[before:]
        return sum(quantity for *_, quantity in traded)

    def enter(self, order, quantity, got, expected):
        before = len(self.reference.fills)
        wanted = expected()
        assert got() == wanted
        assert self.same_trades(before) == wanted
        self.entered += quantity
        self.removed += quantity - wanted - self.book.remaining(order)

    @rule(
        side=sides,
        price=prices,
        quantity=quantities,
        owner=owners,
        tif=st.sampled_from((DAY, DAY, DAY, DAY, IOC, FOK)),
        peak=st.sampled_from((0, 0, 1, 3, 7)),
    )
    def limit(self, side, price, quantity, owner, tif, peak):
        order, peak = self.fresh(), min(peak, quantity)
        words = (order, side, price, quantity, owner, tif, peak)
        self.enter(
            order, quantity, lambda: self.book.limit(*words), lambda: self.reference.limit(*words)
        )

    @rule(
        side=sides,
        quantity=quantities,
        owner=owners,
        protect=st.one_of(st.just(-1), prices),
        rest=st.booleans(),
    )
    def market(self, side, quantity, owner, protect, rest):
        order = self.fresh()
        price = protect if protect >= 0 else self.band[1] if side > 0 else self.band[0]
        tif = DAY if rest else IOC
        self.enter(
            order,
            quantity,
            lambda: self.book.market(order, side, quantity, owner, protect, rest),
            lambda: self.reference.limit(order, side, price, quantity, owner, tif),
        )

    @precondition(lambda self: self.reference.orders)
    @rule(draw=st.integers(0, 1000))
    def cancel(self, draw):
        order = self.pick(draw)
        quantity = self.reference.cancel(order)
        assert self.book.cancel(order) == quantity
        assert self.book.remaining(order) == 0
        self.removed += quantity

    @precondition(lambda self: self.reference.orders)
    @rule(
        draw=st.integers(0, 1000),
        price=st.one_of(st.none(), prices),
        quantity=st.one_of(quantities, st.sampled_from((-1, 0, 1)).map(lambda change: (change,))),
    )
    def modify(self, draw, price, quantity):
        order = self.pick(draw)
        price = self.reference.orders[order].price if price is None else price
        if isinstance(quantity, tuple):  # as much as it has, or one share more or less
            quantity = max(1, self.book.remaining(order) + quantity[0])
        self.removed += self.book.remaining(order)
        self.enter(
            order,
            quantity,
            lambda: self.book.modify(order, price, quantity),
            lambda: self.reference.modify(order, price, quantity),
        )

    @rule(down=st.integers(0, 9), up=st.integers(0, 40))
    def widen(self, down, up):
        self.band = max(WIDE[0], self.band[0] - down), min(WIDE[1], self.band[1] + up)
        self.book.widen(*self.band)

    @rule(side=sides, beyond=st.sampled_from((0, 1, -1)), quantity=quantities)
    def refuse(self, side, beyond, quantity):
        price = {0: -1, 1: self.band[1] + 1, -1: self.band[0] - 1}[beyond]
        assert self.book.limit(self.last + 1, side, price, quantity) == BookRefusal.OFF_BAND
        assert self.book.limit(self.last, side, LOW, quantity) == (
            BookRefusal.USED_ID if self.last else BookRefusal.BAD_ID
        )

    @invariant()
    def every_level_is_the_reference_level(self):
        for side in (1, -1):
            assert self.book.depth(side, 99) == self.reference.depth(side)
            assert self.book.best(side) == self.reference.best(side)
            assert sum(
                self.book.quantity_at(side, price) for price in range(WIDE[0], WIDE[1] + 1)
            ) == sum(entry.shown for entry in self.reference.orders.values() if entry.side == side)

    @invariant()
    def every_order_stands_where_the_reference_has_it(self):
        for order, entry in self.reference.orders.items():
            assert self.book.remaining(order) == entry.shown + entry.hidden
            assert self.book.ahead(order) == self.reference.ahead(order)

    @invariant()
    def the_book_is_never_crossed(self):
        assert self.book.best(-1) == -1 or self.book.best(1) < self.book.best(-1)

    @invariant()
    def no_share_appears_or_vanishes(self):
        traded = sum(self.book.fill(index)[3] for index in range(self.book.fills()))
        resting = sum(self.book.remaining(order) for order in range(1, self.last + 1))
        assert self.entered == 2 * traded + self.removed + resting


TestBookMachine = BookMachine.TestCase
TestBookMachine.settings = settings(max_examples=60, stateful_step_count=40)
