"""Commands on closed, full or broken streams, and with impossible numbers."""

import subprocess
from pathlib import Path

import pytest

from tests.desk.test_bad_input import one_line


def shell(patang, script):
    command = " ".join(f"'{part}'" for part in patang.command())
    done = subprocess.run(
        ["bash", "-c", script.replace("patang", command)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=patang.environment,
        cwd=patang.home,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    return done


def test_a_closed_a_full_and_a_broken_output_are_told_in_a_line_or_not_at_all(patang):
    closed = shell(patang, "patang version >&- <&-")
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")
    if Path("/dev/full").exists():
        full = shell(patang, "patang config show >/dev/full")
        assert (full.returncode, full.stderr) == (
            1,
            "patang: the output: no space left on device: free some space\n",
        )
    broken = shell(patang, "set -o pipefail; patang completion bash | true")
    assert (broken.returncode, broken.stderr) == (0, "")


@pytest.mark.parametrize(
    "number",
    [
        "1_0",
        "\u0661\u0660",
        "\uff11\uff10",
        "0x10",
        "",
        "+1",
        " 1",
        "1 ",
        "ten",
        "7.5",
        "1e3",
        "inf",
        "1" + "0" * 40,
    ],
)
def test_a_number_is_read_strictly(patang, number):
    line = one_line(patang.call("order", "buy", "INFY", number, "--bare"), 2)
    assert f"expected a whole number, got {' '.join(f'{number}.'.split())}" in line
    assert line.endswith("--quantity: Shares. See patang --help.")
    if number in {"7.5", "1e3", "inf", "1" + "0" * 40}:
        return  # a price may be written like that
    assert "expected a number" in one_line(patang.call("modify", "1", "--price", number), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        *(f"order buy INFY 10 --stop {stop}" for stop in ("2%", "-2", "nan")),
        "reconcile INFY:CNC adopt --stop 2%",
    ],
)
def test_a_stop_that_is_no_percentage_is_told_what_it_is_of(patang, wrong):
    assert "percent" in one_line(patang.call(*wrong.split()), 2).lower()


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_completion_that_knows_the_commands(patang, shell_name):
    done = patang.call("completion", shell_name)
    assert done.returncode == 0
    for word in ("reconcile", "stop", "demo", "speed"):
        assert word in done.stdout


def test_the_version_is_an_option_too(patang):
    assert patang.call("--version").stdout == patang.call("version").stdout != ""


@pytest.mark.parametrize(
    "wrong", ["status INFY", "calendar 2026-12-08 INFY", "reconcile A adopt mine INFY"]
)
def test_an_argument_too_many_is_named(patang, wrong):
    line = one_line(patang.call(*wrong.split()), 2)
    assert line == f"patang: {wrong.split()[0]} takes no further argument: INFY. See patang --help."


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("--versoin", "--version"),
        ("--hlep", "--help"),
        ("stauts", "status"),
        ("status --jsn", "--json"),
    ],
)
def test_a_misspelt_option_or_command_is_told_the_nearest(patang, wrong, meant):
    assert one_line(patang.call(*wrong.split()), 2).endswith(
        f"Did you mean {meant}? See patang --help."
    )
