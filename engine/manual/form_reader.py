"""Reads what somebody has filled in, one JSON object, into a struct; every complaint is in words for whoever filled it in."""

import json
from typing import TypeVar

import msgspec
from msgspec.structs import fields

from engine.config_text import converted, describe, nearest

S = TypeVar("S", bound=msgspec.Struct)


def filled(text: str, kind: type[S]) -> S:
    """Return the struct; raise `ValueError` naming the field, what it may be and what it was."""
    try:
        table = dict(json.loads(text).items())
    except (ValueError, AttributeError, RecursionError):
        raise ValueError("expected one JSON object") from None
    known = {field.name: field for field in fields(kind)}
    for name in table:
        if name not in known:
            raise ValueError(f"no such field {shown(name)}{nearest(name, known)}")
    for name, field in known.items():
        if field.required and name not in table:
            raise ValueError(f"{name} is missing: expected {describe(field.type)}")
    return kind(**{name: _value(name, known[name].type, item) for name, item in table.items()})


def _value(name: str, kind: object, item: object) -> object:
    try:
        return converted(kind, item)
    except msgspec.ValidationError:
        raise ValueError(f"{name}: expected {describe(kind)}, got {shown(item)}") from None


def shown(item: object) -> str:
    """Return a value as it was given, cut where it is long, in characters that any file can hold."""
    text = json.dumps(item)
    return text if len(text) <= 60 else f"{text[:57]}..."
