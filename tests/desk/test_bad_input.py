"""Bad input: one line with the thing and the mend, an exit code, nothing half-written."""

import socket

import pytest

import strategies
from engine.errors import ConfigError
from engine.orders.killswitch import KillSwitch
from tui.run.settings import check_timeframes, strategies_of

CASES = {
    "an unknown key": (
        "[risk]\nmax_dialy_loss = 5\n",
        ["config.toml:2", "risk.max_dialy_loss", "max_daily_loss"],
    ),
    "a value of the wrong type": (
        '[risk]\nmax_daily_loss = "x"\n',
        ["config.toml:2", "risk.max_daily_loss", "whole number"],
    ),
    "broken TOML": ("[desk]\nmode = \n", ["config.toml:2", "not TOML"]),
    "an unknown strategy": (
        "[strategy.momentum_lader]\ncapital = 1\n",
        ["config.toml:1", "momentum_ladder"],
    ),
    "an unknown parameter": (
        "[strategy.momentum_ladder]\ncapitall = 1\n",
        ["config.toml:2", '"capital"'],
    ),
    "a symbol nobody lists": ('[feed]\nwatch = ["RELIANCE", "NOSUCH"]\n', ["NOSUCH"]),
}


def one_line(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("patang: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_configuration_is_named_with_its_mend(patang, name):
    text, wanted = CASES[name]
    (patang.home / "config.toml").write_text(text)
    line = one_line(patang.call("run", "--no-ui"), 2)
    for part in wanted:
        assert part in line


def test_a_process_of_its_own_says_the_same(patang):
    text, wanted = CASES["an unknown key"]
    (patang.home / "config.toml").write_text(text)
    line = one_line(patang.run("run", "--no-ui"), 2)
    assert all(part in line for part in wanted)


def test_a_missing_configuration_file_is_named(patang):
    assert "other.toml" in one_line(patang.call("config", "check", "--config", "other.toml"), 2)


def test_a_mode_that_cannot_have_its_broker_refuses_by_name(patang):
    assert "live needs broker.name" in one_line(patang.call("run", "--no-ui", "--mode", "live"), 2)
    assert "--live is for real orders" in one_line(
        patang.call("run", "--no-ui", "--mode", "dry-run", "--live"), 2
    )


@pytest.mark.real_data
def test_a_replay_names_the_folder_the_date_or_the_symbol_it_cannot_find(patang, market_data):
    bars = market_data / "nse_1min"
    assert "nowhere" in one_line(
        patang.call("replay", "nowhere", "--date", "2024-06-04", "--no-ui"), 2
    )
    assert "2024-06-33" in one_line(
        patang.call("replay", bars, "--date", "2024-06-33", "--no-ui"), 2
    )
    assert "2024-06-02" in one_line(
        patang.call("replay", bars, "--date", "2024-06-02", "--no-ui"), 2
    )
    unknown = patang.call(
        "replay", bars, "--date", "2024-06-04", "--symbols", "BEL,NOSUCH", "--no-ui"
    )
    assert "NOSUCH" in one_line(unknown, 2)


def test_a_speed_that_is_none_is_refused(patang):
    assert "fast" in one_line(patang.call("demo", "--no-ui", "--speed", "fast"), 2)


def test_a_taken_port_is_named(patang):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in one_line(patang.call("sandbox", "--port", port), 2)
        (patang.home / "config.toml").write_text(f"[sandbox]\nport = {port}\n")
        assert str(port) in one_line(patang.call("run", "--no-ui"), 2)


def test_a_state_folder_that_cannot_be_written_is_named(patang):
    (patang.home / "file").write_text("")
    done = patang.call("run", "--no-ui", environment={"XDG_STATE_HOME": str(patang.home / "file")})
    assert str(patang.home / "file") in one_line(done, 2)


def test_a_broker_that_is_not_there_is_exit_code_three_and_latches_nothing(patang):
    (patang.home / "config.toml").write_text(
        '[broker]\nrest = "http://127.0.0.1:9"\nws = "ws://127.0.0.1:9"\napi_key = "k"\n'
        'access_token = "t"\n'
    )
    assert "http://127.0.0.1:9" in one_line(patang.call("run", "--no-ui"), 3)
    assert not (patang.state() / "KILL").exists()


def test_status_without_a_desk_is_exit_code_three(patang):
    one_line(patang.call("status"), 3)


def test_an_export_before_anything_has_run_says_so(patang):
    assert "nothing has run" in one_line(patang.call("export", "trades"), 1)


def test_resume_wants_a_reason(patang):
    one_line(patang.call("resume"), 2)
    one_line(patang.call("resume", "--reason", " "), 2)


REFUSED = {
    "a key that is no action": (
        '[ui.keys]\nfreze = "p"\n',
        "ui.keys.freze: no such action; did you mean freeze?",
    ),
    "a symbol nobody lists": (
        '[feed]\nwatch = ["infy", "NOSUCH"]\n',
        "no such symbol on NSE: NOSUCH",
    ),
    "a strategy's symbol nobody lists": (
        '[strategy.moving_average_cross]\nsymbols = ["NOSUCH"]\n',
        "no such symbol on NSE: NOSUCH",
    ),
    "a Sunday": (
        '[sandbox]\ndate = "2026-11-22"\n',
        "sandbox.date: 2026-11-22 is no trading day: the exchange is closed",
    ),
    "a list that is not there": (
        '[desk]\ncorporate_actions = "/nowhere.parquet"\n',
        "/nowhere.parquet: no such file",
    ),
    "a folder that is not there": (
        '[store]\ndatabase = "/nowhere/x.db"\n',
        "store.database: there is no folder /nowhere",
    ),
    "a variable that is not set": (
        '[broker]\nname = "kite"\napi_key_env = "KITE_NOT_SET"\n[desk]\nmode = "paper"\n',
        "broker.api_key_env: the environment variable KITE_NOT_SET is not set",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_check_of_a_configuration_refuses_what_the_start_refuses_and_in_the_same_words(
    patang, name
):
    text, wanted = REFUSED[name]
    (patang.home / "config.toml").write_text(text)
    checked = one_line(patang.call("config", "check"), 2)
    assert checked == f"patang: {wanted}"
    assert one_line(patang.call("run", "--no-ui"), 2) == checked


def test_a_right_configuration_is_called_right_in_small_letters_too(patang):
    (patang.home / "config.toml").write_text(
        '[feed]\nwatch = ["infy"]\n[strategy.momentum_ladder]\nsymbols = ["Tcs"]\n'
    )
    done = patang.call("config", "check")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("config.toml: right\n")
    shown = patang.call("config", "show").stdout
    assert 'watch = ["INFY"]' in shown
    assert 'symbols = ["TCS"]' in shown


def test_a_strategy_whose_bars_nobody_builds_is_refused(monkeypatch):
    strategy = strategies.Strategy("mine", 120)
    monkeypatch.setitem(
        strategies.strategy_sources.SHIPPED,
        "moving_average_cross",
        "tests.desk.test_bad_input:Deaf",
    )
    assert check_timeframes([strategy], (60, 120)) == [strategy]
    with pytest.raises(ConfigError) as refusal:
        check_timeframes([strategy], (60, 180, 300))
    assert str(refusal.value) == (
        "strategy.mine.timeframe_s: no bar has 120 seconds; feed.spans_s builds 60, 180, 300"
    )
    with pytest.raises(ConfigError, match=r"strategy\.deaf\.timeframe_s: no bar has 7 seconds"):
        strategies_of(strategies.load_config(None).values)


class Deaf(strategies.Strategy):
    def __init__(self, name, parameters):
        super().__init__("deaf", 7)


def test_a_broken_record_is_one_line_and_latches_nothing(patang):
    (patang.home / "bars").mkdir()
    (patang.home / "bars" / "X.parquet").write_bytes(b"PAR1")
    done = patang.call("replay", "bars", "--date", "2024-06-04", "--no-ui", "--speed", "max")
    assert "bars/X.parquet: " in one_line(done, 2)
    assert not (patang.state("replay") / "KILL").exists()


def test_a_latched_run_says_so_first(patang):
    KillSwitch(patang.state("replay") / "KILL").trigger("halt", "enough", "terminal")
    (patang.home / "bars").mkdir()
    (patang.home / "bars" / "X.parquet").write_bytes(b"PAR1")
    done = patang.call("replay", "bars", "--date", "2024-06-04", "--no-ui")
    first, second = done.stderr.splitlines()
    assert first == (
        "patang: the kill switch is latched (halt: enough, terminal): no entries until patang "
        "resume --reason TEXT"
    )
    assert "X.parquet" in second


def test_symbols_at_a_broker_that_is_away_are_checked_by_the_last_list_that_was_kept(patang):
    (patang.home / "config.toml").write_text(
        '[desk]\nmode = "paper"\n[broker]\nname = "kite"\napi_key = "abc"\n'
        'rest = "http://127.0.0.1:1"\n'
        'ws = "ws://127.0.0.1:1"\n[feed]\nwatch = ["infy", "NOSUCH"]\n'
    )
    unknown = patang.call("config", "check")
    assert (unknown.returncode, "symbols were not checked" in unknown.stderr) == (0, True)
    (patang.home / "dump.csv").write_text(
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
        "segment,exchange\n408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
    )
    kept = patang.call("instruments", "keep", "dump.csv", "--date", "2026-11-20")
    assert kept.returncode == 0, kept.stderr
    assert one_line(patang.call("config", "check"), 2) == (
        "patang: no such symbol on NSE: NOSUCH (by the list of 2026-11-20; the start asks the "
        "broker)"
    )
    file = patang.home / "config.toml"
    file.write_text(file.read_text().replace(', "NOSUCH"', ""))
    assert (
        "right; symbols were checked by the list of 2026-11-20: "
        in patang.call("config", "check").stderr
    )
