"""Archives over HTTP on loopback: good, wrong, missing, broken off."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from beir_folder import write_beir
from processes import started
from rerankbench.eval.data import Policy, load
from rerankbench.eval.data.archive import fetch_archive
from rerankbench.eval.data.catalog import NamedDataset
from rerankbench.eval.data.irds import SourceError
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.storage.atomic import temporary_name


class Server:
    """Answers by path; `calls` keeps (path, Range header)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.break_after: int | None = None
        self.halfway, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.calls: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                outer.calls.append((self.path, wanted))
                data = outer.files.get(self.path)
                if data is None:
                    self.send_error(404, "Not Found")
                    return
                start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
                if start >= len(data):
                    self.send_error(416)
                    return
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                with suppress(OSError):  # whoever asked was killed
                    self.wfile.write(data[start : start + 100])
                    outer.halfway.set()
                    outer.go_on.wait(60)
                    self.wfile.write(data[start + 100 : outer.break_after])

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    folder = write_beir(tmp_path / "source" / "toy")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, path.relative_to(folder.parent))
    return packed.getvalue()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def entry(server: Server, data: bytes, *paths: str) -> NamedDataset:
    mirrors = tuple(server.url + path for path in paths)
    return NamedDataset("beir/toy", Policy(archive="toy"), "beir/toy", mirrors, md5(data), "toy")


def fail(name: str, irds_id: str, policy: Policy) -> None:
    raise SourceError(f"{name}: ir_datasets cannot deliver it (no network)")


@pytest.fixture
def no_irds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "IrDataset", fail)


@pytest.mark.usefixtures("no_irds")
def test_second_source_from_the_second_mirror(server: Server, archive: bytes, tmp_path: Path):
    server.files["/good.zip"] = archive
    wanted = entry(server, archive, "/gone.zip", "/good.zip")
    data = load.open_entry(wanted, tmp_path / "cache")
    assert (data.name, len(data), list(data.queries)) == ("beir/toy", 4, ["q1", "q2"])
    again = load.open_entry(wanted, tmp_path / "cache")
    assert again.checksum == data.checksum
    assert [path for path, _ in server.calls] == ["/gone.zip", "/good.zip"]
    assert [p.name for p in (tmp_path / "cache" / "archives").iterdir()] == ["toy"]


@pytest.mark.usefixtures("no_irds")
def test_every_source_failed(server: Server, archive: bytes, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        load.open_entry(entry(server, archive, "/gone.zip"), tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("beir/toy: ir_datasets cannot deliver it (no network); then ")
    assert (
        f"{server.url}/gone.zip: HTTP 404 Not Found; check the network, or unpack the archive yourself into" in message
    )
    assert "\n" not in message


def test_web_page_saved_as_a_zip_is_refused(server: Server, archive: bytes, tmp_path: Path):
    server.files["/page.zip"] = page = b"<html>404, file not found</html>"
    message = f"/page.zip: not a zip archive, checksum {md5(page)} instead of {md5(archive)}"
    with pytest.raises(InputError, match=re.escape(message)):
        fetch_archive([server.url + "/page.zip"], md5(archive), tmp_path / "a" / "toy")
    assert list((tmp_path / "a").iterdir()) == []


def test_wrong_checksum_is_refused(server: Server, archive: bytes, tmp_path: Path):
    server.files["/old.zip"] = archive
    with pytest.raises(InputError, match=f"/old.zip: checksum {md5(archive)} instead of 0123"):
        fetch_archive([server.url + "/old.zip"], "0123", tmp_path / "a" / "toy")
    assert list((tmp_path / "a").iterdir()) == []


def test_broken_download_is_continued(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    server.break_after = 300
    target = tmp_path / "toy"
    with pytest.raises(InputError, match=f"broke off after 300 of {len(archive)} bytes; run again to continue"):
        fetch_archive([server.url + "/toy.zip"], md5(archive), target)
    assert not target.exists()
    server.break_after = None
    fetch_archive([server.url + "/toy.zip"], md5(archive), target)
    assert server.calls == [("/toy.zip", None), ("/toy.zip", "bytes=300-")]
    assert (target / "toy" / "corpus.jsonl").is_file()


def test_whole_download_that_was_not_unpacked(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    (tmp_path / "toy.zip.part").write_bytes(archive)
    fetch_archive([server.url + "/toy.zip"], md5(archive), tmp_path / "toy")
    assert (tmp_path / "toy" / "toy" / "queries.jsonl").is_file()


def fetch(cache: Path, wanted: NamedDataset) -> None:
    """What `open_entry` does where ir_datasets cannot deliver, in a process of its own."""
    load.IrDataset = fail  # pyright: ignore[reportAttributeAccessIssue]
    assert len(load.open_entry(wanted, cache)) == 4


def test_two_processes_that_fetch_the_same(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    call = (tmp_path / "cache", entry(server, archive, "/toy.zip"))
    with started(fetch, [call, call]) as processes:
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.calls) == 1
    assert [p.name for p in (tmp_path / "cache" / "archives").iterdir()] == ["toy"]


def test_a_process_that_is_killed_while_another_waits(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    server.go_on.clear()
    call = (tmp_path / "cache", entry(server, archive, "/toy.zip"))
    with started(fetch, [call]) as (first,):
        assert server.halfway.wait(60)
        with started(fetch, [call]) as (second,):
            first.kill()
            server.go_on.set()
            second.join(60)
            assert second.exitcode == 0
    assert [p.name for p in (tmp_path / "cache" / "archives").iterdir()] == ["toy"]


def test_what_a_killed_process_unpacked_is_cleared(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    dead = tmp_path / temporary_name("toy").replace(f"-{os.getpid()}-", "-999999999-")
    write_beir(dead)
    fetch_archive([server.url + "/toy.zip"], md5(archive), tmp_path / "toy")
    assert [p.name for p in tmp_path.iterdir() if p.name != "source"] == ["toy"]


def test_no_link_is_followed(server: Server, archive: bytes, tmp_path: Path):
    server.files["/toy.zip"] = archive
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "toy.zip.part").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="symbolic link"):
        fetch_archive([server.url + "/toy.zip"], md5(archive), tmp_path / "toy")
    assert (tmp_path / "mine").read_text() == "mine"


def test_nobody_answers(tmp_path: Path):
    with pytest.raises(InputError, match="refused"):
        fetch_archive(["http://127.0.0.1:9/toy.zip"], "0", tmp_path / "toy")
