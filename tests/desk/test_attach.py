"""The real program at a terminal, attached to a desk that has none."""

import json

from tests.desk.support import rows, status, wait_for
from tests.desk.test_kill import Screen
from tui.attach.operator_passphrase import choose_passphrase

WORDS = "correct horse battery"


def test_screens_come_and_go_at_a_desk_without_one_and_it_ends_when_told_to(patang):
    (patang.home / "config.toml").write_text('[feed]\nwatch = ["INFY"]\n')
    desk = patang.start("run", "--no-ui", stdout=-1, stderr=-3)
    wait_for(lambda: status(patang).get("state") == "running", "the desk runs")
    [told] = map(json.loads, patang.call("desks", "--json").stdout.splitlines())
    assert (told["mode"], told["state"], told["attached"]) == ("SANDBOX", "running", 0)
    assert (told["process"], told["folder"]) == (desk.pid, str(patang.state()))

    viewer = Screen(patang, "attach")
    wait_for(lambda: b"VIEWER" in viewer.seen, "the picture is there")
    viewer.type("B")
    wait_for(lambda: b"a viewer changes nothing" in viewer.seen, "a key that acts says so")
    choose_passphrase(patang.state().parent / "operator", WORDS)
    operator = Screen(patang, "attach", "--as", "operator")
    wait_for(lambda: b"Passphrase of operators" in operator.seen, "it is asked for")
    operator.type(WORDS + "\r")
    wait_for(lambda: b"OPERATOR" in operator.seen, "it is let in")
    assert WORDS.encode() not in operator.seen
    assert status(patang)["attached"] == 2
    viewer.type("\x0b")
    wait_for(lambda: status(patang).get("kill") == "halt", "a viewer halts")
    wait_for(lambda: b"KILL SWITCH" in operator.seen, "the other one sees it")
    operator.type("\x12")
    wait_for(lambda: b"Let the desk go on?" in operator.seen, "the reason is asked for")
    operator.type("looked at it\r")
    wait_for(lambda: status(patang).get("kill") == "", "an operator resumes")
    viewer.type("\x11")
    wait_for(viewer.left, "leaving detaches")
    assert viewer.code == 0
    assert b"detached; the sandbox desk goes on" in viewer.seen
    [stopped] = map(json.loads, patang.call("stop", "--json").stdout.splitlines())
    assert stopped == {
        "mode": "SANDBOX", "state": "stopped", "pnl": 0, "positions": 0, "naked": 0
    }  # fmt: skip
    desk.communicate()
    wait_for(lambda: b"DESK ENDED" in operator.seen, "the end is said")
    operator.type("\x11")
    wait_for(operator.left, "it leaves")
    assert b"the sandbox desk has ended" in operator.seen
    database = next(patang.state().glob("run-*.db"))
    audit = [(row["who"].split()[0], row["act"]) for row in rows(database, "SELECT * FROM audit")]
    assert ("viewer", "attached") in audit
    assert ("operator", "attached") in audit
    assert ("viewer", "detached") in audit
    resumed = rows(database, "SELECT * FROM audit WHERE act = 'resumed'")
    assert resumed[0]["detail"].startswith("operator ")


def test_without_a_desk_or_a_terminal_it_is_one_line_and_a_documented_code(patang):
    for words in (("attach",), ("attach", "--as", "operator"), ("desks",)):
        done = patang.call(*words)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == "patang: no desk is running\n"
    done = patang.call("attach", "--mode", "live")
    assert done.stderr == "patang: no live desk is running\n"
