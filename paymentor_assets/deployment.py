"""A deployment: every door of the house opened from one `Settings`, in one place.

The Dagster definitions, the command line and the tests all get their doors here, so that there is
one answer to "which catalog, which store, which clock".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from paymentor_assets.audit import ledger
from paymentor_assets.connections import ConnectorBook
from paymentor_assets.lenders import LenderBook
from paymentor_assets.settings import Settings
from resources.channels import Channel, local_channels
from resources.clock import BusinessClock, Clock, SimulatedClock, SystemClock
from resources.errors import SettingsError
from resources.keys import secret_key
from resources.lakehouse import Lakehouse
from resources.landing_zone import LocalLandingZone, WritableLandingZone
from resources.notifications import Notifier, notifier
from resources.openpgp import PGP_PASSPHRASE, PgpKeys
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry
from resources.session_keys import SessionKeys
from resources.streams import LocalStream
from resources.vault import Reveal, Vault


@dataclass(frozen=True)
class Deployment:
    """The doors of one `$PAYMENTOR_HOME` (or of one production deployment)."""

    settings: Settings

    @cached_property
    def lakehouse(self) -> Lakehouse:
        """The Iceberg catalog."""
        if self.settings.catalog_properties.get("type") == "sql":
            self.settings.lakehouse_dir.mkdir(parents=True, exist_ok=True)
        return Lakehouse(self.settings.catalog_properties)

    @cached_property
    def store(self) -> OperationalStore:
        """The operational store."""
        return OperationalStore(self.settings.operational_url)

    @cached_property
    def vault(self) -> Vault:
        """The vault; each reveal is written to the audit ledger before it happens."""

        def write_down(reveal: Reveal) -> None:
            with self.store.write() as connection:
                ledger.append(
                    connection,
                    clock=self.clock,
                    actor=reveal.actor,
                    kind="vault.reveal",
                    subject=reveal.purpose,
                    payload={"tokens": list(reveal.tokens)},
                )

        return Vault(
            self.settings.vault_url,
            vault_key=partial(self._key, "vault", "PAYMENTOR_VAULT_KEY"),
            token_key=partial(self._key, "token", "PAYMENTOR_TOKEN_KEY"),
            on_reveal=write_down,
        )

    def _key(self, name: str, variable: str) -> bytes:
        return secret_key(
            name,
            variable=variable,
            keys_dir=self.settings.keys_dir,
            may_make=self.settings.makes_own_keys,
            env=os.environ,
        )

    def pgp_keys(self, lender_id: str) -> PgpKeys:
        """The OpenPGP keys for sealed files of a lender; SettingsError when there are none."""
        return PgpKeys.load(
            self.settings.keys_dir, lender_id, passphrase=os.environ.get(PGP_PASSPHRASE)
        )

    def session_keys(self, lender_id: str) -> SessionKeys:
        """The session keys of a lender's Account Aggregator fetches."""
        return SessionKeys(self.settings.keys_dir, lender_id)

    @cached_property
    def landing_zone(self) -> WritableLandingZone:
        """Where lenders drop files: the folder, the bucket or the server that the settings name.

        File times are the machine's, whatever business time is.
        """
        settings = self.settings
        url = settings.landing_url
        if url is None:
            return LocalLandingZone(
                settings.landing_dir,
                settling=settings.landing_settles_in,
                clock=self.receipt_clock,
            )
        # Only the doors that are opened are loaded.
        match url.partition("://")[0]:
            case "s3":
                from resources.landing_zone_s3 import S3LandingZone

                return S3LandingZone.at(url)
            case "sftp":
                from resources.landing_zone_sftp import SftpLandingZone

                return SftpLandingZone.at(
                    url, key_file=settings.sftp_key_file, known_hosts=settings.sftp_known_hosts
                )
            case scheme:
                raise SettingsError(
                    f"PAYMENTOR_LANDING_URL begins with {scheme!r}; it is s3://bucket/prefix or "
                    "sftp://user@host:port/path, or absent for the local folder."
                )

    @cached_property
    def connectors(self) -> ConnectorBook:
        """The sources that lenders are connected to."""
        return ConnectorBook(self.settings.lenders_dir, os.environ)

    @cached_property
    def streams(self) -> LocalStream:
        """The engagement stream."""
        return LocalStream(self.settings.stream_dir)

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """The channels out, by name."""
        return local_channels(self.settings.outbox_dir)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry, for reading: model development alone writes it (docs/adr/0019)."""
        return ModelRegistry(self.settings.registry_dir, may_write=False)

    @cached_property
    def notifier(self) -> Notifier:
        """Where alerts and notifications go."""
        return notifier(self.settings.alerts_dir, os.environ)

    @cached_property
    def clock(self) -> BusinessClock:
        """Business time, simulated or the machine's."""
        return BusinessClock(SimulatedClock(self.settings.clock_path))

    @cached_property
    def receipt_clock(self) -> Clock:
        """When something is received is never simulated (docs/adr/0007)."""
        return SystemClock()

    @cached_property
    def lenders(self) -> LenderBook:
        """The lender contracts."""
        return LenderBook(self.settings.lenders_dir)

    def close(self) -> None:
        """Give connections back."""
        for name in ("store", "vault", "landing_zone"):
            close = getattr(self.__dict__.get(name), "close", None)
            if close is not None:
                close()
