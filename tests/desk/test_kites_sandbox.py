"""Zerodha's own sandbox as a broker.

Routes under a prefix, LIMIT orders only, nothing protected, and all of it said.
"""

import io
import json
import threading

import pytest

from brokers.kite import kite_login, zerodha_sandbox
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from brokers.session.login_redirect import LoginRedirect
from engine.errors import ConfigError
from strategies import load_config
from tests.asking import answer_of, asked
from tests.brokers.kite.browser import visit
from tests.desk.support import get, wait_for
from tests.desk.theirs import Theirs
from tui.commands.cli import run_command
from tui.run import launch
from tui.run.credentials import endpoint_of
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

NAMES = ("INFY", "ITC")
CONFIG = """
[broker]
name = "kite"
rest = "http://{url}/oms"
ws = "ws://{url}"
api_key = "{api_key}"
[feed]
stale_after_s = 600
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
"""


def a_config(folder, text):
    file = folder / "config.toml"
    file.write_text(text, "utf-8")
    return load_config(file).values


def test_its_address_is_enough_to_know_where_everything_is(tmp_path, monkeypatch):
    monkeypatch.delenv("KITE_API_KEY", raising=False)
    text = (
        '[broker]\nname = "kite"\nrest = "https://sandbox.kite.trade"\n'
        'ws = "wss://ws-sandbox.kite.trade"\n'
    )
    place = endpoint_of(a_config(tmp_path, text))
    assert (place.rest, place.ws) == (
        "https://sandbox.kite.trade/oms",
        "wss://ws-sandbox.kite.trade",
    )
    assert (place.page, place.api_key) == (
        "https://sandbox.kite.trade/connect/login",
        "sandboxdemo",
    )
    assert endpoint_of(a_config(tmp_path, text.replace('.trade"', '.trade/oms"', 1))) == place
    with pytest.raises(ConfigError, match="patang login"):
        endpoint_of(a_config(tmp_path, text + 'access_token_env = "KITE_TOKEN"\n'))
    with pytest.raises(ConfigError, match=r'broker\.name.*"kite"'):
        endpoint_of(a_config(tmp_path, text.replace('name = "kite"\n', "")))
    assert not zerodha_sandbox.is_zerodha_sandbox("https://api.kite.trade")


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A sandbox with Zerodha's routes, configured, and an operator logged in by its page."""
    with LoginRedirect(0, "", kite_login.request_token) as free:
        port = int(free.url.split(":")[2].strip("/"))
    back = f"http://127.0.0.1:{port}/"
    sandbox = Sandbox(
        SandboxConfig(
            date="2026-11-20", start="10:00", speed=10.0, symbols=NAMES, limits=False, redirect=back
        )
    )
    made = Theirs(sandbox.start()).start()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    monkeypatch.setenv("KITE_API_SECRET", made.endpoint.api_secret)
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(
        "webbrowser.open", lambda url: threading.Thread(target=visit, args=(url,)).start() or True
    )
    made.text = CONFIG.format(url=made.url, api_key=made.endpoint.api_key)
    a_config(tmp_path, made.text)
    assert (
        run_command(
            [
                "login",
                "--config",
                str(tmp_path / "config.toml"),
                "--port",
                str(port),
                "--wait",
                "60",
            ]
        )
        == 0
    )
    yield made
    made.stop()
    sandbox.stop()


def books(theirs):
    return get(theirs.endpoint.rest + "/sandbox/books")


def statuses(theirs):
    return [order["status"] for order in books(theirs)["orders"]]


def said(made, act, **fields):
    """Return what the desk answers."""
    number = made.desk.submit(asked(act, **fields))
    return wait_for(lambda: answer_of(made.desk, number), act)


def bought(made, **ticket):
    return said(
        made, "order", **({"symbol": "ITC", "side": "BUY", "quantity": 10, "stop": 0} | ticket)
    )


def test_a_day_by_hand(theirs, station, capsys):
    made = station(RunPlan("live", live=True, confirm=theirs.endpoint.user_id), theirs.text)
    launch.authorise_session(made)
    assert "LIMIT orders only" in capsys.readouterr().err
    open_desk(made)
    board = made.board
    wait_for(lambda: board.header.state == "by hand", made.desk.describe)
    wait_for(
        lambda: len(board.watch.rows) == 2 and all(row.bid > 0.0 for row in board.watch.rows),
        "both tick",
    )
    assert any(
        row.level == "alarm" and "nothing protects them" in row.text for row in list(board.events)
    )
    row = {row.symbol: row for row in board.watch.rows}["ITC"]
    dear = round(row.ltp * 1.02 * 10) / 10  # on the grid, and beyond the last price: it trades

    for ticket in (
        {"price": 0},
        {"stop": 2.0},
        {"trigger": dear},
        {"variety": "iceberg", "legs": 2},
    ):
        assert bought(made, **({"price": dear} | ticket)).startswith("refused: LIMIT_ONLY: "), (
            ticket
        )
    ticket = asked("preview", symbol="ITC", side="BUY", quantity=10, stop=0, price=dear)
    number = made.desk.submit(ticket)
    preview = wait_for(lambda: made.desk.outcome(number), "its preview").data
    assert preview["margin_missing"] == "this broker does not tell what orders block"

    assert bought(made, price=dear).startswith("done: ")
    wait_for(lambda: statuses(theirs) == ["COMPLETE"], "it is bought")
    wait_for(lambda: board.header.naked == 1, "it is naked: nothing protects it")
    [there] = books(theirs)["orders"]
    assert (there["order_type"], there["price"]) == ("LIMIT", dear)

    assert said(made, "exit", token=row.token).startswith("done: ")
    wait_for(lambda: statuses(theirs) == ["COMPLETE", "COMPLETE"], "it is sold")
    wait_for(lambda: board.header.naked == 0, "the desk knows that, too")
    there = books(theirs)["orders"][1]
    assert (there["transaction_type"], there["order_type"]) == ("SELL", "LIMIT")
    assert there["price"] < there["average_price"], "priced to fill"

    assert bought(made, price=dear).startswith("done: ")
    rests = round(row.ltp * 0.96 * 10) / 10
    assert bought(made, price=rests).startswith("done: ")
    wait_for(lambda: statuses(theirs)[2:] == ["COMPLETE", "OPEN"], "one more is bought, one rests")
    wait_for(lambda: board.header.naked == 1, "the desk knows both")
    made.desk.kill(flatten=True, reason="enough")
    wait_for(
        lambda: not any(each["quantity"] for each in books(theirs)["positions"]),
        "everything is flat",
    )
    wait_for(lambda: statuses(theirs)[3] == "CANCELLED", "what rested is cancelled")
    wait_for(lambda: board.header.naked == 0, "the desk knows")

    orders = books(theirs)["orders"]
    assert len(orders) == 5
    assert {each["order_type"] for each in orders} == {"LIMIT"}
    assert theirs.refused == [], "nothing was asked for that it does not have"
    assert list(board.differences.rows) == []
    made.close()


def test_the_doctor_says_it_and_finds_the_feed_connected(theirs, tmp_path, capsys):
    capsys.readouterr()
    assert run_command(["doctor", "--config", str(tmp_path / "config.toml"), "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["orders"]["state"], checks["feed"]["state"], checks["token"]["state"]) == (
        "warn",
        "ok",
        "ok",
    )
    assert "LIMIT orders only" in checks["orders"]["text"]
    assert theirs.refused == []
