"""The registry of strategies.

What cannot be made is one line that names the author's file and line.
"""

import json
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
    "def Odd(parameters):\n    raise KeyError('a\\nb')\n": r"{file}:2: KeyError: 'a\nb'",
    "def Odd(parameters):\n    raise ValueError('a\\nb')\n": "{file}:2: ValueError: a b",
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
from strategies import Strategy
class Mine(Strategy):
    def __init__(self, parameters):
        super().__init__(parameters.name, parameters.integer("timeframe_s", default={span}))
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


def test_parameters_have_defaults_that_are_checked_as_any_value_is(own):
    (own / "mine.py").write_text(
        "from strategies import Strategy\n"
        "class Mine(Strategy):\n"
        "    def __init__(self, p):\n"
        "        super().__init__(p.name, 60)\n"
        "        self.got = (p.number('percent', low=1.0, default=2.5), p.paise('capital', "
        "default=100), p.flag('fast', default=False),\n"
        "                    p.text('how', default='slow', among=('slow', 'quick')), "
        "p.sides('direction', default='both'))\n"
    )
    assert strategies.build("mine", {}).got == (2.5, 10_000, False, "slow", (Side.BUY, Side.SELL))
    table = {"percent": 3, "capital": 20, "fast": True, "how": "quick", "direction": "short"}
    assert strategies.build("mine", table).got == (3.0, 2_000, True, "quick", (Side.SELL,))
    for key, value in (("percent", 0.5), ("fast", 1), ("how", "no"), ("unheard", 1)):
        with pytest.raises(ConfigError, match=key):
            strategies.build("mine", {key: value})


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
    assert "has no parameter basr; did you mean bars?" in capsys.readouterr().err
    for name in ("breakout", "Breakout", "momentum_ladder", "class"):
        assert run_command(["new", "strategy", name]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert "Donchian" in Path(file).read_text(encoding="utf-8")


def test_a_strategy_knows_the_time_of_day():
    seen = []

    class Clock(strategies.Strategy):
        def on_bar(self, ctx, bar):
            seen.append((int(ctx.time_of_day), int(bar.end)))

    replay(Clock("clock", 60), [100.0] * 375)
    assert [each for each, _ in seen] == [33_300 + 60 * k for k in range(1, 376)]
