"""`patang promote`, as it is typed: real sweeps, real checks, and what is never promoted."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from engine.promotion.next_day_file import FILE, NextDayFile, read_next_day
from engine.promotion.promotion_log import PromotionLog
from store.trial_journal import sealed_line, unsealed_line
from tests.engine.backtest.histories import history
from tests.engine.promotion.made_up import promoted, put_promotion
from tests.engine.promotion.market import AHEAD, MORNING, SPAN, rising
from tui.commands.backtest.bias_check_job import BiasCheckJob
from tui.commands.cli import run_command
from tui.commands.research.trial_checks import TrialChecks, capital_of, passed

GRID = "4,9,10,11,18"
"""Of which ten is the best: the share rises until then."""
SETTINGS = "[promotion]\nbudget = 60000\nmax_age_days = 30000\n[scoring]\nnext_day = 1\n"


class House:
    """A folder of a user: two sweeps, of an honest strategy and of one that looks ahead."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = home / "state" / "patang"
        self.strategies = home / "config" / "patang" / "strategies"
        self.strategies.mkdir(parents=True)
        (self.strategies / "morning.py").write_text(MORNING)
        (self.strategies / "ahead.py").write_text(AHEAD)
        history(self.state / "history", {"INFY": rising(1)}, span=SPAN)
        self.configure(SETTINGS)

    def configure(self, text):
        (self.home / "config.toml").write_text(text)

    def sweep(self, strategy, parameter):
        asked = ("--param", f"{parameter}={GRID}", "--workers", "1", "--json")
        out = sys.stdout = io.StringIO()
        try:
            assert run_command(["sweep", strategy, *asked]) == 0
        finally:
            sys.stdout = sys.__stdout__
        return json.loads(out.getvalue())

    def file(self, mode="sandbox"):
        return read_next_day(self.state / mode)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Return a house, and what was said of its sweeps."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("house")
        patch.chdir(home)
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        house = House(home)
        yield (
            house,
            {
                "ahead": house.sweep("ahead", "far"),
                "morning": house.sweep("morning", "hold"),
            },
        )


@pytest.fixture
def house(swept):
    """Return the house without any promotion, with the settings it began with."""
    made, _ = swept
    made.configure(SETTINGS)
    for path in sorted(made.state.glob("*/promotions/*")) + sorted(made.state.glob(f"*/{FILE}")):
        path.unlink()
    return made


@pytest.fixture
def quick(monkeypatch):
    """Leave out what takes seconds and is not asked about."""
    monkeypatch.setattr(TrialChecks, "_backtest_steps", lambda *_: [passed("backtest", "same")])
    monkeypatch.setattr(TrialChecks, "_bias_step", lambda *_: passed("bias", "none"))


def name_of(swept, strategy):
    return Path(swept[1][strategy]["file"]).parent.name


@pytest.fixture
def promote(swept, house, capsys):
    def run(*arguments, code=0, sweep="morning"):
        named = [name_of(swept, sweep)] if sweep else []
        capsys.readouterr()
        assert run_command(["promote", *named, *arguments]) == code
        return capsys.readouterr()

    return run


def test_the_best_goes_through_every_check_and_is_written_with_its_promise(swept, house, promote):
    told = promote("--yes").out
    for step in ("sweep", "age", "basis", "table", "scores", "luck", "backtest", "linter", "bias"):
        assert f"✓ {step:<9}" in told
    assert "✕" not in told
    assert "+hold = 10" in told
    assert "+ morning_infy_900 (INFY, ₹60,000)" in told

    (one,) = house.file().promoted
    assert one.table == {
        "source": str(house.strategies / "morning.py"),
        "symbols": ["INFY"],
        "timeframe_s": 900,
        "hold": 10,
        "capital": 50_000,
    }
    assert one.budget == 60_000
    rows = pq.read_table(swept[1]["morning"]["file"]).to_pylist()
    best = next(row for row in rows if json.loads(row["parameters"])["hold"] == 10)
    assert one.origin.trial == best["trial"]
    assert one.promise.sessions == 32
    assert one.promise.annual_return == pytest.approx(best["net_return"] * 252 / 32)
    assert one.promise.trades_a_day == 1.0  # it buys every morning
    (trial,) = PromotionLog(house.state / "sandbox").record(1).trials
    assert trial.returns == best["daily_returns"]
    assert (trial.days[0], trial.days[-1], len(trial.days)) == ("2024-06-03", "2024-07-18", 32)

    assert "has this already" in promote("--yes").err
    assert house.file().number == 1
    shown = promote("--show", sweep="").out
    assert "morning_infy_900  INFY  ₹60,000" in shown
    assert "chosen as 1 of at most 1" in shown


def test_a_strategy_that_looks_ahead_is_not_promoted_whatever_reason_is_given(
    swept, house, promote
):
    best = swept[1]["ahead"]
    assert best["believed"], "the gate against luck believes it: only the bias suite tells"
    told = promote("--yes", "--force", "I believe in it", sweep="ahead", code=1).out
    assert "✓ luck" in told
    assert "✕ bias" in told
    assert "future cut away" in told
    assert "(cannot be forced)" in told
    assert house.file() == NextDayFile()
    assert json.loads(promote("--history", "--json", sweep="").out) == []


def test_what_the_bias_suite_warns_of_is_told_with_its_pass(promote, monkeypatch):
    def some(*_):
        rows = ("source", "warn", "s.py:3: files"), ("zones", "pass", "none"), ("x", "not run", "")
        return [
            SimpleNamespace(finding=SimpleNamespace(label=label, status=status, text=text))
            for label, status, text in rows
        ]

    monkeypatch.setattr(BiasCheckJob, "execute", some)
    told = promote("--dry-run").out
    assert "✓ bias     2 tests run, none fails; look at source (s.py:3: files)" in told


def test_a_trial_that_does_not_come_out_again_is_not_promoted(swept, house, promote):
    journal = Path(swept[1]["morning"]["file"]).with_name("trials.jsonl")
    kept = journal.read_bytes()
    digest = next(
        row["digest"]
        for row in pq.read_table(swept[1]["morning"]["file"]).to_pylist()
        if json.loads(row["parameters"])["hold"] == 10
    )
    lines = [unsealed_line(line) for line in kept.split(b"\n") if line]
    other = [line.replace(digest.encode(), digest[::-1].encode()) for line in lines]
    journal.write_bytes(b"\n".join(map(sealed_line, other)))
    try:
        told = promote("--yes", "--force", "who cares", code=1)
    finally:
        journal.write_bytes(kept)
    assert "✕ backtest run again it decides otherwise" in told.out
    assert "(cannot be forced)" in told.out
    assert house.file() == NextDayFile()


@pytest.mark.parametrize(
    ("parameters", "rupees"),
    [
        ({"total_capital": 90_000, "capital": 20_000}, 90_000),
        ({"total_capital": 0, "capital": 20_000}, 60_000),
        ({"fast": 9}, 0),
    ],
)
def test_the_capital_of_one_position_may_be_spent_in_each_symbol(parameters, rupees):
    assert capital_of({"symbols": ["INFY", "SBIN", "TCS"]} | parameters) == rupees


@pytest.mark.usefixtures("quick")
class TestWithoutTheLongChecks:
    """What the last two checks have nothing to do with."""

    def test_a_sweep_of_old_days_is_refused_and_forced_with_a_reason_on_record(
        self, house, promote
    ):
        house.configure(SETTINGS.replace("30000", "7"))
        told = promote("--yes", code=1)
        assert "✕ age      up to 2024-07-18" in told.out
        assert "promotion.max_age_days allows 7" in told.out
        assert house.file() == NextDayFile()
        assert "(forced: a demo)" in promote("--yes", "--force", "a demo").out
        assert house.file().promoted[0].origin.forced == "a demo"
        assert PromotionLog(house.state / "sandbox").record(1).reason == "a demo"
        assert "forced: a demo" in promote("--show", sweep="").out

    def test_a_sweep_that_is_not_whole_is_refused(self, swept, house, promote):
        journal = Path(swept[1]["morning"]["file"]).with_name("trials.jsonl")
        kept = journal.read_bytes()
        journal.write_bytes(b"\n".join(kept.split(b"\n")[:-1]))
        try:
            told = promote("--yes", code=1)
        finally:
            journal.write_bytes(kept)
        assert "✕ sweep    4 trials are done, more were asked for" in told.out
        assert house.file() == NextDayFile()

    @pytest.mark.parametrize("what", ["source", "bars"])
    def test_a_sweep_of_other_code_or_bars_is_refused(self, house, promote, what):
        file = house.strategies / "morning.py"
        if what == "source":
            file.write_text(MORNING + "# better\n")
        else:
            history(house.state / "history", {"INFY": rising(9)}, span=SPAN)
        try:
            told = promote("--yes", "--force", "all the same", code=2).err
        finally:
            file.write_text(MORNING)
            history(house.state / "history", {"INFY": rising(1)}, span=SPAN)
        found = "the source of strategy morning" if what == "source" else "the bars of INFY"
        assert f"{found} changed since the sweep" in told

    def test_a_gate_of_the_scoring_refuses_with_its_reason(self, house, promote):
        house.configure(SETTINGS + "[scoring.gates]\nmin_trades = 1000\n")
        told = promote("--yes", code=1)
        assert "✕ scores   rejected: trades 32 is below 1000" in told.out
        assert "no trial of this sweep passes" in told.err
        assert house.file() == NextDayFile()

    def test_the_gate_against_luck_refuses_with_its_reason(self, house, promote, monkeypatch):
        monkeypatch.setattr(
            "engine.research.sweep_study.ChosenTrial.is_believed", property(lambda _: False)
        )
        assert "✕ luck" in promote("--yes", code=1).out
        assert house.file() == NextDayFile()

    def test_without_a_budget_nothing_is_promoted(self, house, promote):
        house.configure("")
        assert "promotion.budget is 0, nothing is promoted" in promote("--yes", code=2).err

    def test_more_than_the_budget_is_not_promoted_whatever_reason_is_given(self, house, promote):
        house.configure(SETTINGS.replace("60000", "49999"))
        told = promote("--yes", "--force", "it will do", code=1).out
        assert "its capital of 50,000 rupees exceeds its part of 49,999" in told
        assert "set promotion.budget to 50,000" in told
        assert "run again" not in told, "no backtest would let it pass"
        assert house.file() == NextDayFile()

    def test_what_does_not_fit_is_left_out_and_the_others_have_its_part(self, house, promote):
        house.configure(SETTINGS.replace("next_day = 1", "next_day = 2"))
        told = promote("--yes").out
        assert "✕ budget   its capital of 50,000 rupees exceeds its part of 30,000" in told
        assert "set promotion.budget to 1,00,000" in told
        assert house.file().budget == {"morning_infy_900": 60_000}
        left_out = PromotionLog(house.state / "sandbox").record(1).trials[1]
        assert (left_out.name, left_out.promoted) == ("morning_infy_900_2", False)

    def test_what_stays_of_other_strategies_counts_in_the_budget(self, house, promote):
        log = PromotionLog(house.state / "sandbox")
        with log.lock():
            put_promotion(log, [promoted("other_infy_60", capital=30_000)])
        refused = promote("--yes", code=1).out
        assert "its capital of 50,000 rupees exceeds its part of 30,000" in refused
        assert "run again" not in refused
        house.configure(SETTINGS.replace("60000", "59998"))
        told = promote("--yes", code=2)
        assert "other_infy_60 stays from before" in told.err
        assert "✕" not in told.out
        house.configure(SETTINGS.replace("60000", "120000"))
        told = promote("--yes").out
        assert "~ other_infy_60 budget ₹20,000 -> ₹60,000" in told
        assert house.file().budget == {"other_infy_60": 60_000, "morning_infy_900": 60_000}
        assert "- other_infy_60" in promote("--yes", "--replace").out
        assert house.file().budget == {"morning_infy_900": 120_000}

    def test_a_name_of_the_configuration_is_refused(self, house, promote):
        house.configure(SETTINGS + '[strategy.morning_infy_900]\nsource = "x.py"\n')
        told = promote("--yes", "--force", "mine", code=1).out
        assert "✕ table    morning_infy_900 stands in the configuration as well" in told

    def test_bars_that_the_desk_does_not_build_are_refused(self, house, promote):
        house.configure(
            SETTINGS + "[feed]\nspans_s = [60]\n[strategy.moving_average_cross]\n"
            "timeframe_s = 60\n[strategy.momentum_ladder]\ntimeframe_s = 60\n"
        )
        assert "no bar has 900 seconds; feed.spans_s builds 60" in promote("--yes", code=1).out

    @pytest.mark.parametrize(
        ("arguments", "code", "told"),
        [((), 2, "say --yes to write it"), (("--dry-run",), 0, "dry run: nothing was written")],
    )
    def test_without_a_yes_it_is_shown_and_not_written(self, house, promote, arguments, code, told):
        said = promote(*arguments, code=code)
        assert told in said.err
        assert "+hold = 10" in said.out
        assert house.file() == NextDayFile()
        assert PromotionLog(house.state / "sandbox").numbers() == []

    @pytest.mark.parametrize(("word", "code"), [("promote", 0), ("yes", 2), ("", 2)])
    def test_the_word_is_typed_at_a_terminal(self, house, promote, monkeypatch, word, code):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        monkeypatch.setattr(sys, "stdin", Terminal(f"{word}\n"))
        assert "Type promote to write it" in promote(code=code).err
        assert bool(house.file().promoted) == (code == 0)

    def test_what_is_promoted_for_paper_never_reaches_live(self, house, promote):
        promote("--yes", "--mode", "paper")
        assert list(house.file("paper").strategy) == ["morning_infy_900"]
        assert house.file("live") == house.file("sandbox") == NextDayFile()

    def test_a_rollback_is_shown_asked_for_and_goes_further_back_each_time(self, house, promote):
        promote("--yes")
        house.configure(SETTINGS.replace("60000", "70000"))
        promote("--yes")
        assert house.file().spent == 70_000
        assert "nothing was written" in promote("--rollback", sweep="", code=2).err
        told = promote("--rollback", "--yes", sweep="")
        assert "~ morning_infy_900 budget ₹70,000 -> ₹60,000" in told.out
        assert "at its next opening" in told.err
        assert house.file().spent == 60_000
        assert "- morning_infy_900" in promote("--rollback", "--yes", sweep="").out
        assert house.file().promoted == []
        assert "no promotion to take back" in promote("--rollback", "--yes", sweep="", code=1).err
        rows = json.loads(promote("--history", "--json", sweep="").out)
        assert [(row["act"], row["state"], row["in_force"]) for row in rows] == [
            ("promotion", 1, False),
            ("promotion", 2, False),
            ("rollback", 1, False),
            ("rollback", 0, True),
        ]

    def test_as_json_it_is_one_object_with_every_step(self, house, promote):
        told = json.loads(promote("--yes", "--json").out)
        (trial,) = told["trials"]
        assert (told["written"], told["mode"], trial["promoted"]) == (True, "sandbox", True)
        assert [step["verdict"] for step in trial["steps"]] == ["pass"] * 6
        assert told["changes"] == [
            {"sign": "+", "name": "morning_infy_900", "text": "(INFY, ₹60,000)"}
        ]

    def test_a_file_that_cannot_be_written_leaves_the_old_one_and_says_nothing_else(
        self, house, promote, monkeypatch
    ):
        promote("--yes")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("engine.promotion.next_day_file.write_whole", full)
        house.configure(SETTINGS.replace("60000", "70000"))
        said = promote("--yes", "--json", code=1)
        assert said.out == ""
        assert "no space left" in said.err.lower()
        assert house.file().spent == 60_000

    def test_a_broken_file_is_written_anew(self, house, promote):
        promote("--yes")
        file = house.state / "sandbox" / FILE
        for act in ((), ("--rollback",)):
            file.write_text("[strategy")
            told = promote(*act, "--yes", sweep="" if act else "morning").err
            assert "not TOML" in told
            assert "counts in its place" in told
            assert bool(house.file().promoted) == (not act)

    def test_a_broken_file_hides_no_record(self, house, promote):
        promote("--yes")
        (house.state / "sandbox" / FILE).write_text("[strategy")
        told = promote("--history", sweep="")
        assert "record 1 counts in its place" in told.err
        assert "morning_infy_900" in told.out
        assert " IST  promotion " in told.out

    def test_a_rollback_as_json_is_one_object(self, promote):
        promote("--yes")
        told = json.loads(promote("--rollback", "--yes", "--json", sweep="").out)
        assert (told["written"], told["state"]) == (True, 0)
        assert [each["sign"] for each in told["changes"]] == ["-"]

    def test_the_newest_sweep_is_the_last(self, promote):
        assert "morning_infy_900" in promote("last", "--dry-run", sweep="").out


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        ((), 2, "name a sweep, or last"),
        (("nothing",), 1, "nothing: no such sweep; there are "),
        (("../history",), 1, "../history: no such sweep"),
        (("last", "--rollback"), 2, "at a time"),
        (("last", "--force", " "), 2, "--force needs a reason"),
        (("--rollback",), 1, "no promotion to take back"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(promote, arguments, code, complaint):
    said = promote(*arguments, sweep="", code=code).err
    assert complaint in said
    assert "Traceback" not in said
