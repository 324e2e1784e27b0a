"""Files that are replaced whole: what stands in their place before."""

import os
import stat

import pytest

from engine.errors import OperatorError
from engine.system.whole_files import write_whole


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path, linked):
    pipe = out = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        out = tmp_path / "out"
        out.symlink_to(pipe)
    there = sorted(each.name for each in tmp_path.iterdir())
    with pytest.raises(OperatorError, match="it is a device or a pipe"):
        write_whole(out, lambda fresh: fresh.write_text("x"))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert out.is_symlink() == linked
    assert sorted(each.name for each in tmp_path.iterdir()) == there


def test_a_link_that_leads_nowhere_is_replaced(tmp_path):
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "nowhere")
    write_whole(out, lambda fresh: fresh.write_text("x"))
    assert not out.is_symlink()
    assert out.read_text() == "x"
