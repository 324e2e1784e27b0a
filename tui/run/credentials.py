"""Credentials of the desk at a broker: the address, today's token, and the next one."""

import os
from collections.abc import Callable
from typing import NamedTuple

from brokers.session import kite_login as kite
from brokers.session.vault import open_vault
from engine.config.schema import DeskConfig, desk_paths
from engine.errors import OperatorError
from tui.commands.desk.login_commands import BrokerEndpoint, ask_passphrase, endpoint_of
from tui.run.exchange_clock import clock_at


class Credentials(NamedTuple):
    """A broker's address with today's token.

    `session` None: it cannot be renewed, for it stands in a variable or a file. `fetch` returns the
    session that was stored last; it blocks, and never asks the operator.
    """

    place: BrokerEndpoint
    session: kite.KiteSession | None = None
    fetch: Callable[[], kite.KiteSession | None] = lambda: None


def find_credentials(config: DeskConfig) -> Credentials:
    """Find today's token, asking for the vault's passphrase; call it before there is a screen.

    Raise `OperatorError` that names the mend.
    """
    broker, place = config.broker, endpoint_of(config)
    if broker.name != "kite" or broker.access_token_env:
        key, token = broker.credentials(os.environ)
        return Credentials(place._replace(api_key=key, token=token))
    asking = True

    def words(new: bool) -> str:
        if not asking:
            raise OperatorError(
                "the passphrase of patang's secrets has changed: start the desk anew"
            )
        return ask_passphrase(new)

    vault = open_vault(desk_paths(config, os.environ).state / "credentials", words)
    session = kite.todays_session(vault, place.hosts, place.api_key, clock_at(place.rest).now())
    asking = False
    return Credentials(
        place.with_session(session),
        session,
        lambda: kite.stored_session(vault, place.hosts, place.api_key),
    )
