"""`patang watch`: instruments of the running desk, and the user's watch lists."""

import os
from typing import Annotated

from cyclopts import App, Parameter

from engine.config.desk_modes import Mode
from engine.config.disk_places import watch_lists_file
from engine.config.watch_lists import EVERYTHING, WatchLists, change_watch_lists, read_watch_lists
from engine.errors import ConfigError, ConnectionFailed, OperatorError
from engine.exit_codes import DONE
from engine.market.instrument_search import expiry_text
from engine.operator_requests import SearchRequest, UnwatchRequest, WatchedRequest, WatchRequest
from engine.ops.control_socket import send_request
from tui.commands.desk import order_requests
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table

SEARCH_S = 25.0
"""A first search reads the lists of all exchanges."""

Which = Annotated[Mode | None, Parameter(help="Which desk, where several run.")]
InList = Annotated[
    str, Parameter(name="--list", help="One of the user's watch lists, whatever the desk has.")
]
Symbol = Annotated[str, Parameter(help="As INFY, or NIFTY26NOV24500CE.")]

watch_app = App(
    name="watch",
    help="Put instruments under watch, take them off, and keep watch lists.",
    help_format="plaintext",
)


@watch_app.command
def add(
    symbol: Symbol,
    *,
    list: InList = "",
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Put an instrument under watch on the running desk, for the rest of the day.

    With --list it also stands in that list from now on, which is made where there is none; the
    screen puts what a list has under watch when it shows the list.
    """
    symbol = symbol.upper()
    try:
        desk = order_requests.find_desk(config, mode or "")
    except ConnectionFailed as error:
        # a list outlives every desk, and may be made before one runs
        if not list:
            raise
        told = f"{error}: it comes under watch when one shows the list"
    else:
        told = order_requests.submit_request(desk, WatchRequest(symbol)).text
    if list:
        change_watch_lists(
            watch_lists_file(os.environ), lambda lists: _with_symbol(lists, list, symbol)
        )
        told = f"{symbol} is in {list}; {told}"
    return order_requests.print_answer({"answer": told} if as_json else told)


@watch_app.command
def remove(
    symbol: Symbol,
    *,
    list: InList = "",
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Take an instrument off the watch for the rest of the day; with --list off that list alone."""
    symbol = symbol.upper()
    # a list is the user's own; what the desk watches is the day's
    if list:
        change_watch_lists(watch_lists_file(os.environ), lambda lists: lists.remove(list, symbol))
        told = f"{symbol} is no longer in {list}"
    else:
        desk = order_requests.find_desk(config, mode or "")
        told = order_requests.submit_request(desk, UnwatchRequest(symbol)).text
    return order_requests.print_answer({"answer": told} if as_json else told)


@watch_app.command(name="list")
def show(
    *, list: InList = "", mode: Which = None, config: ConfigFile = None, as_json: RowsAsJson = False
) -> int:
    """List the user's watch lists, and what the running desk has under watch."""
    lists = read_watch_lists(watch_lists_file(os.environ))
    watched: dict[str, dict[str, object]] = {}
    try:
        door, _ = order_requests.find_desk(config, mode or "")
        answer = send_request(door, WatchedRequest()).data
        watched = {row["symbol"]: row for row in answer["watched"]}
    except ConnectionFailed:
        # without a desk the lists are all there is
        if not lists.lists:
            raise
    chosen = [lists.named(list)] if list and list != EVERYTHING else lists.lists
    named = [] if list and list != EVERYTHING else [(EVERYTHING, symbol) for symbol in watched]
    named += [(each.name, symbol) for each in chosen for symbol in each.symbols]
    rows = [
        {
            "list": name,
            "symbol": symbol,
            "watched": symbol in watched,
            "last": watched.get(symbol, {}).get("ltp"),
            "change %": _rounded_number(watched.get(symbol, {}).get("change")),
        }
        for name, symbol in named
    ]
    print_table(rows, as_json=as_json, more="name a --list, or see --json")
    return DONE


@watch_app.command
def search(
    text: Annotated[str, Parameter(help="Words of symbol, name, exchange, kind, expiry, strike.")],
    *,
    most: Annotated[int, Parameter(help="How many to show.")] = 20,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Look for instruments over all that the running desk can trade."""
    if not 1 <= most <= 500:
        raise ConfigError(f"--most {most}: expected 1 to 500")
    door, _ = order_requests.find_desk(config, mode or "")
    outcome = send_request(door, SearchRequest(text, most), SEARCH_S)
    if not outcome.ok:
        raise OperatorError(str(outcome))
    rows = [{**row, "expiry": expiry_text(row["expiry"])} for row in outcome.data["rows"]]
    found = outcome.data["count"]
    print_table(rows, as_json=as_json, summary=f"{found:,} found, {len(rows)} shown")
    return DONE


def _with_symbol(lists: WatchLists, name: str, symbol: str) -> WatchLists:
    there = lists if lists.find(name) else lists.create(name)
    return there.add(name, [symbol])


def _rounded_number(value: object) -> object:
    return round(value, 2) if isinstance(value, float) else value
