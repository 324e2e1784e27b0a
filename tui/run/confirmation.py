"""Confirmation of real orders: the account and its money, and the operator's typed word."""

import asyncio
import os
import re
import sys
from typing import NamedTuple

from brokers.connection import ConnectionTerms
from brokers.registry import connect, rules_of
from compiled.model.values import Instrument
from engine.day.opening import check_owner
from engine.errors import ConfigError, DataError, OperatorError
from engine.manual.reasons import LIMIT_ONLY
from engine.market.calendar import Calendar, ist_day
from engine.numbers import rupees
from engine.promotion.next_day_file import promoted_text
from engine.texts import plain_text
from tui.run.credentials import Credentials
from tui.run.exchange_clock import clock_at
from tui.run.preflight import unlisted_text
from tui.run.run_records import own_database, owner_of
from tui.run.session import DeskSession
from tui.run.settings import enabled_strategies


class AccountSummary(NamedTuple):
    """Summary of an account: its user, equity funds (paise), and NSE's list."""

    user: str
    funds: int
    listed: list[Instrument]


def confirm_orders(station: DeskSession, access: Credentials) -> None:
    """Ask for the account and its daily loss limit by hand, or compare `--confirm`.

    Raise `OperatorError` for a no. A symbol that is not listed is reported first: the desk leaves
    it out. Raises `DataError` on a day without trading, `BusyError` for the database of another
    account.
    """
    clock = clock_at(access.place.rest)
    day = ist_day(clock.now())
    if Calendar.load().session(day) is None:
        raise DataError(f"{day} is no trading day: the exchange is closed")
    account = asyncio.run(_read_account(station, access))
    # the journal of another account would bring its orders and positions back into this one
    check_owner(
        owner_of(own_database(station.config, station.run.mode, embedded=False)), account.user
    )
    missing = unlisted_text(station.config, account.listed)
    _write_line(f"{station.run.mode.upper()} at {access.place.rest}")
    for name, value in _account_terms(station, account):
        _write_line(f"  {name:<22}{value}")
    if missing:
        _write_line(f"  {missing}: left out; mend the configuration")
    if rules_of(station.config.broker.name, access.place.rest).limit_only:
        _write_line(f"  {LIMIT_ONLY}")
    # whoever types the limit has read it
    loss = station.config.risk.max_daily_loss
    # also what is said beforehand is compared: the token may be of another account than the
    # script's
    if station.run.confirm:
        _require_match(station.run.confirm, account.user, "the account")
    elif not sys.stdin.isatty():
        raise OperatorError(
            'real orders need a word: say --confirm "ACCOUNT", or start at a terminal'
        )
    else:
        _require_match(_ask_line("Type the account to trade: "), account.user, "the account")
        _require_rupees(_ask_line("Type the most it may lose today, in rupees: "), loss)


async def _read_account(station: DeskSession, access: Credentials) -> AccountSummary:
    settings = station.config.broker
    # three calls, before there is a desk: no rate has to be kept for them
    terms = ConnectionTerms(
        settings=settings, clock=clock_at(access.place.rest), workers=2, limited=False
    )
    broker = connect(settings.name, access.place, terms).broker
    try:
        return AccountSummary(
            await broker.account(), await broker.funds(), await broker.instruments("NSE")
        )
    finally:
        await broker.close()


def _account_terms(station: DeskSession, account: AccountSummary) -> list[tuple[str, str]]:
    risk, config = station.config.risk, station.config
    named = ", ".join(name for name, _, _ in enabled_strategies(config)) or "none"
    return [
        ("account", account.user),
        ("funds", rupees(account.funds)),
        ("strategies", named),
        ("of them promoted", promoted_text(station.next_day) or "none"),
        ("most in positions", rupees(risk.max_exposure * 100)),
        ("most in one order", rupees(risk.max_order_value * 100)),
        ("most lost in a day", rupees(risk.max_daily_loss * 100)),
        ("most below the high", rupees(risk.max_drawdown * 100)),
        ("entries in a day", str(risk.max_trades_per_day)),
    ]


def _require_match(word: str, wanted: str, what: str) -> None:
    if word.strip() != wanted:
        raise OperatorError(
            f"{what} is {wanted}, not {word.strip() or 'nothing'}; nothing was started"
        )


def _require_rupees(word: str, wanted: int) -> None:
    """Take an amount as it is shown, with or without sign, commas and paise."""
    typed = re.fullmatch(
        r"(?:₹|rs\.?)?\s*([0-9][0-9,]*)(?:\.0{1,2})?", word.strip(), re.ASCII | re.IGNORECASE
    )
    if typed is None or int(typed[1].replace(",", "")) != wanted:
        raise OperatorError(
            f"the limit is {rupees(wanted * 100)}, not {word.strip() or 'nothing'}; nothing was "
            "started"
        )


def _write_line(text: str) -> None:
    sys.stderr.write(f"{plain_text(text)}{os.linesep}")
    sys.stderr.flush()


def _ask_line(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    try:
        return input()
    except EOFError:
        raise ConfigError("nothing was typed; nothing was started") from None
