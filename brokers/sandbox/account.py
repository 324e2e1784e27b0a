"""Who is logged in, and what can be spent.

Funds: delivery buys take their full value, delivery sales give it back at once; intraday takes a fifth of the value of
what is open; MTF half. Realised intraday P&L moves the balance, unrealised does not. Charges are not booked during the
day (they come with the contract note).
"""

from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus
from typing import final

from brokers.sandbox import ist
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.orders import Ask, ClientOrder
from brokers.sandbox.portfolio import Portfolio
from brokers.sandbox.wire import ApiError

PRODUCTS = ("CNC", "MIS", "MTF")
SHARE_OF_VALUE = {"CNC": 1.0, "MTF": 0.5, "MIS": 0.2}
DELIVERY = ("CNC", "MTF")
APP_ID = 1201


@final
class Session:
    """API key, secret and the access tokens of the day; a new login ends the old one."""

    def __init__(self, config: SandboxConfig) -> None:
        self.user_id = config.user
        self._seed = f"{config.seed}|{config.date}|{self.user_id}"
        self._issued = 0
        self._requests: set[str] = set()
        self.api_key = self._secret("key", 16)
        self.api_secret = self._secret("secret", 32)
        self.access_token = self._secret("access", 32)

    def _secret(self, what: str, length: int) -> str:
        self._issued += 1
        return sha256(f"{self._seed}|{what}|{self._issued}".encode()).hexdigest()[:length]

    def request_token(self, api_key: str) -> str:
        """Log in: mint a request token for one exchange."""
        if api_key != self.api_key:
            raise ApiError(HTTPStatus.BAD_REQUEST, "InputException", "Invalid `api_key`.")
        token = self._secret("request", 32)
        self._requests.add(token)
        return token

    def exchange(self, api_key: str, request_token: str, checksum: str, now: int) -> dict[str, object]:
        """Trade a request token for an access token."""
        expected = sha256((self.api_key + request_token + self.api_secret).encode()).hexdigest()
        if api_key != self.api_key or checksum != expected:
            raise _forbidden("Invalid `checksum`.")
        if request_token not in self._requests:
            raise _forbidden("Token is invalid or has expired.")
        self._requests.discard(request_token)
        self.access_token = self._secret("access", 32)
        return self.profile() | {
            "api_key": self.api_key,
            "access_token": self.access_token,
            "public_token": self._secret("public", 32),
            "enctoken": "",
            "refresh_token": "",
            "silo": "",
            "login_time": ist.text(now),
        }

    def valid(self, api_key: str, access_token: str) -> bool:
        """Tell whether this pair may speak."""
        return bool(access_token) and api_key == self.api_key and access_token == self.access_token

    def authorise(self, header: str) -> None:
        """Check an `Authorization: token key:access` header."""
        scheme, _, pair = header.partition(" ")
        key, _, access = pair.partition(":")
        if scheme != "token" or not self.valid(key, access):
            raise _forbidden("Incorrect `api_key` or `access_token`.")

    def logout(self, api_key: str, access_token: str) -> bool:
        """End the session."""
        if not self.valid(api_key, access_token):
            raise _forbidden("Incorrect `api_key` or `access_token`.")
        self.access_token = ""
        return True

    def expire(self) -> None:
        """Let the access token die; a login makes a new one."""
        self.access_token = ""

    def profile(self) -> dict[str, object]:
        """Return who this is."""
        return {
            "user_id": self.user_id,
            "user_type": "individual",
            "user_name": "Sandbox Trader",
            "user_shortname": "Sandbox",
            "email": "trader@sandbox.invalid",
            "broker": "ZERODHA",
            "exchanges": ["NSE"],
            "products": list(PRODUCTS),
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "avatar_url": None,
            "meta": {"demat_consent": "consent"},
        }


def _forbidden(message: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, "TokenException", message)


@final
class Funds:
    """The account's money, paise."""

    def __init__(self, cash: int, portfolio: Portfolio) -> None:
        self.cash = cash
        self._portfolio = portfolio

    def required(self, ask: Ask, price: float, live: Iterable[ClientOrder]) -> int:
        """Return what an order at `price` would block, paise: only the part that opens or adds counts."""
        opening = self.opening(ask, live)
        return round(opening * price * 100 * SHARE_OF_VALUE[ask.product])

    def opening(self, ask: Ask, live: Iterable[ClientOrder]) -> int:
        """Return the shares of an order that no position, holding or older closing order stands against."""
        token = int(ask.listing.instrument.token)
        against = -ask.side * self._portfolio.quantity(token, ask.product)
        if ask.product == "CNC" and not ask.buys:
            against += self._portfolio.held(token)
        if ask.product in DELIVERY and ask.buys:
            against = 0
        closing = sum(
            order.pending
            for order in live
            if order.ask.listing is ask.listing and order.ask.product == ask.product and order.ask.side == ask.side
        )
        return ask.quantity - min(ask.quantity, max(0, against - closing))

    def blocked(self, live: Iterable[ClientOrder]) -> int:
        """Return what open orders block, paise."""
        total = 0
        older: list[ClientOrder] = []
        for order in live:
            left = order.ask._replace(quantity=order.pending)
            total += self.required(left, reserve_price(left), older)
            older.append(order)
        return total

    def used(self, live: Iterable[ClientOrder]) -> int:
        """Return what positions and open orders use, paise; negative after profitable sales."""
        total = self.blocked(live) * 100
        for position in self._portfolio.positions.values():
            if position.product == "CNC":
                total += position.buy_value - position.sell_value
            else:
                total += round(abs(position.cost) * SHARE_OF_VALUE[position.product]) - position.realised
        return -(-total // 100)

    def available(self, live: Iterable[ClientOrder]) -> int:
        """Return what can be spent, paise."""
        return self.cash - self.used(live)

    def segment(self, live: list[ClientOrder], *, enabled: bool) -> dict[str, object]:
        """Return one segment of `GET /user/margins`; commodity stands there empty."""
        cash = self.cash if enabled else 0
        debits = self.used(live) if enabled else 0
        intraday = [p for p in self._portfolio.positions.values() if p.product == "MIS"] if enabled else []
        delivery = [p for p in self._portfolio.positions.values() if p.product in DELIVERY] if enabled else []
        return {
            "enabled": enabled,
            "net": (cash - debits) / 100,
            "available": {
                "adhoc_margin": 0,
                "cash": cash / 100,
                "opening_balance": cash / 100,
                "live_balance": (cash - debits) / 100,
                "collateral": 0,
                "intraday_payin": 0,
            },
            "utilised": {
                "debits": debits / 100,
                "exposure": 0,
                "m2m_realised": sum(p.realised for p in intraday) / 1e4,
                "m2m_unrealised": sum(p.unrealised for p in intraday) / 1e4,
                "option_premium": 0,
                "payout": 0,
                "span": 0,
                "holding_sales": 0,
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": 0,
                "delivery": sum(max(0, p.buy_value - p.sell_value) for p in delivery) / 1e4,
            },
        }


def reserve_price(ask: Ask) -> float:
    """Return the price at which an order reserves funds: its limit, else its trigger, else the last price."""
    return ask.price or ask.trigger or ask.listing.ltp
