"""BEIR archives from a mirror: checked before anything is unpacked, resumed where the connection broke."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import clear_left_behind, open_own, temporary_name

_TIMEOUT = 60  # seconds without a byte
_BLOCK = 1 << 20
_MOST_RATIO = 100  # of what an archive unpacks to and its size; texts have 3 to 10


def fetch_archive(mirrors: Sequence[str], md5: str, target: Path) -> None:
    """Fetch a zip archive from the first mirror that has it and unpack it as the folder `target`.

    A mirror is passed over when it answers with an error, breaks off, or sends bytes with another MD5 (a page that
    answers 404, for example). What came before a break is stored beside `target` and continued the next time.
    Raises InputError with one reason per mirror; `target` is whole or absent.
    """
    part = target.with_name(target.name + ".zip.part")
    reasons = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_left_behind(target.parent, target.name)
        for url in mirrors:
            try:
                _download(url, part)
                _check_md5(part, md5)
                _unpack(part, target)
            except (OSError, http.client.HTTPException, zipfile.BadZipFile, zlib.error, _BadArchive) as err:
                reasons.append(f"{url}: {_describe_error(err)}")
            else:
                return
    except OSError as err:
        raise InputError(f"{target}: cannot be written ({err.strerror}); set RERANKBENCH_CACHE") from err
    raise InputError(f"{'; '.join(reasons)}; check the network, or unpack the archive yourself into {target}")


class _BadArchive(Exception):
    pass


def _download(url: str, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as err:
        if err.code == 416:  # nothing is left to fetch: what is there is whole, or wrong, which the check shows
            return
        raise
    mode = "ab" if answer.status == 206 else "wb"
    with answer, open(part, mode, opener=open_own) as file:  # a Path's has no opener
        have = have if answer.status == 206 else 0
        expected = have + int(answer.headers["Content-Length"]) if answer.headers["Content-Length"] else None
        with tqdm(
            total=expected, initial=have, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1], disable=None
        ) as bar:
            while block := answer.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
        if expected is not None and file.tell() < expected:
            raise _BadArchive(f"broke off after {file.tell()} of {expected} bytes; run again to continue")


def _check_md5(part: Path, md5: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != md5 or not zipfile.is_zipfile(part):
        fault = "checksum" if zipfile.is_zipfile(part) else "not a zip archive, checksum"
        part.unlink()
        raise _BadArchive(f"{fault} {digest.hexdigest()} instead of {md5}")


def _unpack(part: Path, target: Path) -> None:
    folder = target.with_name(temporary_name(target.name))
    folder.mkdir()
    try:
        with zipfile.ZipFile(part) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > _MOST_RATIO * part.stat().st_size + _BLOCK:
                raise _BadArchive(f"would unpack to {size:,} bytes, far more than texts can; not unpacked")
            archive.extractall(folder)
        folder.replace(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    part.unlink()


def _describe_error(err: Exception) -> str:
    if isinstance(err, urllib.error.HTTPError):
        return f"HTTP {err.code} {err.reason}"
    return " ".join(str(getattr(err, "reason", None) or err).split()) or type(err).__name__
