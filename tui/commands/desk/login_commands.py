"""Log in to the broker and out again: what the terminal says and asks."""

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import TextIO

from brokers.connection import BrokerLogin
from brokers.registry import login_of
from brokers.session.day_session import (
    forget_session,
    keep_session,
    new_state,
    stored_session,
)
from brokers.session.login_redirect import LoginRedirect
from brokers.session.vault import SecretVault
from engine.exit_codes import DONE
from engine.texts import plain_text
from tui.run.configured import configuration
from tui.run.credentials import BrokerEndpoint, ask_secret, endpoint_of, vault_of
from tui.run.exchange_clock import clock_at


def log_in(
    file: Path | None, port: int | None, seconds: float, *, keep_secret: bool, as_json: bool
) -> int:
    """Let the operator log in, in a browser, and keep the token of the day.

    No secret is printed.
    """
    config = configuration(file)
    place, vault = endpoint_of(config), vault_of(config)
    login = login_of(config.broker.name)
    variable = config.broker.api_secret_env or login.SECRET_VARIABLE
    # before the browser: whoever has to look for it loses no login
    secret = _api_secret(vault, place, variable, login)
    state, listens_at = new_state(), config.broker.redirect_port if port is None else port
    with LoginRedirect(listens_at, state, login.request_token) as redirect:
        # the redirect is listened for already
        _open_browser(login.login_url(place.api_key, state, place.page), redirect.url, login.NAME)
        token = redirect.wait(seconds, _readable_stream(sys.stdin), _write_line)
    session = login.exchange_token(
        place.rest,
        place.api_key,
        secret,
        token,
        clock_at(place.rest).now(),
        environment=config.broker.environment,
    )
    keep_session(vault, place.hosts, session)
    if keep_secret:
        vault.put(_secret_name(place), secret)
    until = session.last_moment
    facts = {"user_id": session.user_id, "expires": until.isoformat(), "kept_in": vault.where}
    text = (
        f"logged in as {session.user_id} until {until:%d %b %H:%M} IST; the token is kept in "
        f"{vault.where}"
    )
    sys.stdout.write(f"{json.dumps(facts) if as_json else plain_text(text)}\n")
    return DONE


def log_out(file: Path | None, *, keep_secret: bool, as_json: bool) -> int:
    """End today's session at the broker, and forget its token and, unless kept, the API secret."""
    config = configuration(file)
    place, vault = endpoint_of(config), vault_of(config)
    session = stored_session(vault, place.hosts, place.api_key)
    if session is not None and session.is_unexpired(clock_at(place.rest).now()):
        login_of(config.broker.name).invalidate_session(
            place.rest, session, environment=config.broker.environment
        )
    # after the broker's end: a token that is only forgotten here would live on there
    forget_session(vault, place.hosts, place.api_key)
    if not keep_secret:
        vault.forget(_secret_name(place))
    user = "" if session is None else session.user_id
    text = (
        f"logged out {user}; the token is dead and forgotten"
        if user
        else "nobody was logged in with this API key"
    )
    sys.stdout.write(f"{json.dumps({'user_id': user}) if as_json else plain_text(text)}\n")
    return DONE


def _open_browser(url: str, back: str, broker: str) -> None:
    _write_line(
        f"waiting at {back}; the redirect address of your {broker} application must be exactly this"
    )
    if not webbrowser.open(url):
        _write_line("there is no browser here; open this address in one:")
    _write_line(url)
    _write_line("if the browser cannot come back here, paste the address it ends at:")


def _write_line(text: str) -> None:
    sys.stderr.write(f"{plain_text(text)}\n")
    sys.stderr.flush()


def _readable_stream(stream: TextIO) -> TextIO | None:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return stream


def _api_secret(
    vault: SecretVault, place: BrokerEndpoint, variable: str, login: BrokerLogin
) -> str:
    return (
        login.public_secret(place.api_key)
        or os.environ.get(variable)
        or vault.get(_secret_name(place))
        or ask_secret(f"API secret of your {login.NAME} application: ", variable)
    )


def _secret_name(place: BrokerEndpoint) -> str:
    return f"api-secret:{place.hosts}:{place.api_key}"
