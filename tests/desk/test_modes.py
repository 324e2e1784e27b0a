"""Modes against a sandbox that is configured as if it were Kite.

What is asked, what is sent, what is only written down.
"""

import io
import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from engine.errors import BusyError, ConfigError, DataError, OperatorError
from engine.market.calendar import ist_day
from engine.promotion.promotion_log import PromotionLog
from store.decision_trace import trace_decision, verdicts_of_symbol
from store.export import export_table
from store.sqlite_journal import SqliteJournal
from strategies import load_config
from tests.desk.support import get, rows, wait_for
from tests.engine.promotion.made_up import promoted, put_promotion
from tui.commands.cli import run_command
from tui.run import launch
from tui.run.confirmation import _require_rupees
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

IST = timezone(timedelta(hours=5, minutes=30))
EAGER = """
[strategy.momentum_ladder]
momentum_percent = 0.01
cooldown_s = 0
scan_s = 5
[feed]
stale_after_s = 600
[risk]
max_positions_per_symbol = 100
"""
NAMES = ("INFY", "TCS", "SBIN")


def admitted(station, run, text):
    made = station(run, text)
    launch.authorise_session(made)
    return made


def live(kite, **more):
    return RunPlan("live", live=True, confirm=kite.endpoint.user_id, **more)


# what is asked before real orders


def test_real_orders_are_asked_for_by_name(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES)
    for mode in ("live", "shadow"):
        with pytest.raises(ConfigError, match="--live"):
            station(RunPlan(mode), kite.text)
    for mode in ("sandbox", "replay", "dry-run", "paper"):
        with pytest.raises(ConfigError, match=mode):
            station(RunPlan(mode, live=True), kite.text)
    with pytest.raises(ConfigError, match=r"broker\.name"):
        station(RunPlan("live", live=True), "")


def test_the_account_is_confirmed_and_nothing_but_it_will_do(
    station, kite_like, monkeypatch, capsys
):
    kite = kite_like(speed=None, symbols=NAMES)
    with pytest.raises(OperatorError, match=f"{kite.endpoint.user_id}, not ZZ0001"):
        admitted(station, RunPlan("live", live=True, confirm="ZZ0001"), kite.text)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(OperatorError, match="--confirm"):
        admitted(station, RunPlan("live", live=True), kite.text)
    admitted(station, live(kite), kite.text)
    told = capsys.readouterr().err
    for part in (
        kite.endpoint.user_id,
        "10,00,000.00",
        "10,000.00",
        "2,40,000.00",
        kite.endpoint.rest,
    ):
        assert part in told
    assert kite.endpoint.access_token not in told


def test_the_confirmation_names_what_is_promoted_to_the_live_desk_alone(
    station, kite_like, tmp_path, capsys
):
    kite = kite_like(speed=None, symbols=NAMES)
    text = f"{kite.text}\n[promotion]\nbudget = 60000\n"
    for mode, name in (("live", "one_infy_60"), ("paper", "two_infy_60")):
        log = PromotionLog(tmp_path / "state" / "patang" / mode)
        with log.lock():
            put_promotion(log, [promoted(name)])
    admitted(station, live(kite), text)
    told = capsys.readouterr().err
    [line] = [line for line in told.splitlines() if "of them promoted" in line]
    assert line.split("promoted")[1].split() == ["one_infy_60", "(₹20,000)"]
    assert "two_infy_60" not in told


class Typed(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("typed", ["10000", "10,000.00", "₹10,000", " ₹ 10,000.0 ", "Rs. 10000"])
def test_the_limit_is_taken_as_it_is_shown(typed):
    _require_rupees(typed, 10_000)


@pytest.mark.parametrize(
    "typed",
    ["900", "10,000.50", "1_0000", "-10000", "", "₹", "\u0661\u0660\u0660\u0660\u0660", "1e4"],
)
def test_any_other_limit_is_refused(typed):
    with pytest.raises(OperatorError, match=r"the limit is 10,000\.00, not"):
        _require_rupees(typed, 10_000)


@pytest.mark.parametrize(
    ("typed", "why"), [("{user}\n₹10,000\n", ""), ("{user}\n900\n", "limit"), ("{user}\n", "typed")]
)
def test_at_a_terminal_the_account_and_the_loss_limit_are_typed(
    station, kite_like, monkeypatch, typed, why
):
    kite = kite_like(speed=None, symbols=NAMES)
    monkeypatch.setattr("sys.stdin", Typed(typed.format(user=kite.endpoint.user_id)))
    if why:
        with pytest.raises(OperatorError, match=why):
            admitted(station, RunPlan("live", live=True), kite.text)
    else:
        admitted(station, RunPlan("live", live=True), kite.text)


def test_a_symbol_the_broker_does_not_list_is_told_before_anything_is_asked(
    station, kite_like, capsys
):
    kite = kite_like(speed=None, symbols=NAMES)
    with pytest.raises(OperatorError, match="not ZZ0001"):
        admitted(
            station,
            RunPlan("live", live=True, confirm="ZZ0001"),
            f'{kite.text}\n[feed]\nwatch = ["INFY", "NOSUCH"]\n',
        )
    assert "no such symbol on NSE: NOSUCH: left out" in capsys.readouterr().err


def test_the_database_of_another_account_is_refused_before_anything_is_asked(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES)
    made = station(RunPlan("live", live=True, confirm="nobody"), kite.text)
    made.state.mkdir(parents=True, exist_ok=True)
    journal = SqliteJournal(made.state / "desk.db", print)
    journal.append("meta", {"key": "account", "value": "ZZ0001"})
    journal.close()
    with pytest.raises(
        BusyError, match=f"belongs to account ZZ0001, the broker says {kite.endpoint.user_id}"
    ):
        launch.authorise_session(made)


def test_a_day_without_trading_is_refused_before_anything_is_asked(station, kite_like, monkeypatch):
    class Sunday:
        def now(self):
            return int(datetime(2026, 11, 22, 11, tzinfo=IST).timestamp()) * 10**9

    kite = kite_like(speed=None, symbols=NAMES)
    monkeypatch.setattr("tui.run.confirmation.clock_at", lambda _: Sunday())
    with pytest.raises(DataError, match="2026-11-22 is no trading day"):
        admitted(station, RunPlan("live", live=True, confirm="ZZ0001"), kite.text)


def test_without_a_login_the_mend_is_named(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES)
    (kite.state / "credentials").unlink()
    with pytest.raises(OperatorError, match="patang login"):
        admitted(station, RunPlan("dry-run"), kite.text)


def test_a_sandbox_run_never_goes_to_the_configured_broker(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES)
    made = station(RunPlan("sandbox", seed=1), '[desk]\nmode = "dry-run"\n' + kite.text)
    assert made.is_embedded
    assert not made.sends_real_orders
    assert made.broker_name == "sandbox", "what it speaks does not depend on the configured broker"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('rest = "http://api.kite.trade"\nws = "wss://ws.kite.trade"', "broker.rest"),
        ('rest = "https://api.kite.trade"\nws = "ws://ws.kite.trade"', "broker.ws"),
        ("market_protection = 0", "broker.market_protection"),
        ('static_ip = "10.0.0.256"', "broker.static_ip"),
        ('bind_ip = "eth0"', "broker.bind_ip"),
        ('algo_id = "my algo"', "broker.algo_id"),
        ("redirect_port = 80", "broker.redirect_port"),
    ],
)
def test_a_broker_setting_that_cannot_be_meant_is_named(tmp_path, line, key):
    file = tmp_path / "config.toml"
    file.write_text(f'[desk]\nmode = "live"\n[broker]\nname = "kite"\n{line}\n')
    with pytest.raises(ConfigError, match=key):
        load_config(file)


# live and dry-run


def run_day(station, kite, run, text=""):
    """Run a lockstep day to its end; return (station, what the exchange's books say)."""
    made = admitted(station, run, kite.text + text)
    desk = open_desk(made)
    assert desk.done.wait(250)
    assert desk.error is None
    books = get(kite.endpoint.rest + "/sandbox/books")
    made.close()
    return made, books


def test_a_live_day_ends_with_the_same_books_on_both_sides(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES, start="14:30")
    made, books = run_day(station, kite, live(kite), EAGER)
    assert made.state.name == "live"
    fills = rows(made.database, "SELECT * FROM fills")
    assert len(fills) > 5
    assert len(fills) == len(books["trades"])
    assert made.board.header.mode == "LIVE"


def test_a_dry_run_writes_decisions_down_and_sends_nothing(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES, start="15:00")
    made, books = run_day(station, kite, RunPlan("dry-run"), EAGER)
    assert books["orders"] == books["gtts"] == []
    decided = rows(made.database, "SELECT * FROM intents")
    asked = [(row["strategy"], row["symbol"]) for row in decided]
    assert len(asked) > 1
    assert len(asked) == len({*asked}), "what it would hold is not asked for again"
    assert {row["status"] for row in decided} == {"REJECTED"}
    assert all(row["reason"].startswith("DRY_RUN") for row in decided)
    assert all(row["quantity"] > 0 and row["symbol"] in NAMES for row in decided)
    assert rows(made.database, "SELECT * FROM fills") == []
    export_table(made.database, "orders", made.state / "orders.json", "json")
    told = json.loads((made.state / "orders.json").read_text())
    names = ("tag", "symbol", "side", "quantity", "order_type", "price")
    assert [[row[name] for name in names] for row in told] == [
        [row[name] for name in names] for row in decided
    ]
    assert {(row["status"], row["filled"], row["reason"]) for row in told} == {
        ("DRY_RUN", 0, "would have been sent")
    }
    assert [step.what for step in trace_decision(made.database, decided[0]["tag"]).steps][-2:] == [
        "intended",
        "not sent",
    ]
    assert [
        (each.code, each.detail)
        for each in verdicts_of_symbol(made.database, decided[0]["symbol"])
        if each.code == "OK"
    ] == [("OK", "would have been sent")]
    owner = rows(made.database, "SELECT value FROM meta WHERE key = 'account'")[0]["value"]
    assert owner == f"DRY-{kite.endpoint.user_id}", "a real desk would refuse this database"


def test_a_paper_day_fills_near_the_exchanges_own_and_sends_nothing(station, kite_like):
    kite = kite_like(speed=None, symbols=NAMES, start="14:45")
    made, books = run_day(station, kite, RunPlan("paper"), EAGER)
    assert books["orders"] == books["gtts"] == books["trades"] == []
    fills = rows(made.database, "SELECT * FROM fills ORDER BY ts")
    assert len(fills) > 5
    assert made.board.header.naked == 0
    assert made.desk.facts()["unknown"] == 0
    assert list(made.board.differences.rows) == []
    bars = {}
    for row in made.board.watch.rows:
        spans = made.board.bars[row.token, 60]
        bars[row.symbol] = (min(bar.low for bar in spans) - 1, max(bar.high for bar in spans) + 1)
        # A chart of every span begins before the day.
        for span in made.spans:
            assert ist_day(made.board.bars[row.token, span][0].start) < ist_day(fills[0]["ts"])
    assert all(bars[row["symbol"]][0] <= row["price"] <= bars[row["symbol"]][1] for row in fills)


def test_a_paper_desk_goes_on_after_a_restart_with_what_it_held(station, kite_like):
    kite = kite_like(speed=30.0, symbols=NAMES, start="09:20")
    made = admitted(station, RunPlan("paper"), kite.text + EAGER)
    open_desk(made)
    wait_for(lambda: len(made.board.positions.rows) > 2, "it trades")
    wait_for(lambda: made.board.header.naked == 0, "it protects")
    made.close()
    held = (
        "SELECT symbol, sum(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END) AS n FROM "
        "fills GROUP BY symbol"
    )
    before = {row["symbol"]: row["n"] for row in rows(made.database, held)}
    again = admitted(station, RunPlan("paper"), kite.text + "[risk]\nmax_trades_per_day = 1\n")
    desk = open_desk(again)
    wait_for(lambda: again.board.header.state in {"running", "read-only"}, "it opens")
    assert again.board.header.state == "running", desk.describe()
    assert again.database == made.database
    assert list(again.board.differences.rows) == []
    ours = {
        again.desk.kernel.state.markets[int(p.token)].instrument.symbol
        for p in desk.kernel.ledger.account_positions()
    }
    assert ours >= {symbol for symbol, quantity in before.items() if quantity}
    assert again.board.header.naked == 0
    again.close()
    assert get(kite.endpoint.rest + "/sandbox/books")["orders"] == []


def test_a_shadow_day_pairs_every_real_order_with_a_twin(station, kite_like, capsys):
    kite = kite_like(speed=None, symbols=NAMES, start="14:45")
    made, books = run_day(
        station, kite, RunPlan("shadow", live=True, confirm=kite.endpoint.user_id), EAGER
    )
    fills = rows(made.database, "SELECT * FROM fills")
    assert len(fills) == len(books["trades"]) > 5
    pairs = {row["order_id"]: row for row in rows(made.database, "SELECT * FROM shadow")}
    filled = {fill["order_id"] for fill in fills}
    assert pairs.keys() >= filled
    for order_id in filled:
        shares = sum(fill["quantity"] for fill in fills if fill["order_id"] == order_id)
        assert pairs[order_id]["real_filled"] == shares
        assert pairs[order_id]["sent"] <= pairs[order_id]["real_first"]
    both = [row for row in pairs.values() if row["real_filled"] and row["twin_filled"]]
    assert len(both) > len(filled) / 2
    away = [
        abs(r["real_value"] / r["real_filled"] / (r["twin_value"] / r["twin_filled"]) - 1)
        for r in both
    ]
    assert max(away) < 0.005
    shown = {row.name: row.text for row in made.board.risk.rows}
    assert shown["Twins compared"] == str(len(both))
    capsys.readouterr()
    assert run_command(["shadow", "--json", "--config", str(kite.file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["summary"]["both"] == len(both)
    assert {each["order_id"] for each in told["orders"]} == pairs.keys()
    cost = sum(
        (1 if r["side"] == "BUY" else -1)
        * (r["real_value"] / r["real_filled"] - r["twin_value"] / r["twin_filled"])
        * min(r["real_filled"], r["twin_filled"])
        / 100
        for r in both
    )
    assert told["summary"]["cost"] == pytest.approx(cost, abs=0.01)


def test_budgets_the_account_cannot_pay_for_hold_entries_back_until_it_can(station, kite_like):
    kite = kite_like(speed=20.0, symbols=NAMES, start="09:20", cash=238_000_00)
    made = admitted(station, live(kite), kite.text + EAGER)
    desk = open_desk(made)
    wait_for(lambda: "add funds" in str(desk.describe()), "the operator is told what is missing")
    text = str(desk.describe())
    assert "the account has ₹238000.00" in text
    needed = float(text.split("may block ₹")[1].split(maxsplit=1)[0])
    assert 240_000 < needed < 241_000, "the limit on exposure, and the charges on it"
    assert made.board.header.state == "read-only"
    asked = [row.text for row in made.board.events if "by our estimate" in row.text]
    assert len(asked) == 2
    theirs, ours = (float(part.split("₹")[1]) for part in asked[0].split(" by ")[:2])
    assert theirs == pytest.approx(ours, rel=0.01)
    time.sleep(1.0)
    assert rows(made.database, "SELECT * FROM intents") == []
    desk.kernel.limits.max_exposure = 200_000_00
    wait_for(
        lambda: made.board.header.state == "running", "it goes on once the limit is low enough"
    )
    made.close()


# a session that ends


def test_a_token_that_dies_holds_entries_back_and_the_next_login_goes_on_without_a_restart(
    station, kite_like
):
    kite = kite_like(speed=20.0, symbols=NAMES, start="09:20")
    made = admitted(station, live(kite), kite.text + EAGER)
    desk = open_desk(made)

    def told(text):
        return [row for row in made.board.events if text in row.text]

    wait_for(
        lambda: made.board.header.state == "running" and made.board.positions.rows, "it trades"
    )
    session = kite.session()
    wait_for(lambda: told("the session with the broker has ended"), "the operator is told")
    wait_for(lambda: made.board.header.state == "read-only", "entries are held back")
    assert "patang login" in str(desk.describe())
    assert not made.kill.latched
    held_at = made.board.header.now
    time.sleep(1.5)
    kite.keep(session)
    wait_for(
        lambda: told("logged in again"),
        lambda: (
            f"it finds the login: {made.board.header} "
            f"{[row.text for row in made.board.events][-60:]}"
        ),
    )
    wait_for(lambda: made.board.header.state == "running", "it trades again")
    went_on = made.board.header.now
    intents = "SELECT * FROM intents WHERE purpose = 'ENTRY' AND created > ? AND created < ?"
    assert rows(made.database, intents, held_at, went_on - 10**9) == []
    wait_for(lambda: rows(made.database, intents, went_on, 2**62), "new entries leave")
    made.close()
    books = get(kite.endpoint.rest + "/sandbox/books")
    assert len(rows(made.database, "SELECT * FROM fills")) == len(books["trades"])
    gaps = rows(made.database, "SELECT * FROM gaps")
    assert {row["state"] for row in gaps} <= {"open", "filled"}
    # the feed changes its token by connecting anew; a busy machine may add gaps of its own
    missed = {row["token"] for row in gaps if held_at <= row["began"] <= went_on}
    assert len(missed) == len(NAMES), (held_at, went_on, [dict(row) for row in gaps])
