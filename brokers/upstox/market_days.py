"""Trading days of the exchanges, by Upstox.

GET /v2/market/timings/{date}, /v2/market/holidays, /v2/market/status/{exchange}.

Read with the Analytics token, which can only read. Source: Upstox's API documentation as
transcribed in github.com/marketcalls/broker-api-docs (August 2026), field names of its Python SDK
2.30.0.
"""

from datetime import date
from typing import Any, Final, NamedTuple, Self, TypeVar, final

import aiohttp
import msgspec

from compiled.model.values import SECOND
from engine.errors import ConnectionFailed, OperatorError

REST: Final = "https://api.upstox.com"
PATIENCE_S: Final = 10.0
MOST_BYTES: Final = 2_000_000
MILLISECOND: Final = SECOND // 1_000
REFUSED: Final = (401, 403)


class ExchangeTiming(msgspec.Struct):
    """Trading hours of an exchange; ms since 1970."""

    exchange: str
    start_time: int
    end_time: int


class UpstoxHoliday(msgspec.Struct):
    """A day out of the routine."""

    date: date
    description: str = ""
    holiday_type: str = ""
    """TRADING_HOLIDAY, SETTLEMENT_HOLIDAY or SPECIAL_TIMING."""
    closed_exchanges: list[str] = []
    open_exchanges: list[ExchangeTiming] = []


class ExchangeStatus(msgspec.Struct):
    """Status of an exchange; `cas_eligible_status`: that of stocks that close by auction."""

    exchange: str
    status: str
    cas_eligible_status: Any = None


class TradingSpan(NamedTuple):
    """From when to when an exchange trades, ns UTC."""

    start: int
    end: int


Data = TypeVar("Data")


@final
class MarketDays:
    """Reader of these three, as a context; the token goes into a header and nowhere else."""

    def __init__(self, token: str, rest: str = "") -> None:
        self._rest = (rest or REST).rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": "patang",
        }
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def timings(self, day: date) -> dict[str, TradingSpan]:
        """Return the exchanges that trade on a day."""
        rows = await self._get_data(f"/v2/market/timings/{day}", list[ExchangeTiming])
        return trading_spans(rows)

    async def holidays(self) -> list[UpstoxHoliday]:
        """Return the holidays of the current year."""
        return await self._get_data("/v2/market/holidays", list[UpstoxHoliday])

    async def status(self, exchange: str) -> ExchangeStatus:
        """Return how an exchange stands now."""
        return await self._get_data(f"/v2/market/status/{exchange}", ExchangeStatus)

    async def _get_data(self, path: str, kind: type[Data]) -> Data:
        """Return the `data` of an answer.

        Raise `ConnectionFailed`, or `OperatorError` where the token is refused.
        """
        try:
            # A redirect would take the token to another host.
            async with self._session.get(self._rest + path, allow_redirects=False) as answer:
                # One more than is taken, so that too long can be told from just long enough.
                content = await answer.content.read(MOST_BYTES + 1)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The type alone: the text of an error may hold what was sent.
            raise ConnectionFailed(f"Upstox cannot be reached: {type(error).__name__}") from None
        if status in REFUSED:
            raise OperatorError(
                f"Upstox refuses the Analytics token ({status}): keep a new one with --keep-token"
            )
        if status != 200:
            raise ConnectionFailed(f"Upstox answers {status} to {path}")
        try:
            return msgspec.convert(_answer_data(content), kind, strict=False)
        except (msgspec.DecodeError, TypeError, KeyError) as error:
            raise ConnectionFailed(
                f"Upstox: {path}: an answer of another shape ({error})"
            ) from None


def trading_spans(rows: list[ExchangeTiming]) -> dict[str, TradingSpan]:
    """Return the times of trading by exchange."""
    return {
        row.exchange: TradingSpan(row.start_time * MILLISECOND, row.end_time * MILLISECOND)
        for row in rows
    }


def _answer_data(content: bytes) -> object:
    if len(content) > MOST_BYTES:
        raise TypeError("it is too long")
    answer = msgspec.json.decode(content)
    if answer["status"] != "success":
        raise TypeError(f"status {answer['status']}")
    return answer["data"]
