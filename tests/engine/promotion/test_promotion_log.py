"""The log of promotions: what a rollback goes back to, and what a kill leaves."""

import os
from datetime import date

import pytest

from engine.errors import BusyError, DataError, OperatorError
from engine.promotion.next_day_file import (
    FILE,
    NextDayFile,
    next_day_of,
    read_next_day,
    write_next_day,
)
from engine.promotion.promotion_log import PromotionLog
from tests.engine.promotion.made_up import promoted, put_promotion


@pytest.fixture
def log(tmp_path):
    made = PromotionLog(tmp_path / "paper")
    with made.lock():
        yield made


def put(log, names, act="promotion", state=None):
    """Write a promotion of these, or a rollback to a state; return its number."""
    after = [promoted(name) for name in names] if state is None else log.file_after(state).promoted
    return put_promotion(log, after, act, state)


def there(log):
    return list(read_next_day(log.state).strategy)


def roll_back(log):
    state = log.previous_state(read_next_day(log.state).number)
    put(log, (), "rollback", state)
    return state


def test_one_rollback_after_the_other_goes_further_back_and_is_a_record_itself(log):
    for name in ("a", "b", "c"):
        put(log, [name])
    assert roll_back(log) == 2
    assert there(log) == ["b"]
    assert roll_back(log) == 1
    assert there(log) == ["a"]
    assert roll_back(log) == 0
    assert there(log) == []
    assert [(each.number, each.act, each.state) for each in log.records()] == [
        (1, "promotion", 1),
        (2, "promotion", 2),
        (3, "promotion", 3),
        (4, "rollback", 2),
        (5, "rollback", 1),
        (6, "rollback", 0),
    ]


def test_after_a_rollback_a_new_promotion_goes_back_to_what_was_in_force(log):
    for name in ("a", "b"):
        put(log, [name])
    roll_back(log)
    put(log, ["d"])
    assert roll_back(log) == 1
    assert there(log) == ["a"]


@pytest.mark.parametrize("reason", [OperatorError("no room"), KeyboardInterrupt()])
@pytest.mark.parametrize("broken", [False, True])
def test_a_file_that_cannot_be_written_is_not_on_record(log, monkeypatch, reason, broken):
    put(log, ["a"])

    def fails(*_):
        if broken:
            (log.state / FILE).write_text("")
        raise reason

    monkeypatch.setattr("engine.promotion.promotion_log.write_next_day", fails)
    with pytest.raises(type(reason)):
        put(log, ["b"])
    assert log.numbers() == [1]
    assert list(log.in_force()[0].strategy) == ["a"]


def test_a_file_that_is_written_when_its_writing_ends_badly_keeps_its_record(log, monkeypatch):
    def interrupted(folder, file):
        write_next_day(folder, file)
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.promotion.promotion_log.write_next_day", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(log, ["a"])
    assert (log.numbers(), there(log)) == ([1], ["a"])


def test_a_kill_between_record_and_file_leaves_the_old_file_and_is_gone_on_from(log):
    put(log, ["a"])
    kept = (log.state / FILE).read_bytes()
    put(log, ["b"])
    (log.state / FILE).write_bytes(kept)
    assert there(log) == ["a"]
    assert put(log, ["c"]) == 3
    assert roll_back(log) == 1
    assert there(log) == ["a"]


def test_a_record_is_never_written_over(log):
    put(log, ["a"])
    with pytest.raises(OperatorError, match="is there already"):
        log.put(log.record(1))


def test_a_record_that_is_damaged_or_gone_is_named(log):
    put(log, ["a"])
    log.file_of(1).write_text("{}")
    with pytest.raises(DataError, match=r"0001.json cannot be read"):
        log.records()
    log.file_of(1).unlink()
    with pytest.raises(DataError, match=r"0001.json: no such file"):
        log.previous_state(1)


@pytest.mark.parametrize("left", ["{}", None])
def test_a_file_whose_record_is_gone_is_followed_and_can_be_replaced(log, left):
    put(log, ["a"])
    put(log, ["b"])
    log.file_of(2).unlink() if left is None else log.file_of(2).write_text(left)
    found, fault = log.in_force()
    assert (list(found.strategy), found.number) == (["b"], 0)
    assert "0002.json" in fault
    assert "no way back" in fault


def test_other_files_beside_the_records_are_none(log):
    put(log, ["a"])
    for name in ("notes", "00007", "7", "\N{FULLWIDTH DIGIT SEVEN}" * 4, "9" * 30):
        (log.folder / f"{name}.json").write_text("hi")
    assert log.numbers() == [1]
    assert log.next_number() == 2


def test_two_do_not_promote_at_once(log):
    with pytest.raises(BusyError, match="the log of promotions is held by process"), log.lock():
        pass


def test_what_the_desk_opened_with_is_kept_and_a_broken_note_of_it_harms_nothing(log):
    file = next_day_of([promoted("a")], 1)
    assert log.opened() == NextDayFile()
    log.keep_opened(file)
    assert log.opened() == file
    note = log.folder / "opened.toml"
    note.write_text("[[")
    assert log.opened() == NextDayFile()
    note.unlink()
    os.mkfifo(note)  # whatever reads it would wait for a writer for ever
    assert log.opened() == NextDayFile()
    log.keep_opened(file)
    assert log.opened() == file


def test_what_nobody_evaluated_for_a_week_is_named(log):
    file = next_day_of([promoted("a"), promoted("b")], 1)  # since 8 June 2024
    assert log.overdue_text(file, date(2024, 6, 15)) == ""
    told = "a, b not evaluated yet: patang evaluate"
    assert log.overdue_text(file, date(2024, 6, 16)) == told
    log.keep_evaluated(date(2024, 6, 16))
    assert log.overdue_text(file, date(2024, 6, 23)) == ""
    assert "since 2024-06-16" in log.overdue_text(file, date(2024, 6, 24))
    (log.folder / "evaluated").write_text("zzz")
    assert log.overdue_text(file, date(2024, 6, 16)) == told
    assert log.overdue_text(next_day_of([], 1), date(2024, 6, 24)) == ""
