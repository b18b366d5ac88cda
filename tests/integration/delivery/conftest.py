"""The servers that deliveries come through, started once a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Drop, moto_s3, seaweedfs_s3, sftp_drop_server


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drop]:
    """A running SFTP drop."""
    with sftp_drop_server(tmp_path_factory.mktemp("drop")) as running:
        yield running


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The endpoint of moto."""
    with moto_s3() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of SeaweedFS."""
    root: Path = tmp_path_factory.mktemp("seaweedfs")
    with seaweedfs_s3(root) as endpoint:
        yield endpoint
