"""The state of an installation: versions, devices, folders, optional parts."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ...configs import CONFIGS, read

_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
_LOW_SPACE = 20e9  # bytes; the weights of the largest model come near


@dataclass(frozen=True)
class Device:
    """Something that can run a model; `memory` in bytes."""

    name: str
    kind: str
    memory: int | None
    bf16: str
    detail: str


@dataclass(frozen=True)
class Folder:
    """A folder that things are kept in. `free` is in bytes, of the nearest folder that exists."""

    what: str
    path: str
    variable: str
    exists: bool
    writable: bool
    free: int


@dataclass(frozen=True)
class Extra:
    """An optional part and what it is for."""

    name: str
    installed: bool
    purpose: str


def versions() -> dict[str, str | None]:
    """Return python, this package and everything that it requires; None: not installed."""
    required = [line for line in metadata.requires("rerankbench") or () if "extra ==" not in line]
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required]
    names = ["rerankbench", *names, "tokenizers", "huggingface-hub"]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def version(name: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def devices() -> list[Device]:
    """Return CUDA devices, Apple's GPU, and the processor."""
    import torch

    listed = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        p = torch.cuda.get_device_properties(index)
        # Turing and older only emulate bfloat16
        bf16 = "native" if p.major >= 8 else "emulated, slow"
        detail = f"compute capability {p.major}.{p.minor}, CUDA {torch.version.cuda}"
        listed.append(Device(p.name, f"cuda:{index}", p.total_memory, bf16, detail))
    if torch.backends.mps.is_available():
        listed.append(Device("Apple GPU", "mps", None, "depends on the system", ""))
    return [*listed, _describe_cpu(torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())]


def _describe_cpu(capability: str, threads: int) -> Device:
    text = _read_version("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    listed = re.search(r"^(?:flags|Features)\s*: (.+)$", text, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    bf16 = "native" if flags & {"avx512_bf16", "amx_bf16", "bf16"} else "emulated, slow" if flags else "unknown"
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read_version("/proc/meminfo"), re.MULTILINE)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    shown = " ".join(flag for flag in _CPU_FLAGS if flag in flags)
    detail = f"{cores} cores, {threads} threads in use, torch runs {capability}" + (f"; {shown}" if shown else "")
    name = model[1].strip() if model else platform.processor() or platform.machine()
    return Device(name, "cpu", int(memory[1]) * 1024 if memory else None, bf16, detail)


def _read_version(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def folders() -> list[Folder]:
    """Return where models, datasets, indices and results are stored."""
    from ...rerankers.storage.cache import cache_folder

    home = Path.home()
    cache = os.environ.get("XDG_CACHE_HOME")
    hub = os.environ.get("HF_HOME") or (Path(cache) if cache else home / ".cache") / "huggingface"
    return [
        _describe_folder("models", Path(hub), "HF_HOME"),
        _describe_folder(
            "datasets", Path(os.environ.get("IR_DATASETS_HOME") or home / ".ir_datasets"), "IR_DATASETS_HOME"
        ),
        _describe_folder("indices, archives", cache_folder(), "RERANKBENCH_CACHE"),
    ]


def _describe_folder(purpose: str, path: Path, variable: str) -> Folder:
    path = path.expanduser()
    nearest = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(nearest).free
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return Folder(purpose, str(path), variable, path.exists(), writable, free)


def extras() -> list[Extra]:
    """Return optional parts, from configs/extras.yaml."""
    raw = read(CONFIGS / "extras.yaml")
    return [
        Extra(name, importlib.util.find_spec(entry["module"]) is not None, entry["purpose"])
        for name, entry in raw.items()
    ]


def problems(versions: dict[str, str | None], folders: list[Folder]) -> list[str]:
    """Return what would make a run fail, one line each."""
    missing = [f"package {name} is not installed" for name, number in versions.items() if number is None]
    locked = [
        f"{p.path} cannot be written to; set {p.variable} to a folder that can" for p in folders if not p.writable
    ]
    return missing + locked


def remarks(folders: list[Folder]) -> list[str]:
    """Return what may become a problem, one line each."""
    return [
        f"{folder.path} has {folder.free / 1e9:.1f} GB free; {folder.variable} may name a larger disk"
        for folder in folders
        if folder.free < _LOW_SPACE
    ]
