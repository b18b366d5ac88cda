"""A process of its own that takes in what waits, so that it can be killed for real.

`python -m tests.support.killed ROOT`, with `PAYMENTOR_CRASH_AT` set, dies by SIGKILL at that point.
What it has done stands in a file: `BEGUN`, then each durable step that it reached.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from resources import crash_points
from tests.support.landing_house import landing_house

BEGUN = "begun"
ROOT = Path(__file__).resolve().parents[2]


def ingest_in_a_process(root: Path, point: str | None = None) -> subprocess.Popen[bytes]:
    """Start an ingestion of the house in `root`, which dies at `point` when one is given."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if point is not None:
        env["PAYMENTOR_CRASH_AT"] = point
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.killed", str(root)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def died_by_kill(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process, once ended, was ended by SIGKILL."""
    process.communicate(timeout=300)
    return process.returncode == -signal.SIGKILL


def steps_of(root: Path) -> list[str]:
    """What the ingestion of that house had done when it ended or died."""
    trace = _trace(root)
    return trace.read_text().split() if trace.exists() else []


def _trace(root: Path) -> Path:
    return root / "steps.txt"


def _trace_steps(root: Path) -> None:
    # One write a step: the kernel has it, whatever becomes of the process.
    log = os.open(_trace(root), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    original = crash_points.reach

    def reach(name: str) -> None:
        os.write(log, f"{name}\n".encode())
        original(name)

    os.write(log, f"{BEGUN}\n".encode())
    for module in list(sys.modules.values()):
        if getattr(module, "reach", None) is original:
            vars(module)["reach"] = reach


if __name__ == "__main__":
    with landing_house(Path(sys.argv[1]), has_tables=False) as house:
        _trace_steps(Path(sys.argv[1]))
        house.ingest(run_id="killed")
