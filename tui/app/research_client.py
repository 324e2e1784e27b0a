"""The screen's end of the process that reads results: requests out, answers in, by number."""

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Sequence
from typing import Any, Final, final

import msgspec

from engine.errors import OperatorError
from tui.app.research_port import (
    FormOffer,
    JobRequest,
    ResultRow,
    ResultTab,
    TabRequest,
)

LONGEST: Final = 1 << 26
"""Bytes of an answer, at most."""
CLOSE_S: Final = 3.0
"""How long the screen waits for it at the end."""
_ENDED: Final = "the process that reads results has ended: the next key begins another one"


class _ReaderAnswer(msgspec.Struct):
    id: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    fault: str = ""


@final
class ResearchClient:
    """A `ResearchPort` whose process begins with the first request."""

    def __init__(self, mode: str, options: Sequence[str]) -> None:
        self._command = [
            sys.executable,
            # The folder of the desk is no place to import from.
            "-P",
            "-m",
            "tui.commands.research_screen.reader_process",
            mode,
            "=".join(options),
        ][: 6 if options else 5]
        self._process: asyncio.subprocess.Process | None = None
        self._begin = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[_ReaderAnswer]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._fresh = True
        """Whether all rows are wanted, changed or not: this end has none yet."""

    async def rows(self) -> list[ResultRow] | None:
        """Return the list, the newest first; None where nothing has changed since."""
        body = await self._ask_reader("rows", self._fresh)
        self._fresh = False
        return msgspec.json.decode(body, type=list[ResultRow] | None)

    async def tab(self, request: TabRequest) -> ResultTab:
        """Return a tab of a row."""
        found: ResultTab = msgspec.json.decode(
            await self._ask_reader("tab", request), type=ResultTab
        )
        return found

    async def offer(self, kind: str) -> FormOffer:
        """Return the choices of a form."""
        return msgspec.json.decode(await self._ask_reader("offer", kind), type=FormOffer)

    async def check(self, request: JobRequest) -> str:
        """Return what a request would run, in a line."""
        return msgspec.json.decode(await self._ask_reader("check", request), type=str)

    async def start(self, request: JobRequest) -> str:
        """Start a request, and return its number."""
        return msgspec.json.decode(await self._ask_reader("start", request), type=str)

    async def act(self, verb: str, key: str, text: str = "") -> str:
        """Do something with a row; return what was done."""
        return msgspec.json.decode(await self._ask_reader("act", (verb, key, text)), type=str)

    async def close(self) -> None:
        """End the process by the end of its pipe: it then ends what was to end with the screen."""
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            return
        process.stdin.close()
        # Left to the end of the loop it would be killed before it has read that.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), CLOSE_S)

    async def _ask_reader(self, verb: str, body: Any) -> msgspec.Raw:
        process = await self._running_process()
        number = next(self._numbers)
        # answers overtake each other: a study takes seconds, a list none
        answer: asyncio.Future[_ReaderAnswer] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        line = msgspec.json.encode({"id": number, "verb": verb, "body": body})
        try:
            assert process.stdin is not None
            process.stdin.write(line + b"\n")
            await process.stdin.drain()
            found = await answer
        except (BrokenPipeError, ConnectionResetError):
            raise OperatorError(_ENDED) from None
        finally:
            self._open.pop(number, None)
        if found.fault:
            raise OperatorError(found.fault)
        return found.body

    async def _running_process(self) -> asyncio.subprocess.Process:
        async with self._begin:
            if self._process is None or self._process.returncode is not None:
                try:
                    self._process = await asyncio.create_subprocess_exec(
                        *self._command,
                        stdin=asyncio.subprocess.PIPE,
                        stdout=asyncio.subprocess.PIPE,
                        # what libraries say there would be written over the screen
                        stderr=asyncio.subprocess.DEVNULL,
                        # its end is that of its pipe, not of the terminal
                        start_new_session=True,
                        limit=LONGEST,
                    )
                except OSError as error:
                    raise OperatorError(f"results cannot be read: {error}") from None
                self._fresh = True
                self._listening = asyncio.create_task(self._take_answers(self._process))
        return self._process

    async def _take_answers(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, msgspec.MsgspecError):
            async for line in process.stdout:
                answer = msgspec.json.decode(line, type=_ReaderAnswer)
                waiting = self._open.get(answer.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        await process.wait()
        # whoever waits must not wait for ever
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(OperatorError(_ENDED))
