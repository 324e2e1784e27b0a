"""The names of what is kept, results and sweeps, as somebody types them."""

from collections.abc import Sequence
from typing import Final

from engine.config.toml_reader import close_hint
from engine.errors import NothingFound
from engine.texts import first_names

LAST: Final = "last"
"""What names the newest."""


def find_kept(text: str, names: Sequence[str], what: str) -> str:
    """Return the name that begins so, or ends so after a hyphen, or the `last`.

    `names` are there, the newest first; `what` they are, in the singular. Raise `NothingFound`
    where none is meant, or several are.
    """
    if text == LAST and names:
        return names[0]
    # Names of one kind begin alike, a day or a strategy: the end, a hash, is as good to type.
    match = [
        name for name in names if text and (name.startswith(text) or name.endswith(f"-{text}"))
    ]
    if text in match or len(match) == 1:
        return text if text in match else match[0]
    if match:
        raise NothingFound(f"{text}: several {what}s begin so: {first_names(match)}")
    hint = close_hint(text, names) or f"; there are {first_names(names) or 'none'}"
    raise NothingFound(f"{text}: no such {what}{hint}")
