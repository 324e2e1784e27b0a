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

# Python's own reader would run into its recursion limit, and so would what looks at the result.
DEEPEST = 16
"""Levels of tables and lists in a file; the settings have five."""

Fault = Callable[[Key, str], ConfigError]
"""Makes the error of a complaint about a key."""


class TomlReader:
    """Turns a TOML text into structs, key by key, so that every complaint has a line."""

    def __init__(self, text: str, file: Path) -> None:
        self.file = file
        self._table = _parse_toml(text, file)
        self.lines = locate_lines(text)

    def struct(self, kind: Any) -> Any:
        """Return the whole text as a struct of `kind`; raise `ConfigError`."""
        return read_struct(kind, self._table, (), self.error)

    def read(self, kind: Any, table: object, at: Key) -> Any:
        """Return a table of the text as a struct of `kind`; raise `ConfigError`."""
        return read_struct(kind, table, at, self.error)

    def error(self, key: Key, complaint: str) -> ConfigError:
        """Return the complaint about a key, with its line or that of the nearest table."""
        known = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in self.lines), None)
        line = f":{self.lines[known]}" if known else ""
        return ConfigError(f"{self.file}{line}: {dotted_key(key)}: {complaint}")


def read_struct(kind: Any, table: object, at: Key, fault: Fault) -> Any:
    """Return a table that stands at a key as a struct of `kind`; raise what `fault` makes."""
    if not isinstance(table, dict):
        raise fault(at, f"expected a table, got {_shorten_value(table)}")
    known = {field.name: field for field in fields(kind)}
    found: dict[str, Any] = {}
    for name, item in table.items():
        key = (*at, name)
        if name not in known:
            raise fault(key, f"no such key{nearest_hint(name, known)}")
        found[name] = _read_value(known[name].type, item, key, fault)
    for name, field in known.items():
        if field.required and name not in found:
            raise fault(at, f"the key {name} is missing; expected {describe_type(field.type)}")
    return kind(**found)


def _read_value(kind: Any, item: object, at: Key, fault: Fault) -> Any:
    inner = bare_type(kind)
    if is_table(inner):
        return read_struct(inner, item, at, fault)
    if isinstance(item, dict) and get_origin(inner) is dict:
        part_kind = get_args(inner)[1]
        if part_kind is Any:
            return _checked_tables(item, at, fault)
        return {
            name: _read_value(part_kind, part, (*at, name), fault) for name, part in item.items()
        }
    if isinstance(item, list | tuple) and get_origin(inner) is tuple:
        least, most = _length_bounds(kind)
        if not least <= len(item) <= most:
            raise fault(at, f"expected {least} to {most} entries, got {len(item)}")
        part_kind = get_args(inner)[0]
        return tuple(
            _read_value(part_kind, part, (*at, index), fault) for index, part in enumerate(item)
        )
    try:
        return convert_setting(kind, item)
    except msgspec.ValidationError as error:
        # A token in a complaint would stand in the terminal and in its log.
        got = "something else" if _has_extra(kind, SECRET) else _shorten_value(item)
        raise fault(at, f"expected {describe_type(kind)}, got {got}") from error


def _checked_tables(table: dict[str, Any], at: Key, fault: Fault) -> dict[str, Any]:
    """Return tables whose keys are not known here, as they stand."""
    for name, part in table.items():
        if not isinstance(part, dict):
            raise fault((*at, name), f"expected a table, got {_shorten_value(part)}")
    return table


def convert_setting(kind: Any, item: object) -> Any:
    """Return one value as a setting of this type; raise `msgspec.ValidationError`."""
    if isinstance(item, float) and not math.isfinite(item):
        raise msgspec.ValidationError("not finite")  # NaN is neither below a bound nor above it
    # Strict: "5" is no 5, or a quoted `false` would be true.
    value = msgspec.convert(item, kind, strict=True)
    return value.upper() if isinstance(value, str) and _has_extra(kind, UPPER) else value


def typed_value(text: str) -> object:
    """Return a value as it is typed: 5 is a number, true a bool, [1, 2] a list, the rest a text."""
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    # A plain word needs no quotes in a shell; one with a line end could bring keys of its own.
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()


def nearest_hint(name: str, valid: Iterable[str]) -> str:
    """Return a hint at the valid name that looks most like `name`, or at all of them."""
    names = sorted(valid)
    return close_hint(name, names) or (f"; valid: {', '.join(names)}" if names else "")


def close_hint(name: str, valid: Iterable[str]) -> str:
    """Return a hint at the valid name that looks most like `name`, empty where none does."""
    # Half of the letters: a whole list of keys helps less than a guess that is sometimes wrong.
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


def locate_lines(text: str) -> dict[Key, int]:
    """Return the line of every key and table of a valid TOML text.

    tomllib knows no lines, but a statement ends at the first line end up to which it can be parsed
    alone.
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
        keys = list(_statement_keys(statement, () if header else here, sizes if header else None))
        for key in keys:
            # An array of tables names its key again with each entry: the first one is its place.
            lines.setdefault(key, first)
        # What follows a header stands in its table, until the next one.
        here = keys[-1] if header else here
    return lines


def dotted_key(key: Key) -> str:
    """Write a key as an operator reads it, as `strategy.ladder.rung[2].stop_percent`.

    Places in a list are counted from 1.
    """
    return "".join(
        f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in key
    ).removeprefix(".")


def describe_type(kind: Any) -> str:
    """Describe the values of this type in words."""
    meta = _first_meta(kind, lambda m: bool(m.title) or m.ge is not None or m.gt is not None)
    kind = bare_type(kind)
    if meta.title:
        return meta.title
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {describe_type(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"a table, each {describe_type(get_args(kind)[1])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(
        kind, "a table"
    )
    if meta.ge is None:
        return words if meta.gt is None else f"{words} above {meta.gt:g}"
    return f"{words} from {meta.ge:,} to {meta.le:,}".replace(",", "_")


def explain_field(field: FieldInfo) -> str:
    """Return a setting's meaning and its bounds, as one line."""
    bounds = describe_type(field.type)
    return f"{field_meaning(field)} {bounds[:1].upper()}{bounds[1:]}."


def field_meaning(field: FieldInfo) -> str:
    """Return the declared meaning of a setting."""
    return _first_meta(field.type, lambda m: bool(m.description)).description or ""


def render_toml(
    struct: Struct,
    *,
    above: Callable[[FieldInfo], str] | None = None,
    beside: Callable[[Key], str] | None = None,
) -> str:
    """Render a tree of structs as TOML, with a comment above each key or beside it."""
    return "\n".join(_struct_lines(struct, (), "", above, beside)).strip("\n") + "\n"


def render_tables(struct: Struct) -> str:
    """Render a tree of structs as Markdown.

    There is one table for each, with type and bounds, default and meaning.
    """
    return "\n".join(_markdown_tables(struct, ()))


def bare_type(kind: Any) -> Any:
    """Return a type without its annotations."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def is_table(kind: Any) -> bool:
    """Return whether settings of this type are a table of their own."""
    return isinstance(kind, type) and issubclass(kind, Struct)


def _parse_toml(text: str, file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{file}: not TOML: nested too deep") from error
    except ValueError as error:
        # tomllib gives the place in its text only.
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = found[1] if found else len(text.splitlines())
        cause = re.sub(r" \(at [^)]*\)$", "", str(error))
        raise ConfigError(f"{file}:{line}: not TOML: {cause[:1].lower()}{cause[1:]}") from error
    if _is_too_deep(table):
        raise ConfigError(f"{file}: nested deeper than {DEEPEST} levels")
    return table


def _is_too_deep(table: object) -> bool:
    """Return whether a value is nested too deep to be looked at part by part."""
    level = [table]
    for _ in range(DEEPEST):
        level = [
            part
            for item in level
            if isinstance(item, dict | list)
            for part in (item.values() if isinstance(item, dict) else item)
        ]
    return bool(level)


def _statement_keys(item: object, at: Key, sizes: dict[Key, int] | None) -> Iterator[Key]:
    """Yield the keys of one statement in order.

    `sizes` counts the arrays of tables that headers have opened.
    """
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
        yield from _statement_keys(part, (*at, name), sizes)


def _first_meta(kind: Any, wanted: Callable[[Meta], bool]) -> Meta:
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((meta for meta in metas if wanted(meta)), Meta())


def _length_bounds(kind: Any) -> tuple[int, int]:
    meta = _first_meta(kind, lambda m: m.max_length is not None)
    return meta.min_length or 0, meta.max_length or 10_000


def _has_extra(kind: Any, extra: dict[str, bool]) -> bool:
    return _first_meta(kind, lambda m: m.extra == extra).extra == extra


def _shorten_value(item: object) -> str:
    text = setting_text(item)
    return text if len(text) <= 60 else text[:57] + "..."


def setting_text(item: object) -> str:
    """Write a value as TOML has it, a table in one line."""
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(setting_text, item))}]"
    if isinstance(item, dict):
        return (
            "{"
            + ", ".join(f"{_toml_key(name)} = {setting_text(part)}" for name, part in item.items())
            + "}"
        )
    return str(item)


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else setting_text(name)


def _struct_lines(
    struct: Struct,
    at: Key,
    header: str,
    above: Callable[[FieldInfo], str] | None,
    beside: Callable[[Key], str] | None,
) -> Iterator[str]:
    """Yield the lines of one struct: its own values first, its tables after them."""
    own = [field for field in fields(struct) if not _has_tables(field)]
    if header and (own or above):
        yield from ["", f"# {_kind_meaning(type(struct))}"] if above else [""]
        yield header
    for field in own:
        value = getattr(struct, field.name)
        if above:
            yield f"# {above(field)}"
        # `patang config show` is what people paste when they ask for help.
        text = '"****"' if value and _has_extra(field.type, SECRET) else setting_text(value)
        yield f"{field.name} = {text}" + (f"  # {beside((*at, field.name))}" if beside else "")
    for field in fields(struct):
        value, key = getattr(struct, field.name), (*at, field.name)
        if isinstance(value, Struct):
            yield from _struct_lines(value, key, f"[{_table_path(key)}]", above, beside)
        elif isinstance(value, dict) and _has_tables(field):
            for name, table in value.items():
                path = (*key, name)
                if isinstance(table, Struct):
                    yield from _struct_lines(table, path, f"[{_table_path(path)}]", above, beside)
                    continue
                yield from ("", f"[{_table_path(path)}]")
                for part, item in table.items():
                    note = f"  # {beside((*path, part))}" if beside else ""
                    yield f"{_toml_key(part)} = {setting_text(item)}{note}"
        elif _has_tables(field):
            for index, entry in enumerate(value):
                yield from _struct_lines(
                    entry,
                    (*key, index),
                    f"[[{_table_path(key)}]]",
                    None if index else above,
                    beside,
                )


def _table_path(key: Key) -> str:
    return ".".join(_toml_key(str(part)) for part in key if not isinstance(part, int))


def _has_tables(field: FieldInfo) -> bool:
    """Return whether a field is written as tables of its own.

    A struct, a list of structs, or tables that are not known here.
    """
    inner = bare_type(field.type)
    return (
        is_table(inner)
        or (
            get_origin(inner) is dict
            and (get_args(inner)[1] is Any or is_table(get_args(inner)[1]))
        )
        or (get_origin(inner) is tuple and is_table(get_args(inner)[0]))
    )


def _kind_meaning(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _markdown_tables(struct: Struct, at: Key) -> Iterator[str]:
    own = [field for field in fields(struct) if not _has_tables(field)]
    if own:
        yield from ("", f"## [{_table_path(at)}]", "", _kind_meaning(type(struct)), "")
        yield from ("| key | may be | default | meaning |", "|---|---|---|---|")
    for field in own:
        default = "required" if field.required else f"`{setting_text(getattr(struct, field.name))}`"
        yield (
            f"| `{field.name}` | {describe_type(field.type)} | {default} | {field_meaning(field)} |"
        )
    for field in fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, Struct):
            yield from _markdown_tables(value, (*at, field.name))
        elif isinstance(value, dict) and _has_tables(field):
            for name, table in value.items():
                yield from _markdown_tables(table, (*at, field.name, name))
        elif _has_tables(field):
            yield from _markdown_tables(value[0], (*at, field.name))
            yield from ("", "Default:", "", "```toml")
            yield from _list_lines(value, (*at, field.name))
            yield "```"


def _list_lines(values: Iterable[Struct], at: Key) -> Iterator[str]:
    for value in values:
        yield f"[[{_table_path(at)}]]"
        yield from (
            f"{field.name} = {setting_text(getattr(value, field.name))}" for field in fields(value)
        )
