"""Strict TOML in, readable TOML out, for a tree of msgspec structs; knows no single setting."""

import difflib
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

from engine.errors import ConfigError

Key = tuple[str | int, ...]
"""Where a setting stands: ("strategy", "momentum_ladder", "rung", 0, "stop_percent")."""

SECRET = {"secret": True}
"""The `Meta.extra` of a setting that is never shown."""

UPPER = {"upper": True}
"""The `Meta.extra` of a text that means the same in small letters: a symbol."""

DEEPEST = 16
"""Levels of tables and lists in a file; the settings have five."""

OTHER = "other"
"""A struct with a field of this name takes tables it does not know, and keeps them there unread."""


class Reader:
    """Turns a TOML text into structs, key by key, so that every complaint has a line."""

    def __init__(self, text: str, file: Path) -> None:
        self.file = file
        self._table = _parse(text, file)
        self.lines = locate(text)

    def struct(self, kind: Any) -> Any:
        """Return the whole text as a struct of `kind`; raise `ConfigError`."""
        return self._struct(kind, self._table, ())

    def error(self, key: Key, complaint: str) -> ConfigError:
        """Return the complaint about a key, with the line of the key or of the nearest table around it."""
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in self.lines), None)
        line = f":{self.lines[known]}" if known else ""
        return ConfigError(f"{self.file}{line}: {dotted(key)}: {complaint}")

    def _struct(self, kind: Any, table: object, at: Key) -> Any:
        if not isinstance(table, dict):
            raise self.error(at, f"expected a table, got {_shown(table)}")
        known = {field.name: field for field in fields(kind)}
        found: dict[str, Any] = {}
        for name, item in table.items():
            key = (*at, name)
            if name in known and name != OTHER:
                found[name] = self._value(known[name].type, item, key)
            elif OTHER in known and isinstance(item, dict):
                found.setdefault(OTHER, {})[name] = item
            else:
                raise self.error(key, f"no such key{nearest(name, known.keys() - {OTHER})}")
        for name, field in known.items():
            if field.required and name not in found:
                raise self.error(at, f"the key {name} is missing; expected {describe(field.type)}")
        return kind(**found)

    def _value(self, kind: Any, item: object, at: Key) -> Any:
        inner = bare(kind)
        if is_table(inner):
            return self._struct(inner, item, at)
        if isinstance(item, dict) and get_origin(inner) is dict:
            return {name: self._value(get_args(inner)[1], part, (*at, name)) for name, part in item.items()}
        if isinstance(item, list) and get_origin(inner) is tuple:
            least, most = _length(kind)
            if not least <= len(item) <= most:
                raise self.error(at, f"expected {least} to {most} entries, got {len(item)}")
            return tuple(self._value(get_args(inner)[0], part, (*at, index)) for index, part in enumerate(item))
        try:
            return converted(kind, item)
        except msgspec.ValidationError as error:
            got = "something else" if _has(kind, SECRET) else _shown(item)
            raise self.error(at, f"expected {describe(kind)}, got {got}") from error


def converted(kind: Any, item: object) -> Any:
    """Return one value as a setting of this type; raise `msgspec.ValidationError`."""
    if isinstance(item, float) and not math.isfinite(item):
        raise msgspec.ValidationError("not finite")  # NaN is neither below a bound nor above it
    value = msgspec.convert(item, kind, strict=True)
    return value.upper() if isinstance(value, str) and _has(kind, UPPER) else value


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a hint at the valid name that looks most like `name`, or at all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; valid: {', '.join(names)}" if names else ""


def locate(text: str) -> dict[Key, int]:
    """Return the line of every key and table of a valid TOML text.

    tomllib tells no lines, but a statement ends at the first line end up to which it can be parsed alone.
    """
    lines: dict[Key, int] = {}
    sizes: dict[Key, int] = {}
    here: Key = ()
    pending: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        pending.append(line)
        try:
            statement = tomllib.loads("\n".join(pending) + "\n")
        except ValueError:
            continue
        first = number - len(pending) + 1
        header = len(pending) == 1 and line.lstrip().startswith("[")
        pending.clear()
        keys = list(_keys(statement, () if header else here, sizes if header else None))
        for key in keys:
            lines.setdefault(key, first)
        here = keys[-1] if header else here
    return lines


def dotted(key: Key) -> str:
    """Write a key as an operator reads it, places in a list counted from 1: strategy.ladder.rung[2].stop_percent."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def describe(kind: Any) -> str:
    """Say in words what a setting of this type may be."""
    meta = _meta(kind, lambda m: bool(m.title) or m.ge is not None or m.gt is not None)
    kind = bare(kind)
    if meta.title:
        return meta.title
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {describe(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"a table, each {describe(get_args(kind)[1])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(kind, "a table")
    if meta.ge is None:
        return words if meta.gt is None else f"{words} above {meta.gt:g}"
    return f"{words} from {meta.ge:,} to {meta.le:,}".replace(",", "_")


def explain(field: FieldInfo) -> str:
    """Return a setting's meaning and its bounds, as one line."""
    bounds = describe(field.type)
    return f"{meaning(field)} {bounds[:1].upper()}{bounds[1:]}."


def meaning(field: FieldInfo) -> str:
    """Return what a setting is for, as declared."""
    return _meta(field.type, lambda m: bool(m.description)).description or ""


def render(
    struct: Struct,
    *,
    above: Callable[[FieldInfo], str] | None = None,
    beside: Callable[[Key], str] | None = None,
) -> str:
    """Render a tree of structs as TOML, with a comment above each key or beside it."""
    return "\n".join(_rendered(struct, (), "", above, beside)).strip("\n") + "\n"


def tables(struct: Struct) -> str:
    """Render a tree of structs as Markdown: one table for each, with type and bounds, default and meaning."""
    return "\n".join(_tables(struct, ()))


def bare(kind: Any) -> Any:
    """Return a type without its annotations."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def is_table(kind: Any) -> bool:
    """Tell whether settings of this type are a table of their own."""
    return isinstance(kind, type) and issubclass(kind, Struct)


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{file}: not TOML: nested too deep") from error
    except ValueError as error:
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = found[1] if found else len(text.splitlines())
        cause = re.sub(r" \(at [^)]*\)$", "", str(error))
        raise ConfigError(f"{file}:{line}: not TOML: {cause[:1].lower()}{cause[1:]}") from error
    if _deeper(table):
        raise ConfigError(f"{file}: nested deeper than {DEEPEST} levels")
    return table


def _deeper(table: object) -> bool:
    """Tell whether something is nested too deep to be looked at part by part."""
    level = [table]
    for _ in range(DEEPEST):
        level = [
            part for item in level if isinstance(item, dict | list)
            for part in (item.values() if isinstance(item, dict) else item)
        ]  # fmt: skip
    return bool(level)


def _keys(item: object, at: Key, sizes: dict[Key, int] | None) -> Iterator[Key]:
    """Yield the keys of one statement in order; `sizes` counts the arrays of tables that headers have opened."""
    parts: Iterable[tuple[str | int, object]] = ()
    if isinstance(item, dict):
        if sizes and at in sizes:
            at = (*at, sizes[at] - 1)
        parts = item.items()
    elif isinstance(item, list):
        size = sizes.get(at, 0) if sizes is not None else 0
        if sizes is not None:
            sizes[at] = size + len(item)
        parts = enumerate(item, size)
    for name, part in parts:
        yield (*at, name)
        yield from _keys(part, (*at, name), sizes)


def _meta(kind: Any, wanted: Callable[[Meta], bool]) -> Meta:
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((meta for meta in metas if wanted(meta)), Meta())


def _length(kind: Any) -> tuple[int, int]:
    meta = _meta(kind, lambda m: m.max_length is not None)
    return meta.min_length or 0, meta.max_length or 10_000


def _has(kind: Any, extra: dict[str, bool]) -> bool:
    return _meta(kind, lambda m: m.extra == extra).extra == extra


def _shown(item: object) -> str:
    text = _toml(item)
    return text if len(text) <= 60 else text[:57] + "..."


def _toml(item: object) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(_toml, item))}]"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{_name(name)} = {_toml(part)}" for name, part in item.items()) + "}"
    return str(item)


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _rendered(
    struct: Struct,
    at: Key,
    header: str,
    above: Callable[[FieldInfo], str] | None,
    beside: Callable[[Key], str] | None,
) -> Iterator[str]:
    """Yield the lines of one struct: its own values first, its tables after them."""
    own = [field for field in fields(struct) if not _has_tables(field)]
    if header and (own or above):
        yield from ["", f"# {_doc(type(struct))}"] if above else [""]
        yield header
    for field in own:
        value = getattr(struct, field.name)
        if above:
            yield f"# {above(field)}"
        text = '"****"' if value and _has(field.type, SECRET) else _toml(value)
        yield f"{field.name} = {text}" + (f"  # {beside((*at, field.name))}" if beside else "")
    for field in fields(struct):
        value, key = getattr(struct, field.name), (*at, field.name)
        if isinstance(value, Struct):
            yield from _rendered(value, key, f"[{_path(key)}]", above, beside)
        elif field.name == OTHER:
            for name, table in value.items():
                yield from ("", f"[{_path((*at, name))}]")
                for part, item in table.items():
                    note = f"  # {beside((*at, name, part))}" if beside else ""
                    yield f"{_name(part)} = {_toml(item)}{note}"
        elif _has_tables(field):
            for index, entry in enumerate(value):
                yield from _rendered(entry, (*key, index), f"[[{_path(key)}]]", None if index else above, beside)


def _path(key: Key) -> str:
    return ".".join(_name(str(part)) for part in key if not isinstance(part, int))


def _has_tables(field: FieldInfo) -> bool:
    """Tell whether a field is written as tables of its own: a struct, a list of structs, or the unread ones."""
    inner = bare(field.type)
    return is_table(inner) or field.name == OTHER or (get_origin(inner) is tuple and is_table(get_args(inner)[0]))


def _doc(kind: type) -> str:
    return (kind.__doc__ or "").split("\n", 1)[0]


def _tables(struct: Struct, at: Key) -> Iterator[str]:
    own = [field for field in fields(struct) if not _has_tables(field)]
    if own:
        yield from ("", f"## [{_path(at)}]", "", _doc(type(struct)), "")
        yield from ("| key | may be | default | meaning |", "|---|---|---|---|")
    for field in own:
        default = "required" if field.required else f"`{_toml(getattr(struct, field.name))}`"
        yield f"| `{field.name}` | {describe(field.type)} | {default} | {meaning(field)} |"
    for field in fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, Struct):
            yield from _tables(value, (*at, field.name))
        elif _has_tables(field) and field.name != OTHER:
            yield from _tables(value[0], (*at, field.name))
            yield from ("", "Default:", "", "```toml")
            yield from _listed(value, (*at, field.name))
            yield "```"


def _listed(values: Iterable[Struct], at: Key) -> Iterator[str]:
    for value in values:
        yield f"[[{_path(at)}]]"
        yield from (f"{field.name} = {_toml(getattr(value, field.name))}" for field in fields(value))
