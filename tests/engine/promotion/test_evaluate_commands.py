"""`patang evaluate`, as it is typed: a journal made by hand, figures summed by hand, demotion."""

import json
from datetime import date, datetime

import pytest
from msgspec.structs import replace

from engine.backtest import run_identity
from engine.indian_time import INDIA
from engine.promotion.next_day_file import read_next_day
from engine.promotion.promotion_log import PromotedTrial, PromotionLog
from store.backtest_results import ParityDay, ResultStore
from store.sqlite_journal import SqliteJournal
from strategies import build, load_config
from strategies.strategy_sources import SHIPPED
from tests.engine.backtest.histories import day_of, history, joined
from tests.engine.backtest.made_up import at
from tests.engine.promotion.made_up import promoted, put_promotion
from tui.commands.cli import run_command
from tui.commands.research.evaluation_job import EvaluationJob

NAME, OTHER = "cross_infy_60", "cross_sbin_60"
DAYS = [date(2024, 6, day) for day in (10, 11, 12, 13, 14)]
SETTINGS = "[promotion]\nbudget = 60000\nmax_weeks = 520\n"
SOLD = (103.0, 98.0, 101.0, 100.5, 102.0)
"""Ten shares are bought at 100 every day, and sold at that; each of the two fills costs ₹1."""
NET = [(price - 100) * 10 - 2 for price in SOLD]
RETURNS = [0.0004, -0.0002, 0.0002, 0.0, 0.0002]
"""Of ₹1,00,000: ₹40, -20, 20, 0, 20, compounded in paise."""


def table_of(**values):
    return {"source": SHIPPED["moving_average_cross"], "timeframe_s": 60, "slow": 21} | values


CODE = run_identity.source_hash(build("moving_average_cross", table_of()))


def cross(name, symbol="INFY", *, cash=100_000, trades_a_day=1.0, **values):
    each = promoted(name, symbol=symbol, code=CODE, **table_of(**values))
    return each._replace(promise=replace(each.promise, cash=cash, trades_a_day=trades_a_day))


def tried(each, returns=RETURNS):
    return PromotedTrial(
        name=each.name,
        trial=each.origin.trial,
        promoted=True,
        steps=[],
        days=[str(day) for day in DAYS],
        returns=list(returns),
    )


class Desk:
    """A paper desk's folder: its journal, what is promoted, and the command."""

    def __init__(self, home, capsys):
        self.home = home
        self.capsys = capsys
        self.state = home / "state" / "patang" / "paper"
        self.database = self.state / "desk.db"
        self.log = PromotionLog(self.state)
        self.configure(SETTINGS)

    def configure(self, text):
        (self.home / "config.toml").write_text(text)

    def promote(self, *strategies, trials=None):
        with self.log.lock():
            made = [tried(each) for each in strategies] if trials is None else trials
            put_promotion(self.log, list(strategies), trials=made)

    def trade(self, strategy, prices=SOLD, days=DAYS, ran=None):
        """Write a journal in which a strategy buys ten at 100 and sells them, each day once."""
        journal = SqliteJournal(self.database, lambda *_: None)
        told = json.dumps(ran or self.ran(strategy))
        for number, (day, price) in enumerate(zip(days, prices, strict=True), start=1):
            opened = at(day, "09:00")
            for key, value in (
                ("opened", str(opened)),
                (f"start_cash:{day}", "100000000"),
                (f"ran:{day}:{opened}", told),
            ):
                journal.append("meta", {"key": key, "value": value})
            if price is not None:
                self.write_trip(journal, strategy.name, number, day, price)
        journal.close()

    def write_trip(self, journal, name, number, day, price, left=None):
        usual = {"strategy": name, "token": 257, "symbol": "INFY"}
        sides = (("BUY", 100.0, at(day, "10:00")), ("SELL", price, at(left or day, "11:00")))
        for place, (side, value, moment) in enumerate(sides):
            order = {
                "trade_id": f"{number}{place}",
                "order_id": f"2406100000000{number}{place}",
                "intent": 2 * number + place,
                "rung": number,
                "quantity": 10,
                "charges": 100,
                "realised": 0,
                "exchange": "NSE",
                "ts": moment,
            }
            journal.append("fills", usual | order | {"side": side, "price": value})
        closed = {"ladder": number, "position_number": 1, "exit_reason": "x", "pnl": 0}
        trade = {"trade_id": number, "side": "BUY", "status": "closed", "charges": 200}
        journal.append("trades", usual | closed | trade)

    def ran(self, *strategies):
        return {
            "strategies": {each.name: each.table for each in strategies},
            "sources": {each.name: each.origin.code for each in strategies},
        }

    def keep_parity(self, day, percent, decisions=4, database=None):
        kept = dict.fromkeys(ParityDay._fields, 0) | {
            "mode": "paper",
            "date": str(day),
            "percent": percent,
            "decisions": decisions,
            "desk": 300,
            "backtest": 100,
            "fill": 200,
            "bars": "live",
            "database": str(database or self.database),
            "strategy": "",
        }
        ResultStore(self.home / "state" / "patang" / "results.db").keep_parity([ParityDay(**kept)])

    def run(self, *arguments, code=0):
        self.capsys.readouterr()
        assert run_command(["evaluate", "--mode", "paper", *arguments]) == code
        return self.capsys.readouterr()

    def found(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code).out)["strategies"]


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Desk(tmp_path, capsys)


def rule(found, name):
    return next(each for each in found["rules"] if each["rule"] == name)


def test_the_figures_are_those_of_the_journal_by_hand_to_the_paisa(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy)
    (found,) = desk.found()
    assert [each["net"] for each in found["sessions"]] == NET == [28.0, -22.0, 8.0, 3.0, 18.0]
    figures = found["figures"]
    assert (figures["sessions"], figures["net"], figures["trades"]) == (5, 35.0, 5)
    assert figures["total_return"] == pytest.approx(35 / 20_000)
    assert figures["win_rate"] == 0.8
    assert figures["drawdown"] == -22.0
    assert found["trading_days"] > 5
    # 40 - 20 + 20 + 0 + 20 of ₹1,00,000, which grows by some paise
    assert found["promise"]["expected"] == pytest.approx(60.0, abs=0.02)
    assert found["promise"]["drawdown"] == pytest.approx(-20.0, abs=0.02)
    assert rule(found, "drawdown")["threshold"] == pytest.approx(-30.0, abs=0.02)
    assert found["broken"] == []
    assert found["week"]["sessions"] == 0, "those days are years ago"


def test_the_table_shows_promise_luck_and_rules_and_names_what_was_not_compared(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy)
    desk.keep_parity(DAYS[0], 75.0)
    told = desk.run("--to", "2024-06-19").out
    (days,) = (line for line in told.splitlines() if "of trading days" in line)
    assert days.split()[-1] == "7", "Monday the 17th was a holiday"
    for line in ("+₹35.00", "+0.18%", "luck  P&L above", "✓ percentile", "· parity", "✓ source"):
        assert line in told
    assert "75.0%   +₹2.00  fill +₹2.00" in told
    assert "without parity: 2024-06-11, 2024-06-12, 2024-06-13, 2024-06-14" in told


def test_the_desk_knows_of_an_evaluation_of_all_sessions_and_of_no_other(desk):
    desk.promote(cross(NAME))
    file, today = read_next_day(desk.state), datetime.now(INDIA).date()
    desk.run("--week", "2024-W24")
    assert "not evaluated yet" in desk.log.overdue_text(file, today)
    desk.run()
    assert desk.log.overdue_text(file, today) == ""


def test_a_trial_that_a_later_promotion_looked_at_and_left_keeps_its_daily_returns(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.promote(strategy, trials=[tried(strategy, ())])
    desk.trade(strategy)
    assert desk.found()[0]["promise"]["expected"] == pytest.approx(60.0, abs=0.02)


def test_few_sessions_are_said_to_be_too_few(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy, SOLD[:2], DAYS[:2])
    told = desk.run().out
    assert "too early to tell, below 5 sessions" in told
    assert "· percentile too early: 2 sessions, of 5 at least" in told


def test_a_chosen_week_has_its_sessions_alone_and_is_judged_by_them(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    later = [date(2024, 6, 18), date(2024, 6, 19)]
    desk.trade(strategy, [*SOLD, 90.0, 91.0], [*DAYS, *later])
    (week,) = desk.found("--week", "2024-W24")
    assert (week["figures"]["net"], week["week"], week["broken"]) == (35.0, None, [])
    (span,) = desk.found("--from", "2024-06-13", "--to", "2024-06-18", code=1)
    assert [each["net"] for each in span["sessions"]] == [3.0, 18.0, -102.0]
    assert span["broken"] == ["drawdown"]


def test_of_a_day_that_was_run_twice_the_last_run_counts(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy)
    desk.database = desk.state / "run-20240614-180000-1.db"
    desk.trade(strategy, (110.0,), DAYS[4:])
    assert [each["net"] for each in desk.found()[0]["sessions"]] == [*NET[:4], 98.0]


def test_what_is_held_over_nights_stands_at_the_last_price_that_the_desk_saw(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    closes = {str(DAYS[0]): 104.0, str(DAYS[1]): 99.0}
    bars = [day_of(day, [close] * 375, token=257, spread=0.0) for day, close in closes.items()]
    history(desk.state / "bars", {"INFY": joined(*bars)}, version="live")
    desk.trade(strategy, [None] * 3, DAYS[:3])
    journal = SqliteJournal(desk.database, lambda *_: None)
    desk.write_trip(journal, NAME, 1, DAYS[0], 106.0, DAYS[2])
    journal.close()
    (found,) = desk.found(code=1)
    assert found["broken"] == ["drawdown"], "₹50 from the first evening to the second"
    sessions = found["sessions"]
    # bought at 100, less ₹1; down from 104 to 99; up to 106, less ₹1
    assert [each["net"] for each in sessions] == [39.0, -50.0, 69.0]
    assert [each["trades"] for each in sessions] == [0, 0, 1]


def test_a_session_that_is_not_over_is_left_out(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy)
    config = load_config(desk.home / "config.toml").values

    def seen(clock):
        job = EvaluationJob(config, "paper", at(DAYS[4], clock), None)
        (found,) = job.evaluate(read_next_day(desk.state), desk.log.records(), every=False)
        return [each.day for each in found.sessions], found.week.sessions, job.warnings

    assert seen("15:29") == (DAYS[:4], 4, ["the session of 2024-06-14 is not over: it is left out"])
    assert seen("15:30") == (DAYS, 5, [])


@pytest.mark.parametrize(
    "there",
    [
        cross(NAME, slow=34),
        cross(OTHER),
        cross(NAME)._replace(origin=replace(cross(NAME).origin, code="another")),
    ],
)
def test_a_session_with_other_parameters_or_without_the_strategy_does_not_count(desk, there):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy, ran=desk.ran(there))
    assert desk.found()[0]["sessions"] == []


def test_a_strategy_whose_source_is_not_what_was_tried_is_to_be_demoted(desk):
    tried_once = cross(NAME)
    desk.promote(tried_once._replace(origin=replace(tried_once.origin, code="0" * 64)))
    (found,) = desk.found(code=1)
    assert found["broken"] == ["source"]
    assert f"the source of {NAME} changed since it was promoted" in rule(found, "source")["text"]


def test_parity_counts_of_this_journal_and_of_days_with_decisions(desk):
    strategy = cross(NAME)
    desk.configure(SETTINGS + "min_sessions = 2\n")
    desk.promote(strategy)
    desk.trade(strategy)
    desk.keep_parity(DAYS[0], 70.0)
    desk.keep_parity(DAYS[1], 100.0, decisions=0)
    desk.keep_parity(DAYS[2], 100.0, database="/other/desk.db")
    (found,) = desk.found()
    assert rule(found, "parity")["verdict"] == "not yet"
    assert found["without_parity"] == [str(day) for day in DAYS[2:]]
    desk.keep_parity(DAYS[3], 89.0)
    (found,) = desk.found(code=1)
    assert (rule(found, "parity")["value"], found["broken"]) == (79.5, ["parity"])


def test_what_breaks_a_rule_is_named_and_taken_out_when_asked_and_a_rollback_brings_it_back(desk):
    bad, good = cross(NAME), cross(OTHER, "SBIN", trades_a_day=0.1)
    desk.promote(bad, good)
    desk.trade(bad, (97.0,) * 5, ran=desk.ran(bad, good))
    before = read_next_day(desk.state)
    told = desk.run(code=1)
    assert f"to demote: {NAME}: percentile, -₹160.00 is above 0.0 % of what luck" in told.err
    assert f"{NAME}: drawdown, -₹160.00, at most 1.5 × the promised -₹20.01" in told.err
    refused = desk.run("--demote", code=2)
    assert "say --yes to write it" in refused.err
    assert read_next_day(desk.state) == before

    said = json.loads(desk.run("--demote", "--yes", "--json").out)
    assert (said["written"], said["broken"]) == (True, [NAME])
    assert [(each["sign"], each["name"]) for each in said["changes"]] == [("-", NAME)]
    after = read_next_day(desk.state)
    assert after.budget == {OTHER: 20_000}, "the part of what stays is what it was"
    record = desk.log.record(2)
    assert (record.act, record.state, record.before) == ("demotion", 2, 1)
    assert record.reason.startswith(f"{NAME}: percentile, -₹160.00")
    assert "nothing to demote" in desk.run("--demote", "--yes").err
    assert desk.log.numbers() == [1, 2]

    (there, gone) = desk.found("--all")
    assert (there["name"], gone["name"], gone["figures"]["net"]) == (OTHER, NAME, -160.0)
    assert ", demotion 2; cross_infy_60: percentile, -₹160.00" in gone["gone"]
    assert gone["rules"] == []

    assert run_command(["promote", "--mode", "paper", "--history"]) == 0
    assert f"demotion by {record.who}: {OTHER}; {NAME}: percentile" in desk.capsys.readouterr().out
    assert run_command(["promote", "--mode", "paper", "--rollback", "--yes"]) == 0
    assert read_next_day(desk.state).budget == before.budget
    assert [each["name"] for each in desk.found("--all", code=1)] == [NAME, OTHER]


def test_a_strategy_that_is_silent_old_or_not_what_was_tried_is_found(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy, [None] * 5)
    assert desk.found(code=1)[0]["broken"] == ["silence"]
    desk.configure(SETTINGS.replace("520", "13") + "silent_after_trades = 6\n")
    assert desk.found(code=1)[0]["broken"] == ["age"]
    desk.configure(SETTINGS + "silent_after_trades = 6\n")
    other = strategy._replace(table=strategy.table | {"source": "gone.py"})
    desk.promote(other)
    (found,) = desk.found(code=1)
    assert found["broken"] == ["source"]
    assert "gone.py" in rule(found, "source")["text"]


@pytest.mark.parametrize(("cash", "trials"), [(0, None), (100_000, [])])
def test_a_promotion_without_daily_returns_or_cash_is_not_compared_and_that_is_said(
    desk, cash, trials
):
    strategy = cross(NAME, cash=cash)
    desk.promote(strategy, trials=trials)
    desk.trade(strategy, (90.0,) * 5)
    (found,) = desk.found()
    assert found["promise"]["expected"] is None
    assert "promote it again" in rule(found, "percentile")["text"]
    assert "✓ age" in desk.run().out


def test_a_day_of_promotion_that_is_none_is_named(desk):
    each = cross(NAME)
    desk.promote(each._replace(origin=replace(each.origin, since="lately")))
    assert "cross_infy_60: since lately: expected YYYY-MM-DD" in desk.run(code=2).err


def test_nothing_promoted_and_nothing_traded_is_said_and_no_failure(desk):
    assert desk.run().out == "nothing is promoted\n"
    assert desk.run("--demote", "--yes").err.endswith("nothing to demote\n")
    desk.promote(cross(NAME))
    assert "· drawdown   no session yet" in desk.run().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--week", "2024-W60"), "week 2024-W60: expected a week that exists"),
        (("--week", "lately"), "as 2026-W48"),
        (("--week", "2024-W24", "--from", "2024-06-10"), "not both"),
        (("--from", "2024-06-12", "--to", "2024-06-10"), "is after --to 2024-06-10"),
        (("--demote", "--week", "2024-W24"), "--demote judges all sessions"),
        (("--yes",), "--yes is for --demote"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(desk, arguments, complaint):
    told = desk.run(*arguments, code=2)
    assert complaint in told.err
    assert told.err.count("\n") == 1


def test_a_database_that_cannot_be_read_is_no_desk_that_did_not_trade(desk):
    strategy = cross(NAME)
    desk.promote(strategy)
    desk.trade(strategy)
    desk.database.write_bytes(b"rubbish" * 1000)
    assert "no SQLite database" in desk.run(code=2).err
