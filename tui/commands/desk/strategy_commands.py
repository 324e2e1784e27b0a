"""`patang strategies`: the strategies of the running desks, and the operator's acts on them."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from engine.config.desk_modes import Mode
from engine.config.schema import DeskConfig
from engine.config.toml_reader import nearest_hint
from engine.errors import ConfigError, ConnectionFailed, OperatorError, PatangError
from engine.exit_codes import DONE
from engine.manual.strategy_acts import parameter_list
from engine.numbers import counted, gain, time_of_day
from engine.operator_requests import (
    EngineRequest,
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
    StrategiesRequest,
)
from engine.ops.control_socket import send_request
from engine.texts import plain_text
from store.strategy_totals import strategy_totals
from strategies.parameters import parameters_kind, read_parameters
from strategies.strategy_sources import factory
from tui.commands.desk.desk_commands import WHO
from tui.commands.desk.order_requests import find_desk, running_desks, submit_request
from tui.commands.shared.options import AsJson, ConfigFile
from tui.run.configured import configuration
from tui.run.run_records import latest_database
from tui.run.settings import strategy_tables

Which = Annotated[Mode | None, Parameter(help="Only the desk of this mode.")]
Named = Annotated[str, Parameter(help="The strategy's name.")]
Why = Annotated[str, Parameter(help="Why; kept in the audit log.")]
Fields = dict[str, Any]

strategies_app = App(
    name="strategies",
    help="Show the strategies of a running desk; stop, start or change one for the day.",
    help_format="plaintext",
)


@strategies_app.default
def show(
    name: Annotated[str, Parameter(help="Only this one, with all its parameters.")] = "",
    *,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Show state, P&L, last signal and refusal, and what was changed; without a desk as configured.

    The P&L in all is that of every closed trade on record, and of what is open.
    """
    values = configuration(config)
    try:
        found = [
            (which, send_request(door, StrategiesRequest()).data)
            for door, which in running_desks(config, mode or "")
        ]
    except ConnectionFailed as error:
        sys.stderr.write(f"{plain_text(str(error))}: as configured\n")
        configured = mode or values.desk.mode
        found = [(configured, _configured_strategies(values, configured))]
    for which, answer in found:
        _add_totals(values, which.lower(), answer)
        rows: list[Fields] = answer["strategies"]
        if name:
            rows = [row for row in rows if row["name"] == name]
            if not rows:
                names = [str(row["name"]) for row in answer["strategies"]]
                raise OperatorError(f"no strategy {name} on this desk{nearest_hint(name, names)}")
            answer["strategies"] = rows
        text = _strategies_text(answer, whole=bool(name))
        sys.stdout.write(json.dumps(answer) + "\n" if as_json else text)
    return DONE


@strategies_app.command(name="stop")
def stop_strategy(
    name: Named,
    *,
    reason: Why,
    leave: Annotated[
        bool, Parameter(name="--exit", negative="", help="Exit its positions, too.")
    ] = False,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Stop a strategy for the rest of the day: its entries end, its positions stay protected."""
    return _submit_act(
        StopStrategyRequest(name, reason, WHO, leave=leave), mode, config, as_json=as_json
    )


@strategies_app.command(name="start")
def start_strategy(
    name: Named,
    *,
    reason: Why,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Start a strategy that was stopped or has failed; it is made anew and shown today's bars."""
    return _submit_act(StartStrategyRequest(name, reason, WHO), mode, config, as_json=as_json)


@strategies_app.command(name="set")
def set_parameters(
    name: Named,
    values: Annotated[
        list[str], Parameter(help="KEY=VALUE, as in its table of config.toml; several at once.")
    ],
    *,
    reason: Why,
    mode: Which = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Change parameters of a strategy until the end of the day.

    The configuration stays as it is.
    """
    # Their types are for the desk to judge: only it knows the struct.
    wanted = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"{text}: expected KEY=VALUE")
        wanted[key.strip()] = value
    request = SetParametersRequest(name, wanted, reason, WHO)
    return _submit_act(request, mode, config, as_json=as_json)


def _submit_act(
    request: EngineRequest, mode: Mode | None, config: Path | None, *, as_json: bool
) -> int:
    told = submit_request(find_desk(config, mode or ""), request).text
    sys.stdout.write((json.dumps({"answer": told}) if as_json else plain_text(told)) + "\n")
    return DONE


# what is shown


def _configured_strategies(values: DeskConfig, mode: str) -> Fields:
    """Return the strategies of the configuration as a desk would list them."""
    rows = []
    for name, table in strategy_tables(values).items():
        enabled = table.get("enabled", True)
        row: Fields = {
            "name": name,
            "state": "enabled" if enabled else "off",
            "why": "" if enabled else "it is not enabled",
            "symbols": len(table.get("symbols", ())),
            "parameters": [],
        }
        try:
            read = read_parameters(name, parameters_kind(factory(name, table)), table)
        # its file may be gone, or raise anything: the others are shown all the same
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            row |= {"state": "failed", "why": str(error)}
        else:
            row["parameters"] = [
                {
                    "name": each.name,
                    "value": each.text,
                    "configured": each.text,
                    "bounds": each.bounds,
                    "meaning": each.meaning,
                    "note": "",
                }
                for each in parameter_list(read)
            ]
        rows.append(row)
    return {"mode": mode.upper(), "strategies": rows}


def _add_totals(values: DeskConfig, mode: str, answer: Fields) -> None:
    """Add what each has earned in all, where a journal can be read."""
    # A desk that has not closed a trade yet, or has no journal, has no totals.
    totals = {}
    with suppress(PatangError):
        totals = strategy_totals(latest_database(values, mode))
    for row in answer["strategies"]:
        total = totals.get(row["name"])
        open_pnl = row.get("open_pnl", 0)
        row["net_in_all"] = (total.net if total is not None else 0) + open_pnl
        row["trades_in_all"] = total.trades if total is not None else 0


def _strategies_text(answer: Fields, *, whole: bool) -> str:
    lines = [answer["mode"]]
    for row in answer["strategies"]:
        lines += _strategy_lines(row, whole=whole)
    return "".join(f"{plain_text(str(line))}\n" for line in lines)


def _strategy_lines(row: Fields, *, whole: bool) -> list[str]:
    facts = [f"{row['name']}  {row['state']}"]
    if row["why"]:
        facts[0] += f" ({row['why']})"
    if "net" in row:
        facts += [
            counted(row["open"], "position"),
            f"{counted(row['trades'], 'trade')}, {row['wins']} won",
            f"today {gain(row['net']).strip()}",
        ]
    facts.append(
        f"in all {gain(row['net_in_all']).strip()} of {counted(row['trades_in_all'], 'trade')}"
    )
    lines = [" · ".join(facts)]
    for what in ("signal", "refusal"):
        if row.get(f"last_{what}"):
            at = time_of_day(row[f"last_{what}_at"])
            lines.append(f"  last {what} {at}  {row[f'last_{what}']}")
    for each in row["parameters"]:
        changed = each["value"] != each["configured"] or bool(each["note"])
        if not (whole or changed):
            continue
        line = f"  {each['name']} = {each['value']}"
        if changed:
            line += f"  (configured {each['configured']}; {each['note']})"
        if whole:
            line += f"  {each['meaning']} {each['bounds']}."
        lines.append(line)
    return lines
