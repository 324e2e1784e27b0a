"""`patang sweep`: many backtests of one strategy, and which of them to believe."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError
from engine.exit_codes import DONE, INTERRUPTED
from engine.research.evidence.day_folds import walk_forward_months
from engine.research.parameter_space import MOST_POINTS
from engine.research.trials import StudyTerms
from engine.texts import plain_text
from tui.commands.backtest.backtest_commands import ReportFile
from tui.commands.backtest.backtest_options import (
    BarsVersion,
    Cash,
    DryRun,
    StrategyName,
    TradedSymbols,
    WarmUp,
)
from tui.commands.backtest.backtest_request import read_request
from tui.commands.research.sweep_files import drop_bars, write_trials
from tui.commands.research.sweep_job import SweepJob
from tui.commands.research.sweep_manifest import SamplerName, SweepRequest
from tui.commands.shared.options import AsJson, ConfigFile, Folder, From, To
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.typed_values import read_day
from tui.run.configured import configuration

MOST_WORKERS = 256
LARGEST_SEED = 2**32 - 1  # of optuna and arch
FEWEST_FOLDS, MOST_FOLDS = 2, 100
AsOf = Annotated[
    str,
    Parameter(
        name="--as-of", help="Day to which the age of the trials counts, YYYY-MM-DD; empty: today."
    ),
]
Folds = Annotated[
    int, Parameter(help="Learn on all days but a fold, judge by it, so many times; 0: not.")
]
Embargo = Annotated[
    str, Parameter(help="Days after a fold that are not learned from either, as 1d.")
]
WalkForward = Annotated[
    str, Parameter(help="Learn some months, judge by the next, and so on: 6m/1m.")
]


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
    prune: Annotated[
        float,
        Parameter(
            help="Give up points of random and tpe that are worse than the best on the symbols "
            "done so far, with a p below this, as 0.05; 0: none."
        ),
    ] = 0.0,
    walk_forward: WalkForward = "",
    folds: Folds = 0,
    embargo: Embargo = "1d",
    as_of: AsOf = "",
    portfolio: Annotated[
        bool, Parameter(negative="", help="All symbols on one account, instead of each alone.")
    ] = False,
    workers: Annotated[int, Parameter(help="Processes of this machine; 0: one a core.")] = 0,
    dask: Annotated[str, Parameter(help="Address of a Dask scheduler, tcp://HOST:PORT.")] = "",
    fresh: Annotated[
        bool, Parameter(negative="", help="Begin anew instead of going on with what is done.")
    ] = False,
    dry_run: DryRun = False,
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
    if not 0.0 <= prune < 1.0:
        raise ConfigError(f"--prune {prune}: expected a p below 1, as 0.05, or 0: none")
    terms = study_terms(walk_forward, folds, embargo)._replace(seed=seed)
    read_day(as_of)  # a day that does not exist is said before anything runs
    if not 0 <= trials <= MOST_POINTS:
        raise ConfigError(f"--trials {trials}: expected up to {MOST_POINTS:,} points, or 0: 100")
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"--seed {seed}: expected a whole number from 0 to {LARGEST_SEED:,}")
    _check_place(report)
    request, file = read_request(
        strategy,
        symbols,
        since=since,
        until=until,
        span="0",
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
            study=terms,
            prune=prune,
            timeframes=_read_timeframes(timeframes),
        ),
    )
    if dry_run:
        sys.stdout.write(plain_text(job.plan_text()) + "\n")
        return DONE
    outcome = job.execute(workers or len(os.sched_getaffinity(0)), dask, fresh=fresh)
    if not (outcome.rows or outcome.manifest.whole):
        narrate("stopped before a trial was finished: the same command begins again")
        return INTERRUPTED
    # pandas comes with it: not while the workers need the memory
    from tui.commands.research.sweep_output import put_out, study_outcome

    study = study_outcome(outcome, values.scoring, outcome.manifest.study, as_of)
    write_trials(outcome.folder, study, outcome.rows)
    if outcome.manifest.whole:
        drop_bars(outcome.folder)
    put_out(outcome, study, report, as_json=as_json)
    return DONE if outcome.manifest.whole else INTERRUPTED


def _check_place(report: Path | None) -> None:
    """Raise `ConfigError`, before hours of trials, where a report cannot be written."""
    if report is not None and (report.is_dir() or not report.absolute().parent.is_dir()):
        raise ConfigError(f"--report {report}: expected a file in a folder that exists")


def study_terms(walk_forward: str, folds: int, embargo: str) -> StudyTerms:
    """Return the terms of a command line; raise `ConfigError`."""
    if folds and not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise ConfigError(f"--folds {folds}: expected {FEWEST_FOLDS} to {MOST_FOLDS}, or 0: none")
    days = re.fullmatch(r"([1-9]\d{0,2})d", embargo)
    if days is None:
        raise ConfigError(f"--embargo {embargo}: expected days, at least one, as 1d")
    if walk_forward:
        try:
            walk_forward_months(walk_forward)
        except ValueError as error:
            raise ConfigError(f"--walk-forward {walk_forward}: {error}") from None
    return StudyTerms(windows=walk_forward, folds=folds, embargo=int(days[1]))


def _read_timeframes(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(each) for each in text.split(",") if each.strip()))
    except ValueError:
        raise ConfigError(f"--timeframes {text}: expected seconds, as 60,300") from None
