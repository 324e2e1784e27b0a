"""`patang sweep`: many backtests of one strategy, and which of them to believe."""

import os
import sys
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError
from engine.exit_codes import DONE, INTERRUPTED
from engine.numbers import count
from engine.research.parameter_space import point_text
from engine.research.sweep_page import SweepFacts, sweep_html
from engine.research.sweep_study import study_sweep
from engine.system.whole_files import write_whole
from engine.texts import plain_text
from tui.commands.backtest.backtest_commands import ReportFile
from tui.commands.backtest.backtest_request import (
    BarsVersion,
    Cash,
    StrategyName,
    TradedSymbols,
    WarmUp,
    read_request,
)
from tui.commands.research.sweep_files import write_trials
from tui.commands.research.sweep_job import SamplerName, SweepJob, SweepOutcome, SweepRequest
from tui.commands.research.sweep_report import print_study, study_json
from tui.commands.shared.options import AsJson, ConfigFile, Folder, From, To
from tui.commands.shared.progress_line import narrate
from tui.run.configured import configuration

MOST_WORKERS = 256


def sweep(
    strategy: StrategyName = "",
    *,
    param: Annotated[
        list[str] | None,
        Parameter(
            name="--param",
            help="An axis: NAME=FROM:TO:STEP, NAME=A,B,C, or NAME=LOW:HIGH for random and tpe; "
            "several times.",
        ),
    ] = None,
    symbols: TradedSymbols = "",
    since: From = "",
    until: To = "",
    timeframes: Annotated[
        str, Parameter(help="Seconds, with commas between: the timeframe_s that are tried.")
    ] = "",
    sampler: Annotated[
        SamplerName, Parameter(help="grid: every point; random; tpe: where others did well.")
    ] = "grid",
    trials: Annotated[
        int, Parameter(help="Points that random and tpe take; 0: 100. A grid has all of its own.")
    ] = 0,
    seed: Annotated[int, Parameter(help="Number from which random and tpe follow.")] = 7,
    objective: Annotated[
        str, Parameter(help="Metric that tpe and walk-forward look for the most of.")
    ] = "sharpe",
    walk_forward: Annotated[
        str, Parameter(help="Learn some months, judge by the next, and so on: 6m/1m.")
    ] = "",
    portfolio: Annotated[
        bool, Parameter(negative="", help="All symbols on one account, instead of each alone.")
    ] = False,
    workers: Annotated[int, Parameter(help="Processes of this machine; 0: one a core.")] = 0,
    dask: Annotated[str, Parameter(help="Address of a Dask scheduler, tcp://HOST:PORT.")] = "",
    fresh: Annotated[
        bool, Parameter(negative="", help="Begin anew instead of going on with what is done.")
    ] = False,
    report: ReportFile = None,
    bars: BarsVersion = "",
    cash: Cash = 0,
    slippage: Annotated[str, Parameter(help="As in patang backtest.")] = "",
    warm_up: WarmUp = 5,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run a strategy with many parameters. Killed or stopped, the same command goes on."""
    if not 0 <= workers <= MOST_WORKERS:
        raise ConfigError(f"--workers {workers}: expected 1 to {MOST_WORKERS}, or 0: one a core")
    if trials < 0:
        raise ConfigError(f"--trials {trials}: expected a number of points, or 0: 100")
    request, file = read_request(
        strategy,
        symbols,
        since=since,
        until=until,
        span=0,
        settings=None,
        bars=bars,
        cash=cash,
        warm_up=warm_up,
        folder=folder,
        slippage=slippage,
    )
    values = configuration(file or config)
    job = SweepJob(
        values,
        SweepRequest(
            request,
            tuple(param or ()),
            sampler=sampler,
            trials=trials,
            seed=seed,
            portfolio=portfolio,
            objective=objective,
            timeframes=_read_timeframes(timeframes),
        ),
    )
    outcome = job.execute(workers or len(os.sched_getaffinity(0)), dask, fresh=fresh)
    _say_what_came(outcome)
    study = study_sweep(outcome.rows, outcome.days, values.scoring, seed=seed, windows=walk_forward)
    file_of_trials = write_trials(outcome.folder, study, outcome.rows)
    facts = _page_facts(outcome, objective)
    if report is not None:
        page = sweep_html(facts, study, outcome.rows)
        write_whole(report, lambda fresh: fresh.write_text(page, encoding="utf-8"))
        narrate(f"report: {report}")
    if as_json:
        said = facts._asdict() | {"partial": not outcome.whole, "file": str(file_of_trials)}
        sys.stdout.write(study_json(study, outcome.rows, **said) + "\n")
    else:
        print_study(study, outcome.rows, objective)
    narrate(f"all trials: {file_of_trials}")
    return DONE if outcome.whole else INTERRUPTED


def _say_what_came(outcome: SweepOutcome) -> None:
    """Say what is not in the tables: resumed, refused and failed trials, and warnings."""
    if outcome.resumed:
        narrate(f"{count(outcome.resumed)} trials were done already")
    if outcome.refused:
        first = outcome.refused[0]
        narrate(
            plain_text(
                f"{count(len(outcome.refused))} points refused by the strategy, as "
                f"{point_text(first.point)}: {first.reason}"
            )
        )
    if failed := [row for row in outcome.rows if row.result.failure]:
        narrate(
            plain_text(
                f"{count(len(failed))} trials failed, as {point_text(failed[0].trial.parameters)} "
                f"on {failed[0].trial.symbol}: {failed[0].result.failure}"
            )
        )
    for warning in outcome.warnings:
        narrate(plain_text(f"note: {warning}"))


def _page_facts(outcome: SweepOutcome, objective: str) -> SweepFacts:
    return SweepFacts(
        outcome.manifest.name,
        outcome.manifest.made,
        first=str(outcome.days[0]),
        last=str(outcome.days[-1]),
        sessions=len(outcome.days),
        trials=len(outcome.rows),
        failed=sum(bool(row.result.failure) for row in outcome.rows),
        refused=len(outcome.refused),
        objective=objective,
        command=outcome.manifest.command,
        notices=[
            *(["stopped before its end: this is a part of the sweep"] if not outcome.whole else []),
            *outcome.warnings,
        ],
    )


def _read_timeframes(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(each) for each in text.split(",") if each.strip()))
    except ValueError:
        raise ConfigError(f"--timeframes {text}: expected seconds, as 60,300") from None
