"""`patang limits`: the limits of the running desks, and changes for the rest of the day."""

import json
import sys
from typing import Annotated

from cyclopts import App, Parameter

from engine.config.desk_modes import Mode
from engine.exit_codes import DONE
from engine.numbers import amount
from engine.operator_requests import LimitRequest, LimitsRequest
from engine.ops.control_socket import send_request
from engine.texts import plain_text
from tui.commands.desk.desk_commands import WHO
from tui.commands.desk.order_requests import find_desk, running_desks, submit_request
from tui.commands.shared.options import AsJson, ConfigFile

Which = Annotated[Mode | None, Parameter(help="Only the desk of this mode.")]

limits_app = App(
    name="limits",
    help="Show the limits of a running desk, or change one for the day.",
    help_format="plaintext",
)


@limits_app.default
def show(*, mode: Which = None, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Show every limit, what is configured, and who changed it today."""
    for door, _ in running_desks(config, mode or ""):
        answer = send_request(door, LimitsRequest()).data
        sys.stdout.write(json.dumps(answer) + "\n" if as_json else _limits_text(answer))
    return DONE


@limits_app.command(name="set")
def set_limit(
    name: Annotated[
        str, Parameter(help="As in [risk] of config.toml; budget.STRATEGY for a strategy's budget.")
    ],
    value: Annotated[
        float,
        Parameter(help="Rupees, a count or a percentage; 0: not limited, where that is allowed."),
    ],
    *,
    reason: Annotated[str, Parameter(help="Why; kept in the audit log.")],
    yes: Annotated[
        bool, Parameter(negative="", help="Confirm a change that allows more than now.")
    ] = False,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Change a limit of a running desk until the end of the day.

    The configuration stays as it is.
    """
    request = LimitRequest(name, value, reason, WHO, confirmed=yes)
    told = str(submit_request(find_desk(config, mode or ""), request))
    sys.stdout.write((json.dumps({"answer": told}) if as_json else plain_text(told)) + "\n")
    return DONE


def _limits_text(answer: dict[str, object]) -> str:
    rows = answer["limits"]
    assert isinstance(rows, list)
    width = max(len(row["name"]) for row in rows)
    text = f"{plain_text(str(answer['mode']))}\n"
    for row in rows:
        # twelve digits: a float shows its last bits beyond them
        configured, value = (amount(f"{row[key]:.12g}") for key in ("configured", "value"))
        changed = (
            plain_text(f"  configured {configured}; {row['who']}: {row['reason']}")
            if "reason" in row
            else ""
        )
        text += f"{plain_text(row['name']):<{width}}  {value:>14}{changed}\n"
    return text
