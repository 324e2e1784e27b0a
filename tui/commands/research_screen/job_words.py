"""The fields of a form as the words of a command."""

import shlex
from typing import Final

from engine.errors import ConfigError

OPTIONS: Final = {
    "symbols": "--symbols",
    "from": "--from",
    "to": "--to",
    "span": "--span",
    "cash": "--cash",
}
REPEATED: Final = {"settings": "--set", "axes": "--param"}
"""Fields of several values with blanks between, each with the option it is given by."""
FIELDS: Final = {
    "backtest": ("strategy", "symbols", "from", "to", "span", "settings", "cash"),
    "sweep": ("strategy", "symbols", "from", "to", "axes", "cash", "sampler", "workers"),
    "check": ("strategy", "symbols", "from", "to", "span", "settings"),
}
SWEEP_ONLY: Final = {"sampler": "--sampler", "workers": "--workers"}


def job_words(kind: str, fields: dict[str, str]) -> list[str]:
    """Return the words of a command; raise `ConfigError` for quotes that do not end."""
    words = [kind]
    for name in FIELDS[kind]:
        text = fields.get(name, "").strip()
        if not text:
            continue
        # the one field that is an argument, not an option
        if name == "strategy":
            words.append(text)
        elif name in REPEATED:
            # as a shell would split it: a value may have blanks
            try:
                parts = shlex.split(text)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
            for part in parts:
                words += [REPEATED[name], part]
        else:
            # "INFY, SBIN" is how people write a list
            words += [(OPTIONS | SWEEP_ONLY)[name], text.replace(" ", "")]
    return words
