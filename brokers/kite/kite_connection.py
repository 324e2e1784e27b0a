"""Kite as a connection: the REST broker and the market data feed of one session."""

from typing import Final

from brokers.connection import (
    BrokerAccess,
    BrokerLogin,
    Connection,
    ConnectionTerms,
    FrameFormat,
)
from brokers.kite import kite_login
from brokers.kite.packet_conflation import PacketConflation
from brokers.kite.zerodha_sandbox import rules_of
from compiled.adapters.kite_frames import FrameDecoder

__all__ = ["connect", "frames", "login", "rules_of"]

frames: Final = FrameFormat(FrameDecoder, PacketConflation)
login: Final[BrokerLogin] = kite_login

NO_TOKEN = "none"  # noqa: S105  what is sent where nobody has logged in


def connect(access: BrokerAccess, terms: ConnectionTerms) -> Connection:
    """Return broker and feed at the address of `access`."""
    # whoever asks for the rules alone pays for no client
    from brokers.kite.kite_broker import KiteBroker  # noqa: PLC0415
    from brokers.kite.kite_feed import KiteFeed  # noqa: PLC0415
    from brokers.kite.translation import AccountDefaults  # noqa: PLC0415

    settings = terms.settings
    broker = KiteBroker(
        access.rest,
        access.api_key,
        access_token=access.token or NO_TOKEN,
        clock=terms.clock,
        workers=terms.workers,
        timeout=settings.timeout_s,
        limits=terms.limited and not terms.paced,
        on_token_death=terms.on_token_death,
        standing=AccountDefaults(settings.market_protection, settings.algo_id),
        source=settings.bind_ip,
        environment=settings.environment,
        # a list of another place would be taken for the market's when the day is looked at later
        dumps=terms.dumps if access.rest == kite_login.REST else None,
        heard=terms.on_answer,
    )
    feed = KiteFeed(
        access.ws,
        access.api_key,
        access.token or NO_TOKEN,
        terms.clock,
        rng=terms.rng,
        dead_after=float("inf") if terms.paced else terms.dead_after_s,
        on_token_death=terms.on_token_death,
        renewable=terms.renewable,
        on_gap=terms.on_gap,
        user_id=access.user,
        environment=settings.environment,
        record=terms.record,
    )
    return Connection(
        broker,
        feed,
        session=broker,
        rules=broker.rules,
        margins=broker.margins,
        history=broker.history,
    )
