"""`patang check`: look for the future, and for whatever else should not matter, in what strategies decide."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError
from tui.backtest_commands import DONE, FAILED, INTERRUPTED
from tui.bars_shared import AsJson, ConfigFile, Folder, From, To, listed


def check(
    strategy: Annotated[
        str, Parameter(help="A strategy's name, or a configuration file; empty: all strategies that are enabled.")
    ] = "",
    *,
    symbols: Annotated[
        str, Parameter(help="Only these, with commas between, or @FILE; empty: the strategy's, or all there are.")
    ] = "",
    since: From = "",
    until: To = "",
    span: Annotated[int, Parameter(help="Length of the bars in seconds; 0: the shortest every strategy can hear.")] = 0,
    settings: Annotated[
        list[str] | None, Parameter(name="--set", help="PARAMETER=VALUE of the strategy; may be given several times.")
    ] = None,
    bars: Annotated[str, Parameter(help="Version of the bars; empty: golden where there are any, else raw.")] = "",
    cash: Annotated[int, Parameter(help="Rupees to begin with; 0: paper.cash.")] = 0,
    warm_up: Annotated[int, Parameter(help="Sessions before the first that the strategies hear.")] = 5,
    moments: Annotated[int, Parameter(help="How many moments are tried with each other future.")] = 8,
    seed: Annotated[int, Parameter(help="Which moments, and which noise.")] = 1,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run strategies again with other futures, pasts and orders, and say which decision that changes.

    The exit code is 1 where something fails.
    """
    from tui.backtest_request import BacktestRequest  # noqa: PLC0415
    from tui.checking import Checking, show  # noqa: PLC0415
    from tui.checking import as_json as in_json  # noqa: PLC0415
    from tui.launch import configuration  # noqa: PLC0415

    if not 0 <= warm_up <= 100:
        raise ConfigError(f"--warm-up {warm_up}: expected 0 to 100 sessions, of which four times as many are tried")
    if not 1 <= moments <= 1_000:
        raise ConfigError(f"--moments {moments}: expected 1 to 1,000")
    if not 0 <= cash <= 10**10:
        raise ConfigError(f"--cash {cash}: expected rupees up to 1,000 crore")
    file = Path(strategy) if strategy.endswith(".toml") else None
    checking = Checking(
        configuration(file or config),
        BacktestRequest(
            "" if file else strategy, tuple(listed(symbols)), since, until, span, bars, tuple(settings or ()), cash, "", warm_up,
            folder,
        ),
        moments, abs(seed),
    )  # fmt: skip
    found = checking.execute()
    if as_json:
        sys.stdout.write(in_json(checking, found) + "\n")
    else:
        show(found, checking.about, checking.warnings)
    if checking.stopped:
        return INTERRUPTED
    return FAILED if any(each.found.status == "fail" for each in found) else DONE
