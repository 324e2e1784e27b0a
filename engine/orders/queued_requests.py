"""Requests that wait for the governor: their class, their urgency, and what they change."""

from typing import NamedTuple

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    KernelCommand,
    ModifyGtt,
    ModifyOrder,
    PlaceGtt,
    PlaceOrder,
)
from compiled.model.values import OrderPurpose

PURPOSES = (OrderPurpose.EXIT, OrderPurpose.PROTECT, OrderPurpose.ENTRY)
"""The most urgent first."""


class QueuedRequest(NamedTuple):
    """A request that waits for the governor, in words: its class, its kind and its instrument.

    `since` is when it came, `due` when it may leave (ns UTC; -1: not today).
    """

    purpose: str
    what: str
    symbol: str
    since: int
    due: int


def is_entry(command: KernelCommand) -> bool:
    """Return whether a request is a new entry."""
    return isinstance(command, PlaceOrder) and command.order.purpose is OrderPurpose.ENTRY


def purpose_of(command: KernelCommand) -> OrderPurpose:
    """Return the class of a request; the removal of an order or a GTT is as urgent as an exit."""
    if isinstance(command, PlaceOrder | ModifyOrder):
        return command.order.purpose
    return (
        OrderPurpose.EXIT if isinstance(command, CancelOrder | DeleteGtt) else OrderPurpose.PROTECT
    )


def changed_intent(command: KernelCommand) -> int:
    """Return the intent a request changes at the broker, 0 for a new or a foreign one."""
    if isinstance(command, ModifyOrder | CancelOrder):
        return int(command.order.intent)
    return int(command.gtt.intent) if isinstance(command, ModifyGtt | DeleteGtt) else 0


def intent_of(command: KernelCommand) -> int:
    """Return the intent a request is about."""
    if isinstance(command, PlaceOrder | ModifyOrder | CancelOrder):
        return int(command.order.intent)
    return int(command.gtt.intent) if isinstance(command, PlaceGtt | ModifyGtt | DeleteGtt) else 0


def token_of(command: KernelCommand) -> int:
    """Return the token of the instrument a request is about."""
    if isinstance(command, PlaceOrder | ModifyOrder | CancelOrder):
        return int(command.order.token)
    return int(command.gtt.token) if isinstance(command, PlaceGtt | ModifyGtt | DeleteGtt) else 0


def by_urgency(item: tuple[int, int, KernelCommand, int]) -> tuple[int, int]:
    """Order waiting requests: by class, then by age."""
    return item[:2]
