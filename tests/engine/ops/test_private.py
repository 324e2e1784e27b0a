"""Private folders: made so, tightened, and refused where others could write."""

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import OperatorError
from engine.system import private_files

SOMEBODY = 65_534
OTHERS_FILE = pytest.mark.skipif(
    os.getuid() != 0, reason="only root can give a file to another user"
)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_folder_is_made_for_its_user_alone_whatever_the_mask(tmp_path):
    before = os.umask(0)
    try:
        private_files.make_private(tmp_path / "state")
    finally:
        os.umask(before)
    assert mode(tmp_path / "state") == 0o700


def test_what_an_earlier_version_has_left_open_to_readers_is_tightened(tmp_path):
    folder = tmp_path / "state"
    (folder / "bars" / "2024").mkdir(parents=True)
    files = [folder / "desk.db", folder / "KILL", folder / "bars" / "2024" / "x.parquet"]
    for file in files:
        file.write_text("x")
        file.chmod(0o644)
    outside = tmp_path / "outside"
    outside.write_text("not ours to change")
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    for path in (folder, folder / "bars", folder / "bars" / "2024"):
        path.chmod(0o755)
    private_files.make_private(folder)
    assert [mode(path) for path in files] == [0o600] * 3
    assert [mode(path) for path in (folder, folder / "bars", folder / "bars" / "2024")] == [
        0o700
    ] * 3
    assert mode(outside) == 0o644


@pytest.mark.parametrize("open_", ["state", "above"])
def test_a_folder_in_which_others_can_write_is_refused_with_the_command_that_mends_it(
    tmp_path, open_
):
    above, folder = tmp_path / "the house", tmp_path / "the house" / "state"
    folder.mkdir(parents=True)
    loose = folder if open_ == "state" else above
    loose.chmod(0o777)
    with pytest.raises(OperatorError) as refusal:
        private_files.make_private(folder)
    told, _, command = str(refusal.value).partition(": ")
    assert told == f"others can write in {loose}"
    assert os.system(command) == 0
    private_files.make_private(folder)


def test_a_shared_folder_with_the_sticky_bit_may_lie_above(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    private_files.make_private(tmp_path / "shared" / "state")
    assert (tmp_path / "shared" / "state").stat().st_mode & 0o777 == 0o700


def test_a_link_into_a_folder_of_others_is_looked_through(tmp_path):
    (tmp_path / "open" / "state").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "state").symlink_to(tmp_path / "open" / "state")
    with pytest.raises(OperatorError, match=r"others can write in .*/open"):
        private_files.make_private(tmp_path / "state")


@pytest.mark.parametrize(
    ("name", "primary", "members", "others"),
    [
        ("me", 7, [], False),
        ("me", 7, ["me"], False),
        ("me", 7, ["me", "you"], True),
        ("users", 7, [], True),
        ("me", 8, [], True),
    ],
)
def test_a_group_of_which_nobody_else_is_a_member_is_nobody_else(
    monkeypatch, name, primary, members, others
):
    monkeypatch.setattr(
        private_files.pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="me", pw_gid=primary)
    )
    monkeypatch.setattr(
        private_files.grp, "getgrgid", lambda _: SimpleNamespace(gr_name=name, gr_mem=members)
    )
    for bits, wanted in ((0o775, others), (0o755, False), (0o757, True)):
        facts = SimpleNamespace(st_mode=stat.S_IFDIR | bits, st_gid=7)
        assert private_files.others_write(facts) is wanted


def test_a_folder_within_that_others_can_write_in_is_not_tightened_in_silence(tmp_path):
    inner = tmp_path / "state" / "sandbox"
    inner.mkdir(parents=True)
    (tmp_path / "state").chmod(0o755)
    inner.chmod(0o777)
    with pytest.raises(
        OperatorError, match=rf"^others can write in {inner}: chmod -R go= {inner}$"
    ):
        private_files.make_private(tmp_path / "state")
    assert mode(inner) == 0o777


@OTHERS_FILE
@pytest.mark.parametrize("whose", ["folder", "file"])
def test_what_belongs_to_another_user_is_refused(tmp_path, whose):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "desk.db").touch()
    os.chown(folder if whose == "folder" else folder / "desk.db", SOMEBODY, SOMEBODY)
    with pytest.raises(OperatorError, match=rf"belongs to another user \({SOMEBODY}\)"):
        private_files.make_private(folder)


def test_a_place_where_nothing_can_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match=r"^cannot write in .*/file/state: not a directory$"):
        private_files.make_private(tmp_path / "file" / "state")


def test_nothing_is_written_through_a_link(tmp_path):
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / "KILL.log").symlink_to(target)
    with pytest.raises(OSError):
        private_files.append_private(tmp_path / "KILL.log", b"x")
    (tmp_path / "KILL").symlink_to(target)
    private_files.replace_private(tmp_path / "KILL", b"ours")
    assert target.read_text() == "untouched"
    assert (tmp_path / "KILL").read_bytes() == b"ours"
    assert mode(tmp_path / "KILL") == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"target", "KILL", "KILL.log"}


def test_a_disk_that_takes_a_part_of_a_line_keeps_none_of_it(tmp_path, monkeypatch):
    file: Path = tmp_path / "KILL.log"
    private_files.append_private(file, b"whole")
    write = os.write

    def half(descriptor, content):
        if len(content) <= 3:
            raise OSError(28, "full")
        return write(descriptor, content[:3])

    monkeypatch.setattr(private_files.os, "write", half)
    with pytest.raises(OSError, match="full"):
        private_files.append_private(file, b"another")
    assert file.read_bytes() == b"whole\n"
