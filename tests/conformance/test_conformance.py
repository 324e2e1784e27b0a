"""Kite's documented answers, as data.

Whoever speaks the protocol can be held against `cases.toml`.
"""

import tomllib
from pathlib import Path

import pytest
import requests

from brokers.sandbox.api import admin_key
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox

CASES = {
    case["name"]: case
    for case in tomllib.loads(Path(__file__).with_name("cases.toml").read_text())["case"]
}
BUILTINS = {"abs": abs, "all": all, "len": len, "min": min, "max": max, "set": set, "sum": sum}
TYPES = {
    "str": lambda v: isinstance(v, str),
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "list": lambda v: isinstance(v, list),
    "dict": lambda v: isinstance(v, dict),
    "null": lambda v: v is None,
    "any": lambda _: True,
}


class Peer:
    """A started exchange, spoken to with nothing but HTTP."""

    def __init__(self, endpoint, facts):
        self.endpoint, self.facts = endpoint, facts

    def ask(self, request):
        given = filled(request, self.facts)
        headers = {
            "X-Kite-Version": "3",
            "Authorization": f"token {self.endpoint.api_key}:{self.endpoint.access_token}",
        }
        return requests.request(
            given["method"],
            self.endpoint.rest + given["path"],
            params=given.get("query"),
            data=given.get("form"),
            json=given.get("json"),
            headers=headers,
            timeout=10,
        )


def filled(value, facts):
    if isinstance(value, dict):
        return {key: filled(one, facts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, facts) for one in value]
    return value.format(**facts) if isinstance(value, str) else value


@pytest.fixture
def peer():
    held = (("SBIN", 20, 900.0),)
    sandbox = Sandbox(
        SandboxConfig(
            speed=None, symbols=("INFY", "SBIN"), holdings=held, unsettled=(("INFY", 5, 1500.0),)
        )
    )
    endpoint = sandbox.start()
    clock = admin_key.call_admin(endpoint.rest, "GET", "/sandbox/clock")
    admin_key.call_admin(endpoint.rest, "POST", "/sandbox/advance", {"until": clock["now"] + 10**9})
    facts = {"symbol": "INFY", "token": 408065, "limit": "1450.0", "fund": "INF000S01010"}
    made = Peer(endpoint, facts)
    quote = made.ask({"method": "GET", "path": "/quote/ltp", "query": {"i": "NSE:INFY"}}).json()
    facts["near"] = quote["data"]["NSE:INFY"]["last_price"]
    yield made
    sandbox.stop()


def prepare(peer, case):
    for name in case.get("before", []):
        earlier = CASES[name]
        prepare(peer, earlier)
        answer = peer.ask(earlier["request"])
        assert answer.status_code == 200, answer.text
        kept = earlier.get("keep", {})
        names = kept if isinstance(kept, dict) else {key: key for key in kept}
        peer.facts |= {name: answer.json()["data"][key] for name, key in names.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_the_documented_one(peer, name):
    case = CASES[name]
    prepare(peer, case)
    answer = peer.ask(case["request"])
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    if "error" in case:
        check_error(case["error"], answer.status_code, body)
        return
    assert (answer.status_code, body["status"]) == (200, "success"), body
    data = body["data"]
    if "at" in case:
        data = data[filled(case["at"], peer.facts)]
    if "value" in case:
        assert (data, type(data)) == (case["value"], type(case["value"]))
        return
    rows = data if "each" in case else [data]
    assert rows, "a case without a row shows nothing"
    for row in rows:
        check_shape(case.get("each") or case["shape"], row)
        for identity in case.get("identities", []):
            assert eval(identity, BUILTINS | row), (identity, row)  # noqa: S307, RUF100 our own data


def check_error(expected, status, body):
    assert set(body) == {"status", "message", "data", "error_type"}
    assert (body["status"], body["data"]) == ("error", None)
    assert (status, body["error_type"]) == (expected["status"], expected["type"])
    assert body["message"] == expected.get("message", body["message"]) != ""


def check_shape(shape, row):
    for field, types in shape.items():
        if types.startswith("?") and field not in row:
            continue
        assert field in row, field
        assert any(TYPES[one](row[field]) for one in types.lstrip("?").split("|")), (
            field,
            row[field],
            types,
        )


def test_every_shape_can_fail():
    with pytest.raises(AssertionError):
        check_shape({"a": "int"}, {"a": True})
    with pytest.raises(AssertionError):
        check_shape({"a": "str|null"}, {})
    check_shape({"a": "?str"}, {})
