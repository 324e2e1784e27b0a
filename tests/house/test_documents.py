"""What README and docs name is there.

Commands and options, settings, calls with their parameters, files.
"""

import ast
import inspect
import re
import shlex

import pytest

from brokers.backfill import bar_download
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import KiteFeed
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
from engine.config.schema import DeskConfig
from tests.conftest import ROOT
from tui.commands.cli import app

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CODE = {page: page.read_text(encoding="utf-8") for page in PAGES}
CALLED = {"Terms": OrderTerms, "Change": OrderChange, "download": bar_download.download} | {
    name: getattr(owner, name)
    for owner in (KiteFeed, KiteBroker)
    for name in dir(owner)
    if not name.startswith("_") and callable(getattr(owner, name))
}

ENDINGS = {"py", "md", "db", "sock", "lock", "svg"}
"""Of files that are called like a table of settings."""


def spans(text):
    """Return the pieces of code of a page: inline ones, and the lines of its blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    return [*inline, *(line for block in blocks for line in block.splitlines())]


def commands(text):
    """Return the words of every `patang …` of a page."""
    for span in spans(text):
        found = re.match(r"(?:\.venv/bin/)?patang((?: .*)?)$", span.partition("  #")[0].rstrip())
        if found:
            yield [
                word.strip(",;.")
                for word in shlex.split(
                    re.sub(r"\[|\]|…|\.\.\.", " ", found[1].replace("\\|", "|"))
                )
            ]


def command_of(words):
    """Return the command the first words name, and the words after it."""
    here = app
    for at, word in enumerate(words):
        if not re.fullmatch(r"[a-z]+", word):
            return here, words[at:]
        if word not in here:
            assert here is not app, f"no command {word}"
            return here, words[at:]
        here = here[word]
    return here, []


def options_of(command):
    found = command.assemble_argument_collection() if command.default_command else ()
    return {name for argument in found for name in argument.names} | {"--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page):
    for words in commands(CODE[page]):
        command, rest = command_of(words)
        assert {word for word in rest if word.startswith("--")} <= options_of(command), words


def test_the_table_of_commands_names_every_command_and_only_options_there_are():
    rows = re.findall(r"^\| (`patang.*?) \| (.*) \|$", CODE[ROOT / "docs" / "cli.md"], re.MULTILINE)
    named = set()
    for first, text in rows:
        head = re.findall(r"`([^`]+)`", first)
        told = set(re.findall(r"`(--[a-z-]+)", text))
        there = set()
        for span in head:
            words = span.removeprefix("patang").split()
            command, _ = command_of(words)
            named.add(words[0] if words else "run")
            there |= options_of(command)
        assert told <= there, first
    listed = {name for name in app if not name.startswith("-")}
    assert listed <= named


def test_every_setting_of_a_page_exists():
    tables = {field: getattr(DeskConfig(), field) for field in DeskConfig.__struct_fields__}
    for page, text in CODE.items():
        for table in re.findall(r"`\[([a-z_.]+)\]`", text):
            first, _, rest = table.partition(".")
            assert first in tables, f"{page.name}: [{table}]"
            assert not rest or hasattr(tables[first], rest) or first == "strategy", (
                f"{page.name}: [{table}]"
            )
        for first, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", text):
            if first in tables and first not in {"strategy", "ui"} and key not in ENDINGS:
                assert hasattr(tables[first], key), f"{page.name}: {first}.{key}"


def parameters(called):
    """Return the names a call takes; a compiled class does not tell them, its plain file does."""
    if not isinstance(called, type):
        return [each for each in inspect.signature(called).parameters if each != "self"]
    file = ROOT / (called.__module__.replace(".", "/") + ".py")
    [made] = [
        each
        for each in ast.walk(ast.parse(file.read_text()))
        if getattr(each, "name", "") == called.__name__
    ]
    [begins] = [each for each in made.body if getattr(each, "name", "") == "__init__"]
    return [each.arg for each in begins.args.args if each.arg != "self"]


def test_every_call_of_the_page_on_kite_takes_what_the_page_says():
    found = re.findall(r"`(\w+)\(([^`]*)\)`", CODE[ROOT / "docs" / "kite.md"])
    seen = set()
    for name, inside in found:
        if name not in CALLED:
            continue
        seen.add(name)
        given = [part.strip() for part in inside.split(",") if part.strip()]
        if name == "Terms":
            eval(f"Terms({inside})", {"Terms": OrderTerms, "Variety": Variety})
        else:
            assert [part.partition("=")[0] for part in given] == parameters(CALLED[name])[
                : len(given)
            ], name
    assert {"Terms", "place", "modify", "margins", "Change"} <= seen


def test_every_file_of_a_page_is_there():
    for page, text in CODE.items():
        for path in re.findall(
            r"`((?:compiled|engine|brokers|store|strategies|tui|tests|docs)/[\w/.]+\.\w+)`", text
        ):
            assert (ROOT / path).is_file(), f"{page.name}: {path}"
        for path in re.findall(r"\]\(([\w/.]+\.(?:md|svg))(?:#[^)]*)?\)", text):
            assert (page.parent / path).is_file(), f"{page.name}: {path}"
