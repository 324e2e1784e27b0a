"""The registry of strategies: what cannot be made is one line that names the author's file and line."""

import sys

import pytest

import strategies
from engine.errors import ConfigError

BROKEN = {
    "x = 1\nimport nosuch\n": "{file}:2: ModuleNotFoundError: No module named 'nosuch'",
    "x = (\n": "{file}:1: SyntaxError: '(' was never closed (odd.py, line 1)",
    "x = 1\n": "AttributeError: module 'odd' has no attribute 'Odd'",
    "def Odd(parameters):\n    raise KeyError('a\\nb')\n": r"{file}:2: KeyError: 'a\nb'",
    "def Odd(parameters):\n    raise ValueError('a\\nb')\n": "{file}:2: ValueError: a b",
    "raise SystemExit(3)\n": "{file}:1: SystemExit: 3",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_strategy_that_cannot_be_made_is_named_with_the_line_that_failed(tmp_path, monkeypatch, text):
    (tmp_path / "odd.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    monkeypatch.setitem(strategies.sources.SHIPPED, "odd", "odd:Odd")
    with pytest.raises(ConfigError) as refusal:
        strategies.build("odd", {})
    wanted = BROKEN[text].format(file=tmp_path / "odd.py")
    assert str(refusal.value) == f"strategy odd cannot be made: {wanted}"
