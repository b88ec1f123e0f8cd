"""All that is measured on a GPU, in one call on a fresh machine: tests, speed beside peers, latency, first batch.

    python benchmarks/on_cuda.py --peer FlagEmbedding=PYTHON --peer vllm=PYTHON
    python benchmarks/on_cuda.py --dry-run                       # the commands alone

Peers that this interpreter has take part; those of another interpreter are named with it. Each step is a command of its
own with a limit of time, and what fails is told at the end; tables are written to --out. Latency and the first batch
use random checkpoints; the first batch is timed twice, without and with compiled kernels on disk.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import yaml
from rerankbench.configs import CONFIGS, read
from rerankbench.eval.bench.shapes import spec_of, write_checkpoint

ROOT = Path(__file__).resolve().parents[1]
BENCH = {  # table -> shape, and what is asked beside it
    "encoder-base": ("encoder-base", "--candidates 100 --queries 64"),
    "gemma": ("gemma", "--candidates 100 --queries 32 --also-dtype fp8"),
    "lightweight": ("lightweight", "--candidates 100 --queries 16 --against L25-r2@8 --also-dtype fp8"),
}
KERNELS = {"lightweight": 42, "gemma": 18}  # all of their layers
WHERE = ("--device", "cuda", "--dtype", "bfloat16")
LATENCY = ("encoder-base", "gemma")
FIRST = ("encoder-base", "gemma-small")


@dataclass(frozen=True)
class Step:
    """A command of this interpreter's, and the file for what it prints, if that is a table."""

    name: str
    words: tuple[str, ...]
    table: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        return shlex.join(["python", *self.words])


def steps(out: Path, models: Path, peers: Sequence[str], rounds: int) -> Iterator[Step]:
    yield Step("tests", ("-m", "pytest", "-q", "-m", "gpu", "tests"))
    for shape, layers in KERNELS.items():
        words = ("benchmarks/gpu_kernels.py", shape, str(layers))
        yield Step(f"kernels {shape}", words, out / f"gpu-kernels-{shape}.md")
    for name, (shape, more) in BENCH.items():
        named = [word for peer in taking_part(shape, peers) for word in ("--peer", peer)]
        words = ["bench", shape, *WHERE, *shlex.split(more), *named]
        words += ["--rounds", str(rounds), "--output", str(out / f"bench-{name}-gpu.json")]
        yield Step(f"bench {name}", ("-m", "rerankbench", *words))
    for shape in LATENCY:
        asked = ("--candidates", "100", "--concurrency", "1,4", "--queries", "100")
        words = ("-m", "rerankbench", "latency", str(models / f"{shape}.yaml"), *asked, *WHERE)
        yield Step(f"latency {shape}", words, out / f"latency-{shape}-gpu.md")
    for shape in FIRST:
        kernels = {name: str(models / "kernels") for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")}
        words = ("benchmarks/first_batch.py", shape, str(models / "first"))
        for state in ("compiling", "compiled"):
            yield Step(f"first batch {shape}, {state}", words, out / f"first-{shape}-{state}-gpu.md", kernels)


def taking_part(shape: str, peers: Sequence[str]) -> list[str]:
    """Those of `peers` (`PEER=PYTHON`), and of this interpreter, that run the shape's family."""
    known = read(CONFIGS / "bench.yaml")
    family = spec_of(shape).family
    other = {peer.partition("=")[0]: peer for peer in peers}
    here = {
        kind: kind
        for kind in known["peers"]
        if "cuda" in known["grids"][kind] and find_spec(kind.replace("-", "_")) is not None
    }
    return [peer for kind, peer in {**here, **other}.items() if family in known["peers"].get(kind, ())]


def write_models(models: Path, shapes: Iterable[str]) -> None:
    """Random checkpoints of some shapes, with specifications."""
    for shape in shapes:
        spec, folder = spec_of(shape), models / shape
        write_checkpoint(folder, spec, "bfloat16")
        keys = {"family": spec.family, "source": str(folder), "max_length": spec.max_length or 512, **spec.options}
        (models / f"{shape}.yaml").write_text(yaml.safe_dump(keys))


def run(step: Step, limit: float, models: Path) -> bool:
    told = step.command.replace(str(models), "MODELS")
    print(f"\n{told}", flush=True)
    start = perf_counter()
    printed = subprocess.PIPE if step.table else None
    environment = {**os.environ, **step.environment}
    try:
        words = [sys.executable, *step.words]
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=printed, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"{step.name}: not done after {limit:.0f} s", flush=True)
        return False
    print(f"{step.name}: status {done.returncode}, {perf_counter() - start:.0f} s", flush=True)
    if step.table and not done.returncode:
        shown = done.stdout if "|---" in done.stdout else f"```text\n{done.stdout}```\n"
        (ROOT / step.table).write_text(f"{shown}\nCommand: `{told}`.\n")
        print(done.stdout, flush=True)
    return not done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="PEER=PYTHON", help="again for more")
    parser.add_argument("--out", type=Path, default=Path("results/measured"), help="folder of the tables")
    parser.add_argument("--only", action="append", default=[], metavar="START", help="steps whose names begin so")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=900, metavar="SECONDS", help="of one step")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run nothing")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        models, only = Path(name), tuple(wanted.only or [""])
        chosen = [s for s in steps(wanted.out, models, wanted.peer, wanted.rounds) if s.name.startswith(only)]
        if wanted.dry_run:
            print("\n".join(step.command for step in chosen))
            return
        write_models(models, [s for s in LATENCY if any(str(models / f"{s}.yaml") in step.command for step in chosen)])
        failed = [step.name for step in chosen if not run(step, wanted.limit, models)]
    print(
        f"\n{len(chosen) - len(failed)} of {len(chosen)} steps done" + "".join(f"; failed: {name}" for name in failed)
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
