"""Order updates over HTTP, to the address an app has registered."""

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp

EVERY = 0.02
"""Seconds between two looks for updates to post."""
PATIENCE = 5.0


async def post_updates(url: str, waiting: list[Mapping[str, object]]) -> None:
    """Post every update once, in order, as raw JSON; the answer is not looked at."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http:
        while True:
            while waiting:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.post(url, json=waiting.pop(0), allow_redirects=False):
                        pass
            await asyncio.sleep(EVERY)
