"""The journal keeps what was committed, in order, and says so when it cannot."""

import asyncio
import sqlite3

import pytest

from engine.errors import OperatorError
from engine.ports import Journal
from store.sqlite_journal import SqliteJournal
from tests.conformance.journal import FILL, JournalSuite


class Halved(str):
    """A text that claims to be plain, and that no database takes."""

    __slots__ = ()

    def isascii(self):
        return True


class TestSqliteJournal(JournalSuite):
    """The port's promises, kept by SQLite."""


async def test_another_program_sees_a_row_as_soon_as_its_commit_has_resolved(journal, database):
    journal.append("fills", FILL)
    await journal.commit()
    with sqlite3.connect(database) as other:
        assert other.execute("SELECT trade_id, quantity FROM fills").fetchall() == [("T1", 10)]


def test_a_commit_whose_loop_has_closed_does_not_stop_the_writer(journal):
    async def leave():
        journal.append("audit", {"seq": 1})
        journal.commit()

    async def stay():
        journal.append("audit", {"seq": 2})
        await journal.commit()

    asyncio.run(leave())
    asyncio.run(stay())
    assert len(journal.load("audit")) == 2


def test_close_writes_everything_that_was_appended(database, ear):
    journal = SqliteJournal(database, ear)
    for seq in range(1, 5001):
        journal.append("audit", {"seq": seq})
    journal.close()
    assert not database.with_name("desk.db-wal").exists()
    with sqlite3.connect(database) as other:
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (5000,)
    assert ear.heard == []


def test_what_is_appended_after_close_is_refused_aloud(database, ear):
    journal = SqliteJournal(database, ear)
    journal.close()
    with pytest.raises(OperatorError, match="is closed"):
        journal.append("audit", {"seq": 1})


async def test_a_commit_after_close_raises(database, ear):
    journal = SqliteJournal(database, ear)
    journal.close()
    with pytest.raises(OperatorError, match="is closed"):
        await journal.commit()


def test_an_unknown_table_or_column_is_refused_at_once(journal):
    with pytest.raises(ValueError, match="no table nonsense"):
        journal.append("nonsense", {"a": 1})
    with pytest.raises(ValueError, match=r"no column \['colour'\]"):
        journal.append("fills", {"trade_id": "T", "colour": "red"})
    with pytest.raises(ValueError, match="no table nonsense"):
        journal.load("nonsense")


@pytest.mark.parametrize(
    "row",
    [
        {"trade_id": "T2", "side": "HOLD"},
        {"trade_id": None, "side": "BUY"},
        {"trade_id": "T2", "quantity": "ten"},
        {"trade_id": "T2", "quantity": 2**70},
        {"trade_id": "T2", "reason_is_no_text": object()},
        {"trade_id": "T2", "reason_is_no_text": Halved("\ud800")},
    ],
)
async def test_a_row_the_schema_forbids_is_reported_and_the_others_are_kept(journal, ear, row):
    row = {("symbol" if key == "reason_is_no_text" else key): value for key, value in row.items()}
    journal.append("fills", FILL)
    journal.append("fills", row)
    journal.append("fills", FILL | {"trade_id": "T3"})
    with pytest.raises(OperatorError, match="refuses a row"):
        await journal.commit()
    assert [kept["trade_id"] for kept in journal.load("fills")] == ["T1", "T3"]
    assert len(ear.heard) == 1
    await journal.commit()


async def test_a_text_that_no_file_can_hold_is_kept_with_marks(journal, ear):
    for number, text in enumerate(("\ud800", "caf\udce9", "\x00\x1b[2J")):
        journal.append("fills", FILL | {"trade_id": f"T{number}", "symbol": text})
    await journal.commit()
    assert [row["symbol"] for row in journal.load("fills")] == [
        "\ufffd",
        "caf\ufffd",
        "\x00\x1b[2J",
    ]
    assert ear.heard == []


async def test_two_intents_with_one_tag_are_never_both_recorded(journal, ear):
    journal.append("intents", {"intent": 1, "tag": "same"})
    journal.append("intents", {"intent": 2, "tag": "same"})
    with pytest.raises(OperatorError, match="UNIQUE"):
        await journal.commit()
    assert [row["intent"] for row in journal.load("intents")] == [1]


async def test_rows_that_meet_a_locked_database_are_kept_and_written_with_the_next_commit(
    journal, database, ear
):
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal.append("fills", FILL)
    with pytest.raises(OperatorError, match="another program holds it locked"):
        await journal.commit()
    assert len(ear.heard) == 1
    other.execute("ROLLBACK")
    other.close()
    await journal.commit()
    assert [row["trade_id"] for row in journal.load("fills")] == ["T1"]


async def test_a_full_queue_is_told_and_every_later_commit_raises(database, ear):
    journal = SqliteJournal(database, ear, capacity=10)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for seq in range(1, 13):
        journal.append("audit", {"seq": seq})
    assert len(ear.heard) == 1
    assert "more than 10 were waiting for the disk" in ear.heard[0][1]
    other.execute("ROLLBACK")
    other.close()
    for _ in range(2):
        with pytest.raises(OperatorError, match="2 rows could not be recorded"):
            await journal.commit()
    assert [row["seq"] for row in journal.load("audit")] == list(range(1, 11))
    with pytest.raises(OperatorError, match="2 rows could not be recorded"):
        journal.close()


async def test_a_writer_that_dies_fails_the_waiting_and_the_coming_and_takes_every_row_silently(
    database, ear, monkeypatch
):
    journal = SqliteJournal(database, ear)
    monkeypatch.setattr(journal, "_write_rows", lambda rows: 1 // 0)
    journal.append("audit", {"seq": 1})
    with pytest.raises(OperatorError, match="the writer died"):
        await journal.commit()
    assert ear.heard[0][0] == "store"
    journal.append("audit", {"seq": 2})
    with pytest.raises(OperatorError, match=r"2 rows could not be recorded: .*the writer died"):
        await journal.commit()
    assert journal.load("audit") == []
    with pytest.raises(OperatorError, match="2 rows could not be recorded"):
        journal.close()


def test_the_journal_is_the_engines_port(journal):
    port: Journal = journal
    assert port.load("trades") == []


async def test_the_log_is_given_back_when_a_reader_that_held_it_up_is_gone(database, monkeypatch):
    monkeypatch.setattr("store.schema.CHECKPOINT_PAGES", 32)
    journal = SqliteJournal(database, lambda name, error: pytest.fail(f"{name}: {error}"))
    log, bound = database.with_name(database.name + "-wal"), 32 * 4_096

    async def write(times):
        for _ in range(times):
            journal.append(
                "events", {"ts": 1, "level": "info", "name": "test", "text": "x" * 2_000}
            )
            await journal.commit()

    await write(60)
    assert log.stat().st_size < 2 * bound  # never idle, and never long
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM events").fetchone()
    await write(60)
    assert log.stat().st_size > 2 * bound
    reader.execute("COMMIT")
    await write(3)
    assert log.stat().st_size < 2 * bound
    reader.close()
    journal.close()


def damaged(database, ear, spoil):
    """Return a journal with spoilt pages after the first few, and its error when read."""
    journal = SqliteJournal(database, ear)
    for number in range(2_000):
        journal.append(
            "events", {"seq": number, "ts": 1, "level": "info", "name": "n", "text": "x" * 100}
        )
    journal.close()
    spoil(database)
    with pytest.raises(OperatorError) as told:  # noqa: PT012  refused at the opening, or when it is read
        journal = SqliteJournal(database, ear)
        try:
            journal.load("events")
        finally:
            journal.close()
    return str(told.value)


def overwrite(database):
    whole = bytearray(database.read_bytes())
    whole[len(whole) // 2 :] = b"\xff" * (len(whole) - len(whole) // 2)
    database.write_bytes(whole)


def cut(database):
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("spoil", "is_it"), [(overwrite, "it is damaged"), (cut, "is cut short, ")]
)
def test_a_damaged_database_and_one_cut_short_are_one_line_with_the_mend(
    database, ear, spoil, is_it
):
    told = damaged(database, ear, spoil)
    assert str(database) in told
    assert is_it in told
    assert ": restore a copy" in told
