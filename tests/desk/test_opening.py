"""The opening of a desk, with all its reads, against an exchange that keeps Kite's documented rates."""

import json
import signal
import threading
import time

import pytest

import engine.desk
from tests.desk.support import PATIENCE_S, get, status, wait_for
from tests.desk.test_restart import CONFIG
from tui.station import Run

SETTLED = 5.0


def test_a_whole_opening_is_never_told_that_it_asks_too_often(patang):
    serving = patang.start("sandbox", "--seed", 11, "--start", "09:40", "--json", stdout=-1)
    endpoint = json.loads(serving.stdout.readline())
    (patang.home / "config.toml").write_text(CONFIG.format(**endpoint))
    desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs")
        time.sleep(SETTLED)
        books = get(endpoint["rest"] + "/sandbox/books")
        assert books["too_many"] == {}
    finally:
        for process in (desk, serving):
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


@pytest.mark.parametrize("moment", ["history", "restore"])
def test_a_desk_that_is_told_to_stop_while_it_opens_stops(station, monkeypatch, moment):
    made = station(Run(speed=1.0, start="10:00"))
    held, go_on = threading.Event(), threading.Event()
    read = getattr(engine.desk, moment)

    def held_up(*arguments):
        held.set()
        assert go_on.wait(PATIENCE_S)
        return read(*arguments)

    monkeypatch.setattr(engine.desk, moment, held_up)
    desk = made.open()
    assert held.wait(PATIENCE_S)
    desk.stop()
    go_on.set()
    assert desk.done.wait(PATIENCE_S)
    assert desk.error is None
    assert made.board.header.state == "stopped"
