"""A strategy that is compiled with the core, for benchmarks and sweeps.

It is an author's pattern for speed.
"""

from typing import final

from librt.vecs import vec
from mypy_extensions import i64

from compiled.model.int_map import IntMap
from compiled.model.values import E4, Bar, Product, Side, nearest
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.strategy import Context, Strategy


@final
class SmaTrack:
    """The state of `SmaCross` on one instrument.

    It has the last closes in ten-thousandths of a rupee, their sums, and whether the fast one is
    above. `place` is where the next close goes, `leaves` the one that leaves the fast sum.
    """

    def __init__(self, token: i64, fast: i64, slow: i64) -> None:
        self.token = token
        self.closes = vec[i64]([0] * int(slow))
        self.place: i64 = 0
        self.leaves = slow - fast
        self.fast: i64 = 0
        self.slow: i64 = 0
        self.full = False
        self.known = False
        self.above = False


@final
class SmaCross(Strategy):
    """Hold `quantity` shares while the fast simple average of the closes stands above the slow one.

    Enters when the averages cross upwards, leaves when they cross back; `stop_percent` 0.0 for no
    stop. Sums are exact integers, so two averages that are equal compare as equal. Raises
    `ValueError` unless 0 < fast < slow.
    """

    def __init__(
        self,
        name: str,
        span: i64,
        fast: i64,
        slow: i64,
        quantity: i64,
        stop_percent: float = 0.0,
        product: Product = Product.CNC,
    ) -> None:
        super().__init__(name, span)
        if not 0 < fast < slow:
            raise ValueError(f"averages of {fast} and {slow} bars do not cross")
        self.fast = fast
        self.slow = slow
        self.plan = LadderPlan(
            [RungPlan(0.0, stop_percent)], 0, product, trail=False, quantity=quantity
        )
        self._tracks: IntMap[SmaTrack] = IntMap()
        self._track = SmaTrack(0, 1, 2)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Add a close to the sums, and act where the averages have crossed."""
        track = self._track
        if bar.token != track.token:
            track = self._switch_track(bar.token)
        closes = track.closes
        place = track.place
        leaves = track.leaves
        close = nearest(bar.close * E4)
        # a place that was never written holds 0
        fast = track.fast + close - closes[leaves]
        slow = track.slow + close - closes[place]
        track.fast = fast
        track.slow = slow
        closes[place] = close
        leaves += 1
        if leaves == self.slow:
            leaves = 0
        track.leaves = leaves
        place += 1
        if place == self.slow:
            place = 0
            track.full = True
        track.place = place
        if not track.full:
            return
        above = fast * self.slow > slow * self.fast
        if track.known and above == track.above:
            return
        track.above = above
        if not track.known:
            track.known = True
            return
        if above:
            ctx.ladder(bar.token, Side.BUY, self.plan)
        elif ctx.position(bar.token):
            ctx.exit(bar.token)

    def _switch_track(self, token: i64) -> SmaTrack:
        track = self._tracks.get(token)
        if track is None:
            track = SmaTrack(token, self.fast, self.slow)
            self._tracks[token] = track
        self._track = track
        return track
