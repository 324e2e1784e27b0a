"""Price bands through the day: the exchange moves them, and every price of ours has to fit."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from compiled.model.events import BandUpdate
from compiled.model.exchange_rules import is_inside_band
from compiled.model.values import SECOND, Instrument
from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from engine.errors import OperatorError, RetryableError
from engine.ports import Broker, Clock, PriceBand

SOON = 5 * SECOND
"""The wait for the next look after a price off its band, or a look that failed."""
NEAR = 0.03
"""An instrument whose price is nearer than this share of it to an edge of its band is watched."""


class BandWatch:
    """Asks for the quotes of positions, of prices near a band's edge, and of all for an auction.

    It asks every `every` ns, and soon where a price lies off the known band. A moved band is posted
    as `BandUpdate`, and logged where something is held. Sources of the rule: sliding bands of
    shares with derivatives (SEBI, 24 May 2024); the quote's limits become those of the closing
    auction when that opens (kite.trade forum, comment 52692).
    """

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        clock: Clock,
        post: Callable[[object], None],
        tell: Callable[[str, str, str], None],
        every: int,
    ) -> None:
        self._kernel = kernel
        self._broker = broker
        self._clock = clock
        self._post = post
        self._tell = tell
        self._every = every
        now = clock.now()
        self._next = now + every
        self._checked = self._asked = now
        hours = [each.hours for each in kernel.view.instruments()]
        openings = {
            int(at)
            for each in hours
            if each.ends > each.closes
            for at in (each.closes, each.auction)
            if at
        }
        self._openings = sorted(at for at in openings if at > now)
        self._known = {token: _band_edges(market) for token, market in kernel.state.markets.items()}
        self._task: asyncio.Task[None] | None = None

    def start_if_due(self, now: int) -> None:
        """Begin a look beside everything else if one is due and none is under way.

        Raise the error that ended the last one.
        """
        if self._task is not None:
            if not self._task.done():
                return
            self._task.result()
            self._task = None
        if wanted := self.markets_due(now):
            self._task = asyncio.create_task(self.read_bands(wanted))

    def cancel(self) -> None:
        """Give up the look under way."""
        if self._task is not None:
            self._task.cancel()

    def markets_due(self, now: int) -> list[InstrumentState]:
        """Return the instruments to ask for now."""
        if now < self._checked + SECOND:
            return []
        self._checked = now
        trading = [each for each in self._kernel.state.markets.values() if _is_trading(each, now)]
        if self._openings and now >= self._openings[0] + SECOND:
            self._openings = [at for at in self._openings if at + SECOND > now]
            return trading
        if now >= self._next:
            return [each for each in trading if each.ladders or _is_near_edge(each)]
        if now >= self._asked + SOON:
            return [
                each
                for each in trading
                if each.last > 0.0 and not is_inside_band(each.instrument, each.last)
            ]
        return []

    async def read_bands(self, wanted: Sequence[InstrumentState]) -> None:
        """Ask for the bands of these instruments and post the moved ones.

        Where that fails, it is tried again soon.
        """
        now = self._clock.now()
        self._asked, self._next = now, now + self._every
        if not wanted:
            return
        try:
            found = await self._broker.bands([market.instrument for market in wanted])
        except (RetryableError, OperatorError):
            self._next = now + SOON
            return
        for band in found:
            # One that came under watch later was looked up with its first band.
            if self._known.get(band.token) != (band.lower, band.upper):
                self._apply_band(band)

    def _apply_band(self, band: PriceBand) -> None:
        self._known[band.token] = band.lower, band.upper
        self._post(BandUpdate(self._clock.now(), band.token, band.lower, band.upper))
        market = self._kernel.state.markets[band.token]
        if market.ladders:
            symbol = market.instrument.symbol
            self._tell(
                "info",
                "band",
                f"{symbol}: the price band is now {band.lower:.2f} to {band.upper:.2f}",
            )


def fill_in_bands(instruments: Iterable[Instrument], bands: Iterable[PriceBand]) -> None:
    """Give instruments their bands and previous closes; one that has no quote stays as it is."""
    found = {band.token: band for band in bands}
    for each in instruments:
        if (band := found.get(int(each.token))) is not None:
            each.lower, each.upper, each.close = band.lower, band.upper, band.close


def _band_edges(market: InstrumentState) -> tuple[float, float]:
    return market.instrument.lower, market.instrument.upper


def _is_trading(market: InstrumentState, now: int) -> bool:
    hours = market.instrument.hours
    return hours.opens <= now < hours.ends and market.instrument.kind != "INDEX"


def _is_near_edge(market: InstrumentState) -> bool:
    lower, upper = _band_edges(market)
    near = market.last * NEAR
    return market.last > 0.0 and (
        market.last - lower <= near or (upper > 0.0 and upper - market.last <= near)
    )
