"""Addresses for requests: every spelling, and its consequences, worked out by hand."""

import pytest

from engine.config import addresses
from engine.config.config_files import load_config
from engine.config.schema import BrokerSettings, DeskConfig, DeskSettings
from engine.errors import ConfigError
from tui.run.session import RunPlan, check_mode, sends_real

HERE, REAL, NONE = "this machine", "real", "no address"

ADDRESSES = {
    # this machine, in the four spellings it has
    "http://127.0.0.1": HERE,
    "http://127.0.0.1:1": HERE,
    "http://127.0.0.1:8080": HERE,
    "https://127.0.0.1:65535": HERE,
    "http://localhost": HERE,
    "http://localhost:5000": HERE,
    "http://[::1]": HERE,
    "http://[::1]:5000": HERE,
    "http://127.0.0.1:8080/oms": HERE,
    "https://localhost/oms": HERE,
    # somewhere else, however much it looks like this machine
    "https://api.kite.trade": REAL,
    "https://api.kite.trade:443": REAL,
    "https://sandbox.kite.trade": REAL,
    "https://sandbox.kite.trade/oms": REAL,
    "https://broker": REAL,
    "https://a-b.c9.in": REAL,
    "https://xn--kte-zqa.trade": REAL,
    "https://127.0.0.1.evil": REAL,
    "https://127.0.0.1.evil.com:443": REAL,
    "https://localhost.evil.com": REAL,
    "https://localhost-evil": REAL,
    "https://notlocalhost": REAL,
    "https://evil.localhost": REAL,
    "https://127.0.0.2": REAL,
    "https://127.1.1.1": REAL,
    "https://0.0.0.0": REAL,
    "https://10.0.0.1": REAL,
    "https://192.168.1.20:8443": REAL,
    "https://255.255.255.255": REAL,
    "https://169.254.169.254": REAL,
    "https://8.8.8.8": REAL,
    # what one reader takes for this machine and another one does not
    "http://evil.com\\@127.0.0.1": NONE,
    "http://127.0.0.1\\@evil.com": NONE,
    "http://evil.com@127.0.0.1": NONE,
    "http://127.0.0.1@evil.com": NONE,
    "http://127.0.0.1:80@evil.com": NONE,
    "http://user:word@127.0.0.1": NONE,
    "http://127.0.0.1#@evil.com": NONE,
    "http://127.0.0.1?@evil.com": NONE,
    "http://127.0.0.1/@evil.com": NONE,
    "http://127.0.0.1\\.evil.com": NONE,
    "http:\\\\127.0.0.1": NONE,
    "http:/127.0.0.1": NONE,
    "http:127.0.0.1": NONE,
    "http:///127.0.0.1": NONE,
    "//127.0.0.1": NONE,
    "127.0.0.1": NONE,
    "127.0.0.1:8080": NONE,
    "localhost": NONE,
    # numbers that are addresses for some readers
    "http://2130706433": NONE,
    "http://0x7f000001": NONE,
    "http://0x7f.0.0.1": NONE,
    "http://017700000001": NONE,
    "http://0177.0.0.1": NONE,
    "http://127.0.0.01": NONE,
    "http://127.000.000.001": NONE,
    "http://127.1": NONE,
    "http://127.0.1": NONE,
    "http://127.0.0.1.1": NONE,
    "http://127.0.0.256": NONE,
    "http://300.1.1.1": NONE,
    "http://127.0.0.-1": NONE,
    "http://1": NONE,
    "http://0": NONE,
    "http://evil.0x7f": NONE,
    # other spellings of the loopback's sixth version, and of names
    "http://::1": NONE,
    "http://[::1": NONE,
    "http://[0:0:0:0:0:0:0:1]": NONE,
    "http://[::ffff:127.0.0.1]": NONE,
    "http://[::]": NONE,
    "http://[::1%25lo]": NONE,
    "http://[2001:db8::1]": NONE,
    "http://127.0.0.1.": NONE,
    "http://localhost.": NONE,
    "http://.localhost": NONE,
    "http://api..kite.trade": NONE,
    "http://-evil.com": NONE,
    "http://evil-.com": NONE,
    "http://my_host": NONE,
    "http://LOCALHOST": NONE,
    "HTTP://localhost": NONE,
    "https://API.kite.trade": NONE,
    "http://loc%61lhost": NONE,
    "http://localhost%00.evil.com": NONE,
    "http://" + "a" * 64: NONE,
    "https://" + "a" * 63: REAL,
    # letters and digits of other scripts, which are folded on the way
    "http://\uff11\uff12\uff17.0.0.1": NONE,
    "http://\u0661\u0662\u0667.0.0.1": NONE,
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3": NONE,
    "http://127\u30020\u30020\u30021": NONE,
    "http://ap\u0456.kite.trade": NONE,
    "http://localho\u017ft": NONE,
    "http://127.0.0.1\u2044@evil.com": NONE,
    "http://127.0.0.1:\u0668\u0660": NONE,
    # space, and what is none
    " http://127.0.0.1": NONE,
    "http://127.0.0.1 ": NONE,
    "http://127.0.0.1\n": NONE,
    "http://127.0.0.1\r\nHost: evil.com": NONE,
    "http://127.0.0.1\t": NONE,
    "http://127.0.0.1\x00": NONE,
    "http://127.0.0.1\u200b": NONE,
    "http://127.0.0.1\u00a0": NONE,
    "http://127.0.0 .1": NONE,
    # ports that are none
    "http://127.0.0.1:": NONE,
    "http://127.0.0.1:0": NONE,
    "http://127.0.0.1:080": NONE,
    "http://127.0.0.1:65536": NONE,
    "http://127.0.0.1:99999": NONE,
    "http://127.0.0.1:+80": NONE,
    "http://127.0.0.1:-80": NONE,
    "http://127.0.0.1:8e1": NONE,
    "http://127.0.0.1:80:90": NONE,
    # a path, a query, a fragment
    "http://127.0.0.1/": NONE,
    "http://127.0.0.1/oms/": NONE,
    "http://127.0.0.1/oms/../": NONE,
    "http://127.0.0.1/OMS": NONE,
    "https://api.kite.trade/": NONE,
    "https://api.kite.trade/v3": NONE,
    "https://api.kite.trade?x=1": NONE,
    "https://api.kite.trade#x": NONE,
    "https://api.kite.trade;x": NONE,
    # other schemes
    "ftp://127.0.0.1": NONE,
    "file://127.0.0.1": NONE,
    "file:///etc/passwd": NONE,
    "javascript:alert(1)": NONE,
    "http+unix://127.0.0.1": NONE,
    "https": NONE,
    "https://": NONE,
}


def test_there_are_enough_addresses():
    assert len(ADDRESSES) >= 60
    assert {*ADDRESSES.values()} == {HERE, REAL, NONE}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_this_machine_somewhere_else_or_none(text):
    found = addresses.parse_address(text)
    assert (NONE if found is None else HERE if found.is_local else REAL) == ADDRESSES[text]
    assert addresses.are_local(text) is (ADDRESSES[text] == HERE)


def written(tmp_path, name, rest, ws="ws://127.0.0.1:1", mode="shadow"):
    escaped = "".join(f"\\U{ord(character):08x}" for character in rest)
    file = tmp_path / "config.toml"
    file.write_text(
        f'[desk]\nmode = "{mode}"\n[broker]\nname = "{name}"\nrest = "{escaped}"\nws = "{ws}"\n'
        'api_key = "k"\n',
        "utf-8",
    )
    return load_config(file).values


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_sandbox_is_on_this_machine_and_what_is_no_address_is_refused(tmp_path, text):
    if ADDRESSES[text] == HERE:
        assert written(tmp_path, "sandbox", text).broker.rest == text
        return
    wanted = "a sandbox is on this machine" if ADDRESSES[text] == REAL else "expected a URL"
    with pytest.raises(ConfigError, match=rf"broker\.rest: {wanted}"):
        written(tmp_path, "sandbox", text)


@pytest.mark.parametrize("text", ADDRESSES)
def test_no_token_travels_in_the_clear(tmp_path, text):
    clear = text.replace("https:", "http:")
    if ADDRESSES[text] == HERE:
        assert written(tmp_path, "kite", clear).broker.rest == clear
    else:
        with pytest.raises(ConfigError, match=r"broker\.rest"):
            written(tmp_path, "kite", clear)
    if ADDRESSES[text] == REAL:
        assert written(tmp_path, "kite", text).broker.rest == text


def test_the_socket_counts_as_much_as_the_rest(tmp_path):
    with pytest.raises(ConfigError, match=r"broker\.ws: a sandbox is on this machine"):
        written(tmp_path, "sandbox", "http://127.0.0.1", "wss://ws.kite.trade")
    with pytest.raises(ConfigError, match=r"broker\.ws: the token would travel in the clear"):
        written(tmp_path, "kite", "http://127.0.0.1", "ws://ws.kite.trade")
    with pytest.raises(ConfigError, match=r"broker\.ws: expected a URL"):
        written(tmp_path, "sandbox", "http://127.0.0.1", "ws://127.0.0.1/oms")


@pytest.mark.parametrize("mode", ["sandbox", "shadow", "live", "paper", "dry-run", "replay"])
@pytest.mark.parametrize(
    ("rest", "ws"),
    [
        ("https://api.kite.trade", "wss://ws.kite.trade"),
        ("http://10.0.0.1:8080", "ws://10.0.0.1:8080"),
        ("http://evil\\@127.0.0.1", "ws://127.0.0.1:1"),
        ("http://127.0.0.1:1", "wss://ws.kite.trade"),
    ],
)
def test_orders_that_leave_this_machine_are_real_whatever_the_broker_is_called(mode, rest, ws):
    config = DeskConfig(
        desk=DeskSettings(mode=mode), broker=BrokerSettings(name="sandbox", rest=rest, ws=ws)
    )
    leaves = mode in {"sandbox", "replay", "shadow", "live"}
    assert sends_real(config, mode) is leaves
    if leaves:
        with pytest.raises(ConfigError):
            check_mode(config, RunPlan(mode))


@pytest.mark.parametrize("mode", ["sandbox", "shadow"])
def test_a_sandbox_on_this_machine_is_not_real(mode):
    config = DeskConfig(
        broker=BrokerSettings(name="sandbox", rest="http://127.0.0.1:1", ws="ws://[::1]:1")
    )
    assert not sends_real(config, mode)
    assert not sends_real(DeskConfig(), mode)
    check_mode(config, RunPlan(mode))
