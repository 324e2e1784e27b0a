"""An index through time: who belongs is entered, who has left is left, who is missing is named."""

from datetime import date
from types import SimpleNamespace

import pytest

from engine.backtest.bias.bias_checks import check_survivorship
from engine.backtest.dated_symbols import read_dated_symbols
from engine.errors import DataError
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import at, weekdays
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.backtest.backtest_request import read_request
from tui.commands.shared.typed_values import symbol_list
from tui.run.configured import configuration

DAYS = weekdays(3)
BUYER = """
from strategies import Strategy, StrategyParameters
class Buyer(Strategy):
    def __init__(self, name: str, parameters: StrategyParameters) -> None:
        super().__init__(name, 60)
    def on_bar(self, ctx, bar):
        if ctx.time_of_day == 10 * 3600 and not ctx.position(bar.token):
            ctx.buy(bar.token, 10, 0.0, reason="ten")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/patang/strategies").mkdir(parents=True)
    (tmp_path / "config/patang/strategies/buyer.py").write_text(BUYER)
    (tmp_path / "config/patang/indices").mkdir()
    series = {
        name: walk(DAYS, seed, spread=0.05) for seed, name in enumerate(("INFY", "ITC", "LT"))
    }
    history(tmp_path / "state/patang/history", series)
    return tmp_path


def result(symbols):
    nothing = dict.fromkeys(("since", "until", "bars"), "")
    request, _ = read_request(
        "buyer", symbols, **nothing, span="0", settings=None, cash=0, warm_up=0, folder=None
    )
    return BacktestJob(configuration(None), request).execute().outcome


def test_a_symbol_is_entered_while_it_belongs_and_left_when_it_has_left(place):
    (place / "config/patang/indices/TINY.csv").write_text(
        "symbol,from,to\n"
        "INFY,,\n"
        f"itc,,{DAYS[0]}\n"
        "# a share that came\n"
        f"LT,{DAYS[1]},\n"
        f"GONE,,{DAYS[0]}\n"
    )
    assert symbol_list("tiny") == ["INFY", "ITC", "LT", "GONE"]
    outcome = result("tiny")
    made = {trade.symbol: trade for trade in outcome.trades}
    assert {name: len([t for t in outcome.trades if t.symbol == name]) for name in made} == {
        "INFY": 1,
        "ITC": 1,
        "LT": 1,
    }
    assert made["INFY"].is_open
    # the entry at ten fills with the bar that begins then
    assert made["ITC"].entry_ts == at(DAYS[0], "10:00")
    assert made["LT"].entry_ts == at(DAYS[1], "10:00")
    # the first bar of the day after closes at 09:16, and the next one's open fills the exit
    assert made["ITC"].exit_ts == at(DAYS[1], "09:16")
    assert made["ITC"].exit_reason == "exit: left the list"
    assert any("GONE" in remark for remark in outcome.manifest.warnings)
    assert (outcome.manifest.universe["file"], len(outcome.manifest.universe["sha256"])) == (
        "TINY.csv",
        64,
    )


def test_whoever_belongs_on_all_days_makes_the_run_of_a_plain_list(place):
    (place / "all.csv").write_text("symbol,from,to\nINFY,2000-01-01,\nITC,,2100-01-01\n")
    dated, plain = result("@all.csv"), result("INFY,ITC")
    assert dated.manifest.digest == plain.manifest.digest
    assert plain.manifest.universe == {}
    (place / "names.txt").write_text("INFY\nITC\n")
    assert result("@names.txt").manifest.digest == plain.manifest.digest


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("INFY,2020", "expected symbol,from,to as INFY,2020-01-01,2024-03-28, got INFY,2020"),
        ("INFY,2020-13-01,", "expected symbol,from,to as INFY,2020-01-01,2024-03-28: month must"),
        ("INFY,2021-01-01,2020-01-01", "INFY: its days run backwards, or twice"),
        ("INFY,2020-01-01,\nINFY,2022-01-01,", "INFY: its days run backwards, or twice"),
        ("", "there is no symbol in it"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, line, why):
    file = tmp_path / "odd.csv"
    file.write_text(f"symbol,from,to\n{line}\n")
    with pytest.raises(DataError) as refusal:
        read_dated_symbols(file)
    assert why in str(refusal.value)
    assert str(refusal.value).startswith(f"{file}:")


def test_a_header_is_read_as_a_spreadsheet_writes_it_and_another_one_is_refused(tmp_path):
    file = tmp_path / "odd.csv"
    file.write_bytes(b"\xef\xbb\xbfsymbol,from,to\r\nINFY,2024-06-05,\r\n")
    assert read_dated_symbols(file).on_days(date(2024, 6, 3), date(2024, 6, 4)) == []
    for header in ("symbol,from,to,weight", "Symbol;from;to"):
        file.write_text(f"{header}\nINFY,2024-06-05,,\n")
        with pytest.raises(DataError, match=f":1: expected symbol,from,to, .* got {header}"):
            read_dated_symbols(file)


def test_survivorship_is_judged_by_the_dates_of_the_list(tmp_path):
    file = tmp_path / "index.csv"

    def judged(text, symbols, first=date(2020, 1, 1), last=date(2022, 12, 30)):
        file.write_text(text)
        subject = SimpleNamespace(
            universe=read_dated_symbols(file),
            market=SimpleNamespace(days=[first, last], instruments=dict.fromkeys(symbols)),
        )
        found = check_survivorship(subject)
        return found.status, found.text

    assert judged("INFY\nITC\n", ["INFY", "ITC"])[0] == "warn"
    whole = (
        "symbol,from,to\nINFY,,\nYES,2015-03-27,2020-03-18\nSHREE,2020-03-19,\nOLD,,2010-01-01\n"
    )
    assert judged(whole, ["INFY", "SHREE"]) == ("fail", "index.csv: 1 of 3 have no bars: YES")
    assert judged(whole, ["INFY", "YES", "SHREE"]) == (
        "pass",
        "3 symbols of index.csv, 1 came and 1 left in these days, each traded while it belonged",
    )
    stayed = "symbol,from,to\nINFY,2001-01-01,\n"
    assert judged(stayed, ["INFY"]) == ("warn", "nobody left index.csv in 3.0 years")
    assert judged(stayed, ["INFY"], last=date(2020, 6, 1))[0] == "pass"
    missing = SimpleNamespace(universe=None, market=SimpleNamespace(days=[]))
    assert check_survivorship(missing).status == "not run"
