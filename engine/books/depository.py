"""Shares bound by the depository.

Without a standing authorisation each day's sale of holdings needs one.
"""

from collections.abc import Callable
from typing import Final, final

from compiled.model.values import MINUTE, Product
from compiled.trading.kernel import Kernel
from engine.books.books_snapshot import BooksSnapshot

AGAIN: Final = 5 * MINUTE
"""How long after a refusal for want of an authorisation the sale is tried again by itself."""
MEND: Final = "authorise them at the broker (CDSL TPIN), or give the broker a DDPI or POA"
NO_STANDING: Final = (
    "this account has no standing demat authorisation: from the next day on what it holds cannot "
    "be sold, nor its stops "
    "fill, before you authorise the day's sale at the broker (CDSL TPIN); a DDPI or POA ends that"
)


@final
class DepositoryWatch:
    """Follows how many of our shares lack their authorisation; until then they are unprotected.

    `standing` says whether the account needs none by the day; where a sale was refused for want of
    one, `refused` outranks it.
    """

    def __init__(
        self,
        kernel: Kernel,
        tell: Callable[[str, str, str], None],
        refused: set[int],
        *,
        standing: bool,
    ) -> None:
        self._kernel = kernel
        self._tell = tell
        self._refused = refused
        self._standing = standing
        self._told: set[int] = set()

    def compare_holdings(self, books: BooksSnapshot) -> None:
        """Bring the core in line with the broker's holdings, and log changes."""
        lacking: dict[int, int] = {}
        for each in books.holdings:
            needed = each.token in self._refused or not self._standing
            if (
                needed
                and each.product == Product.CNC.name
                and each.token in self._kernel.state.markets
            ):
                lacking[each.token] = lacking.get(each.token, 0) + each.unauthorised
        self._refused -= {token for token, shares in lacking.items() if not shares}
        for token, market in self._kernel.state.markets.items():
            shares = lacking.get(int(token), 0)
            if shares != market.instrument.bound:
                self._kernel.ladder_book.set_bound_shares(int(token), shares)
            self._tell_bound(int(token), market.instrument.symbol, shares if market.ladders else 0)

    def _tell_bound(self, token: int, symbol: str, shares: int) -> None:
        """Log once that shares of ours are bound, and once that they are no more."""
        if shares and token not in self._told:
            self._told.add(token)
            text = (
                f"{shares} {symbol} need an authorisation before they can be sold; no stop of "
                f"theirs can fill: {MEND}"
            )
            self._tell("alarm", "unauthorised", text)
        elif token in self._told and not shares:
            self._told.discard(token)
            self._tell(
                "info",
                "unauthorised",
                f"{symbol}: nothing of it waits for an authorisation any more",
            )
