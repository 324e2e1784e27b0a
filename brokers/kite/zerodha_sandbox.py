"""Zerodha's own sandbox: its addresses, its public application, and what it takes.

It speaks Kite Connect v3 with three differences (kite.trade/docs/connect/v3/sandbox): all routes
but the instrument dumps stand under `/oms`, the market data socket wants to know the user, and
orders are LIMIT orders.
"""

from datetime import date
from typing import Final

from compiled.model.exchange_rules import TriggerDistance
from engine.config import addresses
from engine.config.addresses import PREFIX
from engine.market.order_rules import OrderRules
from engine.ports import BrokerRules

HOST: Final = "sandbox.kite.trade"
API_KEY: Final = "sandboxdemo"
API_SECRET: Final = "sandboxdemo-secret"  # noqa: S105  Zerodha publishes it: everybody's application


def active_gtts(day: date) -> int:
    """Return how many GTTs an account may hold on a day; before the table as on its first."""
    dated = OrderRules.load()
    return dated.gtt_limits(max(day, dated.begins)).active


KITE_RULES: Final = BrokerRules(
    trigger_distance=TriggerDistance(0.25, cheap_below=50.0, cheap=0.09),
    tag_length=20,
    modifications=25,
    products=frozenset({"CNC", "MIS", "NRML", "MTF"}),
    orders_per_second=10,
    orders_per_minute=400,
    orders_per_day=5_000,
    active_gtts=active_gtts,
    instruments=9_000,
    history_days={
        60: 60,
        180: 100,
        300: 100,
        600: 100,
        900: 200,
        1_800: 200,
        3_600: 400,
        86_400: 2_000,
    },
)
"""Kite Connect v3: orders, GTT, historical data and WebSocket pages of its documentation."""
RULES: Final = KITE_RULES._replace(limit_only=True, gtts=False, margins=False)


def is_zerodha_sandbox(rest: str) -> bool:
    """Return whether an address is Zerodha's sandbox, or another with the routes of that."""
    place = addresses.parse_address(rest)
    return place is not None and (place.host == HOST or place.prefix == PREFIX)


def rules_of(rest: str) -> BrokerRules:
    """Return what the broker at an address takes."""
    return RULES if is_zerodha_sandbox(rest) else KITE_RULES


def split_root(rest: str) -> tuple[str, str]:
    """Return an address as its root and the path before the routes, mostly empty."""
    place = addresses.parse_address(rest)
    return (place.root, PREFIX) if place is not None and is_zerodha_sandbox(rest) else (rest, "")
