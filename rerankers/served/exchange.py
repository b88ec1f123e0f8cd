"""One request on its way: it ends in time, can be given up at any moment, and its answer has a most.

A request runs in a thread of its own. Whoever waits for it waits for the thread, a time-out or a stop, whichever comes
first, so that no server, resolver or proxy can block a run, however slowly it sends. A request
given up loses its socket.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_CHUNK = 65_536  # bytes read at a time
_PULSE = 0.1  # seconds between two looks at whether somebody wants it to end
_OF_AN_ERROR = 65_536  # bytes that are read of a server's message about a refusal
_CURRENT = threading.local()  # `exchange` of this thread


class TooLarge(Exception):
    """An answer with more bytes than one of its kind can have."""


class UnknownEncoding(Exception):
    """An answer that is compressed in a way that was not requested."""


class TimedOut(Exception):
    """No whole answer in time."""


@dataclass(frozen=True)
class Reply:
    """What came back. `body` is decompressed; where it is cut off, `whole` is False, which only an error's may be."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


class _Noticed:
    """Tells the exchange of this thread over which socket it goes."""

    sock: socket.socket | None

    def getresponse(self, *args: Any, **options: Any) -> Any:
        exchange: Exchange | None = getattr(_CURRENT, "exchange", None)
        if exchange is not None:
            exchange.notice(self.sock)
        return super().getresponse(*args, **options)  # pyright: ignore[reportAttributeAccessIssue]


class _Connection(_Noticed, HTTPConnection):
    pass


class _SecureConnection(_Noticed, HTTPSConnection):
    pass


def make_pool(connections: int, timeout: float) -> urllib3.PoolManager:
    """Make connections whose sockets an `Exchange` can close."""
    waits = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
    pool = urllib3.PoolManager(maxsize=connections, timeout=waits)
    plain = type("Plain", (urllib3.HTTPConnectionPool,), {"ConnectionCls": _Connection})
    secure = type("Secure", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": _SecureConnection})
    pool.pool_classes_by_scheme = {"http": plain, "https": secure}
    return pool


class Exchange:
    """A request that was sent; `wait` has what came back.

    Args:
        pool: of `make_pool`.
        url: of the request.
        body: what is sent.
        headers: sent with it.
        most: bytes of an answer, as they come and decompressed.
    """

    def __init__(self, pool: urllib3.PoolManager, url: str, body: bytes, headers: Mapping[str, str], most: int) -> None:
        self._pool, self._url, self._body, self._headers, self._most = pool, url, body, headers, most
        self._over, self._lock = threading.Event(), threading.Lock()
        self._sock: socket.socket | None = None
        self._given_up = False
        self._reply: Reply | BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float, stop: threading.Event) -> Reply | None:
        """Return the reply, or None after `stop`.

        Raises TimedOut, TooLarge, UnknownEncoding, or urllib3's HTTPError.
        """
        end = time.monotonic() + seconds
        while not self._over.wait(max(0.0, min(_PULSE, end - time.monotonic()))):
            if stop.is_set() or time.monotonic() >= end:
                self._give_up()
                if stop.is_set():
                    return None
                raise TimedOut
        if isinstance(self._reply, BaseException):
            raise self._reply
        return self._reply

    def _give_up(self) -> None:
        with self._lock:
            self._given_up = True
            sock = self._sock
        _shut(sock)

    def notice(self, sock: socket.socket | None) -> None:
        """Note the socket that the request goes over."""
        with self._lock:
            self._sock = sock
            given_up = self._given_up
        if given_up:
            _shut(sock)

    def _run(self) -> None:
        _CURRENT.exchange = self
        try:
            reply: Reply | BaseException = self._send()
        except BaseException as err:  # whoever waits gets it
            reply = err
        self._reply = reply
        self._over.set()

    def _send(self) -> Reply:
        response = self._pool.request(
            "POST",
            self._url,
            body=self._body,
            headers=dict(self._headers),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            reply = self._read(response)
        except BaseException:
            response.close()
            raise
        response.release_conn() if reply.whole else response.close()
        return reply

    def _read(self, response: Any) -> Reply:
        well = response.status == 200
        most = self._most if well else min(self._most, _OF_AN_ERROR)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        decoder = _decoder(encoding)
        if decoder is None and encoding != "identity":
            raise UnknownEncoding(encoding)
        body, received = bytearray(), 0
        while chunk := response.read(_CHUNK):
            received += len(chunk)
            try:
                body += decoder.decompress(chunk, most + 1 - len(body)) if decoder else chunk
            except zlib.error as err:
                raise urllib3.exceptions.DecodeError(str(err)) from err
            if max(len(body), received) > most:
                if well:
                    raise TooLarge
                return Reply(response.status, response.headers, bytes(body[:most]), whole=False)
        if decoder and not decoder.eof:
            raise urllib3.exceptions.ProtocolError("the compressed answer was cut off")
        return Reply(response.status, response.headers, bytes(body))


def _decoder(encoding: str) -> Any:
    """Return a decoder of gzip and deflate, which zlib tells apart; None for others."""
    return zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "x-gzip", "deflate") else None


def _shut(sock: socket.socket | None) -> None:
    """Wake the thread that reads from a socket. Below TLS: the library's state of it belongs to that thread."""
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
