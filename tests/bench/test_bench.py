"""Proof of the benchmarks: contenders that disagree are not timed, missed goals are shown."""

import json
import platform
import shutil
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def bench_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))


def report_of(**section):
    parts = {"title": "Part", "about": "What.", "native": True, "tables": [], "goals": []} | section
    return {
        "day": "2026-11-21",
        "quick": False,
        "machine": {"Python": "3.11"},
        "sections": {"part": parts},
    }


def test_a_missed_goal_stands_out_on_the_page():
    from report import goal, page

    missed, met = goal("speed", "≥ 5", 4.21, False), goal("size", "≤ 20", 16.4, True)
    written = page(report_of(goals=[missed, met]))
    assert "| speed | ≥ 5 | 4.21 | **no** |" in written
    assert "| size | ≤ 20 | 16.4 | yes |" in written


def test_a_contender_that_could_not_be_measured_is_named_with_the_reason():
    from report import page, table

    rows = [
        {"book": "ours", "M calls/s": 6.2},
        {"book": "theirs", "absent": "theirs is not installed"},
    ]
    written = page(report_of(tables=[table("Books", rows)]))
    assert "| ours | 6.2 |" in written
    assert "| theirs | not measured: theirs is not installed |" in written


def test_a_benchmark_that_fails_does_not_cost_the_others_their_figures(
    monkeypatch, tmp_path, capsys
):
    import run

    (tmp_path / "bench_wrong.py").write_text(
        "def run(*, quick):\n    assert not quick, 'other trades'\n"
    )
    (tmp_path / "bench_right.py").write_text(
        "from report import section\n\ndef run(*, quick):\n"
        "    return section('Right', 'It ran.', [], [])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(run, "MODULES", {"wrong": "bench_wrong", "right": "bench_right"})
    monkeypatch.setattr(run, "PAGE", tmp_path / "page.md")
    assert run.main(["--quick", "--json", "--write"]) == 1
    sections = json.loads(capsys.readouterr().out)["sections"]
    assert sections["wrong"]["error"] == "other trades"
    assert sections["right"]["about"] == "It ran."
    assert not (tmp_path / "page.md").exists()


def test_a_run_of_everything_writes_the_page_with_the_machine(monkeypatch, tmp_path, capsys):
    import run

    (tmp_path / "bench_whole.py").write_text(
        "from report import section\n\ndef run(*, quick):\n"
        "    return section('Whole', 'It ran.', [], [])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(run, "MODULES", {"whole": "bench_whole"})
    monkeypatch.setattr(run, "PAGE", tmp_path / "page.md")
    assert run.main(["--write"]) == 0
    written = (tmp_path / "page.md").read_text()
    assert written == capsys.readouterr().out
    assert f"| Python | {platform.python_version()}" in written
    assert "## Whole" in written


def test_a_run_in_part_never_writes_the_page(capsys):
    import run

    with pytest.raises(SystemExit) as refused:
        run.main(["book", "--write"])
    assert refused.value.code == 2
    assert "--write takes a run of everything" in capsys.readouterr().err


def test_ratios_are_medians_of_ratios_within_one_pass():
    from contender import ratio

    # the machine slowed to a third in the second pass, for both alike
    assert ratio([10.0, 30.0, 12.0], [5.0, 15.0, 4.0]) == 2.0


def test_contenders_take_turns_and_an_absent_one_is_asked_once():
    from contender import passes

    called = []

    def present():
        called.append("present")
        return {"seconds": 1.0}

    def absent():
        called.append("absent")
        return {"absent": "not installed"}

    told = passes(3, {"present": present, "absent": absent})
    assert called == ["present", "absent", "present", "present"]
    assert told["absent"] == [{"absent": "not installed"}] * 3


def test_a_contender_in_an_environment_without_its_package_is_absent():
    from contender import OWN, contend

    told = contend(
        "book_peers", "bourse", OWN, path=str(BENCH / "book_ladder.cpp"), count=0, rounds=1
    )
    assert told["absent"] == "bourse is not installed"


def test_modifications_become_a_cancellation_and_a_new_order_with_ids_in_order_of_entry():
    from book_peers import CANCEL, LIMIT, MARKET, MODIFY, plain

    stream = [
        (LIMIT, 0, 0, 7, 30_000, 10),
        (LIMIT, 1, 0, 9, 30_010, 20),
        (MODIFY, 0, 0, 7, 30_001, 5),
        (CANCEL, 0, 0, 7, 0, 0),
        (MARKET, 1, 0, 11, 29_000, 3),
    ]
    assert plain(stream) == [
        (LIMIT, 0, 1, 30_000, 10),
        (LIMIT, 1, 2, 30_010, 20),
        (CANCEL, 0, 1, 0, 0),
        (LIMIT, 0, 3, 30_001, 5),
        (CANCEL, 0, 3, 0, 0),
        (MARKET, 1, 4, 29_000, 3),
    ]


def test_the_pure_python_books_and_ours_make_the_same_trades(tmp_path):
    from bench_book import MIXES, messages
    from book_peers import CONTENDERS, plain, save

    for mix in MIXES:
        stream = plain(messages(mix, 3_000))
        save(stream, tmp_path / mix)
        ours, *theirs = (
            CONTENDERS[name](str(tmp_path / mix), len(stream), 1)["hash"]
            for name in ("patang", "pure Python", "pure Python, pared down")
        )
        assert theirs == [ours, ours]


def test_a_book_that_makes_other_trades_ends_the_run():
    from bench_book import row

    ours = [{"hash": 1, "per_second": 2.0, "version": "", "rss_mb": 1.0}]
    with pytest.raises(AssertionError, match="broken made other trades"):
        row("broken", 10, [ours[0] | {"hash": 2}], ours)


def test_round_trips_pair_an_entry_with_the_next_fill_of_its_symbol():
    from backtest_peers import pair

    fills = [(0, 5, 100), (1, 6, 200), (0, 9, 103), (1, 8, 198), (0, 12, 101)]
    assert pair(fills) == [(0, 5, 100, 9, 103), (1, 6, 200, 8, 198)]


def test_bars_of_all_builders_are_compared_whatever_their_order():
    import numpy as np
    from bars_peers import checksum

    bars = tuple(
        np.array(column) for column in ([257, 513], [0, 0], [1, 2], [3, 4], [1, 2], [2, 3], [5, 6])
    )
    turned = tuple(column[::-1] for column in bars)
    other = (*bars[:6], np.array([5, 7]))
    assert checksum(bars) == checksum(turned) != checksum(other)


def test_the_exact_decimal_charges_come_to_the_core_s_paise():
    from bench_charges import DAY, exact, orders

    from compiled.accounting.charges import order_charges
    from engine.market.charges import load_rate_table

    rates = load_rate_table().rates("EQ_INTRADAY", "NSE", DAY)
    for side, quantity, value in orders(200, seed=7):
        assert order_charges(rates, side, quantity, value) == exact(rates, side, value)


def test_patang_bench_outside_a_checkout_says_where_the_benchmarks_are(monkeypatch):
    from engine.errors import DataError
    from tui.commands import benchmark_command

    monkeypatch.setattr(benchmark_command, "SCRIPT", Path("/nowhere/run.py"))
    with pytest.raises(DataError, match="run this in a checkout"):
        benchmark_command.run_benchmarks(["book"], quick=True, write=False, as_json=True)


def test_patang_bench_hands_names_and_flags_to_the_script(monkeypatch, tmp_path):
    from tui.commands import benchmark_command

    script = tmp_path / "run.py"
    script.write_text(
        "import sys, pathlib\npathlib.Path(__file__).with_name('got').write_text(' "
        "'.join(sys.argv[1:]))\n"
    )
    monkeypatch.setattr(benchmark_command, "SCRIPT", script)
    assert (
        benchmark_command.run_benchmarks(["book", "bars"], quick=True, write=False, as_json=True)
        == 0
    )
    assert (tmp_path / "got").read_text() == "book bars --quick --json"


def test_patang_bench_knows_every_benchmark():
    from typing import get_args

    from run import MODULES

    from tui.commands.cli import Benchmark

    assert list(get_args(Benchmark)) == list(MODULES)


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_the_loop_in_cpp_makes_the_orders_and_the_account_of_the_kernel(tmp_path):
    import cross_floor
    from bench_backtest import Workload, cross

    work = Workload(3, 900)
    floor = cross_floor.by_hand(cross_floor.loop(tmp_path), work, 1)
    ours = cross_floor.by_kernel(work, cross, 1)
    assert len(floor.fills) > 50
    assert cross_floor.same_run(floor, ours)
    assert not cross_floor.same_run(floor, ours._replace(curve=ours.curve + 1))
