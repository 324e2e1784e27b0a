"""Strategies compiled by `patang compile`: the same results, by the source that is there now."""

import hashlib
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

import compiled
import strategies
from engine.system import native_units
from strategies import native_strategies
from strategies.testing import replay
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.commands import compile_commands
from tui.commands.cli import run_command

native = pytest.mark.skipif(not compiled.NATIVE, reason="a strategy is compiled for a native core")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Have an account of a user's own, with the strategy that `patang new` begins."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "strategy", "mine"]) == 0
    return SimpleNamespace(root=tmp_path, file=tmp_path / "config/patang/strategies/mine.py")


def manifest(capsys):
    capsys.readouterr()
    assert run_command(["backtest", "mine", "--no-keep", "--json"]) == 0
    told = capsys.readouterr()
    return json.loads(told.out)["manifest"], told.err


@native
def test_a_compiled_strategy_makes_the_same_result_until_its_source_is_another(place, capsys):
    history(place.root / "state/patang/history", {"INFY": walk(weekdays(3), 3, spread=0.05)})
    plain, said = manifest(capsys)
    assert (plain["compiled"], "interpreted" in said) == ([], False)
    assert run_command(["compile", "mine"]) == 0
    made, said = manifest(capsys)
    assert (made["compiled"], "interpreted" in said) == (["mine"], False)
    for same in ("digest", "sources", "strategies", "config", "code"):
        assert made[same] == plain[same], same
    # parameters are checked as ever, and a fault names the author's line
    assert run_command(["backtest", "mine", "--set", "bars=1"]) == 2
    assert "strategy.mine.bars: expected a whole number from 2" in capsys.readouterr().err
    strategy = strategies.build("mine", {})
    strategy.bars = 0
    with pytest.raises(ValueError, match="a period of 0") as fault:
        replay(strategy, [100.0] * 5)
    assert strategies.failure_text(fault.value).startswith(f"{place.file}:")
    place.file.write_text(place.file.read_text() + "# another\n")
    changed, said = manifest(capsys)
    assert (changed["compiled"], changed["digest"]) == ([], plain["digest"])
    assert f"is another than was compiled; compile it again: patang compile {place.file}" in said
    assert run_command(["compile", "--list", "--json"]) == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["old"]
    # a cut file ends the process that loads it: the source runs
    place.file.write_text(place.file.read_text().removesuffix("# another\n"))
    assert manifest(capsys)[0]["compiled"] == ["mine"]
    for file in native_strategies.build_of(place.file).files:
        cut = file.read_bytes()[: file.stat().st_size // 2]
        # a new file: the old one is mapped into this process
        file.unlink()
        file.write_bytes(cut)
    damaged, said = manifest(capsys)
    assert (damaged["compiled"], damaged["digest"]) == ([], plain["digest"])
    assert "its native file is another than was compiled" in said
    [(_, folder)] = native_strategies.kept_builds()
    (folder / native_strategies.SOURCE_FILE).write_bytes(b"\xff")
    assert run_command(["compile", "--list", "--json"]) == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["gone"]
    assert run_command(["compile", "--clear"]) == 0
    assert native_strategies.kept_builds() == []


def test_what_is_missing_to_compile_with_is_named_with_its_mend(place, monkeypatch, capsys):
    def refusal():
        capsys.readouterr()
        assert run_command(["compile", "mine"]) == 2
        return capsys.readouterr().err

    monkeypatch.setattr(compiled, "NATIVE", False)
    assert (
        "the core runs interpreted, and a strategy runs as the core: run make native" in refusal()
    )
    monkeypatch.setattr(compiled, "NATIVE", True)
    monkeypatch.setattr(compile_commands, "running_core", lambda: "")
    assert "does not say of what it was made: run make native" in refusal()
    monkeypatch.setattr(compile_commands, "running_core", lambda: "9.9 abc\n")
    assert 'pip install "mypy[mypyc]==9.9" setuptools' in refusal()
    here = native_units.core_identity(compile_commands.ROOT)
    monkeypatch.setattr(compile_commands, "running_core", lambda: f"{here.split()[0]} abc\n")
    assert "the native core is older than compiled/: run make native" in refusal()
    monkeypatch.setattr(compile_commands, "running_core", lambda: here)
    monkeypatch.setenv("CC", "nosuchcompiler")
    assert "there is no C compiler: install gcc, or set CC" in refusal()
    for words in (["compile"], ["compile", "mine", "--clear"], ["compile", "gone"]):
        assert run_command(words) == 2


def test_faults_of_types_are_told_by_the_authors_file_and_line(tmp_path):
    built = native_strategies.BuiltStrategy(tmp_path / "my-idea.py", tmp_path, "ab12")
    assert built.module == "patang_native_my_idea_ab12"
    said = (
        f'{built.module}.py:11: error: "Context" has no attribute "bye"  [attr-defined]\n'
        "compiled/model/values.py:3: error: not his\n"
        f"{built.module}.py:12:5: error: Missing return\n"
    )
    assert list(compile_commands.type_faults(said, built)) == [
        f'{tmp_path}/my-idea.py:11: "Context" has no attribute "bye"  [attr-defined]',
        f"{tmp_path}/my-idea.py:12: Missing return",
    ]


def test_structs_stay_with_the_source_and_every_other_line_where_it_was():
    text = (
        "import msgspec\n\n\nclass One(\n    msgspec.Struct\n):\n    bars: int = 3\n\n\n"
        "class Two:\n    one = One\n"
    )
    module = ModuleType("own")
    exec(text, module.__dict__)
    lines = compile_commands.without_structs(text, "patang_plain_x", module).splitlines()
    assert lines[3:7] == ["from patang_plain_x import One as One", "", "", ""]
    assert [*lines[:3], *lines[7:]] == [*text.splitlines()[:3], *text.splitlines()[7:]]


def test_what_is_built_on_an_interpreted_class_is_not_compiled():
    module = ModuleType("own")
    exec(
        "from strategies import ComposedStrategy, Indicator, Strategy\n"
        "class Base(Strategy): pass\nclass Fine(Base): pass\nclass Mean(Indicator): pass\n"
        "class Mixed(ComposedStrategy): pass\n",
        module.__dict__,
    )
    assert list(compile_commands.mixed_classes(module)) == [
        "ComposedStrategy, of which Mixed is made, runs interpreted"
    ]


def test_what_others_could_have_written_is_not_loaded(place, monkeypatch):
    monkeypatch.setattr(compiled, "NATIVE", True)
    built = native_strategies.build_of(place.file)
    built.folder.mkdir(parents=True)
    for file in built.files:
        file.write_bytes(b"")
        file.chmod(0o666)
    (built.folder / native_strategies.SUM_FILE).write_text(hashlib.sha256().hexdigest())
    with pytest.raises(strategies.ConfigError, match="others can write it: patang compile --clear"):
        strategies.build("mine", {})
    assert built.module not in sys.modules


def test_a_strategy_that_was_compiled_says_when_it_runs_interpreted(place, monkeypatch):
    monkeypatch.setattr(compiled, "NATIVE", False)
    assert native_strategies.build_remark(place.file) == ""
    home = native_strategies.build_of(place.file).folder.parent
    home.mkdir(parents=True)
    (home / native_strategies.SOURCE_FILE).write_text(str(place.file))
    assert (
        native_strategies.build_remark(place.file)
        == f"{place.file} runs interpreted, as the core does"
    )
