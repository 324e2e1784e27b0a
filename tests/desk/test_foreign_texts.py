"""Every command with foreign text in everything it reads.

Nothing of it is obeyed, and no line is forged.
"""

import io
import json
import sqlite3
import sys
from contextlib import closing

import pytest
from msgspec.structs import replace

from compiled.model.values import Bar
from engine.backtest.linter.result_linter import lint_outcome
from engine.backtest.statistics.run_statistics import statistics
from engine.board_rows import AlertRow
from engine.market.instrument_search import FoundInstrument, FoundInstruments
from engine.operator_requests import PreviewRequest, done
from engine.ops.control_socket import ControlSocket, socket_path
from engine.ops.doctor import HealthCheck
from engine.orders.killswitch import KillLatch, KillSwitch
from engine.promotion.promotion_log import PromotionLog
from store.backtest_results import ResultStore
from store.bars.parquet_bars import ParquetBars
from store.schema import connect, migrate, shipped_migrations
from tests.engine.backtest.made_up import outcome, trade
from tests.engine.promotion.made_up import promoted, put_promotion
from tests.foreign import HOSTILE, MARKUP, VALID, obeyed
from tui.commands.cli import app, run_command
from tui.commands.desk import desk_doctor
from tui.standard_streams import take_streams

WORD = VALID.replace("\x00", "")
"""What a shell can pass."""
SYMBOL = WORD.upper()
ODD = f"\x1b]0;title\x07\x9b2J\u2028FORGED{MARKUP}"
"""What a file can be called, and a column of text hold."""
ODD_FOLDER = ODD.replace("/", "")
OPEN, MINUTE = 1_717_472_700_000_000_000, 60_000_000_000
NOON = 1_795_156_200_000_000_000
CHOSEN = {
    "side": "BUY",
    "kind": "order",
    "verdict": "OK",
    "cause": "bar",
    "decision": 1,
    "intent": 7,
    "rung": 1,
    "ladder": 1,
    "symbol": SYMBOL,
    "product": "CNC",
    "exchange": "NSE",
    "state": "closed",
    "request": "{}",
    "plan": "{}",
}
"""What rows hold where a text of any kind is not allowed, or would not be found."""
PREVIEW = {
    "order": HOSTILE,
    "value": 1.0,
    "charges": 1.0,
    "charges_both_ways": 2.0,
    "depository": 0.0,
    "charges_rest_on": HOSTILE,
    "margin_broker": None,
    "margin_estimate": 1.0,
    "margin_missing": HOSTILE,
}
ON_DATABASE = ["--database", "desk.db"]
CASES = {
    "run": [["run", "--no-ui", "--config", WORD], ["run", "--confirm", WORD, "--live"]],
    "demo": [["demo", "--speed", WORD]],
    "replay": [
        ["replay", WORD, "--date", "2024-06-04"],
        ["replay", ".", "--date", WORD],
        ["replay", ".", "--date", "2024-06-04", "--at", WORD],
    ],
    "practice": [["practice", WORD]],
    "practice list": [["practice", "list"], ["practice", "list", "--json"]],
    "practice show": [["practice", "show"], ["practice", "show", WORD]],
    "setup": [
        ["setup", "sandbox", "--yes", "--set", f"feed.watch={WORD}"],
        ["setup", "sandbox", "--yes", "--set", WORD, "--config", WORD],
        ["setup", WORD],
    ],
    "sandbox": [
        ["sandbox", "--fault", WORD],
        ["sandbox", "--holding", WORD],
        ["sandbox", "--date", WORD],
    ],
    "status": [["status"], ["status", "--json"]],
    "attach": [["attach", "--as", WORD], ["attach", "--config", WORD], ["attach"]],
    "desks": [["desks"], ["desks", "--json"], ["desks", "--config", WORD]],
    "logs": [
        ["logs", WORD],
        ["logs", "--last", "5"],
        ["logs", "--json"],
        ["logs", "--file", WORD],
        ["logs", "--level", WORD],
    ],
    "jobs list": [["jobs", "list"], ["jobs", "list", "--json"]],
    "jobs run": [["jobs", "run", WORD]],
    "jobs log": [["jobs", "log", WORD], ["jobs", "log", "gaps"]],
    "kill": [["kill", "--reason", WORD], ["kill", "--reason", WORD, "--json"]],
    "stop": [["stop", "--mode", WORD], ["stop", "--mode", "paper"]],
    "resume": [
        ["resume", "--reason", WORD],
        ["resume", "--reason", WORD, "--json"],
        ["resume", "--reason", WORD],
    ],
    "drill": [["drill", "--runs", WORD]],
    "reconcile": [
        ["reconcile"],
        ["reconcile", "--json"],
        ["reconcile", WORD, "ignore"],
        ["reconcile", WORD],
    ],
    "shadow": [["shadow"], ["shadow", "--json"], ["shadow", "--date", WORD]],
    "login": [["login", "--port", WORD], ["login", "--config", WORD]],
    "logout": [["logout", "--config", WORD]],
    "doctor": [["doctor"], ["doctor", "--json"], ["doctor", "--static-ip", WORD]],
    "export": [
        ["export", what, *ON_DATABASE, "--format", form]
        for what in ("trades", "orders", "fills", "positions")
        for form in ("csv", "json")
    ]
    + [["export", "bars", "--symbol", WORD], ["export", WORD]],
    "trace": [
        ["trace", "7", *ON_DATABASE],
        ["trace", "D1", *ON_DATABASE],
        ["trace", WORD, *ON_DATABASE],
        ["trace", "--why", WORD, *ON_DATABASE],
        ["trace", "--why", WORD, "--json", *ON_DATABASE],
    ],
    "limits": [["limits"], ["limits", "--json"]],
    "strategies": [["strategies"], ["strategies", WORD], ["strategies", "--json"]],
    "strategies stop": [["strategies", "stop", WORD, "--reason", WORD]],
    "strategies start": [["strategies", "start", WORD, "--reason", WORD]],
    "strategies set": [["strategies", "set", WORD, f"{WORD}={WORD}", "--reason", WORD]],
    "limits set": [
        ["limits", "set", WORD, "5", "--reason", WORD],
        ["limits", "set", "a", WORD, "--reason", WORD],
    ],
    "watch add": [
        ["watch", "add", WORD],
        ["watch", "add", "INFY", "--list", "mine", "--json"],
        ["watch", "add", "INFY", "--list", WORD],
    ],
    "watch remove": [["watch", "remove", WORD], ["watch", "remove", "INFY", "--list", WORD]],
    "watch list": [
        ["watch", "list"],
        ["watch", "list", "--json"],
        ["watch", "list", "--list", WORD],
    ],
    "watch search": [["watch", "search", WORD], ["watch", "search", "a", "--json"]],
    "alerts": [["alerts"], ["alerts", "--json"]],
    "alerts set": [
        ["alerts", "set", WORD, "above", "7"],
        ["alerts", "set", "INFY", "above", "7", "--note", WORD],
        ["alerts", "set", "INFY", WORD, "7"],
    ],
    "alerts remove": [["alerts", "remove", "1"], ["alerts", "remove", WORD]],
    "calendar": [["calendar", WORD], ["calendar", "2026-11-20", "--exchange", WORD]],
    "charges": [
        [
            "charges",
            "--exchange",
            WORD,
            "--segment",
            WORD,
            "--side",
            "BUY",
            "--qty",
            "1",
            "--price",
            "1",
        ]
    ],
    "tax": [
        ["tax", "--fy", WORD],
        ["tax", "--fy", "2026-27", *ON_DATABASE],
        ["tax", "--fy", "2026-27", *ON_DATABASE, "--view", "open"],
        ["tax", "--fy", "2026-27", "--trades", WORD],
    ],
    "order": [
        ["order", "buy", WORD, "1", "--bare"],
        ["order", "buy", "INFY", "1", "--bare"],
        ["order", "buy", "INFY", "1", "--bare", "--yes"],
        ["order", "buy", "INFY", "1", "--bare", "--yes", "--json"],
    ],
    "modify": [["modify", WORD, "--price", "1"]],
    "cancel": [["cancel", WORD], ["cancel", WORD, "--json"]],
    "exit": [["exit", WORD], ["exit", "INFY", "--quantity", "1", "--rung", WORD, "--json"]],
    "protect": [
        ["protect", WORD, "--price", "1"],
        ["protect", "INFY", "--break-even", "--rung", WORD],
    ],
    "add": [["add", WORD], ["add", WORD, "--yes"], ["add", "INFY", "--rung", WORD, "--yes"]],
    "reverse": [["reverse", WORD], ["reverse", WORD, "--yes", "--json"]],
    "bars import": [
        ["bars", "import", WORD],
        ["bars", "import", "odd.csv"],
        ["bars", "import", ".", "--map", WORD],
        ["bars", "import", "odd.bars.csv"],
        ["bars", "import", "odd.bars.csv", "--symbol", WORD, "--version", WORD, "--json"],
    ],
    "bars download": [
        ["bars", "download", "--symbols", WORD, "--from", "2026-11-20"],
        ["bars", "download", "--symbols", "@" + WORD, "--from", "2026-11-20"],
    ],
    "bars list": [["bars", "list"], ["bars", "list", "--json"], ["bars", "list", "--folder", WORD]],
    "bars gaps": [
        ["bars", "gaps", "--version", WORD],
        ["bars", "gaps", "--symbols", WORD, "--span", "60"],
        ["bars", "gaps", "--from", WORD],
    ],
    "bars check": [
        ["bars", "check", "--version", WORD, "--span", "60"],
        ["bars", "check", "--symbols", WORD],
    ],
    "bars export": [
        ["bars", "export", "--version", WORD],
        ["bars", "export", "--version", WORD, "--format", "json"],
    ],
    "bars adjust": [["bars", "adjust", WORD], ["bars", "adjust", WORD, "--version", WORD]],
    "bars averages": [
        ["bars", "averages", "--version", WORD],
        ["bars", "averages", "--symbols", WORD],
    ],
    "bars compact": [["bars", "compact", "--folder", WORD]],
    "bars sql": [
        ["bars", "sql", WORD],
        ["bars", "sql", f"SELECT '{WORD.replace(chr(39), '')}' AS x"],
        ["bars", "sql", "SELECT * FROM bars"],
        ["bars", "sql", "SELECT * FROM intents", *ON_DATABASE],
    ],
    "bars golden build": [
        ["bars", "golden", "build", "--symbols", WORD],
        ["bars", "golden", "build"],
    ],
    "bars golden list": [["bars", "golden", "list"], ["bars", "golden", "list", "--json"]],
    "bars golden verify": [["bars", "golden", "verify", WORD], ["bars", "golden", "verify"]],
    "bars golden diff": [["bars", "golden", "diff", WORD, WORD]],
    "bars archive push": [
        ["bars", "archive", "push", "--config", WORD],
        ["bars", "archive", "push"],
    ],
    "bars archive list": [
        ["bars", "archive", "list", "--config", WORD],
        ["bars", "archive", "list"],
    ],
    "bars archive verify": [
        ["bars", "archive", "verify", "--config", WORD],
        ["bars", "archive", "verify"],
    ],
    "bars archive login": [["bars", "archive", "login", "--config", WORD]],
    "backtest": [
        ["backtest", WORD],
        ["backtest", "--symbols", WORD],
        ["backtest", "momentum_ladder", "--bars", WORD],
        ["backtest", "momentum_ladder", "--set", WORD],
        ["backtest", "momentum_ladder", "--set", f"{WORD}=1"],
        ["backtest", "momentum_ladder", "--from", WORD],
        ["backtest", "momentum_ladder", "--slippage", WORD],
        ["backtest", "momentum_ladder", "--fees", WORD],
        ["backtest", "momentum_ladder", "--feed", WORD],
        ["backtest", "momentum_ladder", "--span", "ticks", "--latency", WORD],
        ["backtest", "momentum_ladder", "--span", "ticks", "--bars", WORD],
    ],
    "evaluate": [["evaluate"], ["evaluate", "--json"], ["evaluate", "--week", WORD]],
    "promote": [
        ["promote", WORD],
        ["promote", "last", "--force", WORD],
        ["promote", "--show"],
        ["promote", "--show", "--json"],
        ["promote", "--history"],
        ["promote", "--rollback"],
    ],
    "sweeps list": [["sweeps", "list"], ["sweeps", "list", "--json"]],
    "sweeps show": [["sweeps", "show", WORD], ["sweeps", "show", ODD_FOLDER]],
    "sweeps rm": [["sweeps", "rm", WORD], ["sweeps", "rm", ODD_FOLDER]],
    "sweep": [
        ["sweep", WORD, "--param", "fast=1,2"],
        ["sweep", "momentum_ladder", "--param", WORD],
        ["sweep", "momentum_ladder", "--param", f"{WORD}=1,2"],
        ["sweep", "momentum_ladder", "--param", f"rungs={WORD},{WORD}2"],
        ["sweep", "momentum_ladder", "--param", "rungs=1,2", "--objective", WORD],
        ["sweep", "momentum_ladder", "--param", "rungs=1,2", "--timeframes", WORD],
        ["sweep", "momentum_ladder", "--param", "rungs=1,2", "--symbols", WORD],
        ["sweep", "momentum_ladder", "--param", "rungs=1,2", "--dask", WORD],
    ],
    "check": [
        ["check", WORD],
        ["check", "momentum_ladder", "--symbols", WORD],
        ["check", "momentum_ladder", "--set", WORD],
    ],
    "parity": [
        ["parity", "--date", WORD],
        ["parity", "--date", "2026-11-20", *ON_DATABASE],
        ["parity", "--date", "2026-11-20", "--mode", WORD],
        ["parity", "--history"],
    ],
    "results list": [["results", "list"], ["results", "list", "--json"]],
    "results show": [["results", "show"], ["results", "show", "--json"], ["results", "show", WORD]],
    "results diff": [["results", "diff", WORD], ["results", "diff", "20240101", "20240102"]],
    "results export": [
        ["results", "export", WORD, "--out", "out.json"],
        ["results", "export", "--out", WORD],
    ],
    "results note": [["results", "note", WORD, WORD], ["results", "note", "last", WORD]],
    "results rm": [["results", "rm", WORD]],
    "new strategy": [["new", "strategy", WORD]],
    "ticks list": [["ticks", "list", "--folder", WORD], ["ticks", "list", "--folder", "."]],
    "ticks verify": [["ticks", "verify", WORD], ["ticks", "verify", "odd.csv"]],
    "ticks replay": [["ticks", "replay", WORD], ["ticks", "replay", "odd.csv"]],
    "ticks export": [["ticks", "export", WORD], ["ticks", "export", "odd.csv"]],
    "ticks import": [["ticks", "import", WORD], ["ticks", "import", "odd.csv"]],
    "letters list": [
        ["letters", "list", *ON_DATABASE],
        ["letters", "list", "--json", *ON_DATABASE],
    ],
    "letters show": [["letters", "show", "1", *ON_DATABASE], ["letters", "show", WORD]],
    "letters replay": [["letters", "replay", *ON_DATABASE]],
    "instruments keep": [
        ["instruments", "keep", WORD],
        ["instruments", "keep", "odd.csv", "--date", "2026-11-20"],
    ],
    "instruments find": [
        ["instruments", "find", WORD, "--folder", "."],
        ["instruments", "find", WORD, "--folder", WORD],
    ],
    "instruments chain": [["instruments", "chain", WORD, "--folder", "."]],
    "instruments expiries": [["instruments", "expiries", WORD, "--folder", "."]],
    "instruments days": [
        ["instruments", "days", "--folder", "."],
        ["instruments", "days", "--folder", WORD],
    ],
    "instruments share": [["instruments", "share", "--folder", WORD]],
    "instruments terms": [
        ["instruments", "terms", WORD, "--folder", "."],
        ["instruments", "terms", WORD, "--date", WORD],
    ],
    "instruments changes": [["instruments", "changes", WORD, WORD]],
    "instruments actions": [["instruments", "actions", WORD, WORD, WORD]],
    "bench": [["bench", WORD]],
    "compile": [["compile", WORD], ["compile", "odd.py"], ["compile", "--list"]],
    "completion": [["completion", WORD]],
    "version": [["version", WORD], ["version"]],
    "config check": [
        ["config", "check", "--config", WORD],
        ["config", "check", "--config", "odd.toml"],
    ],
    "config show": [
        ["config", "show", "--config", WORD],
        ["config", "show", "--config", "odd.toml"],
    ],
}


def commands(of=app, path=()):
    """Return the name of every command that does something, groups without a default left out."""
    found = []
    for name in of:
        if not name.startswith("-"):
            each = of[name]
            found += [" ".join((*path, name))] * (each.default_command is not None)
            found += commands(each, (*path, name))
    return found


def test_every_command_has_its_cases():
    assert sorted(set(commands())) == sorted(CASES)


class Desk:
    """A desk of which every text is a stranger's."""

    def describe(self):
        return {
            "mode": HOSTILE,
            "state": HOSTILE,
            "now": NOON,
            "kill_reason": HOSTILE,
            HOSTILE: HOSTILE,
            "governor": {HOSTILE: {HOSTILE: 1}},
            "differences": [HOSTILE],
            "failed": [HOSTILE],
        }

    def limits(self):
        limit = {
            "name": HOSTILE,
            "value": 1.0,
            "configured": 2.0,
            "who": HOSTILE,
            "reason": HOSTILE,
        }
        return {"mode": HOSTILE, "limits": [limit]}

    def list_strategies(self):
        row = dict.fromkeys(("name", "state", "why", "last_signal", "last_refusal"), HOSTILE)
        row |= dict.fromkeys(("open", "open_pnl", "trades", "wins", "net"), 1)
        names = ("name", "value", "configured", "bounds", "meaning", "note")
        parameter = dict.fromkeys(names, HOSTILE) | {"value": f"{HOSTILE} too"}
        at = {"last_signal_at": NOON, "last_refusal_at": NOON}
        return {"mode": HOSTILE, "strategies": [row | at | {"parameters": [parameter]}]}

    def resume(self, reason, who):
        del reason, who
        return KillLatch("halt", HOSTILE, HOSTILE, NOON)

    def differences(self):
        row = {
            "key": HOSTILE,
            "kind": HOSTILE,
            "theirs": HOSTILE,
            "ours": HOSTILE,
            "since": NOON,
            "ignored": True,
            "choices": [HOSTILE],
        }
        return {"mode": HOSTILE, "state": HOSTILE, "differences": [row]}

    def watched(self):
        row = {"symbol": HOSTILE, "exchange": HOSTILE, "kind": HOSTILE, "ltp": 1.5, "change": 2.5}
        return {"mode": HOSTILE, "watched": [row]}

    def price_alerts(self):
        row = AlertRow(1, HOSTILE, "above", 1.5, NOON)
        return {"mode": HOSTILE, "alerts": [row._asdict()]}

    def search(self, text, most):
        del text, most
        row = FoundInstrument(HOSTILE, HOSTILE, "CE", HOSTILE, 20261124, HOSTILE)
        return FoundInstruments(1, (row,))

    def submit(self, request):
        return 0 if isinstance(request, PreviewRequest) else 1

    def outcome(self, number):
        return done(HOSTILE, PREVIEW if number == 0 else {})


def fill(path):
    """Make a database in which every text of every table is a stranger's."""
    with closing(connect(path, write=True)) as made:
        migrate(made, path, shipped_migrations())
        tables = [
            name for (name,) in made.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        for table in tables:
            row = {
                name: CHOSEN.get(name, {"TEXT": VALID, "REAL": 1.5}.get(kind, NOON))
                for name, kind in made.execute(
                    "SELECT name, type FROM pragma_table_info(?)", (table,)
                )
            }
            row |= {
                "shadow": {"kind": "order"},
                "decisions": {"kind": "enter"},
                "gtts": {"kind": "single"},
                "meta": {"key": "opened"},
                "audit": {"act": "strategy_failed"},
                "strategy_acts": {"act": "stop", "detail": "{}"},
            }.get(table, {})
            try:
                made.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                    [*row.values()],
                )
            except sqlite3.IntegrityError:  # a table whose texts are of a list of their own
                if table != "paper":
                    raise


class Terminal(io.BytesIO):
    """A terminal that keeps what it is sent."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    state = folder / "state" / "patang"
    for mode in ("sandbox", "shadow"):
        (state / mode).mkdir(parents=True, mode=0o700)
    fill(folder / "desk.db")
    fill(state / "shadow" / "desk.db")
    (folder / "odd.csv").write_text(VALID)
    (folder / "odd.bars.csv").write_text(
        f"symbol,date,open,high,low,close\n{ODD},2024-06-04,1,2,1,2\n{ODD},2024-06-05,1,2,1,2\n"
    )
    store = ParquetBars(state / "history")
    for version in ("live", ODD):
        store.write(
            [
                Bar(1, OPEN + 2 * MINUTE, 60, 1.0, 2.0, 1.0, 2.0, 0),
                Bar(1, OPEN, 60, 1.0, 2.0, 1.0, 2.0, 0),
                Bar(1, OPEN - 100 * MINUTE, 60, 1.0, 2.0, 1.0, 2.0, 0),
            ],
            {1: ODD},
            version,
        )
    results = ResultStore(state / "results.db")
    for day in (1, 2):
        odd = trade(day, 5, 1, strategy=VALID, symbol=VALID, entry_reason=VALID, exit_reason=VALID)
        made = outcome(
            [10_000_000 + day],
            [odd],
            run=f"2024010{day}-{WORD}",
            name=VALID,
            symbols=[VALID],
            strategies={VALID: {VALID: VALID}},
            warnings=[VALID],
            slippage=VALID,
            command=VALID,
        )
        metrics = statistics(made)
        results.keep(made, metrics, lint_outcome(made, metrics), VALID)
    (folder / "odd.toml").write_text(f"[feed]\nwatch = [{json.dumps(WORD)}]\n")
    (state / "sandbox" / "KILL").write_text(VALID)
    one = promoted("one_infy_60", forced=VALID)
    told = one._replace(origin=replace(one.origin, sweep=VALID, trial=VALID, why=VALID))
    log = PromotionLog(state / "sandbox")
    with log.lock():
        put_promotion(log, [told])
    (state / "sweeps" / ODD_FOLDER).mkdir(parents=True)
    (state / "sweeps" / ODD_FOLDER / "sweep.json").write_text(VALID)
    door = ControlSocket(
        socket_path(state / "sandbox"),
        Desk(),
        KillSwitch(state / "sandbox" / "KILL"),
        lambda *_: None,
    )
    yield folder
    door.close()


@pytest.fixture
def shown(home, monkeypatch):
    """Return a function that runs a command at a terminal; it returns the bytes and the code."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(
        desk_doctor, "local_checks", lambda *_: [HealthCheck(HOSTILE, "ok", HOSTILE, HOSTILE)]
    )

    async def examined(*_):
        return []

    monkeypatch.setattr(desk_doctor, "_broker_checks", examined)

    def run(*arguments):
        terminals = [Terminal(), Terminal()]
        with pytest.MonkeyPatch.context() as patch:
            for name, terminal in zip(("stdout", "stderr"), terminals, strict=True):
                patch.setattr(sys, name, io.TextIOWrapper(terminal, "utf-8", write_through=True))
            patch.setattr(sys, "stdin", io.StringIO())
            take_streams()
            code = run_command(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            return "".join(terminal.getvalue().decode() for terminal in terminals), code

    return run


@pytest.mark.parametrize("name", CASES)
def test_no_command_lets_foreign_text_give_orders_or_forge_a_line(shown, name):
    for arguments in CASES[name]:
        told, code = shown(*arguments)
        assert obeyed(told) == [], (arguments[:2], code)
        assert told, arguments[:2]


def test_what_the_cases_read_is_foreign(shown):
    """The cases would prove nothing where the text did not come through."""
    for arguments in (
        ["status"],
        ["limits"],
        ["strategies"],
        ["reconcile"],
        ["trace", "7", *ON_DATABASE],
        ["doctor"],
        ["trace", "--why", WORD, *ON_DATABASE],
        ["cancel", WORD],
        ["kill", "--reason", WORD],
        ["resume", "--reason", WORD],
        ["order", "buy", "INFY", "1", "--bare"],
        ["export", "orders", *ON_DATABASE],
        ["bars", "list"],
        ["bars", "gaps", "--version", "live"],
        ["bars", "check", "--version", "live"],
        ["bars", "sql", "SELECT DISTINCT symbol FROM bars"],
        ["results", "show"],
        ["results", "list"],
        ["limits", "set", "a", "5", "--reason", "b"],
    ):
        told, _ = shown(*arguments)
        assert "click=app.quit" in told, arguments
