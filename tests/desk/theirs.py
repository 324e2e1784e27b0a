"""Our sandbox as Zerodha's keeps itself.

Behind `/oms`, for LIMIT orders only, with the user in the socket's address.
"""

import asyncio
import threading

from aiohttp import ClientSession, WSMsgType, web

from brokers.sandbox.api import admin_key

REFUSED = ("gtt", "margins", "charges", "instruments/trigger_range")
"""What it does not have, by the beginning of the route."""


def error(status, kind, message):
    return web.json_response(
        {"status": "error", "error_type": kind, "message": message, "data": None}, status=status
    )


class Theirs:
    """Passes on to a sandbox of ours what Zerodha's takes; `refused` is what it did not."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.asked, self.refused = [], []
        self.url = ""
        self._started, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self):
        self._thread.start()
        assert self._started.wait(60)
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        async with ClientSession(auto_decompress=False) as self._client:
            await site.start()
            self.url = f"127.0.0.1:{runner.addresses[0][1]}"
            # the clock is passed on, too
            admin_key.write_key(runner.addresses[0][1], self.endpoint.admin)
            self._started.set()
            await self._over.wait()
            await runner.cleanup()

    async def _take(self, request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        path = request.path.lstrip("/")
        dump = path.startswith(("instruments", "mf/instruments")) and "historical" not in path
        if not dump and path != "connect/login":
            if not path.startswith("oms/"):
                return self._no(request, 404, "GeneralException", "Route not found")
            path = path.removeprefix("oms/")
            if path.startswith("instruments") and "historical" not in path:
                return self._no(request, 404, "GeneralException", "the dumps have no prefix")
        if path.startswith(REFUSED):
            return self._no(request, 404, "GeneralException", "Route not found")
        form = await request.post()
        if (
            request.method == "POST"
            and path.startswith("orders/")
            and form["order_type"] != "LIMIT"
        ):
            return self._no(request, 400, "InputException", "Only LIMIT orders are allowed.")
        return await self._pass_on(request, path)

    async def _pass_on(self, request, path):
        self.asked.append(f"{request.method} {path}")
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in {"Authorization", "Content-Type"}
        }
        url = f"{self.endpoint.rest}/{path}"
        async with self._client.request(
            request.method,
            url,
            params=request.query,
            data=await request.read(),
            headers=headers,
            allow_redirects=False,
        ) as answer:
            kept = {
                n: v
                for n, v in answer.headers.items()
                if n in {"Content-Type", "Location", "Date", "Content-Encoding"}
            }
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    def _no(self, request, status, kind, message):
        self.refused.append(f"{request.method} {request.path}")
        return error(status, kind, message)

    async def _stream(self, request):
        if request.query.get("user_id") != self.endpoint.user_id:
            return self._no(request, 403, "TokenException", "user_id is missing")
        async with self._client.ws_connect(self.endpoint.ws, params=request.query) as theirs:
            ours = web.WebSocketResponse()
            await ours.prepare(request)
            both = [
                asyncio.ensure_future(pump(ours, theirs)),
                asyncio.ensure_future(pump(theirs, ours)),
            ]
            await asyncio.wait(
                [*both, over := asyncio.ensure_future(self._over.wait())],
                return_when="FIRST_COMPLETED",
            )
            for one in (*both, over):
                one.cancel()
            await ours.close()
        return ours


async def pump(source, sink):
    async for message in source:
        await (sink.send_bytes if message.type == WSMsgType.BINARY else sink.send_str)(message.data)
