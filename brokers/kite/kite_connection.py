"""Kite as a connection: the REST broker and the market data feed of one session."""

from brokers.connection import BrokerAccess, Connection, ConnectionTerms
from brokers.kite.zerodha_sandbox import rules_of

__all__ = ["connect", "rules_of"]

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
        dumps=terms.dumps,
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
