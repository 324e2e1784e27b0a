"""The opening of a desk, with all its reads, against an exchange that keeps Kite's documented rates."""

import json
import signal
import time

from tests.desk.support import PATIENCE_S, get, status, wait_for
from tests.desk.test_restart import CONFIG

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
