"""A configuration made question by question: what is written, when, and what is kept of it."""

import io

import pytest

from tui.commands.cli import run_command
from tui.commands.setup import setup_wizard
from tui.commands.setup.config_edits import edited_config

MINE = """# my desk
[feed]
watch = ["INFY"]  # the one I know

[risk]
# never more
max_daily_loss = 5000
"""


class Typist:
    """Somebody at a terminal who types these lines, and then nothing more."""

    def __init__(self, *lines):
        self.lines = list(lines)

    def isatty(self):
        return True

    def readline(self):
        return self.lines.pop(0) + "\n" if self.lines else ""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def doctor(monkeypatch):
    """A doctor who says what the list says next, and keeps what he was shown."""
    seen = []
    says = [0]

    def look(file, static_ip, *, as_json):
        del static_ip, as_json
        seen.append(file.read_text())
        return says[-1] if len(says) == 1 else says.pop(0)

    monkeypatch.setattr(setup_wizard, "run_doctor", look)
    look.seen, look.says = seen, says
    return look


def typed(monkeypatch, *lines):
    monkeypatch.setattr("sys.stdin", Typist(*lines))


def test_other_values_leave_comments_order_and_everything_else():
    changes = {
        ("risk", "max_daily_loss"): 4000,
        ("strategy", "moving_average_cross", "enabled"): False,
        ("feed", "watch"): ("TCS", "INFY"),
        ("desk", "mode"): "paper",
    }
    expected = (
        MINE.replace('["INFY"]', '["TCS", "INFY"]').replace("5000", "4000")
        + '\n[strategy.moving_average_cross]\nenabled = false\n\n[desk]\nmode = "paper"\n'
    )
    assert edited_config(MINE, changes) == expected


def test_a_newcomer_answers_and_has_a_desk(place, monkeypatch, capsys):
    typed(
        monkeypatch,
        *("", "5,00,000", "infy, tcs", "momentum", "momentum_ladder"),
        *("a lot", "₹5,000", "", "", ""),
    )
    assert run_command(["setup"]) == 0
    file = place / "config" / "patang" / "config.toml"
    assert file.read_text() == (
        '[sandbox]\ncash = 500000\n\n[feed]\nwatch = ["INFY", "TCS"]\n\n'
        "[strategy.moving_average_cross]\nenabled = false\n\n[risk]\nmax_daily_loss = 5000\n"
    )
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]
    out, err = capsys.readouterr()
    # the real doctor has looked, at a real sandbox
    assert "ok    feed         connected" in out
    assert "momentum: no such strategy; there are momentum_ladder, moving_average_cross" in err
    assert "risk.max_daily_loss: expected a whole number from 1 to" in err
    assert run_command(["config", "check"]) == 0


def test_what_the_doctor_does_not_pass_waits_and_is_not_asked_again(place, monkeypatch, doctor):
    file = place / "config.toml"
    file.write_text(MINE)
    doctor.says[:] = [1, 0]
    typed(monkeypatch, "", "TCS", "none", "", "", "", "y")
    assert run_command(["setup", "sandbox"]) == 1
    assert file.read_text() == MINE
    waiting = place / "config.toml.new"
    assert 'watch = ["TCS"]  # the one I know' in waiting.read_text()
    # empty lines now stand for what was answered then
    typed(monkeypatch, *[""] * 7)
    assert run_command(["setup", "sandbox"]) == 0
    assert doctor.seen[0] == doctor.seen[1] == file.read_text()
    assert not waiting.exists()


@pytest.mark.parametrize("lines", [["", "TCS"], ["", "TCS", "", "", "", "", "n"]])
def test_whoever_leaves_has_changed_nothing(place, monkeypatch, doctor, capsys, lines):
    (place / "config.toml").write_text(MINE)
    typed(monkeypatch, *lines)
    assert run_command(["setup", "sandbox"]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert (place / "config.toml").read_text() == MINE
    assert [path.name for path in place.iterdir()] == ["config.toml"]
    assert not doctor.seen


def test_ctrl_c_says_that_nothing_was_written(place, monkeypatch, doctor, capsys):
    def leave():
        raise KeyboardInterrupt

    typed(monkeypatch)
    monkeypatch.setattr("sys.stdin.readline", leave)
    assert run_command(["setup", "sandbox"]) == 2
    assert capsys.readouterr().err.endswith("\npatang: nothing was written: it was left\n")
    assert not doctor.seen


def test_without_a_terminal_answers_are_said_beforehand(place, doctor, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run_command(["setup", "sandbox"]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert run_command(["setup", "sandbox", "--yes", "--set", "risk.max_exposure=₹3,00,000"]) == 0
    assert doctor.seen == ["[risk]\nmax_exposure = 300000\n"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("feed.wach=TCS", "feed.wach: sandbox does not ask for it; it asks for sandbox.cash, "),
        ("feed.watch", "--set feed.watch: expected KEY=VALUE"),
        ("sandbox.cash=0", "sandbox.cash: expected a whole number from 1 to 10,000,000,000, got 0"),
        ("feed.watch=A:B", 'feed.watch: expected a list, each a symbol as "INFY", got A:B'),
    ],
)
def test_a_wrong_answer_is_named_with_its_mend(place, doctor, capsys, given, told):
    del place
    assert run_command(["setup", "sandbox", "--yes", "--set", given]) == 2
    assert told in capsys.readouterr().err
    assert not doctor.seen


def test_paper_needs_a_key(place, doctor, capsys):
    assert run_command(["setup", "paper", "--yes"]) == 2
    assert "broker.api_key is needed: say --set broker.api_key=VALUE" in capsys.readouterr().err
    assert run_command(["setup", "paper", "--yes", "--set", "broker.api_key=k1"]) == 0
    assert doctor.seen == ['[desk]\nmode = "paper"\n\n[broker]\nname = "kite"\napi_key = "k1"\n']
    assert (place / "config" / "patang" / "config.toml").read_text() == doctor.seen[0]


def test_real_money_is_not_reached_without_days_on_paper(place, doctor, capsys, monkeypatch):
    said = ["--yes", "--set", "broker.api_key=k1", "--set", "broker.static_ip=1.2.3.4"]
    assert run_command(["setup", "live", *said]) == 2
    told = capsys.readouterr().err
    assert "on paper: 0 days, 0 trades" in told
    assert "trade on paper for 5 days first" in told
    typed(monkeypatch, "n")
    assert run_command(["setup", "live"]) == 2
    assert not doctor.seen
    assert [*place.iterdir()] == []


def test_a_file_that_others_can_write_is_not_gone_on_with(place, doctor, capsys):
    (place / "config.toml").write_text(MINE)
    (place / "config.toml").chmod(0o666)
    assert run_command(["setup", "sandbox", "--yes"]) == 2
    assert "others can write it" in capsys.readouterr().err
    assert not doctor.seen
