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
        self._state = vec[
            i64
        ]()  # of each token: place in its ring, fast and slow sum, 1 above / 0 not / -1 unknown, 1 full
        self._token: i64 = 0  # the last one heard of, and its slot
        self._slot: i64 = -1

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Add a close to the sums, and act where the averages have crossed."""
        if bar.token != self._token:
            self._token = bar.token
            slot = self._slots.find(bar.token)
            self._slot = slot if slot >= 0 else self._add(bar.token)
        slow = self.slow
        close = nearest(bar.close * E4)
        ring = self._ring
        state = self._state
        at = 5 * self._slot
        base = self._slot * slow
        place = state[at]
        leaves = place - self.fast
        if leaves < 0:
            leaves += slow
        # a place that was never written holds 0
        sum_fast = state[at + 1] + close - ring[base + leaves]
        sum_slow = state[at + 2] + close - ring[base + place]
        state[at + 1] = sum_fast
        state[at + 2] = sum_slow
        ring[base + place] = close
        if place + 1 < slow:
            state[at] = place + 1
        else:
            state[at] = 0
            state[at + 4] = 1
        if state[at + 4] == 0:
            return
        above: i64 = 1 if sum_fast * slow > sum_slow * self.fast else 0
        was = state[at + 3]
        if was == above:
            return
        state[at + 3] = above
        if was < 0:
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
        for k in range(i64(5)):
            self._state = append(self._state, -1 if k == 3 else 0)
        return slot
