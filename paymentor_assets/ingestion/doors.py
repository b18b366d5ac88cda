"""The doors that an ingestion run goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.lenders import Lender
from resources.lakehouse import Lakehouse
from resources.landing_zone import LandingZone
from resources.openpgp import PgpKeys
from resources.operational_store import OperationalStore
from resources.session_keys import SessionKeys
from resources.vault import Vault


@dataclass(frozen=True)
class Doors:
    """Where files come from, what they are held to, and where their rows go."""

    lake: Lakehouse
    store: OperationalStore
    vault: Vault
    landing: LandingZone
    lenders: Mapping[str, Lender]
    contracts: ContractBook
    #: The OpenPGP keys for files of a lender; raises SettingsError when there are none.
    pgp_keys: Callable[[str], PgpKeys]
    #: The session keys of a lender's Account Aggregator fetches.
    session_keys: Callable[[str], SessionKeys]
