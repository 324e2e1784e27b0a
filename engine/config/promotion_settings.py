"""Settings of the promotion of a sweep's trials to what the desk trades the next day."""

from typing import Annotated

from msgspec import Struct

from engine.config.setting_types import CRORE, described_as, within_bounds


class PromotionSettings(Struct, frozen=True, kw_only=True):
    """The promotion of a sweep's trials to what the desk trades the next day."""

    budget: Annotated[
        int,
        within_bounds(
            0,
            1_000 * CRORE,
            "Rupees in the positions of everything promoted together; 0: nothing is promoted, "
            "and what was is not traded.",
        ),
    ] = 0
    max_age_days: Annotated[
        int,
        within_bounds(0, 36_500, "Calendar days since the last bar of a sweep that is promoted."),
    ] = 7
    follow: Annotated[
        bool, described_as("Whether the desk trades what is promoted, from its next opening on.")
    ] = True
    min_sessions: Annotated[
        int,
        within_bounds(
            2, 250, "Sessions below which no rule of demotion judges a return or a parity."
        ),
    ] = 5
    min_percentile: Annotated[
        float,
        within_bounds(
            0.0,
            50.0,
            "Percentile of what luck makes of a trial, below which a return demotes; looked at "
            "every week, an honest strategy falls below it more often than that.",
        ),
    ] = 4.0
    drawdown_factor: Annotated[
        float,
        within_bounds(1.0, 100.0, "Times the drawdown of its trial, beyond which one demotes."),
    ] = 1.5
    min_parity: Annotated[
        float, within_bounds(0.0, 100.0, "Percent of parity, below which its mean demotes.")
    ] = 80.0
    silent_after_trades: Annotated[
        float,
        within_bounds(
            1.0, 10_000.0, "Trades that its trial would have made, after which none demotes."
        ),
    ] = 5.0
    max_weeks: Annotated[
        int, within_bounds(1, 520, "Weeks since its promotion, after which age demotes.")
    ] = 13
