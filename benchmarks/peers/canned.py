"""An OpenAI-compatible server that says one sentence after a set delay and counts what it was asked; the upstream of `gateways.py`.

    python -m benchmarks.peers.canned PORT [DELAY_MS]

`GET /stats` gives {"calls": ..., "choices": ...} since the last look and starts again from nought. It is one asyncio process without a
framework, so that it costs the gateways under test as little of the machine as it can.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

SAYS = "Seven times eight: the answer is 56"
"""What every choice says."""


class Canned:
    """The server's state: the delay and the counters."""

    def __init__(self, delay: float) -> None:
        self.delay, self.calls, self.choices = delay, 0, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request, until the peer leaves."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
                body = await reader.readexactly(size)
                said = json.dumps(await self.reply(head.split(b" ", 2)[1].decode(), body)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(said) + said)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async def reply(self, path: str, body: bytes) -> object:
        if path.startswith("/stats"):
            seen = {"calls": self.calls, "choices": self.choices}
            self.calls = self.choices = 0
            return seen
        if not body:
            return {"object": "list", "data": [{"id": "canned", "object": "model"}]}
        n = json.loads(body).get("n") or 1
        self.calls, self.choices = self.calls + 1, self.choices + n
        if self.delay:
            await asyncio.sleep(self.delay)
        message = {"role": "assistant", "content": SAYS}
        return {
            "id": f"canned-{self.calls}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": "canned",
            "choices": [{"index": i, "message": message, "finish_reason": "stop", "logprobs": None} for i in range(n)],
            "usage": {"prompt_tokens": 12, "completion_tokens": 9 * n, "total_tokens": 12 + 9 * n},
        }


async def main(port: int, delay: float) -> None:
    server = await asyncio.start_server(Canned(delay).serve, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1e3 if len(sys.argv) > 2 else 0.0))
