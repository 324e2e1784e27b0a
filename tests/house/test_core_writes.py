"""The core alone writes its state: what the engine still sets of a kernel is listed."""

import ast

import pytest

from tests.house.measures import modules

KERNEL = {"kernel", "_kernel"}
PARTS = {"rung", "slot", "ladder", "market"}
"""The names that parts of a kernel's state go by wherever they are handed on."""
CHANGES = {"add", "append", "clear", "discard", "extend", "pop", "remove", "setdefault", "update"}
SET_BY_THE_ENGINE = {
    # settings of a day that has not begun
    "engine/backtest/backtest_run.py: kernel.order_store.trigger_distance",
    "engine/desk.py: kernel.order_store.limit_only",
    "engine/desk.py: kernel.order_store.trigger_distance",
    "engine/desk.py: kernel.order_store.yields_to_others",
    "engine/desk.py: kernel.state.is_blind",
    "engine/desk.py: kernel.state.late_after",
    "engine/desk.py: kernel.state.simulated",
    "engine/day/day_loop.py: kernel.market_feed.tick_filter",
    "engine/history/feed_recording.py: kernel.market_feed.tick_filter",
    # what has changed since the last look is taken away
    "engine/day/day_loop.py: kernel.market_feed.closed_bars",
    "engine/orders/records.py: decisions.fresh",
    "engine/orders/records.py: kernel.decisions.repeated",
    "engine/orders/records.py: kernel.state.changed_ladders.clear",
    "engine/orders/records.py: kernel.state.changed_rungs.clear",
    "engine/orders/records.py: kernel.state.changed_rungs.setdefault",
    "engine/orders/records.py: out.changed_gtts.clear",
    "engine/orders/records.py: out.changed_orders.clear",
    "engine/orders/records.py: out.fills",
}
"""The list shrinks and never grows."""
MOST_WRITES = 18


def path(node):
    """Return the names along an expression: `kernel.state.rungs[1].stop` has four."""
    names = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = getattr(node, "value", getattr(node, "func", None))
        if node is None:
            return []
    return [node.id, *reversed(names)]


def bound(tree):
    """Yield each (target, value) of a piece of code: assignments, loops, comprehensions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from zip(target.elts, node.value.elts, strict=False)
                else:
                    yield target, node.value
        elif isinstance(node, ast.NamedExpr):
            yield node.target, node.value
        elif isinstance(node, ast.For | ast.comprehension):
            yield node.target, node.iter


def changed(tree):
    """Yield the path of everything that a piece of code assigns, deletes or changes in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield path(node)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield [*path(node), "[]"]
        elif isinstance(node, ast.Call) and path(node)[-1:] and path(node)[-1] in CHANGES:
            yield path(node)


def core_writes(text):
    """Return what a module writes of a kernel, or of a rung, slot, ladder or market."""
    found = set()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        ours = KERNEL | PARTS
        for target, value in bound(function):
            if path(value)[:1] and (path(value)[0] in ours or KERNEL & set(path(value))):
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                ours = ours | {each.id for each in names if isinstance(each, ast.Name)}
        for names in changed(function):
            if len(names) > 1 and (names[0] in ours or KERNEL & set(names[:-1])):
                found.add(".".join(name for name in names if name != "self"))
    return found


def test_the_engine_writes_nothing_of_the_core_but_what_is_listed():
    found = {f"{file}: {each}" for file, text in modules("engine") for each in core_writes(text)}
    assert found == SET_BY_THE_ENGINE
    assert len(SET_BY_THE_ENGINE) <= MOST_WRITES


HELD = {"bought", "bought_value", "sold", "sold_value", "charges", "absent"}
"""What a rung holds, and what that has cost."""


def test_what_a_rung_holds_has_one_writer():
    writers = {
        str(file)
        for file, text in modules("compiled/trading", "engine")
        for names in changed(ast.parse(text))
        if names[-2:-1] == ["rung"] and names[-1] in HELD
    }
    assert writers == {"compiled/trading/ladder_book.py"}


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("kernel.state.peak = 5", "kernel.state.peak"),
        ("self._kernel.state.entry_count += 1", "_kernel.state.entry_count"),
        ("kernel.state.strays[7] = order", "kernel.state.strays.[]"),
        ("del kernel.state.strays[7]", "kernel.state.strays.[]"),
        ("kernel.state.dry_run_entries.append(order)", "kernel.state.dry_run_entries.append"),
        ("rung.stop, rest = 97.0, 0", "rung.stop"),
        ("each = kernel.state.slots[0]; each.peak = 0", "each.peak"),
        ("[each.context.clear() for each in kernel.state.slots]", "each.context.clear"),
        ("out = self.kernel.order_store; out.next_intent = 9", "out.next_intent"),
        ("net = kernel.ledger.net; self.net = net; self.kernel = kernel", None),
        ("orders.append(kernel.order_store.orders[7])", None),
    ],
)
def test_a_write_to_the_core_is_found_by_whatever_name(line, write):
    assert core_writes(f"def f(self, kernel): {line}") == ({write} if write else set())
