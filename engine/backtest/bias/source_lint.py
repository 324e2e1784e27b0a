"""What the source of a strategy shows: clocks, dice, files, threads and state that a backtest can't make the same again."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from compiled.strategy import Strategy
from engine.backtest.identity import source_file


class Hit(NamedTuple):
    """Something a source should not have: where, what, and whether it fails or only warns."""

    file: str
    line: int
    what: str
    fails: bool = True

    @property
    def text(self) -> str:
        """Return it in a line."""
        return f"{self.file}:{self.line}: {self.what}"


CLOCKS: Final = (
    "time.",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
)
DICE: Final = ("random.", "numpy.random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "os.urandom")
SEEDED: Final = ("random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.SeedSequence")
NETWORK: Final = (
    "socket", "ssl", "http", "urllib", "urllib3", "requests", "aiohttp", "httpx", "websocket", "websockets", "ftplib", "smtplib",
    "kiteconnect", "yfinance", "brokers",
)  # fmt: skip
THREADS: Final = ("threading", "multiprocessing", "concurrent", "asyncio", "subprocess", "_thread", "joblib")
READERS: Final = ("pyarrow", "duckdb", "sqlite3", "polars", "shelve", "h5py", "store", "engine", "tui")
FILES: Final = (
    "open", "io.open", "os.open", "os.environ", "os.getenv", "pickle.load", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt",
    "numpy.fromfile", "numpy.memmap", "pandas.read_", "pandas.HDFStore", "os.listdir", "os.scandir", "glob.",
)  # fmt: skip
PATHS: Final = ("read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob")
MUTATORS: Final = (
    "append", "appendleft", "add", "update", "setdefault", "pop", "popleft", "popitem", "extend", "insert", "remove", "discard",
    "clear",
)  # fmt: skip
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
    "compiled", "strategies", "numpy", "math", "cmath", "statistics", "typing", "collections", "dataclasses", "enum", "functools",
    "itertools", "operator", "bisect", "heapq", "datetime", "abc", "__future__", "decimal", "fractions", "pandas", "zoneinfo",
)  # fmt: skip
"""Modules by which a strategy reads nothing, but for what `FILES` names."""


class Source:
    """The source of one file: its tree, and what its names stand for."""

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
                self.names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}

    def dotted(self, node: ast.AST) -> str:
        """Return what a name or an attribute stands for as it was imported, empty for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def hit(self, node: ast.AST, what: str, *, fails: bool = True) -> Hit:
        """Return a hit at a node."""
        return Hit(self.file, _line(node), what, fails)

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Return every call and what is called."""
        return ((node, self.dotted(node.func)) for node in self.nodes if isinstance(node, ast.Call))

    def used(self, of: Sequence[str]) -> Iterator[tuple[ast.AST, str]]:
        """Return every name that is `among` these."""
        for node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = self.dotted(node) if self._root(node) in {*self.names, "open"} else ""
                if among(name, of):
                    yield node, name

    def _root(self, node: ast.AST) -> str:
        while isinstance(node, ast.Attribute):
            node = node.value
        return node.id if isinstance(node, ast.Name) else ""

    def imported(self, of: Sequence[str]) -> Iterator[Hit]:
        """Return the imports of these packages."""
        return (
            self.hit(node, f"imports {name}")
            for name, node in self.imports.items()
            if name.partition(".")[0] in of and name != "engine.errors"
        )


def among(name: str, of: Sequence[str]) -> bool:
    """Tell whether a name is one of these, or begins with one that ends in a dot or an underscore."""
    return any(name == each or (each[-1] in "._" and name.startswith(each)) for each in of)


def clocks(source: Source) -> Iterator[Hit]:
    """Find whoever asks what time it is."""
    return (source.hit(node, name) for node, name in source.used(CLOCKS))


def dice(source: Source) -> Iterator[Hit]:
    """Find whoever throws dice without a seed."""
    unseeded = {id(call.func) for call, name in source.calls() if not (call.args or call.keywords)}
    for node, name in source.used(DICE):
        if name not in SEEDED or id(node) in unseeded:
            yield source.hit(node, name)


def network(source: Source) -> Iterator[Hit]:
    """Find whoever asks others."""
    return source.imported(NETWORK)


def threads(source: Source) -> Iterator[Hit]:
    """Find whoever does several things at once."""
    yield from source.imported(THREADS)
    yield from (source.hit(node, name) for node, name in source.used(("os.fork", "os.system", "os.popen")))


def files(source: Source) -> Iterator[Hit]:
    """Find whoever reads what no bar has told."""
    for each in source.imported(READERS):
        yield each._replace(fails=False)
    for node, name in source.used(FILES):
        yield source.hit(node, name, fails=False)
    for call, _ in source.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in PATHS:
            yield source.hit(call, f".{call.func.attr}()", fails=False)


def shared(source: Source) -> Iterator[Hit]:
    """Find what outlives a run: module and class state that is changed, `global`, mutable defaults."""
    for node in source.nodes:
        if isinstance(node, ast.Global):
            yield source.hit(node, f"global {', '.join(node.names)}", fails=False)
        if isinstance(node, ast.FunctionDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None and _mutable(source, default):
                    yield source.hit(default, f"{node.name} has a mutable default", fails=False)
    names, changed = _assigned(source, source.tree.body), list(_changed(source))
    for node, name in changed:
        if name in names:
            yield source.hit(node, f"changes {name} of the module", fails=False)
    for made in (node for node in source.nodes if isinstance(node, ast.ClassDef)):
        own = {
            target.attr
            for node in ast.walk(made)
            for target in _targets(node)
            if isinstance(target, ast.Attribute) and source.dotted(target.value) == "self"
        }
        state = _assigned(source, made.body) - own
        for node, name in changed:
            base, _, attribute = name.rpartition(".")
            if (
                base in {"self", "cls", made.name}
                and attribute in state
                and made.lineno <= _line(node) <= (made.end_lineno or 0)
            ):
                yield source.hit(node, f"changes {attribute} of the class", fails=False)
        for node in ast.walk(made):
            for target in _targets(node):
                if isinstance(target, ast.Attribute) and source.dotted(target.value) in {"cls", made.name}:
                    yield source.hit(node, f"sets {target.attr} of the class", fails=False)


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def _assigned(source: Source, body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements give to something mutable."""
    return {
        target.id
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _mutable(source, node.value)
        for target in _targets(node)
        if isinstance(target, ast.Name)
    }


def _mutable(source: Source, value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return source.dotted(value.func) in MAKERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _changed(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Return what is changed in place within functions: its items set, or a method called that changes it."""
    for made in (node for node in source.nodes if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(made):
            for target in (*_targets(node), *(node.targets if isinstance(node, ast.Delete) else ())):
                if isinstance(target, ast.Subscript):
                    yield node, source.dotted(target.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                yield node, source.dotted(node.func.value)


def last_rows(source: Source) -> Iterator[Hit]:
    """Find whoever takes the last row of a frame, or a later one than the row at hand."""
    frames = _named(source, lambda value: any(_loads(source, each) for each in ast.walk(value)))
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and _number(node.slice) < 0:
            base = node.value
            if (isinstance(base, ast.Attribute) and base.attr in {"iloc", "iat"}) or _root(source, base) in frames:
                yield source.hit(node, f"{ast.unparse(node)}: the last row of all there are")
    for call, _ in source.calls():
        if isinstance(call.func, ast.Attribute):
            if call.func.attr == "shift" and any(
                _number(each) < 0 for each in (*call.args, *(k.value for k in call.keywords))
            ):
                yield source.hit(call, f"{ast.unparse(call)}: later rows")
            if call.func.attr in {"bfill", "backfill"} or any(
                each.arg == "center" and getattr(each.value, "value", False) for each in call.keywords
            ):
                yield source.hit(call, f"{ast.unparse(call)}: later rows")


def _loads(source: Source, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = source.dotted(node.func)
    return (
        name.partition(".")[0] in {"pandas", "polars", "pyarrow", "duckdb"}
        or among(name, FILES)
        or (isinstance(node.func, ast.Attribute) and node.func.attr in {"columns", "read", *PATHS})
    )


def _root(source: Source, node: ast.AST) -> str:
    """Return the name that an expression of attributes, items and calls begins with: self.frame of self.frame["close"]."""
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
            return source.dotted(node)


def _named(source: Source, made: Callable[[ast.expr], bool]) -> set[str]:
    """Return the names, and attributes of `self`, that are given something of a kind."""
    return {
        source.dotted(target)
        for node in source.nodes
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None and made(node.value)
        for target in _targets(node)
    } - {""}


def _number(node: ast.AST) -> int:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int) else 0
    return 0


def orders(source: Source) -> Iterator[Hit]:
    """Find what differs from process to process: hashes, addresses, the order of a set."""
    for call, name in source.calls():
        if name in {"hash", "id"}:
            yield source.hit(call, f"{name}()")

    def is_set(value: ast.AST) -> bool:
        return isinstance(value, ast.Set | ast.SetComp) or (
            isinstance(value, ast.Call) and source.dotted(value.func) in {"set", "frozenset"}
        )

    sets = _named(source, is_set)
    for node in source.nodes:
        walked = node.iter if isinstance(node, ast.For | ast.comprehension) else None
        if walked is not None and (is_set(walked) or source.dotted(walked) in sets):
            yield source.hit(walked, f"{ast.unparse(walked)}: the order of a set", fails=False)


Rule = Callable[[Source], Iterable[Hit]]
RULES: Final[Mapping[str, Rule]] = {
    "clock": clocks, "random": dice, "network": network, "threads": threads, "files": files, "state": shared,
    "last-row": last_rows, "order": orders,
}  # fmt: skip


def sources(strategies: Iterable[Strategy]) -> list[Source]:
    """Return the sources of strategies and of the classes they are made of, but for the core's, each file once."""
    found: dict[str, Source] = {}
    for strategy in strategies:
        for each in type(strategy).__mro__:
            if each is object or each.__module__.partition(".")[0] in {"compiled", "builtins"}:
                continue
            file = source_file(each)
            if file is not None and str(file) not in found:
                found[str(file)] = Source(str(file), file.read_text(encoding="utf-8"))
    return list(found.values())


def lint(strategies: Iterable[Strategy]) -> dict[str, list[Hit]]:
    """Return what each rule finds, in the order of the files and lines, each line once."""
    texts = sources(strategies)
    return {
        name: sorted({(hit.file, hit.line): hit for source in texts for hit in rule(source)}.values())
        for name, rule in RULES.items()
    }


def reads_on_its_own(strategies: Iterable[Strategy]) -> bool:
    """Tell whether strategies might read more than they hear: what they import decides, and what `files` finds."""
    return any(
        any(name.partition(".")[0] not in PURE and name != "engine.errors" for name in source.imports)
        or any(True for _ in files(source))
        for source in sources(strategies)
    )
