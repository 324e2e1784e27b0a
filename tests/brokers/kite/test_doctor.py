"""Findings and advice of the doctor."""

import asyncio
import fcntl
import json
import random
import sqlite3
from functools import partial
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import KiteFeed
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from compiled.model.values import Bar, Instrument
from engine.config.config_files import load_config
from engine.errors import ConnectionFailed, OperatorError, RetryableError
from engine.ops import doctor
from tui.commands.desk.desk_doctor import local_checks, outgoing_address
from tui.run.credentials import BrokerEndpoint
from tui.run.preflight import check_listed

NOON = 1_767_335_400_000_000_000  # 2026-01-02 12:00 IST
SECOND = 1_000_000_000


class Body:
    """A broker and a feed, as well as they are told to be."""

    def __init__(self):
        self.user, self.count, self.told, self.links = "AB1234", 2_000, NOON, True

    async def account(self):
        return give(self.user)

    async def instruments(self, exchange):
        return [Instrument(n, exchange, f"S{n}", 0.05) for n in range(give(self.count))]

    async def history(self, token, start, end, span):
        return [Bar(token, end - span * SECOND, span, 1.0, 1.0, 1.0, 1.0, 1)]

    async def server_time(self):
        return give(self.told)

    async def run(self, sink):
        sink.notice("info", "hello")
        if self.links:
            sink.link(True)
        else:
            sink.notice("warn", "refused with HTTP 429")
        await asyncio.Event().wait()


def give(value):
    if isinstance(value, Exception):
        raise value
    return value


def well(path):
    """Say nothing against a database."""


def a_patient(body, folder, **changes):
    values = {
        "broker": body,
        "feed": body,
        "clock": SimpleNamespace(now=lambda: NOON + SECOND // 2),
        "state": folder,
        "database": folder / "desk.db",
        "server_time": body.server_time,
        "whole": well,
        "outgoing": ip_address("203.0.113.7"),
        "registered": ip_address("203.0.113.7"),
    }
    return doctor.HealthSubject(**(values | changes))


async def test_a_healthy_desk_is_well_in_every_respect(tmp_path):
    checks = await doctor.examine(a_patient(Body(), tmp_path, expires=1_767_400_200 * SECOND))
    assert [(check.name, check.state, check.mend) for check in checks] == [
        (name, "ok", "")
        for name in (
            "disk",
            "database",
            "token",
            "clock",
            "address",
            "instruments",
            "history",
            "feed",
        )
    ]
    assert checks[2].text == "account AB1234, until 03 Jan 06:00 IST"
    assert doctor.worst_state(checks) == "ok"


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (OperatorError("expired"), "patang login"),
        (ConnectionFailed("nobody"), "check the network, and broker.rest"),
        (RetryableError("busy"), "try again in a moment"),
    ],
)
async def test_without_a_token_nothing_behind_it_is_blamed(tmp_path, error, mend):
    body = Body()
    body.user = error
    checks = {check.name: check for check in await doctor.examine(a_patient(body, tmp_path))}
    assert (checks["token"].state, checks["token"].mend) == ("fail", mend)
    assert (checks["instruments"].state, checks["feed"].state) == ("warn", "warn")
    assert doctor.worst_state(list(checks.values())) == "fail"


@pytest.mark.parametrize(
    ("off", "state", "text"),
    [
        (0, "ok", "0.0 s"),
        (1.0, "ok", "1.0 s behind"),
        (3, "warn", "3.0 s behind"),
        (-3, "warn", "3.0 s ahead of"),
        (11, "fail", "11.0 s behind"),
    ],
)
async def test_a_clock_that_is_off_is_told_by_how_much(tmp_path, off, state, text):
    body = Body()
    body.told = NOON + int(off * SECOND)
    check = await doctor.check_clock(a_patient(body, tmp_path))
    assert check.state == state
    assert text in check.text
    assert bool(check.mend) == (state != "ok")


async def test_a_slow_answer_makes_the_clock_uncertain_and_not_wrong(tmp_path):
    times = [NOON, NOON + 8 * SECOND, NOON + 8 * SECOND, NOON + 8 * SECOND]
    body = Body()
    body.told = NOON + 6 * SECOND  # four seconds on their way, two of them after the answer
    patient = a_patient(body, tmp_path, clock=SimpleNamespace(now=lambda: times.pop(0)))
    assert (await doctor.check_clock(patient)).state == "ok"
    body.told = RetryableError("busy")
    assert (await doctor.check_clock(a_patient(body, tmp_path))).state == "warn"


@pytest.mark.parametrize(
    ("leaves", "registered", "state"),
    [
        ("203.0.113.7", "203.0.113.7", "ok"),
        ("203.0.113.7", "203.0.113.8", "fail"),
        ("192.168.1.5", "203.0.113.8", "warn"),
        ("203.0.113.7", None, "warn"),
        (None, "203.0.113.7", "warn"),
        ("2001:4860:4860::8888", "2001:4860:4860::8888", "ok"),
    ],
)
def test_the_address_orders_leave_from_is_compared_with_the_registered_one(
    leaves, registered, state, monkeypatch
):
    # 203.0.113.0/24 is for examples, and so private to Python; here it plays the public one
    monkeypatch.setattr(
        "ipaddress.IPv4Address.is_private", property(lambda self: str(self).startswith("192.168"))
    )
    pair = [None if text is None else ip_address(text) for text in (leaves, registered)]
    assert doctor.check_address(*pair).state == state


def test_the_way_out_of_this_machine_is_found_without_sending_anything():
    assert outgoing_address("127.0.0.1") == ip_address("127.0.0.1")

    def fails(host):
        raise OSError(host)

    assert outgoing_address("nowhere", fails) is None


@pytest.mark.parametrize(("free", "state"), [(0.1, "fail"), (1.0, "warn"), (50.0, "ok")])
def test_a_disk_that_is_nearly_full_is_told(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _path: SimpleNamespace(free=int(free * 1024**3))
    )
    assert doctor.check_disk(tmp_path).state == state


def test_a_state_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "way").write_text("in the way")
    check = doctor.check_disk(tmp_path / "way" / "state")
    assert check.state == "fail"
    assert "desk.state_dir" in check.mend


def test_a_database_is_looked_at_without_touching_it(tmp_path):
    path = tmp_path / "desk.db"
    assert doctor.check_database(path, well).state == "ok"
    assert not path.exists()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
    db.close()
    assert doctor.check_database(path, well).text.endswith("is whole")
    lock = path.with_name("desk.db.lock")
    with lock.open("w") as held:
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "process 4711" in doctor.check_database(path, well).text
    assert "4711" not in doctor.check_database(path, well).text
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 4] = bytes(4096)
    path.write_bytes(raw)
    assert doctor.check_database(path, well).state == "fail"
    path.write_bytes(b"no database at all" * 100)
    assert doctor.check_database(path, well).state == "fail"


@pytest.mark.parametrize(
    ("count", "state"), [(2_000, "ok"), (20, "warn"), (RetryableError("empty"), "fail")]
)
async def test_a_short_instrument_list_is_suspicious_except_at_the_sandbox(tmp_path, count, state):
    body = Body()
    body.count = count
    (check,) = await doctor.check_instruments(a_patient(body, tmp_path))
    assert check.state == state
    if count == 20:
        assert [
            each.state
            for each in await doctor.check_instruments(a_patient(body, tmp_path, sandbox=True))
        ] == ["ok"]


async def test_a_symbol_that_is_not_listed_is_a_fault(tmp_path):
    (tmp_path / "config.toml").write_text('[feed]\nwatch = ["S1", "NOSUCH", "INFY"]\n')
    config = load_config(tmp_path / "config.toml").values
    checks = await doctor.check_instruments(
        a_patient(Body(), tmp_path, check_listed=partial(check_listed, config))
    )
    assert [(check.state, check.text) for check in checks] == [
        ("ok", "2000 on NSE"),
        ("fail", "no such symbol on NSE: NOSUCH, INFY"),
    ]


async def test_a_feed_that_does_not_connect_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.ops.doctor.FEED_PATIENCE", 0.1)
    body = Body()
    body.links = False
    check = await doctor.check_feed(a_patient(body, tmp_path))
    assert (check.state, check.text) == ("fail", "refused with HTTP 429")


def test_the_report_has_a_line_for_each_check_and_one_for_each_mend():
    checks = [
        doctor.HealthCheck("disk", "ok", "fine"),
        doctor.HealthCheck("token", "fail", "dead", "patang login"),
    ]
    assert list(doctor.report_lines(checks)) == [
        "ok    disk   fine",
        "fail  token  dead",
        "             → patang login",
    ]


async def test_the_real_adapter_at_the_sandbox_is_well_and_a_wrong_token_is_not(tmp_path, clock):
    sandbox = Sandbox(SandboxConfig(symbols=("INFY",)))
    endpoint = sandbox.start()
    try:
        for token, states in (
            (
                endpoint.access_token,
                {"token": "ok", "instruments": "ok", "history": "ok", "feed": "ok"},
            ),
            ("wrong", {"token": "fail", "instruments": "warn", "history": "warn", "feed": "warn"}),
        ):
            broker = KiteBroker(endpoint.rest, endpoint.api_key, token, clock)
            feed = KiteFeed(endpoint.ws, endpoint.api_key, token, clock, rng=random.Random(1))
            patient = a_patient(Body(), tmp_path, broker=broker, feed=feed, sandbox=True)
            found = {check.name: check.state for check in await doctor.examine(patient)}
            assert found.items() >= states.items()
            if token != "wrong":
                assert 0 <= await broker.server_time() - 1_795_146_300 * SECOND < 60 * SECOND, (
                    "the sandbox plays 09:15"
                )
            await broker.close()
    finally:
        sandbox.stop()


def test_patang_doctor_warns_of_holdings_that_lack_their_authorisation(
    tmp_path, monkeypatch, capsys
):
    from tui.commands.cli import run_command

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    sandbox = Sandbox(
        SandboxConfig(
            consent=False, symbols=("INFY",), holdings=(("INFY", 10, 1_500.0),), limits="off"
        )
    )
    endpoint = sandbox.start()
    config = tmp_path / "config.toml"
    broker = "".join(
        f'{name} = "{getattr(endpoint, name)}"\n'
        for name in ("rest", "ws", "api_key", "access_token")
    )
    found = {}
    try:
        for demat in ("auto", "daily", "standing"):
            config.write_text(f'[broker]\n{broker}demat = "{demat}"\n')
            assert run_command(["doctor", "--json", "--config", str(config)]) == 0
            report = json.loads(capsys.readouterr().out)
            found[demat] = [
                (c["state"], c["text"], c["mend"]) for c in report["checks"] if c["name"] == "demat"
            ]
    finally:
        sandbox.stop()
    [(state, text, mend)] = found["auto"]
    assert (state, text) == (
        "warn",
        "each day's sale of holdings needs an authorisation; not authorised today: INFY",
    )
    assert "TPIN" in mend
    assert "DDPI" in mend
    assert (found["daily"], found["standing"]) == (found["auto"], [])


def test_patang_doctor_reports_in_json_and_fails_with_a_dead_token(tmp_path, monkeypatch, capsys):
    from tui.commands.cli import run_command

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert run_command(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["state"], [check["name"] for check in report["checks"]]) == (
        "ok",
        [
            "mode",
            "day",
            "environment",
            "disk",
            "database",
            "token",
            "instruments",
            "history",
            "feed",
            "budget",
        ],
    )
    sandbox = Sandbox(SandboxConfig(symbols=("INFY",)))
    endpoint = sandbox.start()
    config = tmp_path / "config.toml"
    config.write_text(
        f'[broker]\nrest = "{endpoint.rest}"\nws = "{endpoint.ws}"\n'
        f'api_key = "{endpoint.api_key}"\n'
        'access_token = "TOKENSECRET"\n',
        "utf-8",
    )
    assert run_command(["doctor", "--config", str(config)]) == 1
    sandbox.stop()
    out, err = capsys.readouterr()
    assert "fail  token" in out
    assert "→ patang login" in out
    assert "SECRET" not in out + err
    assert run_command(["doctor", "--static-ip", "nonsense"]) == 2


def report(tmp_path, text, now=NOON):
    file = tmp_path / "config.toml"
    file.write_text(text)
    config = load_config(file).values
    place = BrokerEndpoint("http://127.0.0.1:9", "", "", "KEY")
    return {check.name: check for check in local_checks(config, place, now)}


def test_the_mode_says_where_it_leads_and_a_real_one_what_goes_with_each_order(tmp_path):
    assert report(tmp_path, "")["mode"].text == "sandbox at the embedded sandbox"
    live = (
        '[desk]\nmode = "live"\n[broker]\nname = "kite"\nalgo_id = "A7"\nmarket_protection = 2.5\n'
    )
    told = report(tmp_path, live)["mode"]
    for part in ("live at Kite", "--live", "2.5 %", "A7"):
        assert part in told.text


def test_a_day_without_trading_and_one_without_a_calendar_are_told(tmp_path):
    assert report(tmp_path, "")["day"].text == "2026-01-02, 09:15 to 15:30 IST"
    assert report(tmp_path, "", NOON + 86_400 * SECOND)["day"].state == "warn"
    assert report(tmp_path, "", NOON + 20 * 365 * 86_400 * SECOND)["day"].state == "fail"


def test_an_address_that_is_not_this_machines_is_told(tmp_path):
    assert report(tmp_path, '[broker]\nbind_ip = "127.0.0.1"\n')["bind"].state == "ok"
    told = report(tmp_path, '[broker]\nbind_ip = "203.0.113.7"\n')["bind"]
    assert (told.state, "203.0.113.7" in told.text) == ("fail", True)


def test_where_tokens_are_kept_is_told_and_one_from_a_variable_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    kite = '[desk]\nmode = "paper"\n[broker]\nname = "kite"\n'
    assert (
        f"in {tmp_path / 'patang' / 'credentials'}, without a session"
        in report(tmp_path, kite)["secrets"].text
    )
    assert report(tmp_path, kite + 'access_token_env = "KITE_TOKEN"\n')["secrets"].state == "warn"
