"""Guides that are run: their commands, what they say they print, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_STEP = re.compile(r"```bash\n(?P<commands>.*?)```\n(?:```text\n(?P<output>.*?)```\n)?", re.S)
_TOOLS = {
    "paymentor": "-m paymentor_assets.cli",
    "dbt": '-c "from dbt.cli.main import cli; cli()"',
    "python": "",
}
#: What differs from one run to the next.
_PASSING = (
    (re.compile(r"\d{4}-\d{2}-\d{2}(?=\.csv)"), "<day>"),
    (re.compile(r" +\d+\.\d s"), ""),
    (re.compile(r"\b(?:[0-9a-f]{16}){1,2}\b"), "<id>"),
)


def steps(guide: Path) -> list[tuple[str, str]]:
    """The commands of each step, and the output that the guide shows for them."""
    return [(m["commands"], m["output"] or "") for m in _STEP.finditer(guide.read_text())]


def walk(commands: list[str], folder: Path, project: Path) -> list[str]:
    """Run the steps in one shell, so that variables and folders stay; what each of them printed.

    `.venv/bin/` and `/tmp/` of the guide become places in `folder`; `project` is where it starts.
    """
    tools = folder / "bin"
    tools.mkdir()
    for name, arguments in _TOOLS.items():
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        tool.chmod(0o755)
    script = ["set -euo pipefail"]
    for number, step in enumerate(commands):
        here = re.sub(r"(\.\./)?\.venv/bin/", f"{tools}/", step.replace("/tmp/", f"{folder}/"))
        script.append(f"exec > {folder}/step_{number}.txt\n{here}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTOR_")}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=project,
        env={**kept, "COLUMNS": "100", "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [path.read_text() for path in sorted(folder.glob("step_*.txt"))]
    assert done.returncode == 0, "\n".join([*said, done.stderr])
    return [(folder / f"step_{number}.txt").read_text() for number in range(len(commands))]


def lasting(text: str, folder: Path) -> str:
    """The text without what passes, and without blanks at the ends of lines."""
    text = text.replace(f"{folder}/", "/tmp/")
    for form, word in _PASSING:
        text = form.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
