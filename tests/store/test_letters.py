"""Dead letters on disk and on the command line."""

import json

import pytest

from compiled.adapters.kite_frames import FULL, encode_frame
from compiled.market_data.tick_filter import DeadTick
from compiled.model.values import SECOND, Instrument, Tick
from engine.day import dead_letters as module
from engine.day.dead_letters import DeadLetters
from store.sqlite_journal import SqliteJournal
from tui.commands.cli import run_command

NINE = 1_780_285_500_000_000_000  # 2026-06-01 09:15:00 IST
SHARE = Instrument(257, "NSE", "INFY", 0.05, lower=900.0, upper=1_100.0)
POISON = encode_frame([Tick(257, NINE, 1_000.0, 5)], [FULL])[:-7]


def dead(price, reason, last=1_000.0, instrument=SHARE):
    return DeadTick(Tick(257, NINE, price, 5), reason, NINE, last, instrument)


@pytest.fixture
def kept(tmp_path, ear):
    """A database with a letter of each kind, and what was told of them."""
    journal, told = SqliteJournal(tmp_path / "desk.db", ear), []
    made = DeadLetters(journal, lambda *line: told.append(line))
    made.keep_frame(POISON, NINE)
    made.keep_ticks(
        [
            dead(1_300.0, "band"),
            dead(1_000.02, "grid"),
            dead(5.0, "token", 0.0, None),
            dead(1_001.0, "jump"),
        ]
    )
    journal.close()
    return tmp_path / "desk.db", told, made


def asked(capsys, *words):
    capsys.readouterr()
    code = run_command(["letters", *map(str, words)])
    return code, capsys.readouterr()


def test_letters_are_listed_with_their_reasons(kept, capsys):
    database, told, made = kept
    code, said = asked(capsys, "list", "--database", database, "--json")
    assert code == 0
    assert [row["letter"] for row in json.loads(said.out)] == [
        "band-1",
        "frame-1",
        "grid-1",
        "jump-1",
        "token-1",
    ]
    assert (made.count, len(told)) == (5, 5)
    assert told[0] == (
        "warn",
        "dead_letter",
        "a frame that does not decode: 1 today; patang letters list shows them",
    )
    code, said = asked(capsys, "list", "--reason", "day", "--database", database)
    assert (code, said.out) == (1, "")


def test_a_letter_shows_what_came_and_what_it_was_judged_by(kept, capsys):
    code, said = asked(capsys, "show", "grid-1", "--database", kept[0], "--json")
    told = json.loads(said.out)
    assert code == 0
    assert (told["symbol"], told["tick"], told["lower"], told["last"]) == (
        "INFY",
        0.05,
        900.0,
        1_000.0,
    )
    assert (
        asked(capsys, "show", "frame-1", "--database", kept[0], "--json")[1].out.count(POISON.hex())
        == 1
    )
    assert asked(capsys, "show", "grid-2", "--database", kept[0])[0] == 1


def test_letters_are_judged_again_by_the_rules_of_this_version(kept, capsys):
    code, said = asked(capsys, "replay", "--database", kept[0], "--json")
    assert code == 0
    assert {row["letter"]: row["now"] for row in json.loads(said.out)} == {
        "band-1": "waits for the next trade",
        "frame-1": "frame",
        "grid-1": "grid",
        "token-1": "token",
        "jump-1": "taken",  # as after a fix: 1 Rs is no jump
    }


def test_of_one_reason_so_many_are_kept_and_all_are_counted(tmp_path, ear, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 10)
    for _ in range(2):
        journal = SqliteJournal(tmp_path / "desk.db", ear)
        made = DeadLetters(journal, lambda *_: None)
        for _ in range(25):
            made.keep_frame(POISON, NINE)
        assert made.counts == {"frame": 25}
        journal.close()
    journal = SqliteJournal(tmp_path / "desk.db", ear)
    numbers = [row["number"] for row in journal.load("letters")]
    journal.close()
    assert sorted(numbers) == list(range(11, 21)), "the second day's in the place of the first's"


@pytest.mark.parametrize(
    "tick",
    [
        Tick(257, NINE, 5.0),
        Tick(257, NINE + SECOND, 5.05, 3, bid=5.0, bid_quantity=7, depth=bytes(range(120))),
    ],
)
def test_a_tick_is_kept_with_every_field(tick):
    kept = module.unpacked_tick(module.packed_tick(tick))
    assert [getattr(kept, name) for name in module.TICK_FIELDS] == [
        getattr(tick, name) for name in module.TICK_FIELDS
    ]
    public = {name for name in dir(tick) if not name.startswith("_") and name != "traded_since"}
    assert set(module.TICK_FIELDS) == public


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"depth":"","size":1}', b"\x00\x01"])
def test_what_is_no_tick_is_unreadable(payload):
    with pytest.raises(ValueError, match=r"^no tick, or one that an earlier version kept \(\w+\)$"):
        module.unpacked_tick(payload)
