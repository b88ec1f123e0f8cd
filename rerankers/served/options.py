"""What a model's YAML file has under `server`, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError, suggest
from .api import Api, api_named
from .secrets import read_key

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class Service:
    """How a server is called. Of these only `api`, `parameters` and `listwise` are part of a result's identity.

    Attributes:
        api: the shape of its requests, a name of configs/served.yaml.
        url: of the server, without the path of the request; None: the publisher's own.
        key: the environment variable with the key; None: the api's own, if it has one. The key itself is read
            from there and written nowhere.
        parameters: sent with every request.
        listwise: a score depends on the other documents of the request, so that a query's documents are never split.
        documents_per_request: None: as many as the api takes.
        concurrency: requests at a time.
        timeout: seconds for a whole request, from the address to the last byte of its answer; then it counts as lost.
        attempts: how often a request is tried.
        requests_per_minute: at most so many; None: as fast as they are answered.
    """

    api: str
    url: str | None = None
    key: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    listwise: bool = False
    documents_per_request: int | None = None
    concurrency: int = 4
    timeout: float = 60.0
    attempts: int = 6
    requests_per_minute: float | None = None


def service_of(raw: Mapping[str, Any], where: str) -> Service:
    """Return the checked content of `server`. Raises InputError that names the key."""
    known = {field.name for field in fields(Service)}
    for name in raw:
        if name not in known:
            raise InputError(f"{where}: unknown key 'server.{name}'{suggest(str(name), known)}")
    if "api" not in raw:
        raise InputError(f"{where}: key 'server.api' is missing")
    service = Service(**raw)
    for name in ("documents_per_request", "concurrency", "attempts"):
        _check_number(where, name, getattr(service, name), whole=True)
    for name in ("timeout", "requests_per_minute"):
        _check_number(where, name, getattr(service, name), whole=False)
    if not isinstance(service.parameters, dict):
        raise InputError(f"{where}: key 'server.parameters': expected keys and values")
    if not isinstance(service.listwise, bool):
        raise InputError(f"{where}: key 'server.listwise': expected true or false")
    if service.key is not None and not (isinstance(service.key, str) and _VARIABLE.fullmatch(service.key)):
        # it may be the key itself: it is not shown
        raise InputError(f"{where}: key 'server.key': expected the name of an environment variable, not the key itself")
    return service


def address(service: Service, where: str) -> tuple[Api, str, str | None]:
    """Return the shape of requests, where they go, and the key.

    Raises InputError when one of them is missing or unusable.
    """
    api = api_named(service.api, where)
    if (url := service.url or api.url) is None:
        raise InputError(f"{where}: key 'server.url' is missing: where does the server run?")
    key = read_key(service.key or (None if service.url else api.key), where)
    return api, checked_url(url, where) + api.path, key


def checked_url(url: Any, where: str) -> str:
    """Return the address of a server. Raises InputError for one that is none, or that contains what may be a secret."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        named = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named, parts = False, None
    if parts is None or not named:
        raise InputError(f"{where}: key 'server.url': expected an address such as http://localhost:8080")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            f"{where}: key 'server.url': only host, port and path may be in it; a key goes into an "
            "environment variable that 'server.key' names"
        )
    return str(url).rstrip("/")


def _check_number(where: str, name: str, value: Any, *, whole: bool) -> None:
    if value is None and name in ("documents_per_request", "requests_per_minute"):
        return
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 1e9:
        raise InputError(f"{where}: key 'server.{name}': expected a number above 0, found {value!r:.40}")
