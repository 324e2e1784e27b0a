"""`patang alerts`: price alerts of the running desk."""

from typing import Annotated

from cyclopts import App, Parameter

from engine.config.desk_modes import Mode
from engine.errors import ConfigError
from engine.exit_codes import DONE
from engine.numbers import time_of_day
from engine.operator_requests import AlertRequest, AlertsRequest, AlertWay, DropAlertRequest
from engine.ops.control_socket import send_request
from tui.commands.desk import order_requests
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table

Which = Annotated[Mode | None, Parameter(help="Which desk, where several run.")]

alerts_app = App(
    name="alerts",
    help="Set price alerts on a running desk, list and remove them.",
    help_format="plaintext",
)


@alerts_app.default
def show(*, mode: Which = None, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the price alerts of the running desk."""
    door, _ = order_requests.find_desk(config, mode or "")
    rows = [
        {
            "number": row["number"],
            "symbol": row["symbol"],
            "when": row["way"],
            "level": row["level"],
            "set": time_of_day(row["made"]),
            "fired": time_of_day(row["fired"]) if row["fired"] else "",
            "at": row["at"] or "",
        }
        for row in send_request(door, AlertsRequest()).data["alerts"]
    ]
    print_table(rows, as_json=as_json, summary="" if rows else "no price alerts", plainly=True)
    return DONE


@alerts_app.command(name="set")
def set_alert(
    symbol: Annotated[str, Parameter(help="An instrument under watch, as INFY.")],
    way: Annotated[AlertWay, Parameter(help="above or below a price, or change in percent.")],
    level: Annotated[float, Parameter(help="Rupees; of a change percent, -2 for a fall of 2 %.")],
    *,
    note: Annotated[str, Parameter(help="What it says besides.")] = "",
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Have it said, once, when a price is reached: in the log, and on the screen with a bell."""
    # written this way it refuses NaN as well
    if not (-100.0 <= level < 1e9) or level == 0.0:
        raise ConfigError(f"level {level:g}: expected a price above 0, or a change in percent")
    wanted = AlertRequest(symbol.upper(), way, level, note)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)


@alerts_app.command
def remove(
    number: Annotated[int, Parameter(help="As `patang alerts` shows it.")],
    *,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Remove a price alert."""
    if not 1 <= number <= 2**31:
        raise ConfigError(f"{number}: expected the number of an alert")
    wanted = DropAlertRequest(number)
    return order_requests.ask_desk(config, mode or "", wanted, as_json=as_json)
