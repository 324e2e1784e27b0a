"""The registry of strategies.

What cannot be made is one line that names the author's file and line.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import strategies
from compiled.model.values import Side
from engine.errors import ConfigError
from strategies.testing import replay
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.commands.cli import run_command

BROKEN = {
    "x = 1\nimport nosuch\n": "{file}:2: ModuleNotFoundError: No module named 'nosuch'",
    "x = (\n": "{file}:1: SyntaxError: '(' was never closed (odd.py, line 1)",
    "x = 1\n": "AttributeError: module 'odd' has no attribute 'Odd'",
    "def Odd(name, parameters):\n    raise KeyError('a\\nb')\n": r"{file}:2: KeyError: 'a\nb'",
    "def Odd(name, parameters):\n    raise ValueError('a\\nb')\n": "{file}:2: ValueError: a b",
    "raise SystemExit(3)\n": "{file}:1: SystemExit: 3",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_strategy_that_cannot_be_made_is_named_with_the_line_that_failed(
    tmp_path, monkeypatch, text
):
    (tmp_path / "odd.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    monkeypatch.setitem(strategies.strategy_sources.SHIPPED, "odd", "odd:Odd")
    with pytest.raises(ConfigError) as refusal:
        strategies.build("odd", {})
    wanted = BROKEN[text].format(file=tmp_path / "odd.py")
    assert str(refusal.value) == f"strategy odd cannot be made: {wanted}"


# strategies of the user's own

PLAIN = """
from strategies import Strategy, StrategyParameters
class Own(StrategyParameters, frozen=True, kw_only=True):
    timeframe_s: int = {span}
class Mine(Strategy):
    def __init__(self, name, parameters: Own):
        super().__init__(name, parameters.timeframe_s)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return the user's folder of strategies."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "patang" / "strategies"
    folder.mkdir(parents=True)
    return folder


def test_a_file_in_the_users_folder_is_the_strategy_of_its_name_and_is_read_anew(own):
    (own / "mine.py").write_text(PLAIN.format(span=60))
    (own / "test_mine.py").write_text("")
    assert strategies.names()[-1] == "mine"
    assert strategies.build("mine", {}).span == 60
    assert strategies.build("mine", {"timeframe_s": 900}).span == 900
    (own / "mine.py").write_text(PLAIN.format(span=300))
    assert strategies.build("mine", {}).span == 300


def test_a_source_is_a_file_or_a_module_with_the_class_where_there_are_several(
    own, tmp_path, monkeypatch
):
    other = tmp_path / "ideas.py"
    other.write_text(PLAIN.format(span=60) + "class Other(Mine):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for source in (f"{other}:Other", "ideas:Other"):
        made = strategies.build("channel", {"source": source})
        assert (type(made).__name__, made.name) == ("Other", "channel")
    with pytest.raises(
        ConfigError, match="expected one class that is a Strategy, found Mine, Other"
    ):
        strategies.build("channel", {"source": str(other)})
    with pytest.raises(ConfigError, match="no such file"):
        strategies.build("channel", {"source": str(tmp_path / "gone.py")})
    with pytest.raises(ConfigError, match=r"a file of your own: .*mone\.py"):
        strategies.build("mone", {})
    with pytest.raises(ConfigError, match=r"source: expected FILE\.py"):
        strategies.build("mine", {"source": 3})


def test_a_file_that_others_can_write_is_not_run(own):
    file = own / "mine.py"
    file.write_text("raise SystemExit('it ran')")
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="others can write it, and it would trade"):
        strategies.build("mine", {})


PLACES = {
    "a file of its name": ("mine.py", ""),
    "a file elsewhere": ("../ideas.py", "{folder}/../ideas.py"),
    "a module": ("../ideas.py", "ideas"),
}


@pytest.mark.parametrize("place", PLACES)
def test_parameters_are_one_struct_wherever_the_strategy_stands(own, monkeypatch, place):
    file, source = PLACES[place]
    monkeypatch.syspath_prepend(own.parent)
    monkeypatch.delitem(sys.modules, "ideas", raising=False)
    (own / file).write_text(
        "from typing import Annotated\n"
        "from strategies import SIDES, Direction, Strategy, StrategyParameters, within_bounds\n"
        "class Own(StrategyParameters, frozen=True, kw_only=True):\n"
        "    percent: Annotated[float, within_bounds(1, 9, 'How much.')] = 2.5\n"
        "    fast: bool = False\n"
        "    direction: Direction = 'both'\n"
        "    def contradictions(self):\n"
        "        if self.fast and self.percent > 5:\n"
        "            yield ('percent',), 'expected less where it is fast'\n"
        "class Mine(Strategy):\n"
        "    def __init__(self, name, parameters: Own):\n"
        "        super().__init__(name, parameters.timeframe_s)\n"
        "        self.got = parameters.percent, parameters.fast, SIDES[parameters.direction]\n"
    )
    where = {"source": source.format(folder=own)} if source else {}
    assert strategies.build("mine", where).got == (2.5, False, (Side.BUY, Side.SELL))
    table = where | {"percent": 3, "fast": True, "direction": "short"}
    assert strategies.build("mine", table).got == (3.0, True, (Side.SELL,))
    for key, value, words in (
        ("percent", 0.5, "strategy.mine.percent: expected a number from 1 to 9, got 0.5"),
        ("fast", 1, "strategy.mine.fast: expected true or false, got 1"),
        ("percnt", 1, 'strategy.mine.percnt: no such key; did you mean "percent"?'),
        ("percent", 6, "strategy.mine.percent: expected less where it is fast"),
    ):
        with pytest.raises(ConfigError) as refusal:
            strategies.build("mine", table | {key: value})
        assert str(refusal.value) == words


PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")


def test_the_page_begins_in_an_empty_folder_and_every_line_of_it_does_what_it_says(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    history(tmp_path / ".local/state/patang/history", {"INFY": walk(weekdays(2), 3, spread=0.05)})
    steps = re.search(r"## From an empty folder\n(.*?)\n## ", PAGE, re.DOTALL)[1]
    blocks = re.findall(r"```(\w*)\n(.*?)```", steps, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "toml", ""]
    Path("breakout.py").write_text(blocks[0][1], encoding="utf-8")
    Path("config.toml").write_text(blocks[1][1], encoding="utf-8")
    commands = blocks[2][1].split("\n")[:-1]
    assert len(commands) >= 2
    for line in commands:
        command, _, said = line.partition("#")
        words = command.split()
        assert words[0] == "patang"
        code = run_command(words[1:])
        told = capsys.readouterr()
        assert code == (2 if "refused" in said else 0), line
        for wanted in re.findall(r"`(.*?)`", said):
            assert wanted in told.out + told.err, line
    trades = replay(
        strategies.build("breakout", {"source": "breakout.py", "bars": 5}),
        [100.0] * 10 + [101.0, 102.0] + [100.0, 99.0] * 5,
    )
    assert trades[0].entry_reason == "breakout"


@pytest.mark.parametrize("table", ["timeframe_s = 120\n", "source = 'deaf.py'\n"])
def test_a_strategy_of_ones_own_that_no_bar_reaches_is_refused(own, monkeypatch, capsys, table):
    monkeypatch.chdir(own)
    (own / "mine.py").write_text(PLAIN.format(span=60))
    (own / "deaf.py").write_text(PLAIN.format(span=120))
    Path("config.toml").write_text("[strategy.mine]\n" + table)
    assert run_command(["config", "check"]) == 2
    assert "strategy.mine.timeframe_s: " in capsys.readouterr().err


def test_a_strategy_is_begun_tried_replayed_and_run_from_an_empty_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "strategy", "breakout"]) == 0
    file, test = capsys.readouterr().out.split()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    history(tmp_path / "state" / "patang" / "history", {"INFY": walk(weekdays(2), 3, spread=0.05)})
    assert run_command(["backtest", "breakout", "--set", "bars=10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["trades"] > 5
    assert found["manifest"]["strategies"] == {"breakout": {"bars": 10}}
    assert len(found["manifest"]["sources"]["breakout"]) == 64
    (tmp_path / "config.toml").write_text('[strategy.breakout]\nsymbols = ["INFY"]\nbars = 30\n')
    assert run_command(["config", "check"]) == 0
    (tmp_path / "config.toml").write_text("[strategy.breakout]\nbasr = 30\n")
    assert run_command(["config", "check"]) == 2
    assert 'strategy.breakout.basr: no such key; did you mean "bars"?' in capsys.readouterr().err
    for name in ("breakout", "Breakout", "momentum_ladder", "class", "random", "strategies"):
        assert run_command(["new", "strategy", name]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 6
    assert "Donchian" in Path(file).read_text(encoding="utf-8")


def test_a_strategy_knows_the_time_of_day():
    seen = []

    class Clock(strategies.Strategy):
        def on_bar(self, ctx, bar):
            seen.append((int(ctx.time_of_day), int(bar.end)))

    replay(Clock("clock", 60), [100.0] * 375)
    assert [each for each, _ in seen] == [33_300 + 60 * k for k in range(1, 376)]


# the strategies that ship


@pytest.mark.parametrize("name", ["momentum_ladder", "moving_average_cross"])
@pytest.mark.parametrize("direction", ["short", "both"])
def test_a_short_of_delivery_shares_is_refused_before_a_start(tmp_path, name, direction):
    file = tmp_path / "config.toml"
    file.write_text(f'[strategy.{name}]\ndirection = "{direction}"\n')
    with pytest.raises(ConfigError) as refusal:
        strategies.load_config(file)
    assert str(refusal.value) == (
        f'{file}:2: strategy.{name}.direction: expected "long", or product = "MIS": '
        "delivery shares cannot be sold short"
    )
    file.write_text(f'[strategy.{name}]\ndirection = "{direction}"\nproduct = "MIS"\n')
    assert strategies.load_config(file).values.strategy[name].direction == direction


def test_an_intraday_strategy_sells_short_and_is_back_before_the_close():
    risen = [300.0 + 0.2 * n for n in range(60)]
    cross = strategies.build("moving_average_cross", {"direction": "short", "product": "MIS"})
    cross.span = 60
    [trip] = replay(cross, risen + [risen[-1] - 0.2 * n for n in range(375 - len(risen))])
    assert (trip.side, trip.net > 0) == (-1, True)


def test_the_strategies_that_ship_import_nothing_of_ours_but_the_authors_api():
    for name in ("momentum_ladder", "moving_average_cross"):
        text = Path(strategies.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        found = set(re.findall(r"(?m)^(?:from|import) ([\w.]+)", text))
        assert found <= {"collections.abc", "typing", "msgspec", "strategies"}


def test_an_error_that_says_nothing_is_told_by_its_name():
    assert strategies.failure_text(MemoryError()) == "MemoryError"
    assert strategies.failure_text(ValueError("a\nb")) == "ValueError: a b"
