"""The console's entry: a ctrl-c while the command line is still being imported."""

import os
import subprocess
import sys

from tests.conftest import ROOT

PRESSED = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
except BaseException:
    pass  # as a library does that looks for a part it can do without
"""


def run(folder, program, **options):
    return subprocess.run(
        [sys.executable, "-c", program, "version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_ctrl_c_during_the_imports_ends_quietly_even_where_a_library_swallows_it(tmp_path):
    (tmp_path / "cyclopts.py").write_text(PRESSED)
    done = run(tmp_path, "from tui.__main__ import main; main()")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "patang: interrupted\n")


def test_a_ctrl_c_that_is_ignored_stays_ignored(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    )
    program = """
import os, signal
from tui.__main__ import main
os.kill(os.getpid(), signal.SIGINT)
main()
"""
    done = run(tmp_path, program)
    assert done.returncode == 0
    assert done.stdout.startswith("patang 0.1.0")


def test_the_command_itself_is_interrupted_as_before(tmp_path):
    program = """
import os, signal
from tui import __main__
from tui.commands import cli
cli.memory_check.check_memory = lambda _: os.kill(os.getpid(), signal.SIGINT)
__main__.main()
"""
    done = run(tmp_path, program)
    assert (done.returncode, done.stderr) == (130, "patang: interrupted\n")
