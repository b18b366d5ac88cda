"""A process of its own that takes in what waits, so that it can be killed for real.

`python -m tests.support.killed ROOT`, with `PAYMENTOR_CRASH_AT` set, dies by SIGKILL at that point.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.landing_house import landing_house

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


if __name__ == "__main__":
    with landing_house(Path(sys.argv[1]), has_tables=False) as house:
        house.ingest(run_id="killed")
