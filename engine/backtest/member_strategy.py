"""A strategy that enters an instrument only while it belongs to a dated list."""

from collections.abc import Mapping, Sequence
from typing import final

from compiled.indicators.price import FollowedIndicators, Indicator
from compiled.model.values import Bar, Tick
from compiled.trading.strategy import Context, Strategy

Times = Sequence[tuple[int, int]]


@final
class MemberStrategy(Strategy):
    """Passes everything on to a strategy, but entries of what does not belong at their time.

    What is held when its instrument has left is left with the first bar after. `times` are the
    spans [from, to) ns UTC by token.
    """

    def __init__(self, own: Strategy, times: Mapping[int, Times]) -> None:
        super().__init__(own.name, own.span, own.every, own.wants_ticks)
        self.own = own
        self.times = times
        self.follows: dict[int, FollowedIndicators] = {}

    def follow(self, token: int) -> list[Indicator]:
        """Keep the indicators here, so that every bar is heard: one may be the first after."""
        if follows := self.own.follow(token):
            self.follows[token] = FollowedIndicators(follows)
        return []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Pass a bar on."""
        token = int(bar.token)
        follows = self.follows.get(token)
        if follows is None or follows.step(bar.high, bar.low, bar.close, float(bar.volume)):
            self.own.on_bar(ctx, bar)
            self._drop_entries(ctx)
        if not self._is_member(token, int(ctx.now)):
            for order in ctx.orders(token):
                ctx.cancel(order)
            if ctx.position(token):
                ctx.exit(token, "left the list")

    def on_tick(self, ctx: Context, tick: Tick) -> None:
        """Pass a tick on."""
        self.own.on_tick(ctx, tick)
        self._drop_entries(ctx)

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Pass a time on."""
        self.own.on_timer(ctx, ts)
        self._drop_entries(ctx)

    def _drop_entries(self, ctx: Context) -> None:
        if ctx.requests:
            ctx.requests = [
                each
                for each in ctx.requests
                # only an entry has a plan
                if each.plan is None or self._is_member(int(each.token), int(ctx.now))
            ]

    def _is_member(self, token: int, now: int) -> bool:
        # a bar of days ends at the close of its day: the moment before belongs to it
        return any(first < now <= last for first, last in self.times.get(token, ((0, now),)))
