"""A hub on this machine: repositories are folders `models/OWNER/NAME` and `datasets/OWNER/NAME`, at any revision."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_API = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)/?(.*))?$")
_FILE = re.compile(r"^/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@contextmanager
def hub_of(root: Path) -> Iterator[str]:
    """The address (HF_ENDPOINT) of a hub that serves a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            found = _API.match(unquote(urlsplit(self.path).path))
            if found is None or found[3] != "paths-info":
                self.send_error(404)
                return
            paths = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
            repo = root / found[1] / found[2]
            self.answer([_entry(repo, repo / path) for path in paths if (repo / path).exists()])

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if (api := _API.match(path)) is not None:
                repo = root / api[1] / api[2]
                if not repo.is_dir():
                    self.missing()
                elif api[3] == "tree":
                    deep = parse_qs(urlsplit(self.path).query).get("recursive", ["False"])[0].lower() == "true"
                    self.answer([_entry(repo, one) for one in sorted((repo / api[5]).glob("**/*" if deep else "*"))])
                else:
                    files = [{"rfilename": _name(repo, one)} for one in sorted(repo.glob("**/*")) if one.is_file()]
                    self.answer(
                        {"id": api[2], "sha": _commit(api[4]), "siblings": files, "private": False, "gated": False}
                    )
            elif (file := _FILE.match(path)) is not None:
                place = root / ("datasets" if file[1] else "models") / file[2] / file[4]
                self.content(place.read_bytes(), _commit(file[3])) if place.is_file() else self.missing("EntryNotFound")
            else:
                self.send_error(404)

        def missing(self, why: str = "RepoNotFound") -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", why)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def answer(self, value: Any) -> None:
            self.content(json.dumps(value).encode())

        def content(self, data: bytes, commit: str = COMMIT) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _commit(revision: str | None) -> str:
    """A commit stands for itself, a branch for the one that there is."""
    return revision if revision and re.fullmatch("[0-9a-f]{40}", revision) else COMMIT


def _name(repo: Path, file: Path) -> str:
    return file.relative_to(repo).as_posix()


def _entry(repo: Path, file: Path) -> dict[str, Any]:
    if file.is_dir():
        return {"type": "directory", "path": _name(repo, file), "oid": COMMIT, "size": 0}
    data = file.read_bytes()
    return {"type": "file", "path": _name(repo, file), "oid": hashlib.sha1(data).hexdigest(), "size": len(data)}
