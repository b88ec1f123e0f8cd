"""A hub of datasets on this machine: what huggingface_hub asks for when it uploads a folder and fetches it again."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`files` are those of its only repository, `created` what its makers asked for, `asked` every request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_POST(self) -> None:
        path, body = self._begun()
        if path == "/api/repos/create":
            self.hub.created.append(json.loads(body))
            self._answer({"url": f"{self.hub.url}/datasets/me/results"})
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            as_they_are = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": f["path"], **as_they_are} for f in json.loads(body)["files"]]})
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._answer({"commitUrl": f"{self.hub.url}/datasets/me/results/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self._answer({"error": "unknown"}, 404)

    def do_GET(self) -> None:
        path, _ = self._begun()
        if path.startswith("/api/datasets/me/results/tree/"):
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in sorted(self.hub.files.items())
            ]
            self._answer(entries)
        elif path.startswith("/api/datasets/me/results"):
            siblings = [{"rfilename": name} for name in sorted(self.hub.files)]
            self._answer({"id": "me/results", "sha": COMMIT, "private": True, "siblings": siblings, "tags": []})
        elif path.startswith("/datasets/me/results/resolve/"):
            name = unquote(path.split("/", 6)[6])
            content = self.hub.files.get(name)
            if content is None:
                self._answer({"error": "Entry not found"}, 404)
            else:
                self._answer(content, tag=hashlib.sha1(content).hexdigest())
        else:
            self._answer({"error": "Repository not found"}, 404)

    do_HEAD = do_GET

    def _begun(self) -> tuple[str, bytes]:
        self.hub.asked.append(f"{self.command} {self.path}")
        return urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, content: Any, status: int = 200, tag: str = "") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        kind = "binary/octet-stream" if isinstance(content, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("X-Repo-Commit", COMMIT)
        if tag:
            self.send_header("ETag", f'"{tag}"')
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound" if "/resolve/" in self.path else "RepoNotFound")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def local_hub() -> Iterator[Hub]:
    """A hub that listens as long as the block runs."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
