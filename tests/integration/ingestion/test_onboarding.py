"""The guide for taking on a lender does what it says: its commands are run and compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from paymentor_assets.settings import PROJECT_ROOT

GUIDE = PROJECT_ROOT / "docs" / "guides" / "onboard-a-lender.md"
_STEP = re.compile(r"```bash\n(?P<commands>.*?)```\n(?:```text\n(?P<output>.*?)```\n)?", re.S)
#: What differs from one run to the next.
_PASSING = (
    (re.compile(r"\d{4}-\d{2}-\d{2}(?=\.csv)"), "<day>"),
    (re.compile(r" +\d+\.\d s"), ""),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<version>"),
)


def test_every_command_of_the_guide_says_what_the_guide_shows(tmp_path: Path) -> None:
    steps = [(m["commands"], m["output"]) for m in _STEP.finditer(GUIDE.read_text())]
    assert len(steps) > 5
    said = walk([commands for commands, _ in steps], tmp_path)
    for (commands, output), real in zip(steps, said, strict=True):
        assert lasting(real, tmp_path) == lasting(output or "", tmp_path), commands


def walk(steps: list[str], folder: Path) -> list[str]:
    """Run the steps in one shell, so that variables stay; returns what each of them printed."""
    tools = folder / "bin"
    tools.mkdir()
    for name, arguments in (("paymentor", "-m paymentor_assets.cli"), ("python", "")):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        tool.chmod(0o755)
    script = ["set -euo pipefail"]
    for number, commands in enumerate(steps):
        here = commands.replace("/tmp/", f"{folder}/").replace(".venv/bin/", f"{tools}/")
        script.append(f"exec > {folder}/step_{number}.txt\n{here}")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(folder / f"step_{number}.txt").read_text() for number in range(len(steps))]


def lasting(text: str, folder: Path) -> str:
    """The text without what passes, and without blanks at the ends of lines."""
    text = text.replace(f"{folder}/", "/tmp/")
    for form, word in _PASSING:
        text = form.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
