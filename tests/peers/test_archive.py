"""The archive in a real S3 server.

The commands as a person uses them, killed at every step, and what can go wrong there.
"""

import json
import sys

import pytest

from compiled.model.values import Bar
from store.bars.archived_bars import ArchivedBars
from store.bars.parquet_bars import ParquetBars
from store.object_archive import ObjectArchive
from store.recordings.recording_blocks import FILE, pack_block
from tests.conformance.bar_store import FOREVER, MINUTE, OPEN, fields
from tests.killing import WHOLE, started
from tests.peers.servers import database, server, storage
from tests.store.test_recordings import minutes
from tui.commands.cli import run_command
from tui.run import credentials

__all__ = ["database", "server", "storage"]
pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]
NAMES = {1: "INFY", 2: "M&M"}
BARS = [
    Bar(token, OPEN + n * 1_440 * MINUTE, 60, 100.05, 101.0, 99.95, 100.5, 1_000, 7)
    for token in NAMES
    for n in (0, 1, 27)
]
FEED = FILE + b"".join(map(pack_block, minutes(2)))


@pytest.fixture
def desk(storage, tmp_path, monkeypatch):
    """A desk with an archive of its own in the bucket.

    Return what runs a command of it and gives (code, out, err).
    """
    for name, value in zip(
        ("PATANG_ARCHIVE_KEY", "PATANG_ARCHIVE_SECRET"), storage.KEYS, strict=True
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    configured(
        tmp_path,
        f'bucket = "{storage.BUCKET}"\nendpoint = "{storage.endpoint}"\n'
        f'prefix = "{tmp_path.name}"\n',
    )
    return tmp_path


def configured(folder, archive, more=""):
    (folder / "config.toml").write_text(f"[archive]\n{archive}{more}")
    (folder / "config.toml").chmod(0o600)


def filled(folder):
    """Bars of 2024 and a recorded day of 2024 in a desk's folders; return its history."""
    history = ParquetBars(folder / "state" / "patang" / "history")
    history.write(BARS, NAMES, "live")
    feed = folder / "state" / "patang" / "live" / "recordings" / "2024-06-04" / "0001-0001.feed"
    feed.parent.mkdir(parents=True, exist_ok=True)
    feed.write_bytes(FEED)
    return history


def patang(capfd, *words):
    code = run_command(list(words))
    told = capfd.readouterr()
    return code, told.out, told.err


def test_old_bars_and_recordings_go_and_every_command_reads_them_as_before(desk, capfd):
    history = filled(desk)
    listed = json.loads(patang(capfd, "bars", "list", "--json")[1])
    gaps = patang(capfd, "bars", "gaps", "--json")[1]
    exported = patang(capfd, "bars", "export")[1]
    query = "SELECT symbol, start, open, high, low, close, volume FROM bars ORDER BY symbol, start"
    asked = patang(capfd, "bars", "sql", query, "--format", "csv")[1]
    assert asked.count("\n") == 7

    code, out, err = patang(capfd, "bars", "archive", "push", "--dry-run", "--json")
    assert [(row["what"], row["series"], row["bars"]) for row in json.loads(out)] == [
        ("bars live 60 s", 2, 6),
        ("recordings live/2024-06-04", 1, None),
    ]
    assert patang(capfd, "bars", "archive", "list")[0] == 1, "nothing is there yet"
    assert patang(capfd, "bars", "archive", "push")[0] == 0
    assert history.contents() == []
    assert list((desk / "state").rglob("*.feed")) == []

    again = json.loads(patang(capfd, "bars", "list", "--json")[1])
    assert [{**row, "archived": "", "bytes": 0} for row in again] == [
        {**row, "bytes": 0} for row in listed
    ]
    assert {row["archived"] for row in again} == {"2024-06 to 2024-07"}
    assert patang(capfd, "bars", "gaps", "--json")[1] == gaps
    assert "archived: 2024-06 to 2024-07" in patang(capfd, "bars", "gaps")[2]
    assert patang(capfd, "bars", "export")[1] == exported
    assert patang(capfd, "bars", "sql", query, "--format", "csv")[1] == asked
    june = patang(capfd, "bars", "sql", query, "--format", "csv", "--to", "2024-06-30")[1]
    assert june.count("\n") == 5
    [run] = json.loads(patang(capfd, "ticks", "list", "--json")[1])
    assert (run["recording"], run["state"]) == ("live/2024-06-04/1", "archived")
    found = {
        row["what"]: row["objects"]
        for row in json.loads(patang(capfd, "bars", "archive", "list", "--json")[1])
    }
    assert found == {"bars live 60 s": 4, "recordings live/2024-06-04": 1}
    code, _, err = patang(capfd, "bars", "archive", "verify")
    assert (code, err) == (0, "5 objects are what their names say\n")
    assert not list(desk.rglob("*.feed")), "nothing has read the recording yet"


@pytest.mark.parametrize("bars_dir", ["", "own"])
def test_bars_that_desks_keep_beside_their_runs_go_to_a_shelf_of_their_own(
    desk, storage, capfd, bars_dir
):
    folder = desk / "own" if bars_dir else desk / "state" / "patang" / "live" / "bars"
    archive = f'bucket = "{storage.BUCKET}"\nendpoint = "{storage.endpoint}"\n'
    configured(
        desk,
        f'{archive}prefix = "{desk.name}"\n',
        f'[store]\nbars_dir = "{desk / "own" if bars_dir else ""}"\n',
    )
    filled(desk)
    kept = ParquetBars(folder)
    kept.write(BARS[:3], NAMES, "live")
    export = ("export", "bars", "--mode", "live", "--database", "any.db")
    code, exported, _ = patang(capfd, *export)
    assert (code, exported.count("\n")) == (0, 4)
    assert patang(capfd, "bars", "archive", "push")[0] == 0
    assert kept.contents() == []
    assert patang(capfd, *export)[:2] == (0, exported)
    found = json.loads(patang(capfd, "bars", "archive", "list", "--json")[1])
    shelf = "desk" if bars_dir else "live"
    assert {row["what"] for row in found} == {
        f"bars live 60 s ({shelf})",
        "bars live 60 s",
        "recordings live/2024-06-04",
    }
    assert len(json.loads(patang(capfd, "bars", "list", "--json")[1])) == 2


def test_a_golden_version_is_verified_when_it_lies_in_the_archive(desk, capfd):
    filled(desk)
    assert patang(capfd, "bars", "golden", "build")[0] == 0
    assert patang(capfd, "bars", "archive", "push")[0] == 0
    code, _, err = patang(capfd, "bars", "golden", "verify")
    assert (code, err) == (0, "golden-1: 2 symbols as they were made\n")


def test_a_recording_is_read_out_of_the_archive(desk, capfd):
    filled(desk)
    patang(capfd, "bars", "archive", "push")
    _, _, err = patang(capfd, "ticks", "verify", "live/2024-06-04/1")
    assert "does not say how its day began" in err, "the file of this test has no head"
    [copy] = desk.rglob("*.feed")
    assert copy.read_bytes() == FEED


def test_killed_before_any_step_bars_and_recordings_are_here_or_there_or_both(desk, storage, capfd):
    archive = ObjectArchive(
        storage.files(), f"{storage.BUCKET}/{desk.name}", desk / "copies", 10**8
    )
    calls = [f"store.object_archive:ObjectArchive.{name}" for name in ("put", "fetched", "objects")]
    history = filled(desk)
    for at in range(1, 200, 3):
        done = started(desk / "state", "bars", "archive", "push", at=at, calls=calls)
        _, why = done.communicate(timeout=60)
        assert done.returncode in {-9, WHOLE}, why
        whole = ArchivedBars(history, archive)
        there = [bar for name in NAMES.values() for bar in whole.read(name, 60, 0, FOREVER, "live")]
        assert fields(there) == fields(BARS)
        here = list((desk / "state" / "patang" / "live").rglob("*.feed"))
        assert here or [each for each in archive.objects("recordings") if archive.fetched(each)]
        if done.returncode == WHOLE:
            break
        filled(desk)
    assert at > 20
    assert history.contents() == []
    assert here == []
    assert patang(capfd, "bars", "archive", "verify")[0] == 0


def test_a_storage_that_is_away_or_refuses_is_one_line_and_nothing_goes(
    desk, storage, capfd, monkeypatch
):
    history = filled(desk)
    for archive, says in (
        (
            f'bucket = "none-of-ours"\nendpoint = "{storage.endpoint}"\n',
            "there is no bucket none-of-ours",
        ),
        (f'bucket = "{storage.BUCKET}"\nendpoint = "http://127.0.0.1:1"\n', "NETWORK_CONNECTION"),
    ):
        configured(desk, archive)
        code, out, err = patang(capfd, "bars", "archive", "push")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert says in err
        assert len(history.read("INFY", 60, 0, FOREVER, "live")) == 3
        code, out, _ = patang(capfd, "doctor", "--json")
        [check] = [each for each in json.loads(out)["checks"] if each["name"] == "archive"]
        assert (check["state"], says in check["text"]) == ("warn", True)
    monkeypatch.delenv("PATANG_ARCHIVE_KEY")
    assert "belong together" in patang(capfd, "bars", "archive", "push")[2]
    monkeypatch.delenv("PATANG_ARCHIVE_SECRET")
    assert (
        "no credentials for the archive: patang bars archive login"
        in patang(capfd, "bars", "archive", "push")[2]
    )


def test_the_doctor_says_what_is_in_the_archive(desk, capfd):
    filled(desk)
    patang(capfd, "bars", "archive", "push")
    [check] = [
        each
        for each in json.loads(patang(capfd, "doctor", "--json")[1])["checks"]
        if each["name"] == "archive"
    ]
    assert check["state"] == "ok"
    assert "5 objects" in check["text"]


def test_a_postgres_is_emptied_of_what_is_archived_and_reads_it_back(
    desk, storage, database, capfd
):
    configured(
        desk,
        f'bucket = "{storage.BUCKET}"\nendpoint = "{storage.endpoint}"\nprefix = "{desk.name}"\n',
        f'[store]\nbackend = "postgres"\ndsn = "{database}"\n',
    )
    (desk / "M&M.csv").write_text(
        "timestamp,open,high,low,close\n"
        + "".join(f"2024-06-04 09:{n},1,2.05,1,2\n" for n in (15, 16, 18))
    )
    assert run_command(["bars", "import", "M&M.csv"]) == 0
    capfd.readouterr()
    query = "SELECT version, symbol, start, high FROM bars ORDER BY start"
    before = patang(capfd, "bars", "sql", query, "--format", "csv")[1]
    assert patang(capfd, "bars", "archive", "push")[0] == 0
    from store.bars.postgres_bars import PostgresBars

    store = PostgresBars(database)
    assert store.contents() == []
    store.close()
    assert patang(capfd, "bars", "sql", query, "--format", "csv")[1] == before
    assert before.count("\n") == 4


def test_a_secret_never_shows(desk, storage, capfd):
    filled(desk)
    for words in (
        ["bars", "archive", "push"],
        ["bars", "archive", "list"],
        ["doctor"],
        ["config", "show"],
    ):
        assert storage.KEYS[1] not in "".join(map(str, patang(capfd, *words)))


def test_credentials_that_were_kept_serve_and_go_to_no_other_place(
    desk, storage, capfd, monkeypatch
):
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    for name in ("PATANG_ARCHIVE_KEY", "PATANG_ARCHIVE_SECRET"):
        monkeypatch.delenv(name)
    typed = iter(storage.KEYS)
    monkeypatch.setattr(credentials, "ask_secret", lambda _prompt, _variable: next(typed))
    filled(desk)
    assert patang(capfd, "bars", "archive", "login")[0] == 0
    assert patang(capfd, "bars", "archive", "push")[0] == 0
    configured(desk, f'bucket = "other"\nendpoint = "{storage.endpoint}"\n')
    assert "no credentials for the archive" in patang(capfd, "bars", "archive", "list")[2]
