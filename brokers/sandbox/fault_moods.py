"""Kite's moods: what its users meet on a bad day, each as a few faults."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from brokers.sandbox import faults
from brokers.sandbox.faults import Fault

BOOKS: Final = (
    "GET /orders",
    "GET /trades",
    "GET /portfolio/*",
    "GET /gtt/triggers",
    "GET /user/margins*",
)

MOODS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "maintenance": (Fault("html"), Fault("html", on="socket")),
    "rest-away": (Fault("html"),),
    "books-away": tuple(Fault("503", on=book) for book in BOOKS),
    "books-behind": tuple(Fault("behind", on=book, seconds=6.0) for book in BOOKS),
    "late-postbacks": (Fault("delay", on="updates", seconds=8.0),),
    "no-postbacks": (Fault("drop", on="updates"),),
    "trades-behind": (Fault("trade-last", seconds=6.0),),
    "token": (Fault("token"),),
    "rms": (Fault("reject", seconds=0.1),),
    "rms-door": (Fault("refuse", on="POST /orders/*", message="RMS:Blocked for the account"),),
    "late-feed": (Fault("delay", on="ticks", seconds=120.0),),
    "no-history": (Fault("403", on="GET /instruments/historical/*"),),
}
"""Moods: maintenance pages, REST behind the order stream or ahead, refusals of the risk check, …"""


def mood_faults(name: str, **changes: Any) -> list[Fault]:
    """Return the faults of a mood, some fields changed (`lasts`, `at`, `seconds`, `where`, …)."""
    return [msgspec.structs.replace(fault, **changes).check() for fault in MOODS[name]]


def read_faults(given: object, source: str) -> list[Fault]:
    """Return the fault of a mapping, or the several of a mood it names; raise `ConfigError`."""
    if not isinstance(given, Mapping) or given.get("mood") not in MOODS:
        return [faults.read_fault(given, source)]
    name, changes = (
        str(given["mood"]),
        {key: value for key, value in given.items() if key != "mood"},
    )
    whole = faults.read_fault({"kind": MOODS[name][0].kind, **changes}, source)
    return mood_faults(name, **{key: getattr(whole, key) for key in changes})


def faults_from_text(text: str) -> list[Fault]:
    """Return the faults of a command line such as `maintenance at=11:00 lasts=600`.

    Other texts are read as by `faults.faults_from_text`.
    """
    name, _, rest = text.partition(" ")
    if name not in MOODS or name in faults.KINDS:
        return [faults.fault_from_text(text)]
    changes = faults.fault_from_text(f"{MOODS[name][0].kind} {rest}")
    usual = Fault(changes.kind)
    return mood_faults(
        name,
        **{
            key: getattr(changes, key)
            for key in Fault.__struct_fields__
            if getattr(changes, key) != getattr(usual, key)
        },
    )
