"""A broker to which nothing is sent: decisions are made, written down and turned away here."""

from typing import final

from brokers.market_only_broker import MarketOnlyBroker
from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.order_terms import OrderChange
from compiled.model.values import Gtt, Order
from compiled.trading.desk_state import DRY_RUN
from engine.errors import OrderRefused
from engine.ports import Broker, BrokerHolding, BrokerPosition, SlicedOrder


@final
class DryBroker(MarketOnlyBroker):
    """The market of `source`, and books that stay empty; money is what the account has."""

    def __init__(self, source: Broker) -> None:
        super().__init__(source, "DRY")

    async def place(self, order: Order) -> str:
        """Refuse."""
        raise _dry_refusal(order.tag)

    async def place_sliced(self, order: Order) -> SlicedOrder:
        """Refuse."""
        raise _dry_refusal(order.tag)

    async def modify(self, order_id: str, change: OrderChange) -> None:
        """Refuse."""
        del change
        raise _dry_refusal(order_id)

    async def cancel(self, order_id: str) -> None:
        """Refuse."""
        raise _dry_refusal(order_id)

    async def place_gtt(self, gtt: Gtt) -> int:
        """Refuse."""
        raise _dry_refusal(f"GTT {gtt.intent}")

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Refuse."""
        raise _dry_refusal(f"GTT {gtt.intent}")

    async def delete_gtt(self, gtt_id: int) -> None:
        """Refuse."""
        raise _dry_refusal(f"GTT {gtt_id}")

    async def orders(self) -> list[OrderUpdate]:
        """Return an empty book."""
        return []

    async def trades(self) -> list[BrokerTrade]:
        """Return an empty book."""
        return []

    async def gtts(self) -> list[GttUpdate]:
        """Return an empty list."""
        return []

    async def positions(self) -> list[BrokerPosition]:
        """Return nothing: the account's shares are not this run's."""
        return []

    async def holdings(self) -> list[BrokerHolding]:
        """Return nothing, likewise."""
        return []

    async def funds(self) -> int:
        """Return what the account can spend on equity, in paise."""
        return await self._source.funds()


def _dry_refusal(what: str) -> OrderRefused:
    return OrderRefused(DRY_RUN, f"decided and not sent ({what})")
