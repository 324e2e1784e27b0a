"""A Chromium without a window, asked by its own debugging protocol."""

import asyncio
import base64
import itertools
import re
import shutil
from contextlib import asynccontextmanager

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 120


def find():
    """Return the path of a Chromium."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium here: make peers installs one"
    return found


class Tab:
    """One page: `events` are its messages, `asked` its addresses, `said` its console."""

    def __init__(self, socket):
        self._socket, self._numbers, self._waiting, self.events = socket, itertools.count(1), {}, []
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self):
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            else:
                self.events.append(told)
                if told["method"] == "Page.loadEventFired":
                    self._loaded.set()

    async def ask(self, method, **parameters):
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in told, told
        return told["result"]

    async def run(self, script):
        """Return what a script comes to; promises are waited for."""
        told = await self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def open(self, url, width, height=900, scheme="light", phone=False):
        """Open an address on a screen of some size and scheme; return when it stands."""
        self.events.clear()
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        await self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.ask(f"{domain}.enable")
        self._loaded.clear()
        await self.ask("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    @property
    def asked(self):
        return [
            each["params"]["request"]["url"]
            for each in self.events
            if each["method"] == "Network.requestWillBeSent"
        ]

    @property
    def said(self):
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [each["params"] for each in self.events if each["method"] in kinds]

    async def picture(self):
        """Return the whole page as a PNG."""
        size = (await self.ask("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        told = await self.ask(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(told["data"])

    async def printed(self):
        """Return the page as a PDF."""
        told = await self.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(told["data"])


@asynccontextmanager
async def tab(folder):
    """Start a Chromium with a profile in a folder, and yield its one tab."""
    command = [
        find(),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        base = await asyncio.wait_for(_address(process.stderr), PATIENCE_S)
        drained = asyncio.create_task(process.stderr.read())  # a full pipe would stop it
        async with aiohttp.ClientSession() as session:
            pages = await (await session.get(f"{base}/json/list")).json()
            page = next(each for each in pages if each["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
        drained.cancel()
    finally:
        process.kill()
        await process.wait()


async def _address(lines):
    async for line in lines:
        if found := re.search(rb"DevTools listening on ws://([^/]+)/", line):
            return f"http://{found[1].decode()}"
    raise AssertionError("Chromium ended before it listened")
