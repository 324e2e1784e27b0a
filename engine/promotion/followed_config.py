"""The configuration with what is promoted laid over it."""

from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from engine.config.schema import DeskConfig
from engine.errors import ConfigError
from engine.numbers import count
from engine.promotion.next_day_file import FILE, NextDayFile, read_next_day


class FollowedConfig(NamedTuple):
    """A configuration whose strategies include those of a file of the next day."""

    values: DeskConfig
    next_day: NextDayFile


def follow_next_day(config: DeskConfig, state: Path) -> FollowedConfig:
    """Return the configuration with what is promoted in a mode's state folder.

    Raise `ConfigError` for a file that cannot be used.
    """
    settings = config.promotion
    # Without a budget nothing is promoted, and what once was may spend nothing.
    if not settings.follow or not settings.budget:
        return FollowedConfig(config, NextDayFile())
    file = state / FILE
    try:
        found = read_next_day(state)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; patang promote or --rollback writes it anew, promotion.follow = false "
            "trades without it"
        ) from None
    if found.spent > settings.budget:
        raise ConfigError(
            f"{file}: budgets of {count(found.spent)} rupees, promotion.budget allows "
            f"{count(settings.budget)}: raise it, or promote again"
        )
    for name in found.strategy:
        if name in config.strategy or name in config.risk.budget:
            raise ConfigError(
                f"{file}: {name} stands in the configuration as well: take it out of one of them"
            )
    return FollowedConfig(
        replace(
            config,
            strategy=config.strategy | found.strategy,
            risk=replace(config.risk, budget=config.risk.budget | found.budget),
        ),
        found,
    )
