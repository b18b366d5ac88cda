"""A PostgreSQL server of the tests' own, where the server is installed.

`make test` installs it where it may (see Makefile); where it is absent, the tests say so and skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
#: The account of the Debian package: PostgreSQL refuses to run as root.
_UNPRIVILEGED = "postgres"


@contextmanager
def postgres_url() -> Iterator[str]:
    """The URL of a fresh server that is reached through a socket and gone afterwards."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here (no initdb); its tests were not run.")
    # Not pytest's own folder: that one belongs to root alone, and a socket path must be short.
    root = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    data = root / "data"
    try:
        if user is not None:
            shutil.chown(root, user)
        _run([programs / "initdb", "--auth=trust", "--no-sync", "-U", "tests", "-D", data], user)
        options = f"-c listen_addresses='' -c unix_socket_directories='{root}' -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w"]
        _run([*control, "-l", root / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql+psycopg://tests@/postgres?host={root}"
        finally:
            _run([*control, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _programs() -> Path | None:
    candidates = [*sorted(_DEBIAN.glob("*/bin"), reverse=True)]
    if (found := shutil.which("initdb")) is not None:
        candidates.append(Path(found).resolve().parent)
    return next((c for c in candidates if (c / "initdb").exists()), None)


def _run(command: list[Path | str], user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr}")
