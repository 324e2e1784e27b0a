"""`patang new strategy NAME`: a file of the user's own to begin with, and its test."""

import keyword
import sys
from importlib.util import find_spec
from typing import Annotated

from cyclopts import App, Parameter

from engine.errors import ConfigError, OperatorError, in_words
from engine.exit_codes import DONE
from engine.texts import plain_text
from strategies.strategy_sources import SHIPPED, user_folder

new_app = App(name="new", help="Begin something of your own.", help_format="plaintext")

STRATEGY = '''"""{title}: buys above the highest price of the last bars, leaves below the lowest."""

from typing import Annotated

from strategies import Bar, Context, Donchian, Side, Strategy, StrategyParameters, within_bounds


class {name}Parameters(StrategyParameters, frozen=True, kw_only=True):
    """What [strategy.{key}] may say, beside symbols and timeframe_s."""

    bars: Annotated[int, within_bounds(2, 1_000, "Bars of the channel.")] = 20
    capital: Annotated[int, within_bounds(1, 10_000_000, "Rupees in one position.")] = 10_000
    stop_percent: Annotated[float, within_bounds(0.25, 50, "Stop below the average price.")] = 1.5


class {name}(Strategy):
    """Rides what breaks out; a stop at the broker protects it."""

    def __init__(self, name: str, parameters: {name}Parameters) -> None:
        super().__init__(name, parameters.timeframe_s)
        self.bars = parameters.bars
        self.capital = parameters.capital * 100
        self.stop_percent = parameters.stop_percent
        self.channels: dict[int, Donchian] = {{}}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Act where the bar closes beyond the channel of the bars before it."""
        channel = self.channels.setdefault(bar.token, Donchian(self.bars))
        upper, lower, ready = channel.upper, channel.lower, channel.ready
        channel.bar(bar)
        if not ready:
            return
        if ctx.position(bar.token):
            if bar.close < lower:
                ctx.exit(bar.token, "below the channel")
        elif bar.close > upper:
            ctx.enter(
                bar.token, Side.BUY, self.capital, self.stop_percent, reason="above the channel"
            )
'''
TEST = '''"""{name} on prices that are known: pytest {file}"""

from strategies import build
from strategies.testing import replay


def test_it_rides_a_breakout_and_leaves_when_the_channel_breaks():
    breakout = [100.0 + step * 0.5 for step in range(1, 21)]
    prices = [100.0] * 30 + breakout + [109.0, 104.0] * 15 + [100.0] * 20
    trades = replay(build("{name}", {{"bars": 10, "stop_percent": 10}}), prices)
    assert len(trades) > 0
    assert trades[0].entry_reason == "above the channel"
    assert trades[0].exit_reason == "exit: below the channel"
    assert trades[0].net == trades[0].gross - trades[0].charges
'''


@new_app.command
def strategy(
    name: Annotated[
        str, Parameter(help="What it is called: small letters, digits and underscores.")
    ],
) -> int:
    """Write a strategy to begin with, and its test, into the folder of your own strategies."""
    if (
        not name.isidentifier()
        or name != name.lower()
        or keyword.iskeyword(name)
        # such files are no strategies to the desk
        or name.startswith(("_", "test_"))
    ):
        raise ConfigError(f"{name}: expected small letters, digits and underscores, as my_breakout")
    # its folder is searched first where its test runs: such a file would hide the module
    if find_spec(name) is not None:
        raise ConfigError(f"{name}: there is a module of that name; choose another one")
    # the shipped one would go on being found under that name
    if name in SHIPPED:
        raise ConfigError(f"{name}: there is a strategy of that name; choose another one")
    where = user_folder()
    file, test = where / f"{name}.py", where / f"test_{name}.py"
    title = "".join(part.title() for part in name.split("_"))
    words = name.replace("_", " ").capitalize()
    try:
        # what others could write there would run in the desk
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in (
            (file, STRATEGY.format(title=words, name=title, key=name)),
            (test, TEST.format(name=name, file=test)),
        ):
            # x: a strategy that is there already is somebody's work
            with path.open("x", encoding="utf-8") as out:
                out.write(text)
    except FileExistsError as error:
        raise ConfigError(
            f"{error.filename} is there already: choose another name, or remove it"
        ) from None
    except OSError as error:
        raise OperatorError(f"cannot write in {where}: {in_words(error)}") from None
    sys.stdout.write(plain_text(f"{file}") + "\n" + plain_text(f"{test}") + "\n")
    sys.stderr.write(
        f"try it: patang backtest {name}\nrun it: add [strategy.{name}] to the configuration\n"
    )
    return DONE
