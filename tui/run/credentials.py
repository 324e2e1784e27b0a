"""Who the desk is at a broker: the address, today's token, and where the next one will be found."""

import os
from collections.abc import Callable
from typing import NamedTuple

from brokers.kite import session as kite
from brokers.kite.vault import open_vault
from engine.config import Config, paths
from engine.errors import OperatorError
from tui.login import Place, passphrase, place_of
from tui.pace import clock_at


class Access(NamedTuple):
    """A broker's place with today's token; `session` None: nobody can renew it, for it stands in a variable or a file.

    `fetch` returns the session that was stored last; it blocks, and never asks anybody.
    """

    place: Place
    session: kite.Session | None = None
    fetch: Callable[[], kite.Session | None] = lambda: None


def access(config: Config) -> Access:
    """Find today's token, asking for the vault's passphrase; raise `OperatorError` that names the mend.

    To be called before there is a screen.
    """
    broker, place = config.broker, place_of(config)
    if broker.name != "kite" or broker.access_token_env:
        key, token = broker.credentials(os.environ)
        return Access(place._replace(api_key=key, token=token))
    asking = True

    def words(new: bool) -> str:
        if not asking:
            raise OperatorError("the passphrase of patang's secrets has changed: start the desk anew")
        return passphrase(new)

    vault = open_vault(paths(config, os.environ).state / "credentials", words)
    session = kite.living(vault, place.where, place.api_key, clock_at(place.rest).now())
    asking = False
    return Access(place.entered(session), session, lambda: kite.stored(vault, place.where, place.api_key))
