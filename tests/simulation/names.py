"""Shares that get another name in a night: they keep their ISIN, and get another token."""

from zlib import crc32

import msgspec

from brokers.sandbox.universe import known_shares


class Names:
    """Has the sandbox list shares under other names.

    An ISIN is made of the name that a share was `born` with.
    """

    def __init__(self, patch):
        self._patch = patch
        self.born = {}
        patch.setattr(
            "brokers.sandbox.account.portfolio.crc32",
            lambda name: crc32(self.born.get(name.decode(), name.decode()).encode()),
        )

    def rename(self, old, new, number):
        """List a share under another name and exchange token, by the next exchange that opens."""
        self.born[new] = self.born.get(old, old)
        self._patch.setitem(
            known_shares.KNOWN, new, known_shares.KNOWN[old]._replace(exchange_token=number)
        )


def renamed(carried, names):
    """Return an account whose shares have other names; its GTTs know nothing of them."""
    keys = {f"NSE:{old}": f"NSE:{new}" for old, new in names.items()}
    return msgspec.structs.replace(
        carried,
        holdings=[
            msgspec.structs.replace(each, key=keys.get(each.key, each.key))
            for each in carried.holdings
        ],
        closes={keys.get(key, key): close for key, close in carried.closes.items()},
    )
