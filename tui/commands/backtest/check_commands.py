"""`patang check`: looks ahead, and other influences that strategies must not have."""

import sys
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError, PatangError
from engine.exit_codes import DONE, FAILED, INTERRUPTED
from tui.commands.backtest.backtest_options import (
    BarsVersion,
    Cash,
    ReplayedSpan,
    Settings,
    StrategyName,
    TradedSymbols,
    WarmUp,
)
from tui.commands.backtest.backtest_request import read_request
from tui.commands.shared.options import AsJson, ConfigFile, Folder, From, To
from tui.run.configured import configuration


def check(
    strategy: StrategyName = "",
    *,
    symbols: TradedSymbols = "",
    since: From = "",
    until: To = "",
    span: ReplayedSpan = "0",
    settings: Settings = None,
    bars: BarsVersion = "",
    cash: Cash = 0,
    warm_up: WarmUp = 5,
    moments: Annotated[
        int, Parameter(help="How many moments are tried with each other future.")
    ] = 8,
    seed: Annotated[int, Parameter(help="Which moments, and which noise.")] = 1,
    keep: Annotated[
        bool,
        Parameter(negative="--no-keep", help="Keep the verdict in place of the last one of these."),
    ] = True,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run strategies again with other futures, pasts and orders; report changed decisions.

    The exit code is 1 where something fails.
    """
    from tui.commands.backtest.backtest_job import results_of
    from tui.commands.backtest.bias_check_job import BiasCheckJob, print_findings
    from tui.commands.backtest.bias_check_job import findings_json as in_json

    # four times as many are tried, and a backtest takes 400 at most
    if not 0 <= warm_up <= 100:
        raise ConfigError(
            f"--warm-up {warm_up}: expected 0 to 100 sessions, of which four times as many are "
            "tried"
        )
    if not 1 <= moments <= 1_000:
        raise ConfigError(f"--moments {moments}: expected 1 to 1,000")
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
    )
    request.want_bars("patang check")
    # random numbers take no negative seed
    values = configuration(file or config)
    checking = BiasCheckJob(values, request, moments, abs(seed))
    found = checking.execute()
    unkept: PatangError | None = None
    if keep:
        try:
            results_of(values).keep_check(checking.kept_check(found))
        except PatangError as error:
            # the verdict is shown all the same
            unkept = error
    if as_json:
        sys.stdout.write(in_json(checking, found) + "\n")
    else:
        print_findings(found, checking.about, checking.warnings)
    if unkept is not None:
        raise unkept
    if checking.was_stopped:
        return INTERRUPTED
    return FAILED if any(each.found.status == "fail" for each in found) else DONE
