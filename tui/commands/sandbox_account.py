"""The local exchange alone, in the foreground, with an account from texts."""

import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from brokers.sandbox.assumptions import assumptions_from_texts
from brokers.sandbox.config import SandboxConfig, SandboxEndpoint
from brokers.sandbox.fault_moods import faults_from_text
from brokers.sandbox.http import DECIMAL, WHOLE
from brokers.sandbox.server import Sandbox
from engine.errors import ConfigError
from engine.exit_codes import INTERRUPTED
from engine.indian_time import INDIA
from tui.commands.shared.options import read_day
from tui.run.settings import latest_day

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


def exchange_day(text: str) -> str:
    """Return the day an exchange shall play: the one asked for, or the latest trading day."""
    return read_day(text).isoformat() if text else latest_day()


def serve_sandbox(
    fields: dict[str, Any], faults: tuple[str, ...], choices: tuple[str, ...], *, as_json: bool
) -> int:
    """Serve the exchange of these `SandboxConfig` fields in the foreground until interrupted."""

    def started(endpoint: SandboxEndpoint) -> None:
        names = ("rest", "ws", "api_key", "api_secret", "access_token", "admin")
        told = {name: getattr(endpoint, name) for name in names}
        if as_json:
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            sys.stdout.write("".join(f"{name:<12}  {value}\n" for name, value in told.items()))
        # whoever has started it waits for the address
        sys.stdout.flush()
        for what in sandbox.exchange.dropped if sandbox.exchange is not None else ():
            sys.stderr.write(f"patang: left behind in the night: {what}\n")

    config = SandboxConfig(
        faults=tuple(rule for text in faults for rule in faults_from_text(text)),
        choices=assumptions_from_texts(choices),
        **fields,
    )
    # a service manager ends programs by it, and that end has to be as orderly as at ctrl-c
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sandbox = Sandbox(config, replay_progress())
    sandbox.serve_forever(started)
    return INTERRUPTED


def replay_progress() -> Callable[[str, int], None]:
    """Return a reporter of replayed days on stderr, once a second at most."""
    told = time.monotonic()

    def tell(date: str, now: int) -> None:
        nonlocal told
        # a year is played again in seconds, and each line would scroll the rest away
        if time.monotonic() - told >= 1.0:
            told = time.monotonic()
            clock = datetime.fromtimestamp(now // 1_000_000_000, INDIA)
            sys.stderr.write(f"patang: playing {date} again, {clock:%H:%M} IST\n")

    return tell
