"""An account as it comes over a night, and the morning made of it."""

from collections.abc import Mapping
from functools import partial

import msgspec

from brokers.sandbox.account.portfolio import AccountPortfolio, ShareHolding, other_listing
from brokers.sandbox.account.product_position import ProductPosition
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from engine.errors import ConfigError

FIRST_ID = 100_001
"""Of the GTTs of an account."""


class CarriedHolding(msgspec.Struct, frozen=True):
    """A holding: settled and unsettled (T1) shares, average price in rupees."""

    key: str
    quantity: int
    average: float
    unsettled: int = 0


class CarriedPosition(msgspec.Struct, frozen=True):
    """A carried position: signed quantity, signed cost in ten-thousandths of a rupee."""

    key: str
    product: str
    quantity: int
    cost: int


class CarriedGtt(msgspec.Struct, frozen=True):
    """A GTT that is still listed: request, id, times (ns UTC), and what its legs have sent."""

    trigger_id: int
    form: dict[str, str]
    created: int
    status: str = "active"
    updated: int = 0
    results: list[dict[str, object] | None] = []


class CarriedAccount(msgspec.Struct, frozen=True):
    """An account in the morning.

    `cash` is in paise, `next_gtt` the id of the next GTT: none ever comes back.

    `day` is the one it comes from, with the `closes` of its shares (rupees, by key).
    """

    cash: int
    holdings: list[CarriedHolding] = []
    positions: list[CarriedPosition] = []
    gtts: list[CarriedGtt] = []
    after_market: list[dict[str, str]] = []
    alerts: list[dict[str, str]] = []
    next_gtt: int = FIRST_ID
    day: str = ""
    closes: dict[str, float] = {}

    @property
    def held_keys(self) -> set[str]:
        """Return the keys of what it holds."""
        return {one.key for one in self.holdings} | {one.key for one in self.positions}


def configured_account(
    config: SandboxConfig, listings: Mapping[str, ExchangeListing | ListedIndex]
) -> CarriedAccount:
    """Return the account a configuration begins with; raise `ConfigError` for unlisted symbols."""
    settled = {
        symbol: CarriedHolding(f"NSE:{symbol}", quantity, price)
        for symbol, quantity, price in config.holdings
    }
    for symbol, quantity, price in config.unsettled:
        old = settled.get(symbol, CarriedHolding(f"NSE:{symbol}", 0, 0.0))
        # Kite has one row a share, and so one average for what is settled and what is not.
        average = (old.average * old.quantity + price * quantity) / (old.quantity + quantity)
        settled[symbol] = CarriedHolding(old.key, old.quantity, average, quantity)
    positions = [
        CarriedPosition(
            key,
            product,
            quantity,
            # Exact: no grid of any segment is finer than a ten-thousandth of a rupee.
            round(quantity * price * 10_000) * _find_listing(listings, key).multiplier,
        )
        for key, product, quantity, price in config.positions
    ]
    return CarriedAccount(config.cash, list(settled.values()), positions)


def morning_portfolio(
    carried: CarriedAccount,
    listings: Mapping[str, ExchangeListing | ListedIndex],
    config: SandboxConfig,
    dropped: list[str],
) -> AccountPortfolio:
    """Return the account's portfolio in the morning.

    A share that came over a night and is listed no more is `dropped`; one that was asked for and is
    not listed raises `ConfigError`.
    """

    def there(one: CarriedHolding | CarriedPosition) -> bool:
        # Without a day the account is the configuration's own, and a wrong symbol in it an error.
        if not carried.day or isinstance(listings.get(one.key), ExchangeListing):
            return True
        dropped.append(
            f"{one.key} is listed no more: {one.quantity + getattr(one, 'unsettled', 0)} held"
        )
        return False

    holdings = [
        ShareHolding(_find_listing(listings, one.key), one.quantity, one.average, one.unsettled)
        for one in carried.holdings
        if there(one)
    ]
    positions = [
        ProductPosition(_find_listing(listings, one.key), one.product, one.quantity, one.cost)
        for one in carried.positions
        if there(one)
    ]
    others = partial(other_listing, listings) if config.choices.holdings == "other" else None
    return AccountPortfolio(
        config.date, holdings, positions, consent=config.consent, elsewhere=others
    )


def _find_listing(
    listings: Mapping[str, ExchangeListing | ListedIndex], key: str
) -> ExchangeListing:
    found = listings.get(key)
    if not isinstance(found, ExchangeListing):
        raise ConfigError(f"holding {key.removeprefix('NSE:')!r}: the sandbox does not list it")
    return found
