"""Parts of an author's own: the examples of the page, in backtests, and what they may not do."""

import json
import re
from pathlib import Path

import pytest

import strategies
from compiled.venue.slippage import FixedTicks
from engine.errors import ConfigError
from strategies.replaced_models import FeeTable, GuardedSlippage, paper_charges, paper_slippage
from strategies.testing import replay
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.commands.cli import run_command

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
SECTION = re.search(r"## Parts\n(.*?)\n## ", PAGE, re.DOTALL)[1]
DIPS, COSTS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
LINES = re.findall(r"(?m)^patang .*$", SECTION)
BARS = walk(weekdays(3), 3, spread=0.05)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Have the files of the page in the working folder, and a history."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    Path("dips.py").write_text(DIPS)
    Path("costs.py").write_text(COSTS)
    Path("config.toml").write_text(
        '[strategy.dips]\nsource = "dips.py:Dips"\nsymbols = ["INFY"]\nrisk = 1000\n'
    )
    history(tmp_path / "state/patang/history", {"INFY": BARS})
    return tmp_path


def backtest(capsys, *words):
    capsys.readouterr()
    code = run_command(
        ["backtest", "dips", "--config", "config.toml", "--no-keep", "--json", *words]
    )
    told = capsys.readouterr()
    return json.loads(told.out) if code == 0 else (code, told.err.splitlines()[-1])


def test_every_line_of_the_page_runs_and_its_parts_are_in_the_manifest(folder, capsys):
    rows = zip(*(column.tolist() for column in BARS[:6]), strict=True)
    Path("INFY.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    usual = backtest(capsys)
    assert usual["metrics"]["trades"] > 5
    patient, costly, fed = (backtest(capsys, *line.split()[5:]) for line in LINES)
    parts = {name: part["class"] for name, part in patient["manifest"]["parts"].items()}
    assert parts == {"dips.signal": "Dip", "dips.sizer": "RiskOfStop", "dips.execution": "Patient"}
    # the same bars from elsewhere are the same run
    assert fed["manifest"]["data"]["INFY"]["version"] == "feed"
    assert fed["manifest"]["digest"] == usual["manifest"]["digest"]
    assert fed["manifest"]["parts"]["feed"]["class"] == "Files"
    assert len(fed["manifest"]["parts"]["feed"]["sha256"]) == 64
    # two ticks are two ticks, and five rupees an order are in each contract note
    ticks = backtest(capsys, "--slippage", "ticks:2")
    slow = backtest(capsys, "--slippage", "costs.py:TwoTicks")
    assert slow["manifest"]["digest"] == ticks["manifest"]["digest"]
    assert costly["costs"]["brokerage"] == 500 * (
        2 * costly["metrics"]["trades"] + 1
    )  # one is open
    assert costly["costs"]["STT"] == ticks["costs"]["STT"]


def test_a_sizer_says_how_many_shares_and_an_execution_model_at_which_price(folder):
    closes = [100.0] * 25 + [90.0, 89.9, 89.9] + [95.0] * 10
    table = {"source": "dips.py:Dips", "risk": 900}
    [trip] = replay(strategies.build("dips", table), closes)
    # a stop of 1 % below 90 costs 0.9 a share
    assert (trip.quantity, trip.entry_reason, trip.entry_price) == (1_000, "dip", 90.0)
    plain = table | {"sizer": "strategies.composed:RiskSizer", "capital": 9_000}
    [trip] = replay(strategies.build("dips", plain), closes)
    assert trip.quantity == 100
    waiting = table | {"execution": "dips.py:Patient"}
    [trip] = replay(strategies.build("dips", waiting), closes)
    # 0.05 % below 90, on the grid of 5 paise
    assert trip.entry_price == pytest.approx(89.95)
    assert replay(strategies.build("dips", waiting), [*closes[:26], *[95.0] * 10]) == []


BROKEN = """
from strategies import DataFeed, FeeModel, SlippageModel, RiskSizer
class Odd(SlippageModel):
    def away(self, price, tick, quantity, volume, spread):
        return 1 / 0
class Kind(SlippageModel):
    def away(self, price, tick, quantity, volume, spread):
        return -tick
class Endless(SlippageModel):
    def away(self, price, tick, quantity, volume, spread):
        return 1e300
class Quits(SlippageModel):
    def away(self, price, tick, quantity, volume, spread):
        exit(0)
class Fees(FeeModel):
    def change(self, rates, day):
        rates.flat = -1
class Nothing(DataFeed):
    pass
class Dear(DataFeed):
    spans = lambda self: [60]
    symbols = lambda self, span: ["INFY"]
    bars = lambda self, symbol, span, start, end: [(60, 1e18, 1e18, 1e18, 1e18, 1)]
class Backwards(DataFeed):
    spans = lambda self: [60]
    symbols = lambda self, span: ["INFY"]
    bars = lambda self, symbol, span, start, end: [(120, 1, 1, 1, 1, 1), (60, 1, 1, 1, 1, 1)]
"""
FAULTS = {
    "--slippage broken.py:Odd": (
        1,
        (
            "slippage broken.py:Odd failed, and there is no result: "
            "{file}:5: ZeroDivisionError: division by zero"
        ),
    ),
    "--slippage broken.py:Kind": (
        1,
        (
            "slippage broken.py:Kind failed, and there is no result: "
            "ValueError: away returned -0.05: expected rupees a share, 0 to 10,000,000"
        ),
    ),
    "--slippage broken.py:Endless": (
        1,
        (
            "slippage broken.py:Endless failed, and there is no result: "
            "ValueError: away returned 1e+300: expected rupees a share, 0 to 10,000,000"
        ),
    ),
    "--slippage broken.py:Quits": (
        1,
        "slippage broken.py:Quits failed, and there is no result: {file}:14: SystemExit: 0",
    ),
    "--slippage broken.py:Fees": (2, "slippage broken.py:Fees: expected a Slippage"),
    "--slippage broken.py:Gone": (
        2,
        (
            "slippage broken.py:Gone cannot be made: "
            "AttributeError: module 'patang_own_broken' has no attribute 'Gone'"
        ),
    ),
    "--fees broken.py:Fees": (
        1,
        "fees broken.py:Fees failed, and there is no result: ValueError: flat is below 0",
    ),
    "--feed broken.py:Nothing": (2, "the feed failed: NotImplementedError: spans"),
    "--feed broken.py:Dear": (
        2,
        "the feed's bars of INFY: row 1 is no bar: its prices or its volume",
    ),
    "--feed broken.py:Backwards": (
        2,
        "the feed's bars of INFY: row 2 does not start after the one before",
    ),
    "--feed broken.py:Backwards --bars raw": (
        2,
        "--feed brings the bars: without --folder and --bars",
    ),
    "--set sizer=broken.py:Fees": (
        2,
        ("strategy.dips.sizer broken.py:Fees cannot be made: TypeError: Fees() takes no arguments"),
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_of_a_part_is_one_line_with_its_code(folder, capsys, words):
    file = folder / "broken.py"
    file.write_text(BROKEN)
    code, text = FAULTS[words]
    assert backtest(capsys, *words.split()) == (code, f"patang: {text.format(file=file)}")


def test_on_paper_what_is_usual_counts_where_a_part_fails(folder):
    Path("broken.py").write_text(BROKEN)
    heard = []
    model = paper_slippage("broken.py:Odd", 3, heard.append)
    assert isinstance(model, GuardedSlippage)
    assert [model.away(100.0, 0.05, 10, -1, 0.0) for _ in range(2)] == [pytest.approx(0.15)] * 2
    assert [type(error) for error in heard] == [ZeroDivisionError]
    assert isinstance(paper_slippage("", 3, heard.append), FixedTicks)
    fees, usual = paper_charges("broken.py:Fees", heard.append), paper_charges("", heard.append)
    assert isinstance(fees, FeeTable)
    rates, table = (each.rates("EQ_INTRADAY", "NSE", 20240604) for each in (fees, usual))
    assert (rates.flat, rates.brokerage) == (table.flat, table.brokerage)
    assert len(heard) == 2


def test_a_start_checks_what_paper_names_and_a_strategy_names_its_signal(folder, capsys):
    config = Path("config.toml")
    config.write_text(config.read_text() + '[paper]\nfees = "costs.py:TwoTicks"\n')
    assert run_command(["config", "check"]) == 2
    assert "fees costs.py:TwoTicks: expected a FeeModel" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"strategy\.none\.signal: expected FILE\.py:CLASS"):
        strategies.build("none", {"source": "strategies.composed:ComposedStrategy"})
