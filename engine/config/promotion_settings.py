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
