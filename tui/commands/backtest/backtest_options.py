"""Options that the commands about backtests share."""

from typing import Annotated

from cyclopts import Parameter

StrategyName = Annotated[
    str,
    Parameter(
        help="A strategy's name, or a configuration file; empty: all strategies that are enabled."
    ),
]
TradedSymbols = Annotated[
    str,
    Parameter(
        help="Only these, with commas between, or @FILE; empty: the strategy's, or all there are."
    ),
]
ReplayedSpan = Annotated[
    str,
    Parameter(
        help=(
            "Length of the bars in seconds, 0: the shortest every strategy can hear; or ticks, "
            "recorded or imported."
        )
    ),
]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", help="PARAMETER=VALUE of the strategy; may be given several times."),
]
BarsVersion = Annotated[
    str,
    Parameter(
        help=(
            "Version of the bars; empty: golden where there are any, else raw. Of ticks: imported, "
            "a mode, or a recording."
        )
    ),
]
OrderLatency = Annotated[
    str,
    Parameter(
        name="--latency",
        help=(
            "On ticks, milliseconds of an order's way, and of a report back: MS, "
            "uniform:LEAST:MOST:SEED or tail:LEAST:MEAN:SEED; empty: paper's."
        ),
    ),
]
FeedLatency = Annotated[
    float,
    Parameter(
        name="--feed-latency", help="On ticks, milliseconds that they take longer to the desk."
    ),
]
Cash = Annotated[int, Parameter(help="Rupees to begin with; 0: paper.cash.")]
WarmUp = Annotated[int, Parameter(help="Sessions before the first that the strategies hear.")]
DryRun = Annotated[
    bool,
    Parameter(negative="", help="Check what is asked for and say what would run; run nothing."),
]
