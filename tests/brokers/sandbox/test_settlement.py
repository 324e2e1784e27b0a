"""Value of expired contracts: averages and intrinsic values worked out by hand."""

from datetime import date, datetime, timedelta, timezone

import pytest

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import DerivativeContract, ExchangeListing, ListedIndex
from brokers.sandbox.market.final_settlement import final_price
from brokers.sandbox.overnight import collect_account
from compiled.model.values import Instrument

IST = timezone(timedelta(hours=5, minutes=30))
NEW, OLD = date(2026, 12, 8), date(2026, 12, 1)


def share(day, symbol, close, trades, exchange="NSE"):
    """Return a share that has traded: (IST, price, quantity)."""
    made = Instrument(1, exchange, symbol, 0.05, lower=close / 2, upper=close * 2, close=close)
    listing = ExchangeListing(made, DayRules(str(day)), prints=True)
    for clock, price, quantity in trades:
        at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=IST)
        listing.print_trade(int(made.ticks(price)), quantity, int(at.timestamp()) * 10**9)
    return listing


def contract(day, spot, kind, strike=0.0):
    made = Instrument(9, "NFO", "CONTRACT", 0.05, kind=kind, lower=0.05, upper=9999.0, close=100.0)
    return ExchangeListing(
        made, DayRules(str(day)), prints=True, contract=DerivativeContract("X", day, strike, spot)
    )


def an_index(day):
    # the last half hour of A: (100 at 110 and 300 at 130) / 400 = 125, a quarter up; B has not
    # traded in it: 220, a tenth up
    a = share(
        day,
        "A",
        100.0,
        [
            ("14:59:59", 60.0, 900),
            ("15:00:00", 110.0, 100),
            ("15:29:59", 130.0, 300),
            ("15:38:00", 90.0, 700),
        ],
    )
    b = share(day, "B", 200.0, [("10:00:00", 220.0, 5)])
    index = ListedIndex(
        Instrument(3, "NSE", "NIFTY 50", 0.05, kind="INDEX", close=20_000.0), [a, b]
    )
    index.update_value(0)
    return index


@pytest.mark.parametrize(
    ("kind", "strike", "worth"),
    [
        ("FUT", 0.0, 23_500.0),
        ("CE", 23_000.0, 500.0),
        ("PE", 23_000.0, 0.0),
        ("PE", 24_000.0, 500.0),
        ("CE", 23_500.0, 0.0),
    ],
)
def test_an_index_settles_at_its_members_averages_of_the_last_half_hour_of_continuous_trading(
    kind, strike, worth
):
    assert final_price(contract(NEW, an_index(NEW), kind, strike), NEW, {}, new=True) == worth


def test_until_then_an_index_settles_at_its_closing_value():
    # A closes at 90, a tenth down, B a tenth up
    assert final_price(contract(OLD, an_index(OLD), "FUT"), OLD, {}, new=True) == 20_000.0
    assert final_price(contract(NEW, an_index(NEW), "CE", 19_900.0), NEW, {}, new=False) == 100.0


def test_a_share_settles_at_the_average_of_all_exchanges():
    nse = share(NEW, "A", 100.0, [("15:10:00", 110.0, 100), ("15:40:00", 60.0, 1)])
    bse = share(NEW, "A", 100.0, [("15:20:00", 130.0, 300)], "BSE")
    listings = {one.key: one for one in (nse, bse)}
    assert final_price(contract(NEW, nse, "FUT"), NEW, listings, new=True) == 125.0
    assert final_price(contract(NEW, nse, "PE", 127.5), NEW, listings, new=True) == 2.5


def test_a_contract_without_an_underlying_settles_at_its_own_last_price():
    assert final_price(contract(NEW, None, "FUT"), NEW, {}, new=True) == 100.0


def test_the_account_is_paid_the_settlement_price_of_what_it_holds_on_the_last_day():
    exchange = SandboxExchange(
        SandboxConfig(
            date="2026-12-08",
            start="15:28",
            speed=None,
            exchanges=("NSE", "NFO"),
            symbols=("INFY", "TCS"),
            positions=(("NFO:NIFTY26D0826000CE", "NRML", 75, 100.0),),
        )
    )
    exchange.run(exchange.closes)
    index, moves = exchange.listings["NSE:NIFTY 50"], []
    since = int(datetime(2026, 12, 8, 15, tzinfo=IST).timestamp()) * 10**9
    for member in index.members:
        bars = [bar for bar in member.minutes if since <= bar[0] < since + 1_800 * 10**9]
        assert len(bars) == 30
        average = sum(bar[6] for bar in bars) / sum(bar[5] for bar in bars) * member.instrument.tick
        moves.append(average / member.instrument.close)
    settled = round(index.instrument.close * sum(moves) / len(moves), 2)
    worth = max(0.0, settled - 26_000.0)
    left = collect_account(exchange)
    assert left.positions == []
    assert left.cash - exchange.funds.cash == pytest.approx(75 * (worth - 100.0) * 100, abs=75)
