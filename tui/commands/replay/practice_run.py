"""Run of a practised day, and of the strategies' day that it is compared with."""

import sys
from dataclasses import replace
from datetime import datetime
from functools import partial

import msgspec

from compiled.accounting.charges import ChargeRates, rates_key
from compiled.model.values import Product
from engine.board_rows import OTHERS
from engine.config.schema import DeskConfig
from engine.day.replay_control import ReplayControl
from engine.exit_codes import DONE, KILLED
from engine.indian_time import INDIA
from engine.numbers import gain, rupees, time_of_day
from engine.texts import plain_text
from store.desk_marks import ended_trades
from tui.commands.replay.past_day import day_of
from tui.commands.replay.practice_log import keep_session, kept_sessions, practice_file
from tui.commands.replay.score_card import (
    DayTotals,
    PracticeSession,
    TradingResult,
    card_text,
    holding_result,
    trading_result,
)
from tui.commands.replay.strategies_day import played_day
from tui.run.launch import ScreenRunner, run_session
from tui.run.session import DeskSession, RunPlan


def run_practice(
    config: DeskConfig, plan: RunPlan, screen: ScreenRunner, *, beside: bool, as_json: bool
) -> int:
    """Have a past day traded on the screen, then score it; return the exit code."""
    control = plan.control
    assert control is not None, "a practised day has a control"
    station = DeskSession(config, replace(plan, by_hand=not beside))
    station.score = partial(score_lines, station, control)
    code = run_session(station, screen, as_json=False)
    if code not in {DONE, KILLED} or not control.curve:
        return code
    sys.stderr.write("patang: the strategies play the same day ...\n")
    session = scored_session(config, plan, station, beside=beside)
    keep_session(practice_file(config), session)
    print_card(session, as_json=as_json)
    return DONE


def score_lines(station: DeskSession, control: ReplayControl) -> list[tuple[str, str]]:
    """Return what a practised day comes to while it is on the screen, by name.

    The strategies' part is missing: theirs is another desk, in the place of this one.
    """
    curve = control.curve[:]
    if not curve:
        return []
    own = trading_result(DayTotals(station.board.header.pnl, 0, 0), curve, ())
    held = _holding_result(station, control)
    worth = f"{gain(held.net).strip()} with all the cash in {control.yardstick or 'nothing'}"
    return [
        ("drawdown", f"{rupees(own.drawdown)}, something held {own.exposed:.0%} of the time"),
        ("holding", f"{worth}: {gain(own.net - held.net).strip()} against it"),
        ("compared", "^q leaves; then the strategies play the same day"),
    ]


def scored_session(
    config: DeskConfig, plan: RunPlan, station: DeskSession, *, beside: bool
) -> PracticeSession:
    """Return the score of a practised day, whose station is closed."""
    control = plan.control
    assert control is not None, "a practised day has a control"
    own = result_of(station, control)
    file = practice_file(config)
    source = plan.recording.name if plan.recording is not None else str(plan.tape)
    return PracticeSession(
        number=max((each.number for each in kept_sessions(file)), default=0) + 1,
        practised=datetime.now(INDIA).strftime("%Y-%m-%d %H:%M"),
        day=plan.day,
        source=source,
        begun=control.curve[0].ts,
        left=control.now,
        beside=beside,
        restarts=control.restarts,
        symbol=control.yardstick,
        own=own,
        by_hand=next(
            (row.net for row in station.board.strategies.rows if row.name == OTHERS), own.net
        ),
        strategies=strategies_result(config, plan, control.now),
        held=_holding_result(station, control),
    )


def strategies_result(config: DeskConfig, plan: RunPlan, until: int) -> TradingResult:
    """Return what the configured strategies make of a day up to a moment (ns UTC)."""
    with played_day(config, plan, until) as (station, control):
        return result_of(station, control)


def result_of(station: DeskSession, control: ReplayControl) -> TradingResult:
    """Return the result of a day whose station is closed."""
    facts = station.desk.facts()
    totals = DayTotals(*(int(str(facts[name])) for name in ("net", "charges", "orders")))
    trades = ended_trades(station.database, day_of(station.run))
    return trading_result(totals, control.curve, trades)


def _holding_result(station: DeskSession, control: ReplayControl) -> TradingResult:
    return holding_result(
        control.curve[:],
        int(str(station.desk.facts()["start_cash"])),
        yardstick_rates(station, control.yardstick),
    )


def yardstick_rates(station: DeskSession, symbol: str) -> ChargeRates | None:
    """Return the day's charges of what is held for comparison, None for an index."""
    kernel = station.desk.kernel
    token = next(
        (int(each.token) for each in kernel.view.instruments() if each.symbol == symbol), 0
    )
    return kernel.state.rates.get(int(rates_key(token, Product.MIS)))


def print_card(session: PracticeSession, *, as_json: bool) -> None:
    """Print a score card on stdout."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(session).decode() + "\n")
        return
    head = (
        f"practice {session.number}: {session.day}, {time_of_day(session.begun)[:5]} to "
        f"{time_of_day(session.left)[:5]}, {session.source}"
    )
    sys.stdout.write(f"{plain_text(head)}\n\n{card_text(session)}")
