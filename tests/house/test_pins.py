"""Complaints of the gate about dependencies not pinned by hash."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = (ROOT / "constraints.txt").read_text()


@pytest.fixture(scope="module")
def pinned():
    spec = importlib.util.spec_from_file_location("pinned", ROOT / ".ci" / "pinned.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_pin_has_a_hash_and_anything_else_that_is_installed_is_named(pinned):
    known = {
        pinned.plain(name): version
        for name, version in re.findall(r"^([\w.-]+)==([\w.!+]+)", PINS, re.MULTILINE)
    }
    assert len(known) > 80
    installed = {"patang": "0.1.0", "pip": "1", **known}
    assert pinned.complaints(PINS, installed) == []
    assert pinned.complaints(PINS, installed | {"left-pad": "1.0"}) == [
        "installed without a pin: left-pad==1.0 (pinned: nothing)"
    ]
    assert pinned.complaints(PINS, installed | {"aiohttp": "1.0"}) == [
        f"installed without a pin: aiohttp==1.0 (pinned: {known['aiohttp']})"
    ]


@pytest.mark.parametrize(
    "pin",
    [
        "left-pad==1.0",
        "left-pad>=1.0 \\\n    --hash=sha256:" + "0" * 64,
        "left-pad==1.0 \\\n    --hash=sha256:" + "0" * 63,
        "left-pad==1.0 \\\n    --hash=md5:" + "0" * 32,
        "left-pad",
        "left-pad @ https://evil.example/x.whl",
    ],
)
def test_a_pin_without_a_whole_hash_is_named(pinned, pin):
    assert pinned.complaints(PINS + pin + "\n", {}) == [
        f"no pin with hashes: {pin.splitlines()[0]}"
    ]
