"""Orders of earlier days, as the journal has them."""

import asyncio

import pytest

from engine.board_rows import EXTERNAL
from engine.errors import OperatorError
from store.order_blotter import earlier_orders

DAY = 86_400 * 10**9
TODAY = 1_717_439_400_000_000_000
"""Midnight of 2024-06-04, IST."""


def intent(number, created, **fields):
    row = {
        "intent": number,
        "tag": f"T{number}",
        "kind": "order",
        "created": created,
        "strategy": "ladder",
        "token": 7,
        "symbol": "INFY",
        "exchange": "NSE",
        "side": "BUY",
        "quantity": 10,
        "order_type": "LIMIT",
        "purpose": "ENTRY",
        "price": 1_500.0,
        "status": "COMPLETE",
    }
    return row | fields


def book(order_id, placed, **fields):
    row = {
        "order_id": order_id,
        "symbol": "INFY",
        "side": "SELL",
        "quantity": 4,
        "filled": 4,
        "price": 0.0,
        "average_price": 1_510.5,
        "order_type": "MARKET",
        "status": "COMPLETE",
        "placed": placed,
    }
    return row | fields


@pytest.fixture
def kept(journal):
    def keep(table, *rows):
        for row in rows:
            journal.append(table, row)
        asyncio.run(wait(journal))

    return keep


async def wait(journal):
    await journal.commit()


def test_orders_of_the_days_before_come_once_with_what_became_of_them(database, kept):
    kept(
        "intents",
        intent(1, TODAY - DAY, broker_id="A"),
        intent(2, TODAY - DAY + 5, status="REJECTED", reason="RISK: exposure", price=0.0),
        intent(3, TODAY - DAY + 9, kind="gtt"),
        intent(4, TODAY + 1),
        intent(5, TODAY - 1, order_type="SL-M", price=0.0, trigger_price=1_480.0),
    )
    kept(
        "orders",
        book("A", TODAY - DAY, intent=1, side="BUY", quantity=10, filled=10, average_price=1_499.5),
        book("X", TODAY - DAY + 7),
    )
    rows = earlier_orders(database, TODAY)
    assert [(row.key, row.ts) for row in rows] == [
        ("1", TODAY - DAY),
        ("2", TODAY - DAY + 5),
        ("xX", TODAY - DAY + 7),
        ("5", TODAY - 1),
    ]
    first, refused, other, stop = rows
    assert (first.filled, first.quantity, first.price, first.average) == (10, 10, 1_500.0, 1_499.5)
    assert (first.purpose, first.order_id, first.strategy) == ("ENTRY", "A", "ladder")
    assert (refused.status, refused.reason, refused.filled) == ("REJECTED", "RISK: exposure", 0)
    assert (other.strategy, other.side, other.average) == (EXTERNAL, "SELL", 1_510.5)
    assert stop.price == 1_480.0


def test_of_very_many_the_newest_are_returned(database, kept):
    kept("intents", *(intent(number, TODAY - DAY + number) for number in range(1, 8)))
    assert [row.key for row in earlier_orders(database, TODAY, 3)] == ["5", "6", "7"]


def test_a_journal_that_is_gone_is_named(tmp_path):
    with pytest.raises(OperatorError, match=r"none\.db"):
        earlier_orders(tmp_path / "none.db", TODAY)
