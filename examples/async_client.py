"""Embed with asyncio through a service that is busy: it is asked again as it wishes."""

import asyncio
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

import embcodec


class Busy(BaseHTTPRequestHandler):
    """A stub of the endpoint that refuses every third request."""

    count = itertools.count(1)

    def do_POST(self) -> None:
        """Answer with as many vectors as there are texts, or with 429."""
        asked = self.rfile.read(int(self.headers["content-length"]))
        status, body = 429, b'{"message": "too many requests", "type": "rate_limited"}'
        if next(self.count) % 3:
            rows = np.ones((asked.count(b"text "), 4), np.float32)
            status, body = 200, embcodec.encode_response(rows, model="stub")
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


async def embed(base_url: str) -> embcodec.EmbeddingResponse:
    """Embed 2,000 texts; where that fails for good, once more what is left of them."""
    texts = [f"text {number}" for number in range(2000)]
    async with embcodec.AsyncClient(base_url=base_url, concurrency=2) as client:
        try:
            return await client.embed(texts, model="stub")
        except embcodec.EmbcodecError as error:
            return await client.embed(texts, model="stub", resume=error.partial)


def main() -> None:
    """Start the stub, embed, stop it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = asyncio.run(embed(f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    print(f"{answer.embeddings!r} after {next(Busy.count) - 1} requests")
    assert len(answer.embeddings) == 2000


if __name__ == "__main__":
    main()
