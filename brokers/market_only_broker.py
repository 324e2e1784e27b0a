"""A broker's view of the market, for modes in which it must get no order of ours."""

from collections.abc import Sequence

from compiled.model.values import Bar, Instrument
from engine.ports import Broker, PriceBand


class MarketOnlyBroker:
    """The reading half of a broker; `prefix` keeps its database apart from the real account's."""

    def __init__(self, source: Broker, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    async def account(self) -> str:
        """Return the account's user id behind the prefix; raise what the broker raises."""
        return f"{self._prefix}-{await self._source.account()}"

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today."""
        return await self._source.instruments(exchange)

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return each instrument's price band and previous close as quotes have them now."""
        return await self._source.bands(instruments)

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end)."""
        return await self._source.history(token, start, end, span)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._source.close()
