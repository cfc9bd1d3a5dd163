"""A receiver of webhooks on the loopback address, as the Standard Webhooks say it must check."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(frozen=True)
class Posted:
    """One message that came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """What tells a message from others, and is the same when it comes again."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def is_genuine(self) -> bool:
        """Whether the signature is one with our key."""
        to_sign = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode()])
        expected = hmac.new(KEY, to_sign + b"." + self.body, sha256).digest()
        return self.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


@dataclass
class Receiver:
    """What the tests see of it."""

    url: str
    posted: list[Posted] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; then 204."""
    before_answer: Callable[[], None] = field(default=lambda: None)
    """Runs when a message has come and is not answered yet."""

    def told(self) -> list[str]:
        """What came, by type, in order."""
        return [one.content["type"] for one in self.posted]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        """Takes what is posted."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.posted.append(Posted(headers, body))
            found.before_answer()
            self.send_response(found.answers.pop(0) if found.answers else 204)
            self.send_header("Location", f"{found.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_address[1]}/xqz-path-token")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
