"""The day's session with a broker, as its login made it and the vault keeps it."""

import json
import secrets
from datetime import datetime
from typing import NamedTuple

from brokers.session.vault import SecretVault
from compiled.model.values import SECOND
from engine.errors import OperatorError
from engine.indian_time import INDIA


class DaySession(NamedTuple):
    """One day's access: user, token, and its end (ns UTC). Never shown whole."""

    api_key: str
    access_token: str
    user_id: str
    expires: int

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, expires={self.expires})"

    def is_unexpired(self, now: int) -> bool:
        """Return whether it is before its expiry.

        A log-out elsewhere ends it sooner, which only the broker can tell.
        """
        return now < self.expires

    @property
    def last_moment(self) -> datetime:
        """Return its end in Indian time."""
        return datetime.fromtimestamp(self.expires // SECOND, INDIA)


def new_state() -> str:
    """Return a mark that sets one login apart from a redirect that was set off elsewhere."""
    return secrets.token_urlsafe(16)


def keep_session(vault: SecretVault, where: str, session: DaySession) -> None:
    """Put a session into the vault, in place of the one before.

    It is good for `where` it was made.
    """
    vault.put(_secret_name(where, session.api_key), json.dumps(session._asdict()))


def stored_session(vault: SecretVault, where: str, api_key: str) -> DaySession | None:
    """Return an API key's session at a place from the vault, dead or alive, None without one."""
    try:
        fields = json.loads(vault.get(_secret_name(where, api_key)) or "null")
        return DaySession(
            api_key, str(fields["access_token"]), str(fields["user_id"]), int(fields["expires"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def todays_session(vault: SecretVault, where: str, api_key: str, now: int) -> DaySession:
    """Return today's session from the vault; raise `OperatorError` naming the mend."""
    session = stored_session(vault, where, api_key)
    if session is None:
        raise OperatorError(
            f"nobody has logged in at {where} with this API key: run `patang login`"
        )
    if not session.is_unexpired(now):
        raise OperatorError(
            f"the last login has expired ({session.last_moment:%H:%M} IST): run `patang login`"
        )
    return session


def forget_session(vault: SecretVault, where: str, api_key: str) -> None:
    """Drop the session of an API key at a place, if there is one."""
    vault.forget(_secret_name(where, api_key))


def _secret_name(where: str, api_key: str) -> str:
    # The hosts are part of the name: a configuration that names others finds no token to send them.
    return f"session:{where}:{api_key}"
