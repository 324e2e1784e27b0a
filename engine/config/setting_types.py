"""Kinds of settings: what a field's annotation says of its meaning, its bounds and its form."""

from typing import Annotated, Literal

from msgspec import Meta

from engine.config.toml_reader import UPPER

DAY_SECONDS = 86_400
CRORE = 10_000_000


def described_as(text: str) -> Meta:
    """Say what a setting is for."""
    return Meta(description=text)


def within_bounds(low: float, high: float, text: str) -> Meta:
    """Say what a number is for, and from where to where it may be."""
    return Meta(ge=low, le=high, description=text)


def matching_pattern(pattern: str, expected: str, text: str) -> Meta:
    """Say what a text is for, and in one phrase what it must look like."""
    return Meta(pattern=pattern, title=expected, description=text)


def variable_name(text: str) -> Meta:
    """Describe a setting that names a variable.

    One of ours, or whoever writes the file has any secret sent to its host.
    """
    # With any name, a file from somebody else could send AWS_SECRET_ACCESS_KEY to his host as an
    # API key.
    return matching_pattern(
        r"^((PATANG|KITE)[A-Z0-9_]*)?$", "a name that begins with PATANG or KITE", text
    )


Direction = Literal["long", "short", "both"]
Symbol = Annotated[
    str, Meta(pattern=r"^[^\s:]+( [^\s:]+)*$", title='a symbol as "INFY"', extra=UPPER)
]
Symbols = tuple[Symbol, ...]
Span = Annotated[int, Meta(ge=1, le=DAY_SECONDS)]
