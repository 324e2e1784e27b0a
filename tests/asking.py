"""Requests of the operator in few words, and what a desk says of them in one line."""

import json

from engine.operator_requests import TAG, DecideRequest, read_request


def asked(act, **fields):
    """Return a request as the desk's door reads it."""
    return read_request(json.dumps({TAG: act} | fields))


def decision(words):
    """Read a decision: "KEY CHOICE [STRATEGY] [stop=PERCENT] [ratio=AFTER:BEFORE]"."""
    key, choice, *more = words.split()
    named = dict(word.split("=") for word in more if "=" in word)
    strategy = " ".join(word for word in more if "=" not in word)
    stop, ratio = float(named.get("stop", 0)), named.get("ratio", "")
    return DecideRequest(key, choice, strategy, stop, ratio)


def answer_of(desk, number):
    """Return what became of a request in one line, empty while it is pending."""
    outcome = desk.outcome(number)
    return "" if outcome is None else str(outcome)
