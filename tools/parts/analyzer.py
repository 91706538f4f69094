"""A recogniser with the API of Presidio's analyzer: it knows people by a list of names, and can be told to fail."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from typing import Any

from . import process


class Analyzer:
    """`POST /analyze` with `{"text": …, "language": …, "entities": […]}` gives `[{"entity_type", "start", "end", "score"}]`,
    places counted in characters, as Python does.

    `fail` is a status to answer instead, `stall` holds the answer for so many seconds. `questions` are what came.
    """

    def __init__(self, people: list[str]):
        self.people = people
        self.port = process.free_port()
        self.reset()
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.fail: int | None = None
        self.stall = 0.0
        self.questions: list[dict[str, Any]] = []

    def start(self) -> Analyzer:
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                asked = json.loads(self.rfile.read(length))
                owner.questions.append(asked)
                time.sleep(owner.stall)
                body = json.dumps(owner.find(asked)).encode()
                self.send_response(owner.fail or (200 if self.path == "/analyze" else 404))
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def find(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        if "PERSON" not in asked["entities"]:
            return []
        names = "|".join(map(re.escape, self.people))
        found = re.finditer(rf"\b(?:{names})\b", asked["text"])
        return [{"entity_type": "PERSON", "start": m.start(), "end": m.end(), "score": 0.85} for m in found]
