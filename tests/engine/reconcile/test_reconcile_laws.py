"""Whatever the broker holds: what may be adopted is, once, and then both agree."""

from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.model.values import Product
from engine.books.book_difference import POSITIONS, DifferenceChoice
from engine.books.position_differences import held_shares
from engine.ports import BrokerHolding, BrokerPosition
from tests.compiled.trading.books import CASH, Desk
from tests.compiled.trading.scripted import BEL, CANBK

NAMES = {BEL: "BEL", CANBK: "CANBK"}
PRICES = {BEL: 240.0, CANBK: 100.0}
SHARES = st.integers(-40, 160)

books = st.fixed_dictionaries(
    {},
    optional={
        (token, product): SHARES.filter(bool)
        for token in NAMES
        for product in ("CNC", "MIS", "NRML", "holding")
    },
)


def fill(desk, theirs):
    """Have the broker hold this; a negative holding is none."""
    positions, holdings = [], []
    for (token, product), quantity in theirs.items():
        if product != "holding":
            positions.append(BrokerPosition(token, NAMES[token], product, quantity, PRICES[token]))
        elif quantity > 0:
            holdings.append(BrokerHolding(token, NAMES[token], quantity, PRICES[token]))
    desk.books.at |= {"positions": positions, "holdings": holdings}


def shares(theirs):
    """Return the broker's shares by token and product, worked out from what it was given."""
    found = {}
    for (token, product), quantity in theirs.items():
        if product == "holding" and quantity < 0:
            continue
        at = token, "CNC" if product == "holding" else product
        found[at] = found.get(at, 0) + quantity
    return {at: quantity for at, quantity in found.items() if quantity}


@settings(max_examples=60)
@given(books, st.booleans())
def test_adopting_what_can_be_adopted_makes_the_books_agree(theirs, holding):
    desk = Desk()
    for token, price in PRICES.items():
        desk.scene.tick(price, token)
    if holding:
        desk.hold(50)
    fill(desk, theirs)
    desk.look(2)
    for _ in range(3):  # what is on the other side is written off first, then taken on
        for standing in list(desk.reconciler.standing.values()):
            difference = standing.difference
            if difference.kind in POSITIONS and DifferenceChoice.ADOPT in difference.choices:
                assert desk.decide(f"{difference.key} adopt")[0].startswith("done")
        desk.look(2)
    ours = {at: quantity for at, quantity in held_shares(desk.scene.kernel).items() if quantity}
    wanted = {
        (token, product): quantity
        for (token, product), quantity in shares(theirs).items()
        if product == Product.MIS.name or (product == Product.CNC.name and quantity > 0)
    }
    assert ours == wanted
    left = {
        each.difference.key
        for each in desk.reconciler.standing.values()
        if each.difference.kind in POSITIONS
    }
    assert left == {
        f"{NAMES[token]}:{product}" for token, product in shares(theirs).keys() - wanted.keys()
    }
    ledger = desk.scene.kernel.ledger
    for token in NAMES:
        account = ledger.account(token)
        assert (account.quantity if account else 0) == sum(
            q for (t, _), q in wanted.items() if t == token
        )
    assert desk.scene.kernel.state.day_pnl == 0
    intraday = sum(
        quantity * PRICES[token] * 100
        for (token, product), quantity in wanted.items()
        if product == "MIS"
    )
    assert ledger.cash == CASH - (50 * 100_00 if holding else 0) - intraday
