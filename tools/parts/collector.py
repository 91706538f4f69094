"""OpenTelemetry collectors: rotel, a real one, and a sink of our own that keeps records and can be told to fail."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from . import process

ROTEL = process.SITE / "rotel" / "rotel-agent"


@dataclass
class Record:
    """One log record, its attributes unfolded."""

    body: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    raw: dict[str, Any] = field(repr=False)

    @property
    def event(self) -> str:
        """`portcullis.exchange.start` and its kin: the record's event name, or the attribute of that name."""
        return self.raw.get("eventName") or self.attributes.get("event.name", "")

    def json(self) -> dict[str, Any]:
        """The canonical record that the body carries as a string."""
        return json.loads(self.body)


@dataclass
class Export:
    """One request to `/v1/logs`."""

    headers: dict[str, str]
    data: bytes
    status: int
    at: float = field(default_factory=time.time)


class Sink:
    """Takes OTLP/HTTP logs, JSON or protobuf, and keeps them, in memory and as JSON lines in `folder/records.jsonl`.

    `fail` is a status to answer instead of taking records, `stall` makes it hold its answers for so many seconds, and
    `reject` is how many records of each export it says that it did not take.
    """

    def __init__(self, folder: Path, port: int | None = None):
        self.port = port or process.free_port()
        self.file = folder / f"records-{self.port}.jsonl"
        self.fail: int | None = None
        self.stall = 0.0
        self.reject = 0
        self.records: list[Record] = []
        self.exports: list[Export] = []
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Sink:
        sink = self

        class Handler(_Handler):
            owner = sink

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Goes down; `start` brings it back at the same address with what it had."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._server = None

    def reset(self) -> None:
        self.fail, self.stall, self.reject = None, 0.0, 0
        self.records.clear()
        self.exports.clear()

    def take(self, data: bytes, content_type: str) -> None:
        export = decode(data, content_type)
        with self.file.open("a") as file:
            for record in records_of(export):
                self.records.append(record)
                file.write(json.dumps(record.raw) + "\n")

    def events(self, name: str = "") -> list[Record]:
        return [record for record in self.records if name in record.event]

    def wait_for(self, holds: Callable[[Record], object], timeout: float = 15.0) -> Record:
        """The first record that is so, waited for."""
        found: list[Record] = []

        def look() -> bool:
            found.extend(record for record in self.records[:] if holds(record))
            return bool(found)

        try:
            process.wait_until("the audit record", look, timeout)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; there are {[record.event for record in self.records]}") from None
        return found[0]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args: Any):
        self._open: set[Any] = set()
        super().__init__(*args)

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Breaks off connections that are kept alive, as a server that dies does."""
        for connection in list(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away is nothing to print."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Sink
    protocol_version = "HTTP/1.1"
    # Head and body are two writes, and the second would wait for the peer's late acknowledgement of the first.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        data = self._read_body()
        if self.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        content_type = self.headers.get("content-type", "")
        if self.owner.stall:
            time.sleep(self.owner.stall)
        status = self.owner.fail or (200 if self.path == "/v1/logs" else 404)
        self.owner.exports.append(Export({k.lower(): v for k, v in self.headers.items()}, data, status))
        if status == 200:
            try:
                self.owner.take(data, content_type)
            except ValueError as bad:
                status = 400
                print(f"sink: refused an export: {bad}", flush=True)
        partly = {"partialSuccess": {"rejectedLogRecords": str(self.owner.reject)}} if self.owner.reject else {}
        reply = json.dumps(partly).encode() if "json" in content_type else b""
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        return data

    def log_message(self, *_: Any) -> None:
        """Nothing: the exports are the log."""


def decode(data: bytes, content_type: str) -> dict[str, Any]:
    """An export as OTLP's JSON."""
    if "json" in content_type:
        return json.loads(data)
    return MessageToDict(ExportLogsServiceRequest.FromString(data))


def records_of(export: dict[str, Any]) -> list[Record]:
    found = []
    for resource_logs in export.get("resourceLogs", []):
        resource = _attributes(resource_logs.get("resource", {}).get("attributes", []))
        for scope_logs in resource_logs.get("scopeLogs", []):
            for raw in scope_logs.get("logRecords", []):
                body, attributes = _value(raw.get("body", {})), _attributes(raw.get("attributes", []))
                found.append(Record(body, attributes, resource, raw))
    return found


def _attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value", {})) for pair in pairs}


def _value(value: dict[str, Any]) -> Any:
    match value:
        case {"stringValue": text}:
            return text
        case {"boolValue": flag}:
            return flag
        case {"intValue": number}:
            return int(number)
        case {"doubleValue": number}:
            return float(number)
        case {"arrayValue": array}:
            return [_value(item) for item in array.get("values", [])]
        case {"kvlistValue": pairs}:
            return _attributes(pairs.get("values", []))
        case {"bytesValue": text}:
            return base64.b64decode(text)
    return None


class Rotel:
    """The real collector: takes OTLP/HTTP and hands every record on to a sink."""

    def __init__(self, folder: Path, sink: Sink, port: int | None = None):
        self.folder, self.sink = folder, sink
        self.port = port or process.free_port()
        self.process: process.Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Rotel:
        argv: list[str | Path] = [
            *(ROTEL, "start", "--otlp-http-endpoint", self.address),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{process.free_port()}"),
            *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
            *("--otlp-exporter-endpoint", f"http://{self.sink.address}"),
            *("--otlp-exporter-compression", "none", "--batch-timeout", "100ms"),
        ]
        self.process = process.Process("rotel", argv, self.folder)
        self.process.wait_ready(lambda: process.accepts(self.port))
        return self

    def stop(self) -> None:
        if self.process:
            self.process.stop()
