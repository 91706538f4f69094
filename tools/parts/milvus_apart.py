"""Runs Milvus where only this program reaches it, and passes on what it is asked by a socket of the file system:
`milvus_apart.py FOLDER SOCKET`, in a network namespace. A line holds path and body, and so does its answer's."""

from __future__ import annotations

import fcntl
import json
import socket
import socketserver
import struct
import sys
import urllib.error
import urllib.request

from milvus import default_server


def loopback_up() -> None:
    """A new namespace's own loopback is down, and `ip` need not be there."""
    get, put, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        _, flags, _ = struct.unpack("16sH14s", fcntl.ioctl(any_socket, get, request))
        fcntl.ioctl(any_socket, put, struct.pack("16sH14s", b"lo", flags | up, b""))


def ask(path: str, body: object) -> object:
    headers = {"content-type": "application/json", "authorization": "Bearer root:Milvus"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{default_server.listen_port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=50) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return {"code": refusal.code, "message": refusal.read().decode(errors="replace")}


class Door(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        path, body = json.loads(self.rfile.readline())
        self.wfile.write(json.dumps(ask(path, body)).encode() + b"\n")


def main() -> None:
    folder, door = sys.argv[1:]
    loopback_up()
    default_server.set_base_dir(folder)
    default_server.start()
    with socketserver.UnixStreamServer(door, Door) as server:
        server.serve_forever()


main()
