"""Waiting for what a test needs, however slow the machine."""

import asyncio


async def until(condition):
    """Wait until a condition holds; fail after a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (conditions over several objects have no common event)
            await asyncio.sleep(0.01)
