"""A world for each test; PostgreSQL where its server is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from resources.operational_store import OperationalStore
from tests.support.engagement_world import World

_SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lender on SQLite."""
    made = World(tmp_path, OperationalStore(f"sqlite:///{tmp_path}/operational.db"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own on a Unix socket; yields the URL of its first database."""
    if os.environ.get("CI"):
        pytest.skip("PostgreSQL is not started in CI.")
    if not _SERVERS:
        pytest.skip("No PostgreSQL server is installed (Debian: apt-get install postgresql).")
    # The server refuses to run as root; Debian's package brings the user it is meant for.
    user = "postgres" if os.geteuid() == 0 else None
    binaries = _SERVERS[-1].parent
    # Socket paths are limited to 107 bytes, which pytest's folders use up.
    folder = Path("/tmp") / f"pm-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder)

    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    try:
        run(f"{binaries}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        run(f"{binaries}/pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            run(f"{binaries}/pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_world(tmp_path: Path, postgresql: str) -> Iterator[World]:
    """A lender on a database of its own in PostgreSQL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    made = World(tmp_path, OperationalStore(postgresql.replace("/postgres?", f"/{name}?")))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest) -> World:
    """The same lender on either store."""
    name = "world" if request.param == "sqlite" else "postgresql_world"
    made = request.getfixturevalue(name)
    assert isinstance(made, World)
    return made
