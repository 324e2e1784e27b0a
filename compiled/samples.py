"""A strategy that is compiled with the core: what benchmarks and sweeps run, and an author's pattern for speed."""

from typing import final

from librt.vecs import append, vec
from mypy_extensions import i64

from compiled.frames import Slots
from compiled.model import E4, Bar, Product, Side, nearest
from compiled.strategy import Context, Strategy


@final
class SmaCross(Strategy):
    """Hold `quantity` shares while the fast simple average of the closes stands above the slow one.

    Enters when the averages cross upwards, leaves when they cross back; `stop_percent` 0.0 for no stop. Sums are exact
    integers, so two averages that are equal compare as equal. Raises `ValueError` unless 0 < fast < slow.
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
        self.quantity = quantity
        self.stop_percent = stop_percent
        self.product = product
        self._slots = Slots()
        self._ring = vec[i64]()  # `slow` closes of each token, in ten-thousandths of a rupee
        self._state = vec[i64]()  # of each token: closes seen, fast sum, slow sum, 1 above / 0 not / -1 unknown

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Add a close to the sums, and act where the averages have crossed."""
        slot = self._slots.find(bar.token)
        if slot < 0:
            slot = self._add(bar.token)
        close = nearest(bar.close * E4)
        ring = self._ring
        state = self._state
        at = 4 * slot
        base = slot * self.slow
        seen = state[at]
        place = seen % self.slow
        leaves = place - self.fast
        if leaves < 0:
            leaves += self.slow
        # a place that was never written holds 0
        state[at + 1] += close - ring[base + leaves]
        state[at + 2] += close - ring[base + place]
        ring[base + place] = close
        state[at] = seen + 1
        if seen + 1 < self.slow:
            return
        above: i64 = 1 if state[at + 1] * self.slow > state[at + 2] * self.fast else 0
        was = state[at + 3]
        state[at + 3] = above
        if was < 0 or was == above:
            return
        if above:
            ctx.enter(
                bar.token, Side.BUY, 0, self.stop_percent, product=self.product, trail=False, quantity=self.quantity
            )
        elif ctx.position(bar.token):
            ctx.exit(bar.token)

    def _add(self, token: i64) -> i64:
        slot = self._slots.add(token)
        for _ in range(self.slow):
            self._ring = append(self._ring, 0)
        for k in range(i64(4)):
            self._state = append(self._state, -1 if k == 3 else 0)
        return slot
