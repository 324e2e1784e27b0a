"""The command that serves the local exchange alone, in the foreground."""

import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from brokers.sandbox.assumptions import assumptions_from_texts
from brokers.sandbox.config import SandboxConfig, SandboxEndpoint
from brokers.sandbox.fault_moods import faults_from_text
from brokers.sandbox.http import DECIMAL, WHOLE
from brokers.sandbox.server import Sandbox
from engine.errors import ConfigError
from engine.exit_codes import INTERRUPTED
from engine.indian_time import INDIA
from tui.commands.shared.options import AsJson, Speed, speed_of
from tui.commands.shared.typed_values import read_day
from tui.run.settings import latest_day

PRODUCTS = ("CNC", "MIS", "NRML", "MTF")
SHARES = "SYMBOL:SHARES:PRICE"
POSITION = "EXCHANGE:SYMBOL:PRODUCT:QUANTITY:PRICE"


def sandbox(
    *,
    seed: Annotated[int, Parameter(help="Number from which the whole market follows.")] = 7,
    port: Annotated[int, Parameter(help="Port on the loopback interface; 0: any free one.")] = 0,
    speed: Speed = "1",
    date: Annotated[
        str, Parameter(help="The day it plays, YYYY-MM-DD; empty: the latest trading day.")
    ] = "",
    start: Annotated[str, Parameter(help="When it begins, IST; empty: when the day opens.")] = "",
    tape: Annotated[
        Path | None, Parameter(help="Folder of recorded 1-minute bars to play instead.")
    ] = None,
    exchanges: Annotated[
        str, Parameter(help="NSE, NFO, BSE, BFO, MCX, with commas between.")
    ] = "NSE,NFO,BSE,BFO",
    size: Annotated[int, Parameter(help="Instruments in all, up to 9000; 0: the named ones.")] = 0,
    instruments: Annotated[
        Path | None,
        Parameter(help="Kite instrument dump (CSV, may be gzipped): lists everything in it."),
    ] = None,
    fault: Annotated[
        tuple[str, ...],
        Parameter(help="What goes wrong, as docs/sandbox.md has it; may be repeated."),
    ] = (),
    faults: Annotated[Path | None, Parameter(help="TOML file of timed faults.")] = None,
    choice: Annotated[
        tuple[str, ...],
        Parameter(
            help="name=value of an open question, as docs/sandbox.md has it; may be repeated."
        ),
    ] = (),
    state: Annotated[
        Path | None,
        Parameter(help="SQLite file that keeps the account over restarts, and into later days."),
    ] = None,
    actions: Annotated[
        Path | None,
        Parameter(
            help="NSE's list of corporate actions: what of it falls between two days is done."
        ),
    ] = None,
    postback: Annotated[str, Parameter(help="Where order updates are posted as well.")] = "",
    symbols: Annotated[
        str, Parameter(help="What is listed, with commas between; empty: as docs/sandbox.md says.")
    ] = "",
    cash: Annotated[int, Parameter(help="Opening balance in rupees.")] = 1_000_000,
    holding: Annotated[
        tuple[str, ...],
        Parameter(help="Shares of earlier days, SYMBOL:SHARES:PRICE; may be repeated."),
    ] = (),
    unsettled: Annotated[
        tuple[str, ...],
        Parameter(help="Shares bought the day before, SYMBOL:SHARES:PRICE; may be repeated."),
    ] = (),
    position: Annotated[
        tuple[str, ...],
        Parameter(
            help=(
                "A position carried overnight, EXCHANGE:SYMBOL:PRODUCT:QUANTITY:PRICE; may be "
                "repeated."
            )
        ),
    ] = (),
    limits: Annotated[
        Literal["off", "kite", "strict"] | None,
        Parameter(
            help=(
                "Request rates: none, Kite's with a small burst, Kite's by count. [default: kite; "
                "off at max]"
            )
        ),
    ] = None,
    consent: Annotated[
        bool, Parameter(help="Shares can be sold without an authorisation at the depository.")
    ] = True,
    square_off: Annotated[
        bool, Parameter(help="Intraday positions are closed at the broker's time.")
    ] = True,
    post_close: Annotated[
        bool, Parameter(negative="", help="Keep the day open for the post-close session.")
    ] = False,
    redirect: Annotated[
        str, Parameter(help="Where the login page sends the browser; empty: a page of its own.")
    ] = "",
    user: Annotated[
        str,
        Parameter(help="The account's user id, SB and what follows; empty: derived from the rest."),
    ] = "",
    host: Annotated[
        str, Parameter(help="Address to listen on; others than this machine's need --public.")
    ] = "127.0.0.1",
    public: Annotated[bool, Parameter(negative="", help="Let other machines reach it.")] = False,
    as_json: AsJson = False,
) -> int:
    """Serve the local exchange alone, until interrupted."""
    fields = {
        "seed": seed,
        "port": port,
        "speed": speed_of(speed) or None,
        "date": exchange_day(date),
        "start": start,
        "tape": tape,
        "instruments": instruments,
        "exchanges": tuple(filter(None, exchanges.split(","))),
        "size": size,
        # for any program that speaks to Kite: more is listed than a desk of ours watches
        "wide": True,
        "faults_file": faults,
        "state": state,
        "actions": actions,
        "postback": postback,
        # no real second passes in lockstep: a rate by the second would hold a client up for ever
        "limits": limits or ("off" if speed == "max" else "kite"),
        "symbols": tuple(filter(None, symbols.upper().split(","))),
        "cash": cash * 100,
        "holdings": carried_shares(holding, "--holding"),
        "unsettled": carried_shares(unsettled, "--unsettled"),
        "positions": carried_positions(position),
        "consent": consent,
        "square_off": square_off,
        "post_close": post_close,
        "redirect": redirect,
        "user_id": user,
        "host": host,
        "public": public,
    }
    return serve_sandbox(fields, fault, choice, as_json=as_json)


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
        for what in server.exchange.dropped if server.exchange is not None else ():
            sys.stderr.write(f"patang: left behind in the night: {what}\n")

    config = SandboxConfig(
        faults=tuple(rule for text in faults for rule in faults_from_text(text)),
        choices=assumptions_from_texts(choices),
        **fields,
    )
    # a service manager ends programs by it, and that end has to be as orderly as at ctrl-c
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = Sandbox(config, replay_progress())
    server.serve_forever(started)
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
