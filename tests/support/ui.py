"""The Dagster UI as a person meets it: a read-only webserver, and a real browser looking at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
#: Two code locations start beside the webserver; on a busy machine that takes its time.
START_SECONDS = 240
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def webserver(home: Path) -> Iterator[str]:
    """A read-only `dagster-webserver` on the project's workspace and this `$PAYMENTOR_HOME`."""
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    if not (dagster_home / "dagster.yaml").exists():
        (dagster_home / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")
    port = _free_port()
    log = home / "webserver.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dagster_webserver", "--read-only"),
                *("-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "PAYMENTOR_ENV": "test",
                "PAYMENTOR_HOME": str(home),
                "DAGSTER_HOME": str(dagster_home),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_serves(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def graphql(url: str, query: str) -> dict[str, Any]:
    """The data a query answers with; fails on any error the server reports."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        answer = json.load(response)
    assert not answer.get("errors"), answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a headless chromium with an empty profile."""
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            headless=True,
            args=CHROMIUM_ARGUMENTS,
            viewport={"width": 2000, "height": 1200},
        )
        try:
            context.set_default_timeout(90_000)
            yield context.pages[0]
        finally:
            context.close()


def chromium() -> str | None:
    """Where Debian's chromium is, if it is installed."""
    return shutil.which("chromium")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_it_serves(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"dagster-webserver ended at once:\n{log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"dagster-webserver did not serve in time:\n{log.read_text()[-4000:]}")
