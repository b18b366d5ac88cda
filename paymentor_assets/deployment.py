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
from resources.keys import secret_key
from resources.lakehouse import Lakehouse
from resources.landing_zone import LocalLandingZone
from resources.notifications import Notifier, notifier
from resources.operational_store import OperationalStore
from resources.registry import ModelRegistry
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

    @cached_property
    def landing_zone(self) -> LocalLandingZone:
        """Where lenders drop files."""
        return LocalLandingZone(self.settings.landing_dir)

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
        """The model registry."""
        return ModelRegistry(self.settings.registry_dir)

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
        for name in ("store", "vault"):
            if name in self.__dict__:
                self.__dict__[name].close()
