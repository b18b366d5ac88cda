"""From a lender's SFTP client to rows in the lakehouse."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
import yaml
from typer.testing import CliRunner

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.commands import keys, serve
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.ingest import ingest
from paymentor_assets.settings import LANDING_SETTLES_IN, PROJECT_ROOT, Environment, Settings
from resources.clock import FixedClock
from resources.errors import NotFound, SettingsError, UsageError
from resources.landing_zone import LandingZone, LocalLandingZone
from resources.landing_zone_s3 import S3LandingZone
from resources.landing_zone_sftp import SftpLandingZone
from resources.openpgp import PgpKeys
from tests.support.landing_house import LandingHouse, landing_house, make_lender, payments
from tests.support.servers import Drop, sftp_drop_server

NAME = "payments/payments_2026-06-30_20260630T200000Z.csv"


def upload(drop: Drop, lender_id: str, content: bytes) -> None:
    key = drop.admit(lender_id)

    async def put() -> None:
        async with (
            drop.connect(lender_id, key) as connection,
            connection.start_sftp_client() as client,
        ):
            await client.makedirs("payments")
            async with client.open(NAME, "wb") as file:
                await file.write(content)

    drop.run(put())


def take_in(house: LandingHouse, zone: LandingZone) -> list[tuple[str, str | None]]:
    result = ingest(
        house.doors(landing=zone),
        RunInfo("run-1", "test", FixedClock(house.now)),
        lender_id="meridian",
    )
    return [(file.name, file.status) for file in result.files]


def test_a_file_dropped_over_sftp_becomes_rows(tmp_path: Path) -> None:
    with landing_house(tmp_path) as house, sftp_drop_server(tmp_path) as drop:
        upload(drop, "meridian", payments(2))
        assert take_in(house, house.landing) == [(f"meridian/{NAME}", "ingested")]
        assert [row["payment_id"] for row in house.rows("raw.payments")] == ["P1", "P2"]
        assert take_in(house, house.landing) == []


def test_a_file_on_the_lenders_own_server_becomes_rows(tmp_path: Path) -> None:
    """The drop stands for the lender's server here: its user `landing` sees the whole zone."""
    with (
        landing_house(tmp_path) as house,
        sftp_drop_server(tmp_path, landing=tmp_path) as server,
    ):
        path = house.put(f"meridian/{NAME}", payments(1))
        os.utime(path, (0, 0))
        url = f"sftp://landing@127.0.0.1:{server.port}/"
        zone = SftpLandingZone.at(
            url, key_file=server.admit("landing"), known_hosts=server.known_hosts
        )
        assert take_in(house, zone) == [(f"meridian/{NAME}", "ingested")]
        assert [row["payment_id"] for row in house.rows("raw.payments")] == ["P1"]
        zone.close()


def test_the_settings_say_where_files_land(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def zone(**variables: str) -> LandingZone:
        env = {"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)}
        deployment = Deployment(Settings.load(env | variables))
        found = deployment.landing_zone
        deployment.close()
        return found

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert isinstance(zone(), LocalLandingZone)
    assert isinstance(zone(PAYMENTOR_LANDING_URL="s3://bucket/in"), S3LandingZone)
    (home / "key").touch()
    sftp = {
        "PAYMENTOR_LANDING_URL": "sftp://bank@host:2222/in",
        "PAYMENTOR_SFTP_KEY_FILE": str(home / "key"),
    }
    with pytest.raises(SettingsError, match="KNOWN_HOSTS"):
        zone(**sftp)
    known = {"PAYMENTOR_SFTP_KNOWN_HOSTS": str(home / "key")}
    assert isinstance(zone(**sftp, **known), SftpLandingZone)
    with pytest.raises(SettingsError, match="ftp"):
        zone(PAYMENTOR_LANDING_URL="ftp://host/in")


def test_a_folder_waits_for_files_to_settle_where_strangers_write() -> None:
    waits = {e: LANDING_SETTLES_IN[e] > timedelta(0) for e in Environment}
    assert [e.value for e, does in waits.items() if does] == ["staging", "production"]


def write_contract(home: Path) -> None:
    path = home / "lenders" / "meridian.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(make_lender().model_dump(mode="json")))


def test_the_command_makes_a_key_once_and_shows_it(home: Path) -> None:
    write_contract(home)
    first, again = (CliRunner().invoke(keys.app, ["pgp", "meridian"]) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout and "PUBLIC KEY BLOCK" in first.stdout
    assert "--compress-algo none" in first.stderr
    assert len(PgpKeys.load(home / "keys", "meridian").secret_keys) == 1
    for other in ("stranger", "../meridian"):
        assert isinstance(CliRunner().invoke(keys.app, ["pgp", other]).exception, NotFound)


def test_the_command_serves_the_landing_folder(home: Path, tmp_path: Path) -> None:
    write_contract(home)
    server = subprocess.Popen(
        [sys.executable, "-m", "paymentor_assets.cli", "serve", "sftp", "--port", "0"],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        port = int(said.split("127.0.0.1:")[1].split(",")[0])
        private, public = tmp_path / "id", home / "lenders" / "meridian.authorized_keys"
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(private))
        key.write_public_key(str(public))
        host = asyncssh.read_private_key(home / "keys" / "sftp_host.key")
        assert host.get_fingerprint() in said

        async def put() -> None:
            async with (
                asyncssh.connect(
                    "127.0.0.1",
                    port,
                    username="meridian",
                    client_keys=[key],
                    known_hosts=([host.convert_to_public()], [], []),
                    config=None,
                ) as connection,
                connection.start_sftp_client() as client,
            ):
                await client.makedirs("payments")
                async with client.open(NAME, "wb") as file:
                    await file.write(b"x")

        asyncio.run(put())
        assert (home / "landing" / "meridian" / NAME).read_bytes() == b"x"
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        server.stdout.close()


def test_nothing_is_served_that_nobody_reads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTOR_LANDING_URL", "s3://bucket/in")
    outcome = CliRunner().invoke(serve.app, ["sftp"])
    assert isinstance(outcome.exception, UsageError)
