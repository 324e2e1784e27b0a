"""Settings of the scoring of trials: bounds, weights, and how many are chosen."""

from typing import Annotated

from msgspec import Struct

from engine.config.setting_types import within_bounds


class GateSettings(Struct, frozen=True, kw_only=True):
    """Bounds of a trial; one that breaks any of them is rejected. Fractions are of 1."""

    min_annual_return: Annotated[
        float,
        within_bounds(-1_000, 1_000, "Return of a year that a trial must be above, as a fraction."),
    ] = 0.0
    max_drawdown: Annotated[
        float,
        within_bounds(0, 10, "Deepest drawdown, as a fraction of the highest account; 0: any."),
    ] = 0.2
    min_trades: Annotated[int, within_bounds(0, 10**6, "Fewest closed trades; 0: any.")] = 0
    min_days: Annotated[int, within_bounds(0, 10**5, "Fewest sessions; 0: any.")] = 0
    min_win_rate: Annotated[
        float, within_bounds(0, 1, "Smallest share of trades that won; 0: any.")
    ] = 0.0
    min_sharpe: Annotated[float, within_bounds(0, 100, "Smallest Sharpe ratio; 0: any.")] = 0.0
    max_turnover: Annotated[
        float, within_bounds(0, 10**12, "Largest turnover, in the unit of the trials; 0: any.")
    ] = 0.0
    max_penalties: Annotated[
        float, within_bounds(0, 10**12, "Largest sum of the penalties of a trial; 0: any.")
    ] = 0.0


class WeightSettings(Struct, frozen=True, kw_only=True):
    """Weights of the terms of a score; below 0 where less is better."""

    annual_return: Annotated[float, within_bounds(-100, 100, "Return of a year.")] = 2.5
    sharpe: Annotated[float, within_bounds(-100, 100, "Sharpe ratio.")] = 1.5
    sortino: Annotated[float, within_bounds(-100, 100, "Sortino ratio.")] = 1.0
    win_rate: Annotated[float, within_bounds(-100, 100, "Share of trades that won.")] = 0.5
    drawdown: Annotated[
        float, within_bounds(-100, 100, "Max. drawdown, which is at most 0: more is better.")
    ] = 1.0
    turnover: Annotated[float, within_bounds(-100, 100, "Turnover.")] = -0.5
    holding: Annotated[float, within_bounds(-100, 100, "Average holding time.")] = -0.25
    penalties: Annotated[float, within_bounds(-100, 100, "Sum of the penalties.")] = -1.0


class ScoringSettings(Struct, frozen=True, kw_only=True):
    """The scoring of the trials of a sweep, and the choice for the next day."""

    winsor_low: Annotated[
        float,
        within_bounds(0, 49, "Percentile of a cohort below which a figure counts as this one."),
    ] = 1.0
    winsor_high: Annotated[
        float, within_bounds(51, 100, "Percentile above which it counts as this one.")
    ] = 99.0
    half_life_days: Annotated[
        float,
        within_bounds(
            0, 3_650, "Calendar days after which a trial counts half; 0: it does not age."
        ),
    ] = 90.0
    top_k: Annotated[
        int, within_bounds(1, 1_000, "Trials of a symbol and timeframe that may be chosen.")
    ] = 3
    next_day: Annotated[int, within_bounds(1, 1_000, "Trials chosen for the next day.")] = 5
    per_symbol: Annotated[int, within_bounds(1, 1_000, "The most of them of one symbol.")] = 2
    min_positive_share: Annotated[
        float,
        within_bounds(
            0,
            1,
            "Share of its symbols that a configuration must earn on to send any trial; 0: any.",
        ),
    ] = 0.5
    gates: GateSettings = GateSettings()
    weights: WeightSettings = WeightSettings()
