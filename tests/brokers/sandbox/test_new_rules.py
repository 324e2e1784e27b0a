"""Dated rules: settlement, the band of the closing auction, and orders carried into it."""

from datetime import date

import pytest

from brokers.sandbox import overnight
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.market import session_phases
from engine.market.calendar import Calendar
from tests.engine.market.test_hours import at
from tests.engine.market.test_schedules import changed


@pytest.fixture
def late(tmp_path, monkeypatch):
    """Let every market open at 15:12: no morning has to be made up."""

    def opens_late(raw):
        raw["phases"] = [row for row in raw["phases"] if row["part"] == "main"]
        for row in raw["phases"]:
            row["phases"][0][1] = "15:12"

    file = changed(tmp_path, opens_late)
    monkeypatch.setattr(
        session_phases,
        "_session_calendar",
        lambda *, new=True: Calendar.load(file, held_back=not new),
    )


def exchange(day, carried=None, **changes):
    config = SandboxConfig(
        date=day, symbols=("INFY",), user_id="SB0001", limits="off", cash=50_000_000_00, **changes
    )
    return SandboxExchange(config, carried)


def held(account):
    (row,) = account.portfolio.holding_rows()
    return row["quantity"], row["t1_quantity"]


def order(account, side, quantity, **more):
    form = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": side,
        "quantity": str(quantity),
        "order_type": "MARKET",
        "product": "CNC",
        "market_protection": "-1",
    } | more
    asked = overnight.order_checks.read_order(
        account.listings, form, "iceberg" if "iceberg_legs" in more else "regular"
    )
    (made,) = account.varieties.place_order(asked, account.now)
    account.react_to_prices(asked.listing)
    return made


def evening(account):
    account.run(account.closes)
    return overnight.collect_account(account)


def test_what_is_bought_before_a_settlement_holiday_is_delivered_a_day_later(late):
    today = exchange("2026-08-25")
    today.run(today.start + 5_000_000_000)
    order(today, "BUY", 10)
    holiday = exchange("2026-08-26", evening(today))
    assert held(holiday) == (0, 10)
    holiday.run(holiday.start + 5_000_000_000)
    order(holiday, "BUY", 5)
    order(holiday, "SELL", 3)
    day_after = exchange("2026-08-27", evening(holiday))
    assert held(day_after) == (0, 12)  # nothing settled on the 26th
    assert held(exchange("2026-08-28", evening(day_after))) == (12, 0)


def test_on_a_usual_day_what_was_bought_the_day_before_settles(late):
    today = exchange("2026-08-20")
    today.run(today.start + 5_000_000_000)
    order(today, "BUY", 10)
    tomorrow = exchange("2026-08-21", evening(today))
    assert held(tomorrow) == (0, 10)
    assert held(exchange("2026-08-24", evening(tomorrow))) == (10, 0)


def bands(account, *keys):
    """Return the width of price bands in percent of their middle, as quotes show them."""
    found = []
    for key in keys:
        made = account.listings[key].instrument
        found.append(round(50.0 * (made.upper - made.lower) / ((made.upper + made.lower) / 2.0)))
    return found


@pytest.mark.parametrize(
    ("day", "new_hours", "begins", "index_bound"),
    [
        ("2026-09-04", True, "15:15", False),
        ("2026-09-07", True, "15:15", True),
        ("2026-12-07", False, "15:15", True),
        ("2026-12-07", True, "15:30", True),
    ],
)
def test_shares_and_futures_keep_three_percent_from_the_closing_auction_on(
    late, day, new_hours, begins, index_bound
):
    account = exchange(
        day, exchanges=("NSE", "NFO"), size=9, choices=KiteAssumptions(new_hours=new_hours)
    )
    month = date.fromisoformat(day).strftime("%y%b").upper()
    keys = ("NSE:INFY", f"NFO:INFY{month}FUT", f"NFO:NIFTY{month}FUT")
    account.run(at(day, begins) - 1)
    before = bands(account, *keys)
    account.run(at(day, begins))
    assert before == [10, 10, 10]
    assert bands(account, *keys) == [3, 3, 3 if index_bound else 10]


@pytest.mark.parametrize(("day", "stays"), [("2026-12-07", False), ("2027-02-08", True)])
def test_icebergs_are_carried_into_the_auction_since_february_2027(
    tmp_path, monkeypatch, day, stays
):
    def opens_late(raw):
        for year in raw["holidays"][:]:
            if year["year"] == 2026:
                raw["holidays"].append(
                    year | {"year": 2027, "closed": [], "morning_closed": [], "evening_closed": []}
                )
        raw["phases"] = [row for row in raw["phases"] if row["part"] == "main"]
        for row in raw["phases"]:
            row["phases"][0][1] = "15:28"

    file = changed(tmp_path, opens_late)
    monkeypatch.setattr(
        session_phases,
        "_session_calendar",
        lambda *, new=True: Calendar.load(file, held_back=not new),
    )
    account = exchange(day)
    account.run(account.start + 5_000_000_000)
    near, far = (
        account.listings["NSE:INFY"].instrument.snap(account.listings["NSE:INFY"].ltp * part)
        for part in (0.98, 0.93)
    )
    iceberg = {"order_type": "LIMIT", "iceberg_legs": "2", "iceberg_quantity": "500"}
    inside = order(account, "BUY", 1000, price=str(near), **iceberg)
    outside = order(account, "BUY", 1000, price=str(far), **iceberg)
    account.run(at(day, "15:30"))
    assert (inside.status, outside.status) == ("OPEN" if stays else "CANCELLED", "CANCELLED")


@pytest.mark.parametrize(
    ("new_hours", "index_ends", "stock_ends"), [(True, "15:30", "15:45"), (False, "15:40", "15:40")]
)
def test_an_index_contract_that_expires_stops_before_the_stock_contracts_do(
    late, new_hours, index_ends, stock_ends
):
    account = exchange(
        "2026-12-29", exchanges=("NSE", "NFO"), size=9, choices=KiteAssumptions(new_hours=new_hours)
    )
    for key, ends in (
        ("NFO:NIFTY26DECFUT", index_ends),
        ("NFO:INFY26DECFUT", stock_ends),
        ("NFO:NIFTY27JANFUT", stock_ends),
    ):
        group = account._hours[int(account.listings[key].instrument.token)]
        assert group.last_match == at("2026-12-29", ends), key
    account.run(at("2026-12-29", index_ends))
    form = {
        "exchange": "NFO",
        "transaction_type": "BUY",
        "quantity": "75",
        "order_type": "LIMIT",
        "product": "NRML",
    }
    dead = account.listings["NFO:NIFTY26DECFUT"]
    with pytest.raises(SandboxApiError, match="Markets are closed right now"):
        session_phases.check_phase_admits(
            overnight.order_checks.read_order(
                account.listings,
                form
                | {
                    "tradingsymbol": "NIFTY26DECFUT",
                    "quantity": str(dead.instrument.lot),
                    "price": str(dead.ltp),
                },
                "regular",
            )
        )
