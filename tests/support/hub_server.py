"""A hub on this machine: what huggingface_hub asks for when it uploads a folder and fetches repositories."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`files` are those of its only dataset, `models` those of each model by its id, at whatever commit is asked for.

    `created` is what makers of repositories asked for, `asked` every request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.models: dict[str, dict[str, bytes]] = {}
        self.created: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.url = ""

    def repositories(self) -> list[tuple[str, str, dict[str, bytes]]]:
        """Kind, id and files of each."""
        return [("datasets", "me/results", self.files), *(("models", *model) for model in self.models.items())]


def _commit_of(revision: str) -> str:
    return revision if re.fullmatch(r"[0-9a-f]{40}", revision) else COMMIT


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
        for kind, repository, files in self.hub.repositories():
            at = f"datasets/{repository}" if kind == "datasets" else repository
            api, plain = f"/api/{kind}/{repository}", f"/{at}/resolve/"
            if path.startswith(f"{api}/tree/"):
                entries = [
                    {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in sorted(files.items())
                ]
                return self._answer(entries)
            if path == api or path.startswith(f"{api}/"):
                siblings = [{"rfilename": name} for name in sorted(files)]
                sha = _commit_of(path.partition("/revision/")[2])
                return self._answer({"id": repository, "sha": sha, "private": True, "siblings": siblings, "tags": []})
            if path.startswith(plain):
                revision, _, name = path.removeprefix(plain).partition("/")
                content = files.get(unquote(name))
                if content is None:
                    return self._answer({"error": "Entry not found"}, 404)
                return self._answer(content, tag=hashlib.sha1(content).hexdigest(), commit=_commit_of(revision))
        return self._answer({"error": "Repository not found"}, 404)

    do_HEAD = do_GET

    def _begun(self) -> tuple[str, bytes]:
        self.hub.asked.append(f"{self.command} {self.path}")
        return urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, content: Any, status: int = 200, tag: str = "", commit: str = COMMIT) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        kind = "binary/octet-stream" if isinstance(content, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("X-Repo-Commit", commit)
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
