"""Names in README and docs exist.

Commands and options, settings, keys, calls with their parameters, names of the house, files.
"""

import ast
import builtins
import re
import shlex
import tomllib
from collections import defaultdict
from functools import cache
from typing import NamedTuple

import pytest

from engine.config.schema import DeskConfig
from tests.conftest import ROOT
from tui.commands.cli import app
from tui.key_actions import ACTIONS

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CODE = {page: page.read_text(encoding="utf-8") for page in PAGES}
ROOMS = ("compiled", "engine", "brokers", "store", "strategies", "tui")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")

FOREIGN_CALLS = {"hash", "sys.exit", "market_data.instruments_of"}
"""Of Python, and of the tables in Postgres."""
FOREIGN_NAMES = {"Date", "Host", "Origin", "KiteTicker._parse_binary", "INFY_minute.csv"}
"""Headers of HTTP, a method of the official client, a file of bars."""
FOREIGN_WORDS = {"total_buy_quantity", "total_sell_quantity"}
"""Fields that others send, and nothing here reads."""
OTHER = {"fault", "list"}
"""Tables of other files than the configuration."""
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


def every_command(here=app, path=()):
    """Yield every command below one, with the words it is called by."""
    for name in here:
        if not name.startswith("-"):
            yield from every_command(here[name], (*path, name))
    if here.default_command:
        yield " ".join(path), here


def test_every_option_of_every_command_explains_itself():
    silent = [
        (words, argument.name)
        for words, command in every_command()
        for argument in command.assemble_argument_collection()
        if not argument.parameter.help
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("parity", "rupees, first 40, exits with 1 where the desk was not open"),
        ("tax", "rupees, first in first out, --database is given with them"),
        ("charges", "rupees, estimate, contract note, ticks to break even, given once holds for"),
        ("bars averages", "9, 21, 50, 200 bars, before there are enough, rupees"),
        ("stop", "exits with 3, with 2, a minute, positions it leaves, nothing is sold"),
        ("kill", "exits with 1, running or not, working entries are cancelled"),
        ("drill", "in ms, 5 s, 30 s, exits with 1"),
        ("bars gaps", "IST, every symbol lacks, exits with 1"),
        ("calendar", "IST, square-off, 0, 1, 2, 3, --check"),
        ("bars golden verify", "exits with 1"),
        ("bars archive verify", "exits with 1"),
        ("ticks verify", "exits with 1"),
    ],
)
def test_a_help_text_says_what_the_documentation_promises(words, told):
    here = app
    for word in words.split():
        here = here[word]
    text = " ".join(here.help.split()).lower()
    assert [part for part in told.lower().split(", ") if part not in text] == []


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


class Definition(NamedTuple):
    """A function or class of the house: its file, its parameters, and the names of its parts."""

    module: str
    parameters: tuple[str, ...]
    parts: frozenset[str] = frozenset()


def signature(function):
    """Return the names a function takes, those of a method without its own object."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return tuple(name for name in names if name not in {"self", "cls"})


def class_definition(module, node):
    """Return a class with the parameters of its `__init__`, or without one with its fields."""
    fields = [each.target.id for each in node.body if isinstance(each, ast.AnnAssign)]
    methods = {each.name: each for each in node.body if isinstance(each, FUNCTIONS)}
    plain = {
        name.id
        for each in node.body
        if isinstance(each, ast.Assign)
        for name in each.targets
        if isinstance(name, ast.Name)
    }
    own = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)
        if each.value.id == "self"
    }
    begins = methods.get("__init__")
    takes = signature(begins) if begins else tuple(fields)
    return Definition(module, takes, frozenset({*fields, *methods, *plain, *own}))


@cache
def house():
    """Return every function and class of the house by name, and the names of each module."""
    found, modules = defaultdict(list), {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(file.read_text(encoding="utf-8"))
            names = set()
            for node in ast.walk(tree):
                if isinstance(node, FUNCTIONS):
                    found[node.name].append(Definition(module, signature(node)))
                elif isinstance(node, ast.ClassDef):
                    found[node.name].append(class_definition(module, node))
            for node in tree.body:
                names |= {each.asname or each.name for each in getattr(node, "names", ())}
                targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
                names |= {node.name} if hasattr(node, "name") else set()
            modules[module.removesuffix(".__init__")] = names
    return found, modules


def resolves(path):
    """Return whether a dotted path of the house leads to a module, or to a name in one."""
    found, modules = house()
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        module, rest = ".".join(parts[:cut]), parts[cut:]
        if module in modules or (ROOT.joinpath(*parts[:cut]).is_dir()):
            known = not rest or rest[0] in modules.get(module, ())
            owners = found.get(rest[0], ()) if len(rest) > 1 else ()
            return known and (len(rest) < 2 or any(rest[1] in each.parts for each in owners))
    return False


def takes(definition, arguments):
    """Return whether a definition takes arguments as a page writes them; `…` is all the rest."""
    places = iter(definition.parameters)
    for argument in arguments:
        keyword, _, value = argument.partition("=")
        if argument == "…":
            return True
        if value and keyword.isidentifier():
            if keyword not in definition.parameters:
                return False
        else:
            place = next(places, None)
            named = argument.isidentifier() and argument.islower()
            if place is None or (named and place != argument):
                return False
    return True


def calls(text):
    """Yield the path of each call in a page's inline code, and its arguments."""
    for span in INLINE.findall(BLOCK.sub("", text)):
        if found := re.fullmatch(r"([A-Za-z_][\w.]*)\((.*)\)", span):
            inside = re.sub(r"'[^']*'|\"[^\"]*\"|\([^()]*\)", "...", found[2])
            yield found[1], [part.strip() for part in inside.split(",") if part.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_call_of_a_page_takes_what_the_page_says(page):
    found, _ = house()
    wrong = [
        f"{path}({', '.join(arguments)})"
        for path, arguments in calls(CODE[page])
        if path not in FOREIGN_CALLS
        if not any(takes(each, arguments) for each in found.get(path.rpartition(".")[2], ()))
        or (path.partition(".")[0] in ROOMS and not resolves(path))
    ]
    assert not wrong


def is_known(span):
    """Return whether a piece of code that has the form of a name of the house is one."""
    found, _ = house()
    owner, _, part = span.partition(".")
    if re.fullmatch(rf"({'|'.join(ROOMS)})(\.\w+)+", span):
        return resolves(span) or hasattr(getattr(DeskConfig(), owner, None), part)
    if re.fullmatch(r"[A-Z]\w*[a-z]\w*(\.[a-z]\w*)?", span):
        if span in FOREIGN_NAMES or hasattr(builtins, owner) or owner.endswith("Exception"):
            return True  # others', Python's, and the error types of Kite
        return any(not part or part in each.parts for each in found.get(owner, ()))
    if re.fullmatch(r"ctx\.\w+", span):
        return part in found["Context"][0].parts
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_a_page_is_one_of_the_house(page):
    assert not [span for span in INLINE.findall(BLOCK.sub("", CODE[page])) if not is_known(span)]


@cache
def source_words():
    """Return every word of the sources and of their data: parameters, fields, texts on the wire."""
    kinds = {".py", ".json", ".sql", ".toml"}
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*") if file.suffix in kinds]
    return {word for file in files for word in re.findall(r"[a-z0-9_]+", file.read_text("utf-8"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_parameter_and_field_of_a_page_is_in_the_sources(page):
    found, _ = house()
    given = {name for each in found.values() for one in each for name in one.parameters}
    for span in INLINE.findall(BLOCK.sub("", CODE[page])):
        if named := re.fullmatch(r"([a-z]+(?:_[a-z]+)+)", span):
            assert named[1] in source_words() | FOREIGN_WORDS, span
        elif named := re.fullmatch(r"([a-z_]+)=(True|False|None)", span):
            assert named[1] in given, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_program_of_a_page_imports_what_is_there(page):
    blocks = re.findall(r"^```python\n(.*?)^```", CODE[page], re.MULTILINE | re.DOTALL)
    imports = [
        f"{node.module}.{each.name}"
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    ]
    assert not [each for each in imports if each.partition(".")[0] in ROOMS and not resolves(each)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_in_a_block_of_a_page_exists(page):
    tables = {field: getattr(DeskConfig(), field) for field in DeskConfig.__struct_fields__}
    for block in re.findall(r"^```toml\n(.*?)^```", CODE[page], re.MULTILINE | re.DOTALL):
        given = {name: keys for name, keys in tomllib.loads(block).items() if name not in OTHER}
        assert given.keys() <= tables.keys()
        free = {"strategy", "ui"}
        assert not [
            f"{name}.{key}"
            for name, keys in given.items()
            if name not in free
            for key in keys
            if not hasattr(tables[name], key)
        ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_of_a_page_is_bound(page):
    bound = {key for action in ACTIONS for key in action.keys.split(",")}
    named = {
        span
        for span in INLINE.findall(BLOCK.sub("", CODE[page]))
        if re.fullmatch(r"(ctrl|alt|shift)\+\w+|f\d{1,2}", span)
    }
    assert named <= bound


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_name_of_a_page_is_one_of_the_house(page):
    there = {file.name for room in (*ROOMS, "tests") for file in (ROOT / room).rglob("*.py")}
    assert set(re.findall(r"`(\w+\.py)`", CODE[page])) <= there


def test_every_file_of_a_page_is_there():
    for page, text in CODE.items():
        for path in re.findall(
            r"`((?:compiled|engine|brokers|store|strategies|tui|tests|docs)/[\w/.]+\.\w+)`", text
        ):
            assert (ROOT / path).is_file(), f"{page.name}: {path}"
        for path in re.findall(r"\]\(([\w/.]+\.(?:md|svg))(?:#[^)]*)?\)", text):
            assert (page.parent / path).is_file(), f"{page.name}: {path}"
