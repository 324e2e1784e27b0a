"""Trading times on the command line: a day, what is unsure in it, a second source."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from compiled.model.values import SECOND, Instrument
from engine.config.schema import DeskConfig
from engine.errors import DataError
from engine.exit_codes import DONE
from engine.indian_time import INDIA
from engine.market.calendar import Calendar, SessionPhase
from engine.market.instrument_hours import InstrumentHours
from engine.market.instruments import INDICES, day_as_number
from engine.market.safeguards import TradingSafeguards
from engine.market.session_table import HoursClass
from engine.texts import plain_text
from tui.commands.market.charge_commands import KINDS, clock_text, moment_text
from tui.commands.shared.options import AsJson, Day
from tui.commands.shared.typed_values import read_day
from tui.run.configured import configuration
from tui.run.credentials import ask_secret, vault_of
from tui.run.settings import calendar_of

# a check that could not be made must not pass for one that found nothing
DIFFERS, NOT_CHECKED = 1, 1
AHEAD: Final = 14
"""Days from today on that are compared."""
SECRET: Final = "upstox-analytics-token"  # noqa: S105 (its name in the vault)
VARIABLE: Final = "UPSTOX_ANALYTICS_TOKEN"
"""May hold the token while it is put into the vault."""
WOULD: Final = (
    "no Analytics token of Upstox is kept, so nothing was compared. With one, --check asks {rest} "
    "for\n"
    "  GET /v2/market/timings/DATE     {first} to {last}, for each day: opens and closes of each "
    "exchange\n"
    "  GET /v2/market/holidays         trading and settlement holidays and special timings from "
    "today on\n"
    "  GET /v2/market/status/NSE       how the exchange stands now, stocks that close by auction "
    "for themselves\n"
    "and tells what differs. The token can only read; keep it with: patang calendar --keep-token"
)

Flag = Parameter(negative="")


def calendar(
    day: Day = "",
    *,
    exchange: Annotated[
        Literal["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX"], Parameter(help="Whose hours.")
    ] = "NSE",
    kind: Annotated[
        Literal["", "EQ", "INDEX", "FUT", "CE", "PE"],
        Parameter(help="Of what; empty: EQ at NSE and BSE, else FUT."),
    ] = "",
    cas: Annotated[
        bool,
        Parameter(
            name="--cas", negative="", help="A stock with derivatives: they close by auction."
        ),
    ] = False,
    expiring: Annotated[
        bool, Flag, Parameter(help="An index contract on the day it expires.")
    ] = False,
    check: Annotated[bool, Flag, Parameter(help="Compare 14 days with Upstox.")] = False,
    keep_token: Annotated[
        bool, Flag, Parameter(help="Ask for Upstox's Analytics token and keep it.")
    ] = False,
    forget_token: Annotated[bool, Flag, Parameter(help="Drop that token.")] = False,
    config: Annotated[
        Path | None, Parameter(help="Configuration file instead of ./config.toml.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Tell when the market trades on a day.

    Its phases, square-off, settlement, neighbours, and what is not sure of it.

    The hours are the desk's: where new ones are not confirmed, what is right under the old ones,
    too.
    """
    settings = configuration(config)
    if keep_token or forget_token:
        return _manage_token(settings, keep=keep_token)
    if check:
        return _check_calendar(settings, read_day(day), as_json=as_json)
    book, on = calendar_of(settings), read_day(day)
    by = HoursClass(exchange, kind or ("EQ" if exchange in KINDS else "FUT"), cas, expiring)
    early = int(settings.risk.square_off_before_s * SECOND)
    facts = _day_facts(book, on, by, early)
    if (
        by.kind == "EQ"
        and not cas
        # asked about stocks in general, both kinds are meant
        and (auction := by._replace(cas=True))
        and _sessions_differ(book, on, by, auction)
    ):
        # most names that a desk trades have some
        facts["stocks_with_derivatives"] = _trading_times(book, on, auction, early)
    # of another day there is no now
    if not day:
        now = int(datetime.now(INDIA).timestamp()) * SECOND
        phase = book.phase(now, exchange, str(facts["kind"]), cas, expiring)
        facts["now"], facts["until"] = phase.name, moment_text(phase.end)
    facts["remarks"] = book.remarks(on)
    sys.stdout.write(json.dumps(facts) + "\n" if as_json else _facts_text(facts))
    return DONE


def _day_facts(book: Calendar, on: date, by: HoursClass, early: int) -> dict[str, object]:
    facts: dict[str, object] = {"date": str(on), "weekday": f"{on:%A}", **by._asdict()}
    session = book.session(on, *by)
    facts["trading_day"] = session is not None
    if session is not None:
        facts |= _trading_times(book, on, by, early)
        window = book.amo(on, by.exchange, by.kind)
        facts["after_market_orders"] = [moment_text(at) for at in window] if window else None
        facts["phases"] = [_phase_row(phase) for phase in session.phases]
        if book.doubts(on):
            # every change in force, confirmed or not
            full = Calendar.load().session(on, *by)
            facts["when_confirmed"] = [_phase_row(phase) for phase in full.phases] if full else []
    # derivatives settle in money, by their own rules
    if by.exchange in KINDS:
        facts["settlement_day"] = _value_if_known(lambda: book.settles(on, by.exchange))
        if session is not None:
            facts["settles_on"] = _value_if_known(lambda: str(book.settlement(on, by.exchange)))
    facts["previous_trading_day"] = _value_if_known(
        lambda: str(book.previous_trading_day(on, by.exchange))
    )
    facts["next_trading_day"] = _value_if_known(lambda: str(book.next_trading_day(on, by.exchange)))
    return facts


def _sessions_differ(book: Calendar, on: date, by: HoursClass, other: HoursClass) -> bool:
    return book.session(on, *by) != book.session(on, *other)


def _trading_times(book: Calendar, on: date, by: HoursClass, early: int) -> dict[str, object]:
    """Return when continuous trading begins and ends, the square-offs, and the desk's."""
    # only index contracts have other hours on their last day
    name = next(iter(INDICES)) if by.expiring else ""
    one = Instrument(
        1,
        by.exchange,
        "ONE",
        0.05,
        kind=by.kind,
        name=name,
        expiry=day_as_number(on) if by.expiring else 0,
    )
    own = InstrumentHours(book, TradingSafeguards.load(), ["ONE"] if by.cas else []).trading_hours(
        on, one, early
    )
    assert own is not None
    # the broker's time, beside what the desk keeps of it
    known, last = book.square_off(on, *by), own.last_entry or own.closes
    return {
        "open": clock_text(own.opens),
        "close": clock_text(own.closes),
        "square_off": clock_text(known),
        "desk_last_entry": clock_text(min(last, own.square_off) if own.clears else last),
        "desk_leaves_all" if own.clears else "desk_leaves_intraday": "takes none"
        if known is None
        else clock_text(own.square_off),
    }


def _phase_row(phase: SessionPhase) -> dict[str, str | None]:
    return {"name": phase.name, "start": clock_text(phase.start), "end": clock_text(phase.end)}


def _value_if_known(ask: Callable[[], object]) -> object:
    try:
        return ask()
    # a list that ends with the year leaves the rest of the answer standing
    except DataError:
        return None


def _facts_text(facts: dict[str, object]) -> str:
    lines = []
    for name, value in facts.items():
        if name in {"phases", "when_confirmed"}:
            assert isinstance(value, list)
            lines += [name.replace("_", " ")] if name != "phases" else []
            lines += [f"  {phase['start']}-{phase['end']}  {phase['name']}" for phase in value]
        elif isinstance(value, dict):
            lines.append(f"{name:<23} " + ", ".join(f"{each} {at}" for each, at in value.items()))
        elif name == "remarks":
            assert isinstance(value, list)
            lines += ["", *value] if value else []
        elif isinstance(value, list):
            lines.append(f"{name:<23} {' to '.join(map(str, value))}")
        else:
            said = (
                "not known"
                if value is None
                else ("no", "yes")[value]
                if isinstance(value, bool)
                else value
            )
            lines.append(f"{name:<23} {said}")
    return "\n".join(lines) + "\n"


# the second source


def _manage_token(config: DeskConfig, *, keep: bool) -> int:
    vault = vault_of(config)
    if keep:
        vault.put(
            SECRET, os.environ.get(VARIABLE) or ask_secret("Analytics token of Upstox: ", VARIABLE)
        )
        sys.stdout.write(f"the token is kept in {vault.where}\n")
    else:
        vault.forget(SECRET)
        sys.stdout.write(f"no Analytics token is kept in {vault.where}\n")
    return DONE


def _check_calendar(config: DeskConfig, first: date, *, as_json: bool) -> int:
    from brokers.upstox.market_days import REST, MarketDays
    from tui.commands.market.calendar_check import CalendarComparison, CalendarFinding

    rest, last = config.market.upstox or REST, first + timedelta(days=AHEAD - 1)
    # kept, not configured: the file of settings holds no secret
    token = vault_of(config).get(SECRET)
    if token is None:
        plan = WOULD.format(rest=rest, first=first, last=last)
        sys.stdout.write(
            json.dumps({"checked": False, "text": plan}) + "\n" if as_json else plan + "\n"
        )
        return NOT_CHECKED

    async def compare() -> list[CalendarFinding]:
        comparison, now = CalendarComparison(calendar_of(config)), datetime.now(INDIA)
        async with MarketDays(token, rest) as source:
            found = [
                finding
                for ahead in range(AHEAD)
                for finding in comparison.compare_day(
                    first + timedelta(days=ahead),
                    await source.timings(first + timedelta(days=ahead)),
                )
            ]
            found += comparison.compare_holidays(first, await source.holidays())
            # the status is of this moment, and says nothing of another day
            if first == now.date():
                found.append(
                    comparison.compare_status(
                        int(now.timestamp()) * SECOND, await source.status("NSE")
                    )
                )
        return found

    found = asyncio.run(compare())
    differ = sum(not each.agrees for each in found)
    if as_json:
        facts = {"checked": True, "differ": differ, "findings": [each._asdict() for each in found]}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        told = [f"{'agrees ' if each.agrees else 'DIFFERS'}  {each.text}" for each in found]
        sys.stdout.write(
            "\n".join([*map(plain_text, told), f"{len(found) - differ} agree, {differ} differ"])
            + "\n"
        )
    return DIFFERS if differ else DONE
