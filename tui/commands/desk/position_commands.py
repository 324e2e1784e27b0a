"""Acts on a position by hand on the command line: leave, protect, add, reverse."""

import sys
from typing import Annotated

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.errors import OperatorError
from engine.operator_requests import AddRungRequest, ExitRequest, ReverseRequest, StopRequest
from engine.texts import plain_text
from tui.commands.desk import order_requests
from tui.commands.shared.options import AsJson, ConfigFile
from tui.commands.shared.yes_or_no import is_confirmed

SYMBOL = Parameter(help="What is held, as INFY.")
RUNG = Parameter(help="One rung: its number, or its place as P2; without one, all of them.")
DESK = Parameter(help="Which desk, where several run.")
STOP = Parameter(
    help="Percent of the average price at which a stop protects it; -1: as the newest."
)


def exit_position(
    symbol: Annotated[str, SYMBOL],
    *,
    quantity: Annotated[
        int | None, Parameter(help="Shares, the newest rungs first; without it, all.")
    ] = None,
    part: Annotated[float | None, Parameter(help="Percent of the shares instead, as 50.")] = None,
    rung: Annotated[str, RUNG] = "",
    mode: Annotated[Mode | None, DESK] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Leave a position of the running desk at the market, or a part of it."""
    # A figure that came out as nothing must not leave everything.
    for name, figure in (("quantity", quantity), ("part", part)):
        if figure is not None and not figure > 0:
            raise OperatorError(
                f"--{name} {figure:g}: nothing to leave; without --{name} everything leaves"
            )
    wanted = ExitRequest(symbol=symbol, quantity=quantity or 0, part=part or 0.0, rung=rung)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


def protect(
    symbol: Annotated[str, SYMBOL],
    *,
    price: Annotated[float, Parameter(help="Stop in rupees.")] = 0.0,
    percent: Annotated[float, Parameter(help="Stop in percent from the last price.")] = 0.0,
    break_even: Annotated[
        bool, Parameter(negative="", help="Stop where nothing is lost, charges paid.")
    ] = False,
    target: Annotated[float, Parameter(help="Target in rupees; 0: none; -1: as it is.")] = -1.0,
    rung: Annotated[str, RUNG] = "",
    mode: Annotated[Mode | None, DESK] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Move the stop of a position of the running desk, its target, or both.

    The stop trails on from there at its new distance, where its ladder trails.
    """
    wanted = StopRequest(
        symbol=symbol,
        rung=rung,
        price=price,
        percent=percent,
        break_even=break_even,
        target=target,
    )
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


def add(
    symbol: Annotated[str, SYMBOL],
    *,
    quantity: Annotated[int, Parameter(help="Shares; 0: as many as the ladder's plan says.")] = 0,
    stop: Annotated[float, STOP] = -1.0,
    rung: Annotated[str, Parameter(help="A rung of the ladder, where several are open.")] = "",
    yes: Annotated[bool, Parameter(negative="", help="Add it without asking.")] = False,
    mode: Annotated[Mode | None, DESK] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Add a rung to an open ladder of the running desk, at the market."""
    wanted = AddRungRequest(symbol=symbol, rung=rung, quantity=quantity, stop=stop)
    many = f"{quantity} more" if quantity else "one rung more of"
    _confirm_act(f"add {many} {symbol} at the market", yes=yes)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


def reverse(
    symbol: Annotated[str, SYMBOL],
    *,
    quantity: Annotated[int, Parameter(help="Shares of the other side; 0: as many.")] = 0,
    stop: Annotated[float, STOP] = -1.0,
    yes: Annotated[bool, Parameter(negative="", help="Reverse it without asking.")] = False,
    mode: Annotated[Mode | None, DESK] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Leave a position of the running desk, and enter the other side once it is flat.

    Only of MIS and NRML: delivery cannot be sold short.
    """
    wanted = ReverseRequest(symbol=symbol, quantity=quantity, stop=stop)
    # It opens a position; an exit alone is never held up by a question.
    _confirm_act(f"leave {symbol}, then enter its other side", yes=yes)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


def _confirm_act(act: str, *, yes: bool) -> None:
    """Ask before something is entered; raise `OperatorError` where nobody says yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError(f"nothing was sent; say --yes to {plain_text(act)}")
    if not is_confirmed(f"{plain_text(act.capitalize())}?"):
        raise OperatorError("nothing was sent")
