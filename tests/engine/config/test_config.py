"""The configuration: complaints name their line, defaults stand in the file and the docs."""

import os
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import config_files, disk_places
from engine.config.schema import DeskConfig
from engine.config.scoring_settings import WeightSettings
from engine.config.toml_reader import (
    bare_type,
    describe_type,
    field_meaning,
    is_table,
    locate_lines,
)
from engine.errors import ConfigError
from strategies import load_config
from strategies.strategy_sources import shipped_kinds

ROOT = Path(__file__).resolve().parents[3]
FILE = Path("desk.toml")


KINDS = shipped_kinds()
DEFAULTS = load_config(None).values


def parse_config(text, file):
    return config_files.parse_config(text, file, KINDS)


def values(text):
    return parse_config(text, FILE).values


def complaint(text):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, FILE)
    return str(caught.value)


def leaves(kind, at=()):
    """Yield (key, field) of every setting below a struct type; a list of tables counts once."""
    for field in msgspec.structs.fields(kind):
        inner = bare_type(field.type)
        if is_table(inner):
            yield from leaves(inner, (*at, field.name))
        elif field.name == "rung":
            yield from leaves(get_args(inner)[0], (*at, field.name))
        elif (*at, field.name) == ("strategy",):
            for name, own in KINDS.items():
                yield from leaves(own, ("strategy", name))
        else:
            yield (*at, field.name), field


def test_no_file_means_the_defaults_of_the_brief():
    config = load_config(None).values
    assert (config.desk.mode, config.broker.name, config.broker.timeout_s) == (
        "sandbox",
        "sandbox",
        7.0,
    )
    assert (config.sandbox.seed, config.sandbox.start, config.sandbox.cash) == (7, "", 1_000_000)
    governor = config.governor
    assert (governor.orders_per_second, governor.orders_per_minute, governor.orders_per_day) == (
        9,
        380,
        4_800,
    )
    assert (governor.modifies_per_order, governor.reserve_per_second) == (24, 3)
    assert (config.risk.max_order_value, config.risk.max_exposure, config.risk.max_positions) == (
        200_000,
        240_000,
        90,
    )
    rungs = config.strategy["momentum_ladder"].rung
    assert [(r.trigger_percent, r.stop_percent, r.target_percent) for r in rungs] == [
        (0.0, 2.5, 5.0),
        (0.25, 2.5, 0.0),
        (1.0, 5.0, 0.0),
    ]


@pytest.mark.parametrize(
    ("mode", "trusted"),
    [(0o600, True), (0o644, True), (0o640, True), (0o646, False), (0o666, False), (0o602, False)],
)
def test_a_file_that_others_can_write_decides_nothing(tmp_path, mode, trusted):
    file = tmp_path / "config.toml"
    file.write_text("")
    file.chmod(mode)
    if trusted:
        assert load_config(file).values == DEFAULTS
    else:
        with pytest.raises(ConfigError, match=r"others can write it.*chmod go-w"):
            load_config(file)


def test_a_group_may_write_it_where_it_is_the_owners_alone(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text("")
    file.chmod(0o664)
    group, user = (
        SimpleNamespace(gr_name="me", gr_mem=["me"]),
        SimpleNamespace(pw_name="me", pw_gid=file.stat().st_gid),
    )
    monkeypatch.setattr("grp.getgrgid", lambda _: group)
    monkeypatch.setattr("pwd.getpwuid", lambda _: user)
    assert load_config(file).values == DEFAULTS
    for others in (
        SimpleNamespace(gr_name="me", gr_mem=["you"]),
        SimpleNamespace(gr_name="staff", gr_mem=[]),
    ):
        monkeypatch.setattr("grp.getgrgid", lambda _, others=others: others)
        with pytest.raises(ConfigError, match="others can write it"):
            load_config(file)


def test_a_file_of_another_user_decides_nothing_and_roots_does(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text("")
    found = os.fstat
    for owner, trusted in (
        (os.getuid(), True),
        (0, True),
        (os.getuid() + 1, False),
        (65_534, False),
    ):
        monkeypatch.setattr(
            "os.fstat",
            lambda number, owner=owner: os.stat_result(
                (*found(number)[:4], owner, *found(number)[5:10])
            ),
        )
        if trusted:
            assert load_config(file).values == DEFAULTS
        else:
            with pytest.raises(ConfigError, match="another user's"):
                load_config(file)


@pytest.mark.parametrize("name", ["", "KITE_TOKEN", "PATANG_KEY_2", "KITE"])
def test_a_variable_of_ours_may_be_named(name):
    assert values(f"[broker]\napi_key_env = '{name}'").broker.api_key_env == name


@pytest.mark.parametrize("field", ["api_key_env", "access_token_env", "api_secret_env"])
@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "HOME", "MY_KITE", "kite_token", "KITE TOKEN", "KITE=x"]
)
def test_no_other_variable_can_be_sent_anywhere(field, name):
    with pytest.raises(ConfigError, match=rf"broker.{field}.*begins with PATANG or KITE"):
        values(f"[broker]\n{field} = '{name}'")


def test_the_shipped_file_holds_every_setting_at_its_default():
    shipped = (ROOT / "config.toml").read_text()
    assert load_config(ROOT / "config.toml").values == DEFAULTS
    table = tomllib.loads(shipped)
    for key, field in leaves(DeskConfig):
        here = table
        for name in key:
            here = here[0] if isinstance(here, list) else here
            assert name in here, key
            here = here[name]
        assert f"# {field_meaning(field)}" in shipped


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("config.toml", lambda: config_files.example_config(KINDS)),
        ("docs/configuration.md", lambda: config_files.reference_page(KINDS)),
    ],
)
def test_the_shipped_file_and_the_documentation_are_what_the_structs_say(name, render):
    """PATANG_UPDATE=1 writes them anew."""
    if os.environ.get("PATANG_UPDATE"):
        (ROOT / name).write_text(render())
    assert (ROOT / name).read_text() == render()


def test_every_setting_is_explained_where_it_is_declared_and_every_number_is_bounded():
    for key, field in leaves(DeskConfig):
        assert field_meaning(field).endswith("."), key
        assert f"| `{key[-1]}` | {describe_type(field.type)} |" in config_files.reference_page(
            KINDS
        )
        words = describe_type(field.type)
        assert "number" not in words or " from " in words, key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[governer]\nx = 1", 'desk.toml:1: governer: no such key; did you mean "governor"?'),
        (
            "[governor]\n\norders_per_secnd = 1",
            (
                "desk.toml:3: governor.orders_per_secnd: no such key; did you mean "
                '"orders_per_second"?'
            ),
        ),
        (
            "[ui]\nfps = 10\nqqq = 1",
            "desk.toml:3: ui.qqq: no such key; valid: density, direction, fps, keys, theme",
        ),
        (
            "governor.orders_per_second = 40",
            "desk.toml:1: governor.orders_per_second: expected a whole number from 1 to 10, got 40",
        ),
        ("[store]\nbars = 1", "desk.toml:2: store.bars: expected true or false, got 1"),
        (
            "[desk]\nmode = 'lve'",
            (
                'desk.toml:2: desk.mode: expected one of "sandbox", "replay", "dry-run", '
                '"paper", "shadow", "live", got "lve"'
            ),
        ),
        (
            "[risk]\nprice_range_percent = nan",
            "desk.toml:2: risk.price_range_percent: expected a number from 0.1 to 50, got nan",
        ),
        (
            "[gateway]\nsettle_s = inf",
            "desk.toml:2: gateway.settle_s: expected a number from 1 to 300, got inf",
        ),
        (
            "[risk]\nmax_positions = true",
            "desk.toml:2: risk.max_positions: expected a whole number from 1 to 10_000, got true",
        ),
        ("risk = 3", "desk.toml:1: risk: expected a table, got 3"),
        (
            "[risk.budget]\na = 1\nb = 'x'",
            'desk.toml:3: risk.budget.b: expected a whole number from 1 to 10_000_000_000, got "x"',
        ),
        (
            "[feed]\nspans_s = [\n  60,\n  'q',\n]",
            'desk.toml:2: feed.spans_s[2]: expected a whole number from 1 to 86_400, got "q"',
        ),
        ("[feed]\nspans_s = []", "desk.toml:2: feed.spans_s: expected 1 to 16 entries, got 0"),
        (
            "[feed]\nwatch = ['NSE:INFY']",
            'desk.toml:2: feed.watch[1]: expected a symbol as "INFY", got "NSE:INFY"',
        ),
        (
            "[sandbox]\nstart = '9:15'",
            'desk.toml:2: sandbox.start: expected a time as "09:15", or empty, got "9:15"',
        ),
        (
            "[sandbox]\ndate = 2026-11-20",
            'desk.toml:2: sandbox.date: expected a date as "2026-11-20", or empty, got 2026-11-20',
        ),
        (
            "[sandbox]\nseed = 9223372036854775808",
            (
                "desk.toml:2: sandbox.seed: expected a whole number from 0 to "
                "9_223_372_036_854_775_807, got 9223372036854775808"
            ),
        ),
        (
            "[broker]\nrest = 'localhost'",
            (
                'desk.toml:2: broker.rest: expected a URL as "https://host:port" and nothing '
                'after it, or empty, got "localhost"'
            ),
        ),
        (
            "[[strategy.momentum_ladder.rung]]\ntrigger_percent = 0.0\nstop_percent = 2.0\n",
            (
                "desk.toml:1: strategy.momentum_ladder.rung[1]: the key target_percent is "
                "missing; expected a number from 0 to 500"
            ),
        ),
        (
            "[strategy]\nmomentum_lader = 1",
            "desk.toml:2: strategy.momentum_lader: expected a table, got 1",
        ),
        ("[strategy.other]\nx = 1", None),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line_and_the_mend(text, expected):
    if expected is None:
        assert values(text).strategy["other"] == {"x": 1}
    else:
        assert complaint(text) == expected


def test_a_wrong_value_in_a_later_table_of_a_list_has_that_table_s_line():
    rung = (
        "[[strategy.momentum_ladder.rung]]\ntrigger_percent = {}\nstop_percent = 2.0\n"
        "target_percent = 0.0\n"
    )
    text = rung.format("0.0") + rung.format("0.5") + rung.format("'x'")
    assert complaint(text).startswith(
        "desk.toml:10: strategy.momentum_ladder.rung[3].trigger_percent: expected a number"
    )
    assert complaint(rung.format("0.0") * 4).startswith(
        "desk.toml:1: strategy.momentum_ladder.rung: expected 1 to 3 entries"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[desk]\nmode = ", "desk.toml:2: not TOML: invalid value"),
        (
            "[desk]\nmode = 'sandbox' ]",
            "desk.toml:2: not TOML: expected newline or end of document after a statement",
        ),
        ("[desk]\n[desk]\n", "desk.toml:2: not TOML: cannot declare ('desk',) twice"),
        ("x = " + "[" * 5000, "desk.toml: not TOML: nested too deep"),
    ],
)
def test_broken_toml_is_named_with_its_line(text, expected):
    assert complaint(text) == expected


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[sandbox]\ndate = '2026-02-30'", "sandbox.date", "there is no 2026-02-30"),
        ("[feed]\nspans_s = [60, 90]", "feed.spans_s", "ascending"),
        ("[feed]\nspans_s = [300, 60]", "feed.spans_s", "ascending"),
        (
            "[archive]\nendpoint = 'http://s3.example.com'",
            "archive.endpoint",
            "would travel in the clear",
        ),
        (
            "[archive]\nbucket = 'our-bars'\n[feed]\nrecord = true",
            "archive.recording_days",
            "or they never get there",
        ),
        (
            "[governor]\norders_per_second = 3",
            "governor.reserve_per_second",
            "less than orders_per_second",
        ),
        ("[risk]\nmax_exposure = 100000", "risk.max_order_value", "at most max_exposure"),
        (
            "[strategy.momentum_ladder]\nema_fast = 21",
            "strategy.momentum_ladder.ema_fast",
            "fewer bars than ema_slow",
        ),
        (
            "[strategy.momentum_ladder]\ncapital = 300000",
            "strategy.momentum_ladder.capital",
            "at most total_capital",
        ),
        (
            "[strategy.moving_average_cross]\nslow = 9",
            "strategy.moving_average_cross.fast",
            "fewer bars than slow",
        ),
        (
            "[strategy.moving_average_cross]\ntimeframe_s = 120",
            "strategy.moving_average_cross.timeframe_s",
            "one of feed.spans_s",
        ),
        ("[desk]\nmode = 'live'", "desk.mode", "needs broker.name"),
        ("[broker]\nrest = 'http://localhost:1'", "broker.ws", "belong together"),
        ("[broker]\nws = 'ws://localhost:1'", "broker.rest", "belong together"),
        ("[broker]\napi_key = 'a'\napi_key_env = 'KITE_B'", "broker.api_key_env", "not both"),
        (
            "[desk]\nmode = 'live'\n[broker]\nname = 'kite'\naccess_token = 'abcdef'",
            "broker.access_token",
            "access_token_env",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(text, key, expected):
    message = complaint(text)
    assert f": {key}: " in message
    assert expected in message


def test_a_disabled_strategy_may_have_any_timeframe():
    text = "[strategy.moving_average_cross]\nenabled = false\ntimeframe_s = 120"
    assert values(text).strategy["moving_average_cross"].timeframe_s == 120


@pytest.mark.parametrize("triggers", [(0.5,), (0.0, 0.0)])
def test_only_the_first_rung_begins_at_once(triggers):
    text = "".join(
        f"[[strategy.momentum_ladder.rung]]\ntrigger_percent={trigger}\nstop_percent=2\n"
        "target_percent=0\n"
        for trigger in triggers
    )
    assert f"rung[{len(triggers)}].trigger_percent: expected" in complaint(text)


def test_a_file_changes_what_it_names_and_nothing_else():
    config = values(
        "[risk]\nmax_positions = 12\n[risk.budget]\nmomentum_ladder = 50000\n[feed]\n"
        "watch = ['INFY', 'M&M']"
    )
    assert config.risk.max_positions == 12
    assert config.risk.budget == {"momentum_ladder": 50_000}
    assert config.feed.watch == ("INFY", "M&M")
    assert config.risk.max_exposure == 240_000
    assert values("[sandbox]\nspeed = 60").sandbox.speed == 60.0


def test_a_table_of_an_unknown_strategy_is_passed_on_and_checked_against_the_known_names():
    loaded = parse_config(
        "[strategy.pairs]\nlegs = ['INFY', 'TCS']\n[strategy.pairs.entry]\nz = 2.0", FILE
    )
    assert loaded.values.strategy["pairs"] == {"legs": ["INFY", "TCS"], "entry": {"z": 2.0}}
    config_files.check_strategies(loaded, [*KINDS, "pairs"])
    with pytest.raises(
        ConfigError,
        match=r'^desk\.toml:1: strategy\.pairs: no such strategy; did you mean "pair"\?$',
    ):
        config_files.check_strategies(loaded, [*KINDS, "pair"])


def test_show_gives_every_value_its_origin_and_can_be_read_again():
    loaded = parse_config(
        "[governor]\n# slow\norders_per_second = 5\n\n[strategy.pairs]\nz = 2", FILE
    )
    shown = config_files.render_config(loaded)
    assert "orders_per_second = 5  # desk.toml:3" in shown
    assert "orders_per_minute = 380  # default" in shown
    assert "z = 2  # desk.toml:6" in shown
    assert values(shown) == loaded.values


def test_a_token_is_never_shown():
    loaded = parse_config("[broker]\naccess_token = 'hush4711'", FILE)
    assert "hush4711" not in config_files.render_config(loaded)
    assert 'access_token = "****"  # desk.toml:2' in config_files.render_config(loaded)
    assert "hush4711" not in repr(loaded)
    assert "4711" not in complaint("[broker]\naccess_token = 4711")


TOML = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda item: (
        st.lists(item, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), item, max_size=3)
    ),
    max_leaves=6,
)


@given(
    budget=st.dictionaries(
        st.text(st.characters(codec="utf-8")), st.integers(1, 10**10), max_size=4
    ),
    stop=st.floats(0.25, 50),
    table=st.dictionaries(st.text(st.characters(codec="utf-8")), TOML, max_size=4),
)
def test_whatever_is_shown_reads_as_the_same_configuration(budget, stop, table):
    default = DEFAULTS
    cross = msgspec.structs.replace(default.strategy["moving_average_cross"], stop_percent=stop)
    strategy = default.strategy | {"moving_average_cross": cross, "mine": table}
    risk = msgspec.structs.replace(default.risk, budget=budget)
    config = msgspec.structs.replace(default, risk=risk, strategy=strategy)
    assert values(config_files.render_config(config_files.LoadedConfig(config))) == config


def test_lines_are_found_through_every_form_a_toml_key_can_have():
    text = (
        '# comment\na = """\n[not.a.table]\n"""\nb.c = 1\n"quoted key" = 2\n'
        "[t]\nx = [\n 1, # one\n 2,\n]\n[[t.list]]\ny = 1\n[t.list.sub]\nz = 1\n[[t.list]]\n"
        "y = 2\ninline = { k = { l = 1 } }\n"
    )
    lines = locate_lines(text)
    assert lines[("a",)] == 2
    assert lines[("b", "c")] == 5
    assert lines[("quoted key",)] == 6
    assert (lines[("t",)], lines[("t", "x")]) == (7, 8)
    assert (lines[("t", "list", 0)], lines[("t", "list", 0, "y")]) == (12, 13)
    assert lines[("t", "list", 0, "sub", "z")] == 15
    assert (lines[("t", "list", 1, "y")], lines[("t", "list", 1, "inline", "k", "l")]) == (17, 18)
    assert ("not",) not in lines


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[governor]\r\norders_per_second = 5\r\n")
    loaded = load_config(file)
    assert loaded.values.governor.orders_per_second == 5
    assert loaded.origin(("governor", "orders_per_second")) == "config.toml:2"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml: no such file or directory"):
        load_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="is a directory"):
        load_config(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(ConfigError, match=r"latin\.toml: not a UTF-8 text"):
        load_config(tmp_path / "latin.toml")


def test_the_file_asked_for_comes_before_the_folder_s_and_that_before_the_user_s(tmp_path):
    here, home = tmp_path / "here", tmp_path / "home"
    own = home / ".config" / "patang" / "config.toml"
    here.mkdir()
    own.parent.mkdir(parents=True)
    environ = {"HOME": str(home)}
    assert disk_places.find_config(None, here, environ) is None
    own.touch()
    assert disk_places.find_config(None, here, environ) == own
    (here / "config.toml").touch()
    assert disk_places.find_config(None, here, environ) == here / "config.toml"
    assert (
        disk_places.find_config(tmp_path / "asked.toml", here, environ) == tmp_path / "asked.toml"
    )
    (here / "config.toml").unlink()
    assert disk_places.find_config(None, here, environ | {"XDG_CONFIG_HOME": str(tmp_path)}) is None


def test_the_desk_keeps_its_things_in_the_state_folder_unless_told_otherwise():
    plain = disk_places.desk_paths(DeskConfig(), {"HOME": "/home/asha"})
    assert plain.state == Path("/home/asha/.local/state/patang")
    assert plain.database == plain.state / "desk.db"
    assert plain.bars == plain.state / "bars"
    assert disk_places.desk_paths(
        DeskConfig(), {"HOME": "/h", "XDG_STATE_HOME": "/s"}
    ).state == Path("/s/patang")
    config = values("[desk]\nstate_dir = '/d'\n[store]\ndatabase = '/x/y.db'")
    assert disk_places.desk_paths(config, {"HOME": "/h"}) == (
        Path("/d"),
        Path("/x/y.db"),
        Path("/d/bars"),
        Path("/d/history"),
    )
    assert disk_places.desk_paths(
        values("[desk]\nstate_dir = '~/d'"), {"HOME": "/h"}
    ).state == Path("/h/d")


def test_credentials_come_from_the_file_or_from_the_environment_it_names():
    assert values("[broker]\napi_key = 'k'\naccess_token = 't'").broker.credentials({}) == (
        "k",
        "t",
    )
    broker = values("[broker]\napi_key = 'k'\naccess_token_env = 'PATANG_TOKEN'").broker
    assert broker.credentials({"PATANG_TOKEN": "t"}) == ("k", "t")
    with pytest.raises(
        ConfigError,
        match=r"broker\.access_token_env: the environment variable PATANG_TOKEN is not set",
    ):
        broker.credentials({"PATANG_TOKEN": ""})


# files that are none

NESTED = {
    "lists": "x = " + "[" * 3_000 + "]" * 3_000,
    "tables": "x = " + "{a = " * 3_000 + "1" + "}" * 3_000,
    "a long name": ".".join(["a"] * 3_000) + " = 1",
    "a long header": "[strategy.mine." + ".".join(["a"] * 3_000) + "]",
    "a few too many": "[strategy.mine]\nx = " + "[" * 17 + "]" * 17,
}


@pytest.mark.parametrize("how", NESTED)
def test_a_file_that_is_nested_too_deep_is_one_line(tmp_path, how):
    file = tmp_path / "desk.toml"
    file.write_text(NESTED[how])
    with pytest.raises(ConfigError, match=r"desk\.toml: .*nested (too deep|deeper than 16 levels)"):
        load_config(file)


def test_a_file_without_end_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="/dev/zero: no regular file"):
        load_config(Path("/dev/zero"))
    with (tmp_path / "long.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="more than 1,000,000 bytes are no configuration"):
        load_config(tmp_path / "long.toml")


NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1e308",
    "1e999",
    "-1",
    "9223372036854775808",
    "1" + "0" * 400,
    "true",
    '"1"',
    "[]",
)
BELOW_ZERO = {
    ("broker", "market_protection"),
    ("scoring", "gates", "min_annual_return"),
    *(("scoring", "weights", field.name) for field in msgspec.structs.fields(WeightSettings)),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_setting_takes_a_number_out_of_its_bounds(tmp_path, number):
    tried, file = 0, tmp_path / "desk.toml"
    for key, field in leaves(DeskConfig):
        if bare_type(field.type) not in {int, float} or "rung" in key:
            continue
        if number == "-1" and key in BELOW_ZERO:
            continue
        tried += 1
        file.write_text(f"[{'.'.join(key[:-1])}]\n{key[-1]} = {number}\n")
        with pytest.raises(ConfigError, match=rf"{key[-1]}: expected a.* number from"):
            load_config(file)
    assert tried > 60
