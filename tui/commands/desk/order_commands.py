"""Orders by hand on the command line."""

from typing import Annotated, Literal

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.errors import ConfigError
from engine.operator_requests import CancelRequest, ModifyRequest, PlaceRequest
from tui.commands.desk import order_requests
from tui.commands.shared.options import AsJson, ConfigFile


def order(
    side: Annotated[Literal["buy", "sell"], Parameter(help="Which way.")],
    symbol: Annotated[str, Parameter(help="What to trade, as INFY.")],
    quantity: Annotated[int, Parameter(help="Shares.")],
    *,
    stop: Annotated[
        float, Parameter(help="Percent of the average price at which a stop protects it, as 2.")
    ] = 0.0,
    bare: Annotated[bool, Parameter(negative="", help="Without a stop.")] = False,
    target: Annotated[
        float, Parameter(help="Percent of the average price at which it is left; 0: none.")
    ] = 0.0,
    price: Annotated[float, Parameter(help="Limit in rupees: LIMIT, with a trigger SL.")] = 0.0,
    trigger: Annotated[float, Parameter(help="Trigger in rupees: SL-M, with a price SL.")] = 0.0,
    product: Annotated[
        Literal["CNC", "MIS", "NRML", "MTF"],
        Parameter(help="Delivery, intraday, carried derivatives, or margin funding."),
    ] = "CNC",
    validity: Annotated[
        Literal["DAY", "IOC", "TTL"],
        Parameter(help="Until the day ends, at once or not at all, or for --minutes."),
    ] = "DAY",
    minutes: Annotated[int, Parameter(help="Life of a TTL order.")] = 0,
    variety: Annotated[
        Literal["regular", "amo", "co", "iceberg"], Parameter(help="Kite's kind of order.")
    ] = "regular",
    legs: Annotated[int, Parameter(help="Of an iceberg, 2 to 50.")] = 0,
    disclosed: Annotated[int, Parameter(help="Shares shown.")] = 0,
    slices: Annotated[
        bool, Parameter(negative="", help="Cut at the exchange's freeze quantity.")
    ] = False,
    protection: Annotated[
        float, Parameter(help="Market protection in percent; -1: the exchange's.")
    ] = -1.0,
    trail: Annotated[bool, Parameter(help="Whether the stop follows the price.")] = True,
    yes: Annotated[bool, Parameter(negative="", help="Place it without asking.")] = False,
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several run.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Enter a position by hand on the running desk.

    Shows what it is and costs, and asks before it is sent.
    """
    # written this way it refuses NaN as well
    if not stop >= 0.0:
        raise ConfigError(f"--stop {stop:g}: expected percent of the average price, from 0 to 50")
    # a position without a stop is never a slip: it has to be said
    if bare == (stop > 0.0):
        raise ConfigError("say --stop PERCENT, or --bare for a position without a stop")
    wanted = PlaceRequest(
        symbol=symbol,
        side="BUY" if side == "buy" else "SELL",
        quantity=quantity,
        stop=stop,
        target=target,
        price=price,
        trigger=trigger,
        product=product,
        validity=validity,
        minutes=minutes,
        variety=variety,
        legs=legs,
        disclosed=disclosed,
        slices=slices,
        protection=protection,
        trail=trail,
    )
    return order_requests.place_order(config, mode or "", wanted, yes=yes, as_json=as_json)


def modify(
    order: Annotated[str, Parameter(help="Our number of it, or the broker's.")],
    *,
    quantity: Annotated[int, Parameter(help="New total; 0: as it is.")] = 0,
    price: Annotated[float, Parameter(help="New limit in rupees; 0: as it is.")] = 0.0,
    trigger: Annotated[float, Parameter(help="New trigger in rupees; 0: as it is.")] = 0.0,
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several run.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Change a working order of the running desk."""
    wanted = ModifyRequest(order=order, quantity=quantity, price=price, trigger=trigger)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


def cancel(
    order: Annotated[str, Parameter(help="Our number of it, or the broker's.")],
    *,
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several run.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Cancel a working order of the running desk."""
    return order_requests.ask_desk(config, mode or "", CancelRequest(order), as_json=as_json)
