"""Reading of forms, one JSON object each, into structs; complaints are for their writer."""

import json
from typing import Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import fields

from engine.config.toml_reader import close_hint, convert_setting, describe_type, nearest_hint
from engine.texts import valid_text

S = TypeVar("S", bound=msgspec.Struct)


def read_object(text: str | bytes) -> dict[str, object]:
    """Return one JSON object, its texts valid; raise `ValueError` for anything else.

    Python's own reader: it takes NaN and numbers of any size, so that they can be refused by the
    name of their field.
    """
    try:
        table = dict(json.loads(text).items())
    # A list or a number has no `items`; a text nested deep enough ends Python's reader.
    except (ValueError, AttributeError, RecursionError):
        raise ValueError("expected one JSON object") from None
    return {
        name: valid_text(item) if isinstance(item, str) else item for name, item in table.items()
    }


def read_form(table: dict[str, object], kind: type[S]) -> S:
    """Return the struct; raise `ValueError` naming the field, its bounds and its value."""
    known = {field.name: field for field in fields(kind)}
    for name in table:
        if name not in known:
            raise ValueError(f"no such field {shorten_value(name)}{nearest_hint(name, known)}")
    # Unknown names first: a misspelt field would otherwise be reported as missing.
    for name, field in known.items():
        if field.required and name not in table:
            raise ValueError(f"{name} is missing: expected {describe_type(field.type)}")
    return kind(
        **{name: _field_value(name, known[name].type, item) for name, item in table.items()}
    )


def _field_value(name: str, kind: object, item: object) -> object:
    try:
        return convert_setting(kind, item)
    except (msgspec.ValidationError, OverflowError):
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        raise ValueError(
            f"{name}: expected {describe_type(kind)}, got {shorten_value(item)}"
            f"{close_hint(str(item), choices)}"
        ) from None


def shorten_value(item: object) -> str:
    """Return a value as it was given, shortened, in characters that any file can hold."""
    try:
        text = json.dumps(item)
    except RecursionError:
        return "something too deep"
    # A complaint is one line, whatever was sent.
    return text if len(text) <= 60 else f"{text[:57]}..."
