"""constraints.txt has one release of everything that pyproject.toml declares, on every Python that it declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_one_pin_within_the_declared_range(python: str) -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    some = [line for lines in (*extras.values(), *groups.values()) for line in lines]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    here = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": "linux"}
    pins: dict[str, list[str]] = {}
    for pin in (Requirement(line) for line in lines if not line.lstrip().startswith("#")):
        if pin.marker is None or pin.marker.evaluate(here):
            assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), pin
            pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier)[2:])
    for wanted in map(Requirement, [*project["project"]["dependencies"], *some]):
        assert len(pins.get(canonicalize_name(wanted.name), [])) == 1, f"{wanted}: run `make constraints`"
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)][0]), f"{wanted}: run `make constraints`"
