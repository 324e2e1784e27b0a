"""The action registry, the key map from the configuration, and the page made of both."""

import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding

from engine.errors import ConfigError
from tui.app.app import PatangApp
from tui.app.panes.orders_pane import OrdersTable
from tui.app.panes.positions_pane import PositionsTable
from tui.app.panes.watch.watch_table import WatchTable
from tui.app.positions.tree_screen import TreeScreen
from tui.app.screens.chart_screen import ChartScreen
from tui.app.screens.depth_screen import DepthScreen
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.ops.ops_screen import OpsScreen
from tui.app.screens.orders_screen import OrdersScreen
from tui.app.screens.research_screen import ResearchScreen
from tui.app.screens.risk_screen import RiskScreen
from tui.app.screens.strategies_screen import StrategiesScreen
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.picture_table import PictureTable
from tui.key_actions import ACTIONS, SCOPES
from tui.keymap import check_keymap, keys_page

ROOT = Path(__file__).resolve().parents[2]
OWNERS = (
    PatangApp,
    DeskScreen,
    RiskScreen,
    ChartScreen,
    OrdersScreen,
    DepthScreen,
    StrategiesScreen,
    OpsScreen,
    LiveTable,
    PositionsTable,
    OrdersTable,
    ResearchScreen,
    PictureTable,
    WatchTable,
    TreeScreen,
)


def test_the_page_of_keys_is_the_registry():
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == keys_page()


def test_every_action_stands_on_the_page():
    text = keys_page()
    for action in ACTIONS:
        assert action.help in text


def test_every_action_runs_a_method_that_exists():
    for action in ACTIONS:
        method = "action_" + action.run.split("(")[0].rpartition(".")[2]
        assert any(hasattr(owner, method) for owner in OWNERS), action.id
        assert action.scope in SCOPES


def test_the_kill_switch_is_bound_with_priority_and_without_an_id():
    kills = [
        binding
        for binding in PatangApp.BINDINGS
        if isinstance(binding, Binding) and binding.action == "app.kill"
    ]
    assert [(binding.key, binding.priority, binding.id) for binding in kills] == [
        ("ctrl+k,f12", True, None)
    ]


def test_a_key_map_with_free_keys_is_taken():
    assert check_keymap({"freeze": "Q", "zoom": "space"}) == {"freeze": "Q", "zoom": "space"}


@pytest.mark.parametrize(
    ("keymap", "words"),
    [
        ({"freze": "p"}, ("keys.freze", "did you mean freeze?")),
        ({"nonsense-entirely": "p"}, ("keys.nonsense-entirely: no such action",)),
        ({"kill": "p"}, ("keys.kill", "cannot be remapped")),
        ({"freeze": "f12"}, ("keys.freeze", "f12 already means kill")),
        ({"freeze": "z"}, ("z already means",)),
        ({"exit": "j"}, ("j already means",)),
    ],
)
def test_a_wrong_key_map_is_refused_with_the_key_named(keymap, words):
    with pytest.raises(ConfigError) as refusal:
        check_keymap(keymap)
    for word in words:
        assert word in str(refusal.value)


def test_the_same_key_may_serve_two_panes():
    assert check_keymap({"exit": "Q", "cancel": "Q"})


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("tui.app.app", {"brokers", "store", "plotext", "numpy", "pyarrow", "duckdb"}),
        # what stands between the command and the first picture of a run
        ("tui.app.screen_runner", {"plotext", "numpy", "pyarrow", "duckdb", "aiohttp"}),
    ],
)
def test_before_the_first_picture_nothing_heavy_is_imported(module, unwanted):
    code = (
        f"import sys, {module}\n"
        f"print([m for m in sys.modules if m.split('.')[0] in {unwanted | {'kiteconnect'}}])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.strip() == "[]"
