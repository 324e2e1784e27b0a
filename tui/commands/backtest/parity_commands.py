"""`patang parity`: a desk's day beside a backtest of it, and a cause for each difference."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.errors import NothingFound
from engine.exit_codes import DONE
from tui.commands.shared.options import AsJson, ConfigFile, Folder
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.typed_values import read_day
from tui.run.configured import configuration

if TYPE_CHECKING:
    from engine.backtest.parity.attribution import DayParity, ParityDifference
    from engine.backtest.parity.parity_curves import ParityCurves
    from tui.commands.backtest.parity_run import ParityResult


def parity(
    *,
    day: Annotated[
        str, Parameter(name="--date", help="Which day, YYYY-MM-DD, IST; empty: the last one.")
    ] = "",
    mode: Annotated[Mode | None, Parameter(help="Whose desk; without it desk.mode.")] = None,
    database: Annotated[
        Path | None, Parameter(help="Its database; without it that of its last run on that day.")
    ] = None,
    bars: Annotated[
        str,
        Parameter(
            help=(
                "ticks: what the desk recorded; live: the bars it saw; history: those a backtest "
                "reads; a recording, or a version of the history. Without it ticks, else live."
            )
        ),
    ] = "",
    every: Annotated[
        bool,
        Parameter(name="--all", negative="", help="Show all of them, not 40 of each kind."),
    ] = False,
    history: Annotated[
        bool, Parameter(negative="", help="Show the days that were compared instead.")
    ] = False,
    strategy: Annotated[
        str, Parameter(help="With --history: the part of one strategy; empty: the whole desk.")
    ] = "",
    keep: Annotated[
        bool, Parameter(negative="--no-keep", help="Keep the result in results.db, for --history.")
    ] = True,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Compare what a desk did on a day with a backtest of that day, decision by decision."""
    from tui.commands.backtest.backtest_job import results_of
    from tui.commands.backtest.parity_report import history_text, print_parity

    values = configuration(config)
    if history:
        days = results_of(values).parity_days(mode or "", strategy)
        if not days:
            of = f" of {strategy}" if strategy else ""
            raise NothingFound(f"no day{of} has been compared yet: see patang parity --date")
        sys.stdout.write(
            json.dumps([each._asdict() for each in days]) + "\n" if as_json else history_text(days)
        )
        return DONE
    from tui.commands.backtest.parity_run import ParityRequest, ParityRun, parity_rows

    request = ParityRequest(
        mode or values.desk.mode, read_day(day) if day else None, database, bars, folder
    )
    result = ParityRun(values, request).execute()
    # which run it was is not in the figures
    narrate(f"by {result.database}; bars: {result.bars}")
    for warning in result.warnings:
        narrate(warning)
    if keep:
        results_of(values).keep_parity(parity_rows(result))
    if as_json:
        sys.stdout.write(json.dumps(_result_fields(result)) + "\n")
    else:
        print_parity(result, every=every)
    return DONE


def _result_fields(result: "ParityResult") -> dict[str, object]:
    return {
        "mode": result.mode,
        "date": str(result.day),
        "database": str(result.database),
        "bars": result.bars,
        **_figure_fields(result.parity, result.curves),
        "strategies": {name: _figure_fields(*part) for name, part in result.strategies.items()},
        "differences": [_difference_fields(each) for each in result.parity.differences],
        "warnings": result.warnings,
    }


def _figure_fields(found: "DayParity", made: "ParityCurves") -> dict[str, object]:
    return {
        "parity": round(found.percent, 4),
        "same": found.matched.same,
        "decisions": len(found.matched.decisions),
        "desk": found.desk / 100,
        "backtest": found.backtest / 100,
        "delta": found.delta / 100,
        "causes": {name: paise / 100 for name, paise in found.causes.items()},
        "inferred": found.inferred / 100,
        "correlation": made.correlation,
        "dtw": round(made.distance, 4),
    }


def _difference_fields(each: "ParityDifference") -> dict[str, object]:
    from tui.commands.backtest.parity_report import side_text

    decision = each.decision
    return {
        "ts": decision.ts,
        "strategy": decision.subject.strategy,
        "symbol": decision.subject.symbol,
        "kind": decision.kind,
        "same": decision.same,
        "desk": side_text(decision, desk=True),
        "backtest": side_text(decision, desk=False),
        "cause": each.why.cause,
        "why": each.why.text,
        "inferred": each.why.inferred,
        "amount": each.amount / 100,
        "parts": {name: paise / 100 for name, paise in each.parts.items()},
    }
