"""Every room says what it holds, where to begin reading, and what may import it."""

import ast
import re

import pytest

from tests.conftest import ROOT

FLOORS = ("compiled", "engine", "brokers", "store", "strategies", "tui")
ROOMS = sorted(
    {file.parent.relative_to(ROOT) for floor in FLOORS for file in (ROOT / floor).rglob("*.py")}
)
READMES = sorted(page for top in (*FLOORS, "tests") for page in (ROOT / top).rglob("README.md"))


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_a_room_has_a_page_and_a_sentence(room):
    page = (ROOT / room / "README.md").read_text(encoding="utf-8").splitlines()
    assert page[0] == f"# `{room}/`"
    assert len(page) <= 10
    assert any(line.startswith("Begin with") for line in page)
    assert any("import" in line for line in page)
    sentence = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text("utf-8")))
    assert sentence
    assert not sentence.startswith("The room")


@pytest.mark.parametrize("page", READMES, ids=lambda page: str(page.parent.relative_to(ROOT)))
def test_what_the_page_of_a_room_names_is_there(page):
    named = re.findall(r"`([\w/]+(?:\.py|\.md|/))`", page.read_text(encoding="utf-8"))
    heads = (page.parent, page.parent.parent, ROOT)
    assert [name for name in named if not any((head / name).exists() for head in heads)] == []
