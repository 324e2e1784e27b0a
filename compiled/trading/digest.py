"""A running hash over decisions, cheap enough to be taken of every order."""

import hashlib
from typing import Final, final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from compiled.model.values import E4, nearest

# Hashed in blocks: a call for each number would cost more than everything else here.
FULL: Final[i64] = 16_384


@final
class DecisionDigest:
    """SHA-256 over numbers, prices and texts.

    Numbers are 8 bytes, little-endian, prices in ten-thousandths of a rupee, texts with their
    length first.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._tape = BytesWriter()
        self._text = ""
        self._encoded = b""

    def put(self, number: i64) -> None:
        """Take in a number."""
        write_i64_le(self._tape, number)

    def put_four(self, a: i64, b: i64, c: i64, d: i64) -> None:
        """Take in four numbers from -100 to 99: members of enums."""
        # Positions of base 200, so that no two sets of four make one number.
        self.put(((a * 200 + b) * 200 + c) * 200 + d)

    def put_price(self, price: float) -> None:
        """Take in a price in rupees."""
        write_i64_le(self._tape, nearest(price * E4))

    def put_text(self, text: str) -> None:
        """Take in a text."""
        # Names of strategies come in runs.
        if text is not self._text:
            self._text = text
            self._encoded = text.encode("utf-8", "surrogatepass")
        write_i64_le(self._tape, len(self._encoded))
        self._tape.write(self._encoded)
        if len(self._tape) > FULL:
            self._drain_tape()

    def hex(self) -> str:
        """Return the hash over everything so far; more may follow."""
        self._drain_tape()
        return self._hash.hexdigest()

    def _drain_tape(self) -> None:
        self._hash.update(self._tape.getvalue())
        self._tape.truncate(0)
