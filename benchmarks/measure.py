"""Measuring one piece of work in a process of its own, so that memory is its own, too."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measurement:
    """Wall and CPU seconds of the work alone, and the peak memory of its process."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: int


def measured(module: str, part: str, *arguments: str) -> Measurement:
    """Run `python -m module --part part …` and read what it measured of itself."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-m", module, "--part", part, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def report(work: Callable[[], object]) -> None:
    """Do the work and print its measurement for `measured`."""
    before = time.process_time()
    began = time.perf_counter()
    work()
    found = Measurement(
        round(time.perf_counter() - began, 3),
        round(time.process_time() - before, 3),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


def row(label: str, found: Measurement) -> str:
    """One line of a Markdown table."""
    return f"| {label} | {found.wall_seconds:.1f} | {found.cpu_seconds:.1f} | {found.peak_mib} |"


HEADER = "| part | wall s | CPU s | peak MiB |\n| --- | ---: | ---: | ---: |"
