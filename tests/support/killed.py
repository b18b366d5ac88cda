"""A process of its own that takes in what waits, so that it can be killed for real.

`python -m tests.support.killed ROOT`, with `PAYMENTOR_CRASH_AT` set, dies by SIGKILL at that point;
with `DEADLY_FILE` set, when it opens a file whose name holds that word, as if memory had ended.
What it has done stands in a file: `BEGUN`, then each durable step that it reached.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from paymentor_assets.ingestion import feed_batch
from resources import crash_points
from tests.support.landing_house import landing_house

BEGUN = "begun"
ROOT = Path(__file__).resolve().parents[2]


def ingest_in_a_process(
    root: Path, point: str | None = None, *, deadly: str | None = None
) -> subprocess.Popen[bytes]:
    """Start an ingestion of the house in `root`, which dies at `point` or of a `deadly` file."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if point is not None:
        env["PAYMENTOR_CRASH_AT"] = point
    if deadly is not None:
        env["DEADLY_FILE"] = deadly
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


def _make_deadly(word: str) -> None:
    original = feed_batch.plain_bytes

    def plain_bytes(*args: Any, name: str, **kwargs: Any) -> AbstractContextManager[BinaryIO]:
        if word in name:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, name=name, **kwargs)

    vars(feed_batch)["plain_bytes"] = plain_bytes


if __name__ == "__main__":
    if "DEADLY_FILE" in os.environ:
        _make_deadly(os.environ["DEADLY_FILE"])
    with landing_house(Path(sys.argv[1]), has_tables=False) as house:
        _trace_steps(Path(sys.argv[1]))
        house.ingest(run_id="killed")
