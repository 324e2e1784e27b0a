"""One WebSocket connection without its socket: subscriptions and a bounded queue of messages."""

import json
from collections import deque
from collections.abc import KeysView, Mapping
from typing import final

from brokers.sandbox.assumptions import GUESSED, KiteAssumptions
from brokers.sandbox.http import parse_json
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from compiled.adapters.kite_frames import FULL, LTP, QUOTE, encode_frame
from compiled.model.values import Tick

MODES = {"ltp": LTP, "quote": QUOTE, "full": FULL}
MOST_TOKENS = 3_000
BACKLOG = 64
"""Tick frames that may wait for a slow client before they are conflated into its next one."""
BACKLOG_TEXTS = 20_000
HEARTBEAT = b"\x00"

Tokens = Mapping[int, ExchangeListing | ListedIndex]


@final
class ClientConnection:
    """A client's subscriptions and its outbox.

    `conflate`: tick frames that a slow client has not taken are dropped.
    """

    def __init__(
        self, tokens: Tokens, choices: KiteAssumptions = GUESSED, *, conflate: bool
    ) -> None:
        self.outbox: deque[str | bytes] = deque()
        self.sent = 0
        """Messages put into the outbox and not dropped from it since."""
        self.close_requested = False
        self.abort_requested = False
        """Closing without a word, as a lost connection does."""
        self._tokens = tokens
        self._default = MODES[choices.default_mode]
        self._resets = choices.resubscribe_resets
        self._conflate = conflate
        self._modes: dict[int, int] = {}
        self._fresh: set[int] = set()
        self._void: set[int] = set()
        """Subscribed tokens of nothing: they bring no ticks, and count."""

    @property
    def awaits_first_tick(self) -> bool:
        """Return whether it is owed a first tick of something."""
        return bool(self._fresh)

    @property
    def tokens(self) -> KeysView[int]:
        """Return what it subscribes."""
        return self._modes.keys()

    @property
    def full_count(self) -> int:
        """Return how many instruments it has asked for in full mode."""
        return sum(mode == FULL for mode in self._modes.values())

    def receive(self, text: str) -> None:
        """Take a request; its subscriptions are sent with the next frame of ticks."""
        try:
            message = parse_json(text)
            action, value = message["a"], message["v"]
            if action == "subscribe":
                self._subscribe_tokens(_token_numbers(value))
            elif action == "unsubscribe":
                self._unsubscribe_tokens(_token_numbers(value))
            elif action == "mode":
                self._set_mode(MODES[value[0]], _token_numbers(value[1]))
            else:
                self._queue_error(f"Invalid action `{action}`.")
        except (ValueError, KeyError, IndexError, TypeError):
            self._queue_error("Invalid message.")

    def _subscribe_tokens(self, tokens: list[int]) -> None:
        new = [
            token
            for token in dict.fromkeys(tokens)
            if token not in self._modes and token not in self._void
        ]
        room = MOST_TOKENS - len(self._modes) - len(self._void)
        if len(new) > room:
            self._queue_error(f"Can't subscribe to more than {MOST_TOKENS} instruments.")
        for token in new[:room]:
            if token in self._tokens:
                self._modes[token] = self._default
                self._fresh.add(token)
            else:
                self._void.add(token)
        if self._resets:
            self._set_mode(self._default, tokens)

    def _unsubscribe_tokens(self, tokens: list[int]) -> None:
        for token in tokens:
            self._modes.pop(token, None)
            self._fresh.discard(token)
            self._void.discard(token)

    def _set_mode(self, mode: int, tokens: list[int]) -> None:
        for token in tokens:
            if self._modes.get(token, mode) != mode:
                self._modes[token] = mode
                self._fresh.add(token)

    def _queue_error(self, text: str) -> None:
        self.queue_text({"type": "error", "data": text})

    def queue_text(self, message: Mapping[str, object]) -> None:
        """Queue a text frame."""
        self.outbox.append(json.dumps(message))
        self.sent += 1
        if self._conflate and len(self.outbox) > BACKLOG_TEXTS:
            self.close_requested = True

    def queue_frame(self, message: bytes) -> None:
        """Queue a binary frame as it is."""
        self.outbox.append(message)
        self.sent += 1

    def queue_ticks(self, changed: Mapping[int, Tick], now: int) -> None:
        """Queue one frame of all changed and subscribed listings, in their order."""
        modes = self._modes
        if self._conflate and len(self.outbox) > BACKLOG:
            self._drop_ticks()
        if self._fresh:
            fresh = {
                token: self._tokens[token].snapshot(now)
                for token in self._fresh
                if token not in changed
            }
            everything = {**changed, **fresh}
            # in the order of the listings, as every frame is
            changed = {token: everything[token] for token in self._tokens if token in everything}
            self._fresh.clear()
        due = [tick for token, tick in changed.items() if token in modes]
        if due:
            self.outbox.append(encode_frame(due, [modes[int(tick.token)] for tick in due]))
            self.sent += 1

    def _drop_ticks(self) -> None:
        # texts stay: no later frame repeats an order update, while ticks are all sent anew
        kept = [message for message in self.outbox if isinstance(message, str)]
        self.sent -= len(self.outbox) - len(kept)
        self.outbox.clear()
        self.outbox.extend(kept)
        self._fresh.update(self._modes)

    def discard_outbox(self) -> None:
        """Take back what the client will never get."""
        self.sent -= len(self.outbox)
        self.outbox.clear()


def _token_numbers(value: object) -> list[int]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [token for token in value if isinstance(token, int) and not isinstance(token, bool)]
