"""A session with Kite: the login page, the token it leads to, and the hour at which that dies.

Only the operator can log in: the page asks for a second factor that never passes through here. It
returns a `request_token`, good once and for minutes, which the API secret turns into the access
token of the day.
"""

import json
import secrets
from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from brokers.kite.call_outcome import TOKEN_EXCEPTION, CallFailed
from brokers.session.vault import SecretVault
from compiled.model.values import MINUTE
from engine.errors import ConnectionFailed, OperatorError

REST: Final = "https://api.kite.trade"
WS: Final = "wss://ws.kite.trade"
DOMAIN: Final = "kite.trade"
"""Domain of Kite's hosts, its sandbox's included."""
LOGIN: Final = "https://kite.zerodha.com/connect/login"
"""Kite Connect v3: API, market data, login page."""

PATIENCE_S: Final = 10.0
_DAY: Final = 1440 * MINUTE
_SIX_IST: Final = 30 * MINUTE
"""06:00 IST is 00:30 UTC."""


class KiteSession(NamedTuple):
    """One day's access: user, token, and its end (ns UTC). Never shown whole."""

    api_key: str
    access_token: str
    user_id: str
    expires: int

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, expires={self.expires})"

    def is_unexpired(self, now: int) -> bool:
        """Return whether it is before its expiry.

        A log-out elsewhere ends it sooner, which only Kite can tell.
        """
        return now < self.expires


def token_expiry(now: int) -> int:
    """Return when a token obtained at `now` (ns UTC) dies: the next 06:00 IST.

    Kite Connect v3, "User".
    """
    return (now - _SIX_IST) // _DAY * _DAY + _DAY + _SIX_IST


def new_state() -> str:
    """Return a mark that sets one login apart from a redirect that was set off elsewhere."""
    return secrets.token_urlsafe(16)


def login_url(api_key: str, state: str, page: str = LOGIN) -> str:
    """Return the address of the login page; Kite sends `state` back with the redirect."""
    query = urlencode({"v": 3, "api_key": api_key})
    return f"{page}?{query}&redirect_params={quote(f'state={state}', safe='')}"


def request_token(text: str, state: str = "") -> str:
    """Return the request token of a redirect's URL, or a bare one; raise `OperatorError` otherwise.

    With a `state` the URL must carry it.
    """
    text = text.strip()
    query = parse_qs(urlsplit(text).query)
    token = query.get("request_token", [""])[0]
    if not query and text.isalnum() and not state:
        return text
    if query.get("status", ["success"])[0] != "success":
        raise OperatorError("Kite says that the login did not succeed; try again")
    if not token.isalnum():
        raise OperatorError(
            "there is no request_token in it; paste the whole address the login page led to"
        )
    if state and query.get("state", [""])[0] != state:
        raise OperatorError("it does not belong to this login")
    return token


def exchange_token(
    rest: str, api_key: str, api_secret: str, token: str, now: int, *, environment: bool = False
) -> KiteSession:
    """Turn a request token into a session; raise `ConnectionFailed` or `OperatorError`. Blocks."""
    from brokers.kite.thread_client import ThreadClient  # noqa: PLC0415 (Twisted comes with it: only where it is used)

    wire = ThreadClient(rest, api_key, "", PATIENCE_S, environment=environment)
    try:
        answer = wire.call(lambda kite: kite.generate_session(token, api_secret))
        return KiteSession(
            api_key, str(answer["access_token"]), str(answer["user_id"]), token_expiry(now)
        )
    except CallFailed as failed:
        if failed.status == 0 and not failed.error:
            raise ConnectionFailed(f"Kite: {failed}") from None
        raise OperatorError(
            f"Kite refuses the login: {failed}; a request token is good once and for minutes"
        ) from None
    except (KeyError, TypeError):
        raise OperatorError("Kite's answer to the login has no token") from None
    finally:
        wire.close()


def keep_session(vault: SecretVault, where: str, session: KiteSession) -> None:
    """Put a session into the vault, in place of the one before.

    It is good for `where` it was made.
    """
    vault.put(_secret_name(where, session.api_key), json.dumps(session._asdict()))


def stored_session(vault: SecretVault, where: str, api_key: str) -> KiteSession | None:
    """Return an API key's session at a place from the vault, dead or alive, None without one."""
    try:
        fields = json.loads(vault.get(_secret_name(where, api_key)) or "null")
        return KiteSession(
            api_key, str(fields["access_token"]), str(fields["user_id"]), int(fields["expires"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def todays_session(vault: SecretVault, where: str, api_key: str, now: int) -> KiteSession:
    """Return today's session from the vault; raise `OperatorError` naming the mend."""
    session = stored_session(vault, where, api_key)
    if session is None:
        raise OperatorError(
            f"nobody has logged in at {where} with this API key: run `patang login`"
        )
    if not session.is_unexpired(now):
        raise OperatorError("the last login has expired (06:00 IST): run `patang login`")
    return session


def forget_session(vault: SecretVault, where: str, api_key: str) -> None:
    """Drop the session of an API key at a place, if there is one."""
    vault.forget(_secret_name(where, api_key))


def invalidate_session(rest: str, session: KiteSession, *, environment: bool = False) -> None:
    """End a session at Kite; a dead one counts as ended.

    Raise `ConnectionFailed` or `OperatorError`.
    """
    from brokers.kite.thread_client import ThreadClient  # noqa: PLC0415 (Twisted comes with it: only where it is used)

    wire = ThreadClient(
        rest, session.api_key, session.access_token, PATIENCE_S, environment=environment
    )
    try:
        wire.call(lambda kite: kite.invalidate_access_token())
    except CallFailed as failed:
        if failed.error == TOKEN_EXCEPTION:
            return
        if failed.status == 0 and not failed.error:
            raise ConnectionFailed(f"Kite: {failed}") from None
        raise OperatorError(f"Kite does not end the session: {failed}") from None
    finally:
        wire.close()


def _secret_name(where: str, api_key: str) -> str:
    return f"session:{where}:{api_key}"
