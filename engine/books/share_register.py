"""One share under all its listings: other exchange, earlier symbol, other series."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, final

from compiled.model.number_bounds import NUMBER
from compiled.model.values import Instrument
from engine.books.journal_rows import whole_number
from engine.books.share_divisions import NOTED as NOTED_DIVISION
from engine.ports import BrokerHolding, Journal

HOME: Final = "NSE"
TWIN: Final = "BSE"
NOTED: Final = "isin:"
"""How the key of an ISIN begins in the journal's `meta`.

The value is the token it was seen under.
"""

IGNORED: Final = "ignored:"
"""How the key of an ignored difference begins in the journal's `meta`; the value is its figure."""


@final
class ShareRegister:
    """Identifies our instrument behind a row of the broker's books.

    An instrument of ours is itself. Anything else is the one that has been seen under its ISIN,
    which is noted in the journal whenever a holding of either exchange shows it; else, on the other
    exchange, the one of the same symbol. A row that is neither is something of its own.
    """

    def __init__(self, journal: Journal, listed: Iterable[Instrument]) -> None:
        self._journal = journal
        shares = [each for each in listed if each.exchange == HOME]
        self._symbols = {each.symbol: int(each.token) for each in shares}
        self._tokens = {int(each.token): each.symbol for each in shares}
        self._isins = {
            str(row["key"]).removeprefix(NOTED): whole_number(
                f"meta, row {row['key']}:", row["value"], 1, int(NUMBER)
            )
            for row in journal.load("meta", "key LIKE ? AND value IS NOT NULL", (NOTED + "%",))
        }

    def token(self, exchange: str, symbol: str, token: int, isin: str = "") -> int:
        """Return the token we know something by, its own where it is nothing of ours."""
        # An instrument of ours needs no proof; a book's row may carry it without an ISIN.
        if token in self._tokens:
            return token
        # The ISIN outlasts a change of symbol, series or exchange, the token does not.
        known = self._isins.get(isin, 0) if isin else 0
        return (
            known if known in self._tokens else self._listed_token(exchange, symbol, token) or token
        )

    def _listed_token(self, exchange: str, symbol: str, token: int) -> int:
        """Return our token of a listing by its token or, on the other exchange, symbol; 0: none."""
        return (
            token
            if token in self._tokens
            else self._symbols.get(symbol, 0)
            if exchange == TWIN
            else 0
        )

    def _tokens_today(self, holdings: Iterable[BrokerHolding]) -> dict[str, int]:
        """Return the token of ours for each ISIN that is held."""
        found = {
            each.isin: self._listed_token(each.exchange, each.symbol, each.token)
            for each in holdings
            if each.isin
        }
        return {isin: token for isin, token in found.items() if token}

    def learn(self, holdings: Iterable[BrokerHolding]) -> None:
        """Take note of the ISINs of holdings; a known one is for `follow_renames` to change."""
        for isin, token in self._tokens_today(holdings).items():
            if isin not in self._isins:
                self._note_isin(isin, token)

    def _note_isin(self, isin: str, token: int) -> None:
        self._isins[isin] = token
        self._journal.append("meta", {"key": NOTED + isin, "value": str(token)})

    async def follow_renames(
        self, holdings: Sequence[BrokerHolding], tell: Callable[[str, str, str], None]
    ) -> None:
        """Let the journal's positions go on under today's token: new name, series or token.

        It changes only where the old token is listed no more; the ISIN says what it has become,
        else the symbol.
        """
        now = {
            self._isins[isin]: (isin, token)
            for isin, token in self._tokens_today(holdings).items()
            if isin in self._isins
        }
        moved = False
        for row in self._journal.load("ladders", "closed = 0"):
            old, symbol = int(str(row["token"])), str(row["symbol"])
            _, token = now.get(old, ("", self._symbols.get(symbol, 0)))
            if old in self._tokens or not token:
                continue
            self._move_ladder(row, token)
            named = self._tokens[token]
            what = (
                f"listed as {named} now"
                if named != symbol
                else f"listed under token {token} now, {old} before"
            )
            tell("warn", "renamed", f"{symbol} is {what}; its position goes on under it")
            moved = True
        for old, (isin, token) in now.items():
            if old not in self._tokens:
                self._note_isin(isin, token)
                moved = True
        if moved:
            await self._journal.commit()
        self.learn(holdings)

    def _move_ladder(self, ladder: dict[str, object], token: int) -> None:
        """Give a ladder and everything that belongs to it another token.

        That includes its notes: divisions, the owner's shares.
        """
        symbol = self._tokens[token]
        self._rename_keys(f"{NOTED_DIVISION}{ladder['token']}:", f"{NOTED_DIVISION}{token}:")
        if symbol != ladder["symbol"]:
            self._rename_keys(f"{IGNORED}{ladder['symbol']}:", f"{IGNORED}{symbol}:")
        number, named = ladder["ladder"], {"token": token, "symbol": symbol}
        rungs = [row["trade_id"] for row in self._journal.load("trades", "ladder = ?", (number,))]
        marks = ", ".join("?" * len(rungs))
        self._journal.append("ladders", {"ladder": number, **named})
        for rung in rungs:
            self._journal.append("trades", {"trade_id": rung, **named})
        for row in self._journal.load("intents", f"rung IN ({marks})", rungs):
            self._journal.append("intents", {"intent": row["intent"], **named})
        for row in self._journal.load("fills", f"rung IN ({marks})", rungs):
            self._journal.append(
                "fills", {"trade_id": row["trade_id"], "order_id": row["order_id"], **named}
            )

    def _rename_keys(self, old: str, new: str) -> None:
        """Rename `meta` keys that begin in one way to begin in another."""
        for row in self._journal.load("meta", "key LIKE ? AND value IS NOT NULL", (old + "%",)):
            key = str(row["key"])
            self._journal.append(
                "meta", {"key": new + key.removeprefix(old), "value": row["value"]}
            )
            self._journal.append("meta", {"key": key, "value": None})
