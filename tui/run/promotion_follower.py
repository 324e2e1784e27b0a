"""What is promoted, as a desk follows it: at its start, and again each morning it opens."""

import json
from collections.abc import Sequence
from typing import final

from compiled.trading.strategy import Strategy
from engine.engine_settings import DayTerms
from engine.errors import ConfigError, OperatorError
from engine.manual.limits import configured_limits
from engine.promotion.file_changes import day_changes
from engine.promotion.followed_config import FollowedConfig, follow_next_day
from engine.promotion.promotion_log import PromotionLog
from tui.run.next_day import check_source
from tui.run.session import DeskSession
from tui.run.settings import (
    UnbuiltStrategy,
    enabled_strategies,
    rebuild_strategies,
    settings_of,
)


@final
class PromotionFollower:
    """The strategies of a desk, with those that are promoted, from opening to opening.

    `watch` are the symbols that it is to see.
    """

    def __init__(
        self, station: DeskSession, strategies: Sequence[Strategy], watch: Sequence[str]
    ) -> None:
        self._configured = station.configured
        self._state = station.state
        self._followed = FollowedConfig(station.config, station.next_day)
        self._strategies = list(strategies)
        self._watch = watch
        self._fault = ""
        self._log = PromotionLog(station.state)

    @property
    def is_needed(self) -> bool:
        """Return whether anything is promoted, may be, or was at the last opening."""
        settings = self._configured.promotion
        return bool((settings.follow and settings.budget) or self._log.opened().strategy)

    def rebuild(self) -> list[Strategy]:
        """Read the file again and return the strategies of a later day.

        A file that cannot be used leaves those of the day before.
        """
        self._fault = ""
        try:
            self._followed = follow_next_day(self._configured, self._state)
        except OperatorError as error:
            self._fault = f"{error}; the desk goes on with what was promoted before"
        self._strategies = [
            self._tried_strategy(each) for each in rebuild_strategies(self._followed.values)
        ]
        return self._strategies

    def terms(self) -> DayTerms:
        """Return what else changes with the strategies, and since the last opening."""
        config = self._followed.values
        return DayTerms(
            {name: symbols for name, symbols, _ in enabled_strategies(config)},
            configured_limits(config.risk, config.feed.stale_after_s),
            json.dumps(settings_of(config, self._strategies, self._watch)),
            day_changes(self._log.opened(), self._followed.next_day),
            fault=self._fault,
            opened=self._keep_opened,
        )

    def _keep_opened(self) -> None:
        self._log.keep_opened(self._followed.next_day)

    def _tried_strategy(self, strategy: Strategy) -> Strategy:
        """Return a strategy, or its stand-in where its code is not what was tried."""
        try:
            check_source(strategy, self._followed.next_day, self._state)
        except ConfigError as error:
            return UnbuiltStrategy(strategy.name, strategy.span, error)
        return strategy
