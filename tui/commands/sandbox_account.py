"""Shares and positions of a local exchange's account from earlier days, as texts."""

from brokers.sandbox.http import DECIMAL, WHOLE
from engine.errors import ConfigError

PRODUCTS = ("CNC", "MIS", "NRML", "MTF")
SHARES = "SYMBOL:SHARES:PRICE"
POSITION = "EXCHANGE:SYMBOL:PRODUCT:QUANTITY:PRICE"


def carried_shares(texts: tuple[str, ...], option: str) -> tuple[tuple[str, int, float], ...]:
    """Return (symbol, shares, average price in rupees) of each SYMBOL:SHARES:PRICE.

    Raise `ConfigError` for another text.
    """
    found = []
    for text in texts:
        symbol, _, rest = text.upper().partition(":")
        shares, price = _quantity_and_price(rest, f"{option} {text}", SHARES)
        if not symbol or shares < 1:
            raise ConfigError(f"{option} {text}: expected {SHARES}, at least one share")
        found.append((symbol, shares, price))
    return tuple(found)


def carried_positions(texts: tuple[str, ...]) -> tuple[tuple[str, str, int, float], ...]:
    """Return ("EXCHANGE:SYMBOL", product, signed quantity, average price in rupees) of texts.

    Raise `ConfigError`.
    """
    found = []
    for text in texts:
        exchange, _, rest = text.upper().partition(":")
        symbol, _, rest = rest.partition(":")
        product, _, rest = rest.partition(":")
        quantity, price = _quantity_and_price(rest, f"--position {text}", POSITION)
        if not (exchange and symbol and quantity) or product not in PRODUCTS:
            raise ConfigError(
                f"--position {text}: expected {POSITION}, a product of {', '.join(PRODUCTS)}"
            )
        found.append((f"{exchange}:{symbol}", product, quantity, price))
    return tuple(found)


def _quantity_and_price(text: str, what: str, form: str) -> tuple[int, float]:
    quantity, _, price = text.partition(":")
    if not WHOLE.fullmatch(quantity) or not DECIMAL.fullmatch(price) or not float(price) > 0.0:
        raise ConfigError(f"{what}: expected {form}, whole numbers and a price in rupees")
    return int(quantity), float(price)
