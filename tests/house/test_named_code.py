"""Code that a test names in a text is there: a text is not renamed with what it means."""

import ast
import importlib
import re

import pytest

from tests.conftest import ROOT
from tests.house.measures import modules

PLACE = re.compile(
    r"((?:compiled|engine|brokers|store|strategies|tui)(?:\.[a-z_0-9]+)+):([A-Za-z_0-9.]*)"
)


def named_code(text):
    """Yield (module, name) of every `module:Class.name` in the texts of a module.

    Of a text with a placeholder the part before it counts.
    """
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (match := PLACE.fullmatch(node.value))
        ):
            yield match[1], match[2]


def is_there(module, name):
    """Return whether a name leads to something of a module."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    for part in filter(None, name.split(".")):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


NAMED = sorted({each for _, text in modules("tests") for each in named_code(text)})


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_what_a_test_names_in_a_text_is_there(module, name):
    assert is_there(module, name), f"{module}:{name}"


def test_texts_with_and_without_a_placeholder_are_found():
    lines = 'a = "store.export:Nothing._do"\nb = f"engine.{x}"\nc = f"store.gone:Part.{x}"'
    assert [*named_code(lines)] == [("store.export", "Nothing._do"), ("store.gone", "Part.")]
    assert not any(is_there(*each) for each in named_code(lines))
    assert (ROOT / "store" / "export.py").exists(), "of the first only the name is wrong"
