"""Assumptions about Kite that only Zerodha could confirm, as settings.

Each default is this exchange's guess.
"""

import difflib
from dataclasses import dataclass, fields
from typing import Literal

import msgspec

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KiteAssumptions:
    """One answer to each open question; `docs/sandbox.md` lists them."""

    default_mode: Literal["ltp", "quote", "full"] = "quote"
    """Of a bare subscription."""
    heartbeat: float = 2.5
    """Seconds of wall time without a frame after which a socket gets a byte."""
    resubscribe_resets: bool = False
    """A second subscription of a token sets its mode back to the default."""
    autoslice: Literal["parent", "list"] = "parent"
    """The answer: `{order_id, children}`, or the older flat list."""
    modify_quantity: Literal["total", "remaining"] = "total"
    """Meaning of `quantity` when an order is modified."""
    cancelled_pending: bool = True
    """A CANCELLED row keeps its open quantity in `pending_quantity`, as in the official mocks."""
    gtt_market: bool = False
    """MARKET legs are allowed; they are sent with automatic protection."""
    gtt_distance: bool = True
    """Triggers too close to the last price are refused."""
    gtt_success: str = "success"
    """`order_result.status` of a leg whose order was accepted."""
    quote_excess: Literal["refuse", "cut"] = "refuse"
    """More instruments than a quote request may have: refused, or the rest left out."""
    tags: Literal["alphanumeric", "any"] = "alphanumeric"
    """Characters of an order's tag.

    Those documented, or any, as the live API has been seen to take.
    """
    one_session: bool = True
    """A login ends the token of the one before."""
    registered_ip: bool = True
    """False: orders come from an address that is not registered, and are refused."""
    holdings: Literal["own", "other"] = "own"
    """The exchange and token a holding is listed under: where it was bought, or the other one."""
    mutual_funds: bool = True
    """Orders and plans of mutual funds are taken; the live API has refused them for some years."""
    refresh_token: bool = False
    """A login gives a refresh token, as to an approved platform; individuals get an empty one."""
    halt_cancels: bool = True
    """A market-wide halt cancels working orders."""
    new_hours: bool = True
    """Hours without an official notice hold on their day (2026-12-07); False: those before go on.
    """
    errors: tuple[tuple[str, int, str], ...] = ()
    """Refusals whose message begins with a text: their HTTP status and `error_type`."""


GUESSED = KiteAssumptions()


def assumptions_from_texts(texts: tuple[str, ...]) -> KiteAssumptions:
    """Return the choices of `name=value` texts; raise `ConfigError` naming the wrong one."""
    names = [field.name for field in fields(KiteAssumptions) if field.name != "errors"]
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = (
                f"did you mean {close[0]}=…?"
                if close
                else f"expected one of {', '.join(names)}, then =value"
            )
            raise ConfigError(f"choice {text!r}: {hint}")
        given[name] = value
        try:
            msgspec.convert({name: value}, KiteAssumptions, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"choice {text!r}: {error}") from None
    return msgspec.convert(given, KiteAssumptions, strict=False)
