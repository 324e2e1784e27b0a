"""`patang sweeps`: kept sweeps are listed, shown again from their journal, and removed."""

import io
import json

import msgspec
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from store.trial_journal import TrialJournal
from tests.engine.backtest.histories import history, walk
from tests.engine.research.made_histories import DAYS
from tui.commands.cli import run_command

SWEEP = ("moving_average_cross", "--param", "fast=2,5", "--param", "slow=5,8", "--workers", "1")


def said(capsys, *arguments, code=0):
    assert run_command([*arguments]) == code
    return capsys.readouterr()


def listed(capsys):
    return json.loads(said(capsys, "sweeps", "list", "--json").out)


def names(state):
    return sorted(each.name for each in (state / "sweeps").iterdir())


def test_a_sweep_is_listed_with_what_it_has(state, capsys):
    told = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    [row] = listed(capsys)
    # of 2 x 2 points the strategy refuses fast = slow = 5, the others run on both symbols
    assert (row["trials"], row["wanted"], row["symbols"], row["days"]) == (6, 6, 2, 5)
    assert row["state"] == "whole"
    assert row["strategies"] == "moving_average_cross"
    scores = pq.read_table(told["file"]).column("score").to_pylist()
    assert row["best"] == max(scores)
    folder = state / "sweeps" / row["name"]
    # a whole sweep needs its bars no more, which would be most of its size
    assert sorted(each.name for each in folder.iterdir()) == [
        *("lock", "points.jsonl", "sweep.json", "trials.jsonl", "trials.parquet")
    ]
    assert row["size"] == sum(each.stat().st_size for each in folder.iterdir())


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_sweep_is_shown_as_it_was_without_its_bars(state, capsys, tmp_path, form):
    pages = [tmp_path / "then.html", tmp_path / "now.html"]
    made = said(capsys, "sweep", *SWEEP, *form, "--report", str(pages[0]))
    history(state / "history", {"INFY": walk(DAYS, 9)})
    shown = said(capsys, "sweeps", "show", *form, "--report", str(pages[1]))
    assert shown.out == made.out
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert "1 point refused by the strategy, as fast=5 slow=5" in shown.err


def test_a_sweep_that_was_stopped_is_shown_as_a_part(state, capsys):
    said(capsys, "sweep", *SWEEP)
    folder = state / "sweeps" / names(state)[0]
    lines = (folder / "trials.jsonl").read_bytes().split(b"\n")
    (folder / "trials.jsonl").write_bytes(b"\n".join(lines[:4]) + b"\n" + lines[4][:40])
    manifest = (folder / "sweep.json").read_text()
    (folder / "sweep.json").write_text(manifest.replace('"whole": true', '"whole": false'))
    [row] = listed(capsys)
    assert (row["trials"], row["wanted"], row["state"]) == (3, 6, "stopped")
    # a point that was given up after one of two symbols leaves one that is not wanted any more
    journal = TrialJournal(folder)
    journal.append_points([msgspec.structs.replace(journal.points()[0], pruned=1)])
    assert listed(capsys)[0]["wanted"] == 5
    shown = json.loads(said(capsys, "sweeps", "show", "--json").out)
    assert shown["partial"]
    assert shown["trials"] == 3
    assert "stopped before its end" in said(capsys, "sweeps", "show").err


@pytest.mark.parametrize(("file", "left"), [("trials.jsonl", 5), ("points.jsonl", 4)])
def test_what_damage_took_from_a_whole_sweep_is_told_until_it_is_run_again(
    state, capsys, file, left
):
    told = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    journal = state / "sweeps" / names(state)[0] / file
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([lines[0], lines[1][:40], *lines[2:]]))
    [row] = listed(capsys)
    assert (row["wanted"], row["state"]) == (6, "damaged" if file == "trials.jsonl" else "whole")
    shown = json.loads(said(capsys, "sweeps", "show", "--json").out)
    assert shown["trials"] == left
    assert shown["partial"]
    missing = f"{6 - left} trial{'s' if left < 5 else ''} missing"
    assert missing in shown["notices"][0]
    assert missing in said(capsys, "sweeps", "show").err
    again = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    assert again["ranking"] == told["ranking"]
    assert listed(capsys)[0]["state"] == "whole"
    assert not json.loads(said(capsys, "sweeps", "show", "--json").out)["partial"]


def test_names_may_be_shortened_and_last_is_the_newest(state, capsys):
    said(capsys, "sweep", *SWEEP)
    said(capsys, "sweep", *SWEEP, "--symbols", "INFY")
    [one, two] = names(state)
    wanted = next(name for name in (one, two) if len(listed(capsys)) == 2)
    end = wanted.rpartition("-")[2]
    for text in (end, wanted, wanted[:-1]):
        assert json.loads(said(capsys, "sweeps", "show", text, "--json").out)["name"] == wanted
    newest = listed(capsys)[0]["name"]
    assert json.loads(said(capsys, "sweeps", "show", "--json").out)["name"] == newest
    several = said(capsys, "sweeps", "show", "moving", code=1).err
    assert several.count("\n") == 1
    assert "several sweeps begin so" in several
    wrong = said(capsys, "sweeps", "show", f"{wanted[:-2]}xx", code=1).err
    assert "no such sweep" in wrong
    assert wanted in wrong
    assert wrong.count("\n") == 1


def test_a_sweep_is_removed_when_it_is_asked_for_and_not_while_it_runs(state, capsys, monkeypatch):
    said(capsys, "sweep", *SWEEP)
    [name] = names(state)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "nothing was removed" in said(capsys, "sweeps", "rm", "last", code=2).err
    with TrialJournal(state / "sweeps" / name).lock():
        assert listed(capsys)[0]["state"] == "running"
        busy = said(capsys, "sweeps", "rm", "last", "--yes", code=2).err
        assert "runs at the moment: nothing was removed" in busy
    assert names(state) == [name]
    (state / "sweeps" / ".removed-older").mkdir()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert f"removed {name}" in said(capsys, "sweeps", "rm", "last").err
    assert names(state) == []
    assert "no sweeps" in said(capsys, "sweeps", "list", code=1).err
    assert "no sweeps" in said(capsys, "sweeps", "show", code=1).err


def test_a_damaged_sweep_stands_in_the_list_and_can_be_removed(state, capsys):
    said(capsys, "sweep", *SWEEP)
    [name] = names(state)
    (state / "sweeps" / name / "sweep.json").write_text("{")
    assert listed(capsys)[0]["state"] == "cannot be read"
    shown = said(capsys, "sweeps", "show", code=2).err
    assert "sweep.json cannot be read" in shown
    said(capsys, "sweeps", "rm", name, "--yes")
    assert names(state) == []


def test_a_sweep_of_an_earlier_patang_says_how_to_make_it_again(state, capsys):
    said(capsys, "sweep", *SWEEP)
    folder = state / "sweeps" / names(state)[0]
    manifest = json.loads((folder / "sweep.json").read_bytes())
    del manifest["days"], manifest["window"], manifest["whole"]
    (folder / "sweep.json").write_text(json.dumps(manifest))
    assert "run it again" in said(capsys, "sweeps", "show", code=2).err


def test_symbols_with_holes_of_their_own_are_compared_on_one_calendar(state, capsys):
    for left in (state / "history").rglob("*.parquet"):
        left.unlink()
    history(state / "history", {"INFY": walk(DAYS[1:3], 3), "SBIN": walk([*DAYS[:2], DAYS[4]], 4)})
    told = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    rows = pq.read_table(told["file"]).to_pylist()
    assert {len(row["daily_returns"]) for row in rows} == {4}  # of the five days nobody has the 4th
    for row in rows:
        if row["symbol"] == "INFY":
            assert row["daily_returns"][0] == row["daily_returns"][3] == 0.0


def test_a_trial_whose_figures_were_changed_is_run_again(state, capsys):
    told = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    file = state / "sweeps" / names(state)[0] / "trials.jsonl"
    was, figure = file.read_bytes(), b'"return":'
    at = was.index(figure) + len(figure)
    file.write_bytes(was[:at] + b"9" + was[at:])
    assert listed(capsys)[0]["trials"] == 5
    again = json.loads(said(capsys, "sweep", *SWEEP, "--json").out)
    assert again["best"] == told["best"]
    assert listed(capsys)[0]["trials"] == 6


def test_a_sweep_that_begins_anew_forgets_what_was_found(state, capsys, monkeypatch):
    said(capsys, "sweep", *SWEEP)
    folder = state / "sweeps" / names(state)[0]
    there = []

    def stopped(*_):
        there.extend(each.name for each in folder.iterdir())
        raise DataError("no bars")

    monkeypatch.setattr("tui.commands.research.sweep_job.write_packed", stopped)
    said(capsys, "sweep", *SWEEP, "--fresh", code=2)
    assert there == ["lock"]
