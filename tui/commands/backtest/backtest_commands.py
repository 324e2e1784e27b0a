"""`patang backtest` and `patang results`: strategies on the history, and their results."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from engine.errors import ConfigError, PatangError
from engine.exit_codes import DONE, FAILED, INTERRUPTED
from engine.numbers import rupees
from engine.system.whole_files import write_whole
from engine.texts import plain_text
from tui.commands.backtest.backtest_options import (
    BarsVersion,
    Cash,
    DryRun,
    FeedLatency,
    OrderLatency,
    ReplayedSpan,
    Settings,
    StrategyName,
    TradedSymbols,
    WarmUp,
)
from tui.commands.backtest.backtest_request import read_request
from tui.commands.shared.options import AsJson, ConfigFile, Folder, From, RowsAsJson, To
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.text_tables import print_table
from tui.run.configured import configuration
from tui.run.settings import actions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.backtest.linter.result_linter import LinterFinding
    from engine.backtest.run_outcome import RunOutcome
    from engine.backtest.statistics.run_metrics import RunMetric
    from engine.config.schema import DeskConfig
    from engine.history.bar_series import BarSeries
    from store.backtest_results import ResultStore, StoredResult

Run = Annotated[
    str, Parameter(help="Which result: its number or the beginning of it; last: the newest.")
]
ReportFile = Annotated[Path | None, Parameter(help="Write a report into this HTML file.")]
Chance = Annotated[
    bool,
    Parameter(negative="", help="Say what else could have come of the same trades and days."),
]
DrawnTrades = Annotated[
    str, Parameter(help="Numbers of round trips that the report draws, with commas between.")
]
Format = Literal["json", "csv", "parquet", "xlsx"]

results_app = App(name="results", help="Look at the results of backtests.", help_format="plaintext")


def backtest(
    strategy: StrategyName = "",
    *,
    symbols: TradedSymbols = "",
    since: From = "",
    until: To = "",
    span: ReplayedSpan = "0",
    settings: Settings = None,
    bars: BarsVersion = "",
    cash: Cash = 0,
    slippage: Annotated[
        str,
        Parameter(
            help=(
                "none, ticks:N, spread:FRACTION:PERCENT, volume:SHARE:IMPACT or FILE.py:CLASS; "
                "empty: paper's."
            )
        ),
    ] = "",
    fees: Annotated[
        str, Parameter(help="FILE.py:CLASS that changes the charges; empty: paper's.")
    ] = "",
    feed: Annotated[
        str, Parameter(help="FILE.py:CLASS that brings the bars, in place of the history.")
    ] = "",
    latency: OrderLatency = "",
    feed_latency: FeedLatency = 0.0,
    warm_up: WarmUp = 5,
    report: ReportFile = None,
    trades: DrawnTrades = "",
    chance: Chance = False,
    keep: Annotated[
        bool, Parameter(negative="--no-keep", help="Keep the result for patang results.")
    ] = True,
    dry_run: DryRun = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run strategies on the history through the desk's own kernel. Ctrl-c keeps what is done."""
    from tui.commands.backtest.backtest_job import BacktestJob, results_of
    from tui.commands.backtest.backtest_job import result_json as in_json

    request, file = read_request(
        strategy,
        symbols,
        since=since,
        until=until,
        span=span,
        settings=settings,
        bars=bars,
        cash=cash,
        warm_up=warm_up,
        folder=folder,
        slippage=slippage,
        fees=fees,
        feed=feed,
        latency=latency,
        feed_latency=feed_latency,
    )
    values = configuration(file or config)
    chosen = trade_numbers(trades)
    running = BacktestJob(values, request)
    if dry_run:
        sys.stdout.write(plain_text(running.plan_text()) + "\n")
        return DONE
    # stdout is the result, whatever a strategy prints
    with redirect_stdout(sys.stderr):
        result = running.execute()
    unkept: PatangError | None = None
    if keep:
        try:
            results_of(values).keep(result.outcome, result.metrics, result.findings, result.verdict)
        except PatangError as error:
            # it is shown and reported all the same
            unkept = error
    if report is not None:
        write_report(
            report,
            result.outcome,
            metrics=result.metrics,
            findings=result.findings,
            series=result.series,
            asked=chosen,
        )
        narrate(f"report: {report}")
    if as_json:
        drawn = _chance_facts(result.outcome) if chance else {}
        sys.stdout.write(in_json(result.outcome, result.metrics, result.findings, drawn) + "\n")
    else:
        from tui.commands.backtest.backtest_report import print_report

        print_report(result.outcome, result.metrics, result.findings)
        if chance:
            _print_chance(result.outcome)
    # after the report: a full disk must not cost the result of an hour
    if unkept is not None:
        raise unkept
    if keep:
        narrate(f"kept as {result.outcome.manifest.run}: see patang results show")
    # the part that was run is a result, and is marked as one
    return INTERRUPTED if running.was_stopped else DONE


@results_app.command(name="list")
def list_results(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the results that are kept, the newest first."""
    runs = _result_store(configuration(config)).runs()
    if not runs and not as_json:
        sys.stderr.write("no results yet: see patang backtest\n")
        return FAILED
    rows = [
        {
            "run": run.run,
            "strategies": run.name,
            "days": f"{run.first} to {run.last}",
            "symbols": run.symbols,
            "trades": run.trades,
            "net": rupees(run.net),
            "sharpe": _two_decimals(run.sharpe),
            "drawdown %": _two_decimals(run.drawdown),
            "checks": run.verdict.partition(":")[0] + (", stopped" if run.partial else ""),
        }
        for run in runs
    ]
    print_table([run._asdict() for run in runs] if as_json else rows, as_json=as_json)
    return DONE


@results_app.command
def show(
    run: Run = "last",
    *,
    report: ReportFile = None,
    trades: DrawnTrades = "",
    chance: Chance = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Show a result as it was shown when it was made."""
    from tui.commands.backtest.backtest_report import print_report as shown

    values = configuration(config)
    chosen, found = trade_numbers(trades), _load_result(values, run)
    if report is not None:
        write_report(
            report,
            found.outcome,
            metrics=found.metrics,
            findings=found.findings,
            series=ResultBars(values, found),
            asked=chosen,
        )
        narrate(f"report: {report}")
    if as_json:
        from engine.backtest.results.outcome_export import as_json as exported

        drawn = _chance_facts(found.outcome) if chance else {}
        told = exported(found.outcome, found.metrics, found.findings, drawn)
        sys.stdout.write(told.decode() + "\n")
    else:
        shown(found.outcome, found.metrics, found.findings)
        if chance:
            _print_chance(found.outcome)
    return DONE


@results_app.command
def diff(
    before: Run, after: Run = "last", *, config: ConfigFile = None, as_json: RowsAsJson = False
) -> int:
    """Compare two results: of what they were made, and what came of it."""
    from engine.backtest.results.run_comparison import compare_outcomes

    values = configuration(config)
    left, right = _load_result(values, before), _load_result(values, after)
    rows = compare_outcomes(left.outcome, left.metrics, right.outcome, right.metrics)
    if not rows and not as_json:
        sys.stdout.write("the same in all but their time\n")
        return DONE
    names = (left.outcome.manifest.run, right.outcome.manifest.run)
    shown = [
        {"what": row.what, names[0]: row.before, names[1]: row.after, "change": row.change}
        for row in rows
    ]
    print_table([row._asdict() for row in rows] if as_json else shown, as_json=as_json)
    return DONE


@results_app.command
def export(
    run: Run = "last",
    *,
    out: Annotated[Path, Parameter(help="A file for json and xlsx, a folder for csv and parquet.")],
    format: Annotated[Format, Parameter(help="json, csv, parquet or xlsx.")] = "json",
    config: ConfigFile = None,
) -> int:
    """Write a result to files: round trips, days, equity and metrics."""
    from engine.backtest.results.outcome_export import export_outcome as exported

    found = _load_result(configuration(config), run)
    for path in exported(out, format, found.outcome, found.metrics, found.findings):
        sys.stdout.write(plain_text(f"{path}") + "\n")
    return DONE


@results_app.command
def note(
    run: Run,
    text: Annotated[str, Parameter(help="The note; empty: none any more.")] = "",
    *,
    config: ConfigFile = None,
) -> int:
    """Keep a note on a result; screen 7 shows it in the list."""
    store = _result_store(configuration(config))
    found = store.find(run)
    store.keep_note(found, text.strip())
    sys.stderr.write(f"{plain_text(found)}: {'noted' if text.strip() else 'no note any more'}\n")
    return DONE


@results_app.command
def rm(
    runs: Annotated[list[str], Parameter(help="Which results: numbers, or their beginnings.")],
    *,
    config: ConfigFile = None,
) -> int:
    """Remove results."""
    store = _result_store(configuration(config))
    found = [store.find(run) for run in runs]
    store.remove(found)
    sys.stderr.write(f"removed {', '.join(found)}\n")
    return DONE


# what the commands share


def trade_numbers(text: str) -> tuple[int, ...]:
    """Return numbers with commas between; raise `ConfigError`."""
    try:
        return tuple(int(each) for each in text.split(",") if each.strip())
    except ValueError:
        raise ConfigError(f"--trades {text}: expected numbers of round trips, as 12,40") from None


def write_report(
    path: Path,
    outcome: "RunOutcome",
    metrics: "Sequence[RunMetric]",
    findings: "Sequence[LinterFinding]",
    series: "Mapping[str, BarSeries]",
    asked: "Sequence[int]",
) -> None:
    """Write the report of a run.

    Raise `ConfigError` for round trips it does not have, `OperatorError` as disks do.
    """
    from engine.backtest.report import html

    there = {each.number for each in outcome.trades}
    # before the page is drawn, which takes its time
    if strange := [number for number in asked if number not in there]:
        raise ConfigError(
            f"--trades {strange[0]}: there are round trips 1 to {max(there, default=0)}"
        )

    def candles(symbol: str, start: int, end: int) -> "BarSeries":
        bars = series[symbol]
        return bars.pick((bars.start >= start) & (bars.start <= end))

    page = html(outcome, metrics, findings, candles, asked)
    write_whole(path, lambda fresh: fresh.write_text(page, encoding="utf-8"))


class ResultBars(dict[str, "BarSeries"]):
    """Bars of a kept result, read when asked for; None where they are gone, or others now."""

    def __init__(self, config: "DeskConfig", kept: "StoredResult") -> None:
        super().__init__()
        self._config = config
        self._manifest = kept.outcome.manifest

    def __missing__(self, symbol: str) -> "BarSeries":
        from engine.backtest.run_bars import read_bars
        from engine.history.bar_adjustment import adjusted_series, adjustment_steps
        from engine.history.golden_bars import series_digest
        from tui.run.bar_stores import history_store

        manifest = self._manifest
        said = manifest.data[symbol]
        store = history_store(self._config, None)
        found = read_bars(
            store,
            symbol,
            span=manifest.span,
            start=said.first,
            end=said.last + 1,
            version=said.version,
        )
        # bars that have changed since would draw trades beside prices they never had
        if said.sha256 != series_digest(found):
            found = found.pick(slice(0, 0))
        # the digest is of the stored bars; the run saw them adjusted
        elif said.adjusted:
            actions = actions_of(self._config)
            steps = [] if actions is None else adjustment_steps(found, actions, symbol)
            # without the actions of then the prices would not be those of the run
            found = adjusted_series(found, steps) if steps else found.pick(slice(0, 0))
        self[symbol] = found
        return found


def _chance_facts(outcome: "RunOutcome") -> dict[str, object]:
    from engine.research.trial_chance import chance_lines, outcome_chance

    return {"chance": [each._asdict() for each in chance_lines(outcome_chance(outcome))]}


def _print_chance(outcome: "RunOutcome") -> None:
    from rich.console import Console

    from engine.research.trial_chance import outcome_chance
    from tui.commands.backtest.chance_report import chance_table

    table = chance_table("The same by chance, % of the cash", outcome_chance(outcome))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _result_store(config: "DeskConfig") -> "ResultStore":
    from tui.commands.backtest.backtest_job import results_of

    return results_of(config)


def _load_result(config: "DeskConfig", run: str) -> "StoredResult":
    store = _result_store(config)
    return store.load(store.find(run))


def _two_decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
