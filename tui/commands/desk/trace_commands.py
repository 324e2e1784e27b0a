"""`patang trace`: the way of one id, why a symbol was not traded, why a strategy failed."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.errors import ConfigError, NothingFound
from engine.exit_codes import DONE
from engine.manual.reasons import reason_meaning
from engine.numbers import instant
from engine.texts import plain_text
from store.decision_trace import DecisionTrace, TraceStep, VerdictCount, strategy_failures
from store.decision_trace import trace_decision as read_trace
from store.decision_trace import verdicts_of_symbol as read_why
from tui.commands.shared.options import AsJson, ConfigFile
from tui.run.configured import configuration
from tui.run.run_records import latest_database
from tui.trace_text import last_line, trace_lines

MS = 1_000_000


def trace(
    name: Annotated[
        str,
        Parameter(
            help=(
                "Decision (D12), intent (12), tag, the broker's order, GTT or trade id, or a "
                "strategy that failed."
            )
        ),
    ] = "",
    *,
    why: Annotated[
        str, Parameter(help="Instead: a symbol; tells what its requests were answered today.")
    ] = "",
    strategy: Annotated[str, Parameter(help="Only this strategy's requests.")] = "",
    mode: Annotated[
        Mode | None,
        Parameter(help="Whose journal; without it, the configured mode's."),
    ] = None,
    database: Annotated[Path | None, Parameter(help="Database to read instead.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Follow one id from tick to fills, or show why a symbol was not traded."""
    # they are two questions, and neither has an answer to both
    if bool(name) == bool(why):
        raise ConfigError("give an id, or --why SYMBOL")
    values = configuration(config)
    file = database or latest_database(values, mode or values.desk.mode)
    if why:
        _print_why(file, why.upper(), strategy, as_json=as_json)
    else:
        found = read_trace(file, name)
        sys.stdout.write(
            json.dumps(_trace_fields(found)) + "\n"
            if as_json
            else "".join(f"{plain_text(line)}\n" for line in trace_lines(found))
        )
    # whoever has named it knows which it was
    if database is None:
        sys.stderr.write(f"{plain_text(f'by {file}')}\n")
    return DONE


def _print_why(file: Path, symbol: str, strategy: str, *, as_json: bool) -> None:
    answers = read_why(file, symbol, strategy)
    failed = [(name, step) for name, step in strategy_failures(file) if strategy in {"", name}]
    if as_json:
        sys.stdout.write(json.dumps(_why_fields(symbol, answers, failed)) + "\n")
    else:
        sys.stdout.write(_why_text(answers, failed))
    # after the output: failures of strategies are an answer as well
    if not answers:
        raise NothingFound(f"{symbol}: no strategy asked for it on the last day of {file}")


def _trace_fields(found: DecisionTrace) -> dict[str, object]:
    first = found.steps[0].ts if found.steps else 0
    return {
        "decision": {key: value for key, value in found.decision.items() if value is not None},
        "steps": [
            {
                "ts": step.ts,
                "ms": round((step.ts - first) / MS, 3),
                "what": step.what,
                "text": step.text,
            }
            for step in found.steps
        ],
    }


def _why_fields(
    symbol: str, answers: list[VerdictCount], failed: list[tuple[str, TraceStep]]
) -> dict[str, object]:
    listed = [
        answer._asdict()
        | {"meaning": reason_meaning(answer.code), "decision": f"D{answer.decision}"}
        for answer in answers
    ]
    fallen = [{"strategy": name, "ts": step.ts, "error": last_line(step)} for name, step in failed]
    return {
        "symbol": symbol,
        "asked": sum(answer.times for answer in answers),
        "answers": listed,
        "failed": fallen,
    }


def _why_text(answers: list[VerdictCount], failed: list[tuple[str, TraceStep]]) -> str:
    text = ""
    for answer in answers:
        words = ": ".join(filter(None, (reason_meaning(answer.code), answer.detail))) or "sent"
        text += (
            f"{plain_text(answer.strategy)}  {plain_text(answer.code)}  {answer.times} times, "
            f"last {instant(answer.last)}"
            f"  (D{answer.decision})\n  {plain_text(words)}\n"
        )
    for name, step in failed:
        text += (
            plain_text(
                f"{name}  failed at {instant(step.ts)}: {last_line(step)}  (patang trace {name})"
            )
            + "\n"
        )
    return text
