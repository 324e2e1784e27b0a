"""A strategy's source, searched for irreproducible means: clocks, dice, files, threads, state."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from compiled.trading.strategy import Strategy
from engine.backtest.run_identity import parts_of, source_file


class SourceHit(NamedTuple):
    """A fault of a source: its place, its name, and whether it fails or only warns."""

    file: str
    line: int
    what: str
    fails: bool = True

    @property
    def text(self) -> str:
        """Return it in a line."""
        return f"{self.file}:{self.line}: {self.what}"


OURS: Final = "strategies.composed"
"""Of what composed strategies are made."""
CLOCKS: Final = (
    "time.",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
)
DICE: Final = ("random.", "numpy.random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "os.urandom")
# With a seed they give the same numbers each time; without one they are dice.
SEEDED: Final = (
    "random.Random",
    "numpy.random.default_rng",
    "numpy.random.RandomState",
    "numpy.random.SeedSequence",
)
NETWORK: Final = (
    "socket",
    "ssl",
    "http",
    "urllib",
    "urllib3",
    "requests",
    "aiohttp",
    "httpx",
    "websocket",
    "websockets",
    "ftplib",
    "smtplib",
    "kiteconnect",
    "yfinance",
    "brokers",
)
# Their order differs from run to run.
THREADS: Final = (
    "threading",
    "multiprocessing",
    "concurrent",
    "asyncio",
    "subprocess",
    "_thread",
    "joblib",
)
# Our own rooms as well: by them a strategy reads bars that it was not shown.
READERS: Final = (
    "pyarrow",
    "duckdb",
    "sqlite3",
    "polars",
    "shelve",
    "h5py",
    "store",
    "engine",
    "tui",
)
FILES: Final = (
    "open",
    "io.open",
    "os.open",
    "os.environ",
    "os.getenv",
    "pickle.load",
    "numpy.load",
    "numpy.loadtxt",
    "numpy.genfromtxt",
    "numpy.fromfile",
    "numpy.memmap",
    "pandas.read_",
    "pandas.HDFStore",
    "os.listdir",
    "os.scandir",
    "glob.",
)
PATHS: Final = ("read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob")
MUTATORS: Final = (
    "append",
    "appendleft",
    "add",
    "update",
    "setdefault",
    "pop",
    "popleft",
    "popitem",
    "extend",
    "insert",
    "remove",
    "discard",
    "clear",
)
MAKERS: Final = (
    "list",
    "dict",
    "set",
    "collections.defaultdict",
    "collections.deque",
    "collections.Counter",
    "collections.OrderedDict",
)
PURE: Final = (
    "compiled",
    "strategies",
    "msgspec",
    "numpy",
    "math",
    "cmath",
    "statistics",
    "typing",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "operator",
    "bisect",
    "heapq",
    "datetime",
    "abc",
    "__future__",
    "decimal",
    "fractions",
    "pandas",
    "zoneinfo",
)
"""Modules by which a strategy reads nothing, but for what `FILES` names."""


class SourceTree:
    """The source of one file: its tree, and the meanings of its names."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.tree = ast.parse(text)
        self.nodes = list(ast.walk(self.tree))
        self.imports: dict[str, ast.stmt] = {}
        self.names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for each in node.names:
                    self.imports.setdefault(each.name, node)
                    self.names[each.asname or each.name.partition(".")[0]] = (
                        each.name if each.asname else each.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                self.imports.setdefault("." * node.level + (node.module or ""), node)
                self.names |= {
                    each.asname or each.name: f"{node.module}.{each.name}" for each in node.names
                }

    def dotted_name(self, node: ast.AST) -> str:
        """Return the imported name behind a name or an attribute, empty for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted_name(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def hit_at(self, node: ast.AST, what: str, *, fails: bool = True) -> SourceHit:
        """Return a hit at a node."""
        return SourceHit(self.file, _line_number(node), what, fails)

    def called_names(self) -> Iterator[tuple[ast.Call, str]]:
        """Return every call with the name it calls."""
        return (
            (node, self.dotted_name(node.func)) for node in self.nodes if isinstance(node, ast.Call)
        )

    def names_used(self, of: Sequence[str]) -> Iterator[tuple[ast.AST, str]]:
        """Return every name that is `matches_any` these."""
        for node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = (
                    self.dotted_name(node) if self._root_name(node) in {*self.names, "open"} else ""
                )
                if matches_any(name, of):
                    yield node, name

    def _root_name(self, node: ast.AST) -> str:
        while isinstance(node, ast.Attribute):
            node = node.value
        return node.id if isinstance(node, ast.Name) else ""

    def imports_of(self, of: Sequence[str]) -> Iterator[SourceHit]:
        """Return the imports of these packages."""
        return (
            self.hit_at(node, f"imports {name}")
            for name, node in self.imports.items()
            if name.partition(".")[0] in of and name != "engine.errors"
        )


def matches_any(name: str, of: Sequence[str]) -> bool:
    """Return whether a name is one of these, or begins with one ending in a dot or underscore."""
    return any(name == each or (each[-1] in "._" and name.startswith(each)) for each in of)


def find_clocks(source: SourceTree) -> Iterator[SourceHit]:
    """Find calls that read a clock."""
    return (source.hit_at(node, name) for node, name in source.names_used(CLOCKS))


def find_dice(source: SourceTree) -> Iterator[SourceHit]:
    """Find whoever throws dice without a seed."""
    unseeded = {
        id(call.func) for call, name in source.called_names() if not (call.args or call.keywords)
    }
    for node, name in source.names_used(DICE):
        if name not in SEEDED or id(node) in unseeded:
            yield source.hit_at(node, name)


def find_network(source: SourceTree) -> Iterator[SourceHit]:
    """Find whoever asks others."""
    return source.imports_of(NETWORK)


def find_threads(source: SourceTree) -> Iterator[SourceHit]:
    """Find whoever does several things at once."""
    yield from source.imports_of(THREADS)
    yield from (
        source.hit_at(node, name)
        for node, name in source.names_used(("os.fork", "os.system", "os.popen"))
    )


def find_files(source: SourceTree) -> Iterator[SourceHit]:
    """Find calls that read more than bars."""
    for each in source.imports_of(READERS):
        # A file may hold a table of holidays as well as tomorrow's prices: a warning, for a person
        # to judge.
        yield each._replace(fails=False)
    for node, name in source.names_used(FILES):
        yield source.hit_at(node, name, fails=False)
    for call, _ in source.called_names():
        if isinstance(call.func, ast.Attribute) and call.func.attr in PATHS:
            yield source.hit_at(call, f".{call.func.attr}()", fails=False)


def find_shared_state(source: SourceTree) -> Iterator[SourceHit]:
    """Find state that outlives a run.

    It is changed module and class state, `global`, and mutable defaults.
    """
    for node in source.nodes:
        if isinstance(node, ast.Global):
            yield source.hit_at(node, f"global {', '.join(node.names)}", fails=False)
        if isinstance(node, ast.FunctionDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None and _is_mutable(source, default):
                    yield source.hit_at(default, f"{node.name} has a mutable default", fails=False)
    names, changed = _mutable_names(source, source.tree.body), list(_changed_names(source))
    for node, name in changed:
        if name in names:
            yield source.hit_at(node, f"changes {name} of the module", fails=False)
    for made in (node for node in source.nodes if isinstance(node, ast.ClassDef)):
        own = {
            target.attr
            for node in ast.walk(made)
            for target in _assignment_targets(node)
            if isinstance(target, ast.Attribute) and source.dotted_name(target.value) == "self"
        }
        # What `self` gets in `__init__` hides the class's, and ends with the run.
        state = _mutable_names(source, made.body) - own
        for node, name in changed:
            base, _, attribute = name.rpartition(".")
            if (
                base in {"self", "cls", made.name}
                and attribute in state
                and made.lineno <= _line_number(node) <= (made.end_lineno or 0)
            ):
                yield source.hit_at(node, f"changes {attribute} of the class", fails=False)
        for node in ast.walk(made):
            for target in _assignment_targets(node):
                if isinstance(target, ast.Attribute) and source.dotted_name(target.value) in {
                    "cls",
                    made.name,
                }:
                    yield source.hit_at(node, f"sets {target.attr} of the class", fails=False)


def _line_number(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _assignment_targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def _mutable_names(source: SourceTree, body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements give to something mutable."""
    return {
        target.id
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and _is_mutable(source, node.value)
        for target in _assignment_targets(node)
        if isinstance(target, ast.Name)
    }


def _is_mutable(source: SourceTree, value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return source.dotted_name(value.func) in MAKERS
    return isinstance(
        value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    )


def _changed_names(source: SourceTree) -> Iterator[tuple[ast.AST, str]]:
    """Return the names changed in place within functions.

    Their items are set, or a method is called that changes them.
    """
    for made in (node for node in source.nodes if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(made):
            for target in (
                *_assignment_targets(node),
                *(node.targets if isinstance(node, ast.Delete) else ()),
            ):
                if isinstance(target, ast.Subscript):
                    yield node, source.dotted_name(target.value)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in MUTATORS
            ):
                yield node, source.dotted_name(node.func.value)


def find_last_rows(source: SourceTree) -> Iterator[SourceHit]:
    """Find whoever takes the last row of a frame, or a later one than the row at hand."""
    frames = _names_given(
        source, lambda value: any(_is_loading_call(source, each) for each in ast.walk(value))
    )
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and _negative_number(node.slice) < 0:
            base = node.value
            if (
                isinstance(base, ast.Attribute) and base.attr in {"iloc", "iat"}
            ) or _expression_root(source, base) in frames:
                yield source.hit_at(node, f"{ast.unparse(node)}: the last row of all there are")
    for call, _ in source.called_names():
        if isinstance(call.func, ast.Attribute):
            if call.func.attr == "shift" and any(
                _negative_number(each) < 0
                for each in (*call.args, *(k.value for k in call.keywords))
            ):
                yield source.hit_at(call, f"{ast.unparse(call)}: later rows")
            if call.func.attr in {"bfill", "backfill"} or any(
                each.arg == "center" and getattr(each.value, "value", False)
                for each in call.keywords
            ):
                yield source.hit_at(call, f"{ast.unparse(call)}: later rows")


def _is_loading_call(source: SourceTree, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = source.dotted_name(node.func)
    return (
        name.partition(".")[0] in {"pandas", "polars", "pyarrow", "duckdb"}
        or matches_any(name, FILES)
        or (isinstance(node.func, ast.Attribute) and node.func.attr in {"columns", "read", *PATHS})
    )


def _expression_root(source: SourceTree, node: ast.AST) -> str:
    """Return the name that an expression of attributes, items and calls begins with.

    Of `self.frame["close"]` it is `self.frame`.
    """
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        ):
            node = node.value
        else:
            return source.dotted_name(node)


def _names_given(source: SourceTree, made: Callable[[ast.expr], bool]) -> set[str]:
    """Return the names, and attributes of `self`, that are given something of a kind."""
    return {
        source.dotted_name(target)
        for node in source.nodes
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and node.value is not None
        and made(node.value)
        for target in _assignment_targets(node)
    } - {""}


def _negative_number(node: ast.AST) -> int:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        return -node.operand.value if isinstance(node.operand.value, int) else 0
    return 0


def find_unstable_order(source: SourceTree) -> Iterator[SourceHit]:
    """Find values that differ from process to process: hashes, addresses, the order of a set."""
    for call, name in source.called_names():
        # Hashes of texts are salted for each process, addresses are wherever memory was free.
        if name in {"hash", "id"}:
            yield source.hit_at(call, f"{name}()")

    def is_set(value: ast.AST) -> bool:
        return isinstance(value, ast.Set | ast.SetComp) or (
            isinstance(value, ast.Call) and source.dotted_name(value.func) in {"set", "frozenset"}
        )

    sets = _names_given(source, is_set)
    for node in source.nodes:
        walked = node.iter if isinstance(node, ast.For | ast.comprehension) else None
        if walked is not None and (is_set(walked) or source.dotted_name(walked) in sets):
            yield source.hit_at(walked, f"{ast.unparse(walked)}: the order of a set", fails=False)


Rule = Callable[[SourceTree], Iterable[SourceHit]]
RULES: Final[Mapping[str, Rule]] = {
    "clock": find_clocks,
    "random": find_dice,
    "network": find_network,
    "threads": find_threads,
    "files": find_files,
    "state": find_shared_state,
    "last-row": find_last_rows,
    "order": find_unstable_order,
}


def strategy_sources(strategies: Iterable[Strategy]) -> list[SourceTree]:
    """Return the sources of strategies and of their classes, without the core's, each file once."""
    found: dict[str, SourceTree] = {}
    for strategy in strategies:
        kinds = [type(each) for each in (strategy, *parts_of(strategy).values())]
        for each in (every for kind in kinds for every in kind.__mro__):
            if each.__module__ == OURS or each.__module__.partition(".")[0] in {
                "compiled",
                "builtins",
            }:
                continue
            file = source_file(each)
            if file is not None and str(file) not in found:
                found[str(file)] = SourceTree(str(file), file.read_text(encoding="utf-8"))
    return list(found.values())


def lint_strategies(strategies: Iterable[Strategy]) -> dict[str, list[SourceHit]]:
    """Return each rule's hits, in the order of the files and lines, each line once."""
    texts = strategy_sources(strategies)
    return {
        name: sorted(
            {(hit.file, hit.line): hit for source in texts for hit in rule(source)}.values()
        )
        for name, rule in RULES.items()
    }


def reads_on_its_own(strategies: Iterable[Strategy]) -> bool:
    """Return whether strategies might read more than they are shown.

    Their imports decide, and the hits of `find_files`.
    """
    return any(
        any(
            name.partition(".")[0] not in PURE and name != "engine.errors"
            for name in source.imports
        )
        or any(True for _ in find_files(source))
        for source in strategy_sources(strategies)
    )
