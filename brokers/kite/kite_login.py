"""A session with Kite: the login page, the token it leads to, and the hour at which that dies.

Only the operator can log in: the page asks for a second factor that never passes through here. It
returns a `request_token`, good once and for minutes, which the API secret turns into the access
token of the day.
"""

from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from brokers.connection import BrokerAddresses
from brokers.kite import zerodha_sandbox
from brokers.kite.call_outcome import TOKEN_EXCEPTION, CallFailed
from brokers.session.day_session import DaySession
from compiled.model.values import MINUTE
from engine.config.schema import BrokerSettings
from engine.errors import ConfigError, ConnectionFailed, OperatorError

NAME: Final = "Kite"
SECRET_VARIABLE: Final = "KITE_API_SECRET"  # noqa: S105  the name of a variable
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


def addresses_of(broker: BrokerSettings) -> BrokerAddresses:
    """Return the configured addresses, or Kite's own; raise `ConfigError` where they cannot be."""
    if not broker.rest:
        return BrokerAddresses(REST, WS, LOGIN)
    root, prefix = zerodha_sandbox.split_root(broker.rest)
    theirs = zerodha_sandbox.is_zerodha_sandbox(broker.rest)
    if theirs and not broker.is_real:
        raise ConfigError('broker.name: Kite\'s own sandbox is a broker; set "kite"')
    if theirs and broker.access_token_env:
        raise ConfigError(
            "broker.access_token_env: Kite's own sandbox asks whose token it is; run `patang "
            "login` instead"
        )
    return BrokerAddresses(
        root + prefix,
        broker.ws,
        f"{root}/connect/login",
        api_key=zerodha_sandbox.API_KEY if theirs else "",
        names_user=theirs,
    )


def public_secret(api_key: str) -> str:
    """Return the secret of an application that is everybody's, empty for any other."""
    return zerodha_sandbox.API_SECRET if api_key == zerodha_sandbox.API_KEY else ""


def token_expiry(now: int) -> int:
    """Return when a token obtained at `now` (ns UTC) dies: the next 06:00 IST.

    Kite Connect v3, "User".
    """
    return (now - _SIX_IST) // _DAY * _DAY + _DAY + _SIX_IST


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
) -> DaySession:
    """Turn a request token into a session; raise `ConnectionFailed` or `OperatorError`. Blocks."""
    from brokers.kite.thread_client import ThreadClient  # noqa: PLC0415 (Twisted comes with it: only where it is used)

    wire = ThreadClient(rest, api_key, "", PATIENCE_S, environment=environment)
    try:
        answer = wire.call(lambda kite: kite.generate_session(token, api_secret))
        return DaySession(
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


def invalidate_session(rest: str, session: DaySession, *, environment: bool = False) -> None:
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
