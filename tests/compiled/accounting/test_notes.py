"""Contract notes as they grow: after each fill, all charges together are what the notes say."""

from hypothesis import given
from hypothesis import strategies as st

from compiled.accounting.charges import LIMIT, contract_note, note_total
from compiled.accounting.contract_notes import DayNotes
from compiled.model.values import Side
from engine.market.charges import load_rate_table
from tests.reference import notes as reference

DAY = 20240604
RATES = {name: load_rate_table().rates(name, "NSE", DAY) for name in ("EQ_DELIVERY", "EQ_INTRADAY")}
DELIVERY, INTRADAY = RATES["EQ_DELIVERY"], RATES["EQ_INTRADAY"]


def tell(book, fill, number):
    ts, symbol, segment, order, side, quantity, value = fill
    other = INTRADAY if segment == "EQ_DELIVERY" else None
    return book.fill(
        symbol, RATES[segment], other, f"T{number}", ts, order, Side(side), quantity, value
    )


FILLS = st.lists(
    st.tuples(
        st.sampled_from([257, 513]),
        st.sampled_from(["EQ_DELIVERY", "EQ_DELIVERY", "EQ_INTRADAY"]),
        st.integers(1, 6),
        st.sampled_from([1, -1]),
        st.integers(1, 300),
        st.integers(1, 9_000_000_00),
    ),
    min_size=1,
    max_size=14,
)


@given(FILLS, st.randoms(use_true_random=False))
def test_the_charges_so_far_are_the_notes_so_far_in_whatever_order_fills_are_told(rows, rng):
    # an order has one side, one instrument and one segment
    fills = [
        (ts, symbol, segment, order * 100 + symbol + side * 7 + len(segment), side, quantity, value)
        for ts, (symbol, segment, order, side, quantity, value) in enumerate(rows)
    ]
    rng.shuffle(fills)
    book, told, charged = DayNotes(), [], 0
    for fill in fills:
        charged += tell(book, fill, len(told))
        told.append(fill)
        assert charged == sum(reference.notes(told, RATES).values()) * 100


def test_a_sale_on_the_day_turns_the_purchase_into_intraday():
    book = DayNotes()
    # 1,00,000 bought: STT 100, exchange 3.22, SEBI 0.10, IPFT 0.10, stamp 15, GST 2 x 0.31
    assert tell(book, (1, 257, "EQ_DELIVERY", 1, 1, 100, 1_00_000_00), 1) == 119_04
    # together as intraday: brokerage 40, STT 25.125, stamp 3, exchange 6.46, SEBI 0.20, IPFT 0.20,
    # GST 2 x 4.22
    assert tell(book, (2, 257, "EQ_DELIVERY", 2, -1, 100, 1_00_500_00), 2) == 83_30 - 119_04


def test_shares_held_from_earlier_days_are_delivery_when_sold():
    book = DayNotes()
    sold = tell(book, (1, 257, "EQ_DELIVERY", 1, -1, 100, 1_00_000_00), 1)
    # STT 100, exchange 3.22, SEBI and IPFT 0.10, GST 2 x 0.31
    assert sold == 104_04


def test_one_order_filled_in_many_trades_pays_one_brokerage():
    book = DayNotes()
    for n in range(10):
        tell(book, (n, 257, "EQ_INTRADAY", 1, 1, 10, 10_000_00), n)
    whole = DayNotes()
    tell(whole, (1, 257, "EQ_INTRADAY", 1, 1, 100, 1_00_000_00), 1)
    assert book.total == whole.total


def test_what_a_restart_books_again_leaves_the_next_fill_charged_as_without_it():
    fills = [
        (1, 257, "EQ_DELIVERY", 1, 1, 100, 1_00_000_00),
        (2, 257, "EQ_DELIVERY", 2, -1, 40, 40_100_00),
        (2, 257, "EQ_DELIVERY", 3, 1, 30, 30_010_00),
        (3, 257, "EQ_DELIVERY", 4, -1, 90, 90_400_00),
    ]
    straight, again = DayNotes(), DayNotes()
    charges = [tell(straight, fill, n) for n, fill in enumerate(fills, start=8)]
    for n, fill in sorted(
        zip(range(8, 11), fills[:3], strict=True), key=lambda each: f"T{each[0]}"
    ):
        ts, symbol, segment, order, side, quantity, value = fill
        again.enter(
            symbol,
            RATES[segment],
            INTRADAY,
            f"T{n}",
            ts,
            order,
            Side(side),
            quantity,
            value,
            charges[n - 8],
        )
    assert tell(again, fills[3], 11) == charges[3]
    assert again.total == straight.total == sum(charges)


def test_a_day_is_charged_anew():
    book = DayNotes()
    first = tell(book, (1, 257, "EQ_DELIVERY", 1, 1, 100, 1_00_000_00), 1)
    book.begin_day()
    assert tell(book, (1, 257, "EQ_DELIVERY", 1, 1, 100, 1_00_000_00), 1) == first


@given(st.lists(st.integers(1, LIMIT), max_size=30), st.lists(st.integers(1, LIMIT), max_size=30))
def test_a_note_of_any_turnover_is_exact(buys, sells):
    orders = [(1, reference.Decimal(v) / 100) for v in buys] + [
        (-1, reference.Decimal(v) / 100) for v in sells
    ]
    expected = reference.note(INTRADAY, orders)
    brokerage = 0
    for value in (*buys, *sells):
        brokerage += min(2000, (value * INTRADAY.brokerage + 500_000_000) // 1_000_000_000)
    assert note_total(INTRADAY, sum(buys), sum(sells), brokerage) == expected * 100
    assert round(contract_note(INTRADAY, buys, sells).total * 100) == expected * 100
