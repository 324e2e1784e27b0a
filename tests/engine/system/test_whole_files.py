"""Files that are replaced whole: what stands in their place before."""

import os
from pathlib import Path

import pytest

from engine.errors import OperatorError
from engine.system.whole_files import write_whole


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_a_link_to_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path, kind):
    out, behind = tmp_path / "out", Path(os.devnull)
    if kind == "pipe":
        behind = tmp_path / "pipe"
        os.mkfifo(behind)
    out.symlink_to(behind)
    there = sorted(each.name for each in tmp_path.iterdir())
    with pytest.raises(OperatorError, match="it is a device or a pipe"):
        write_whole(out, lambda fresh: fresh.write_text("x"))
    assert out.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == there


def test_a_link_that_leads_nowhere_is_replaced(tmp_path):
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "nowhere")
    write_whole(out, lambda fresh: fresh.write_text("x"))
    assert not out.is_symlink()
    assert out.read_text() == "x"
