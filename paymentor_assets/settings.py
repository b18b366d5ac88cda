"""Settings: everything the platform needs to know about where it runs, read from the environment.

Every environment stands in every map below; an unknown one is an error, never a default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from resources.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class Environment(StrEnum):
    """The environments there are (`PAYMENTOR_ENV`)."""

    LOCAL = "local"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


#: Whether sensors and schedules start by themselves (overridden by `PAYMENTOR_AUTOMATION`).
AUTOMATION_IS_ON = {
    Environment.LOCAL: False,
    Environment.TEST: False,
    Environment.STAGING: True,
    Environment.PRODUCTION: True,
}

#: Variables that must be given, because a default would be a guess about somebody's money.
REQUIRED_VARIABLES: dict[Environment, tuple[str, ...]] = {
    Environment.LOCAL: (),
    Environment.TEST: (),
    Environment.STAGING: (
        "PAYMENTOR_HOME",
        "PAYMENTOR_CATALOG_TYPE",
        "PAYMENTOR_WAREHOUSE",
        "PAYMENTOR_OPERATIONAL_URL",
        "PAYMENTOR_VAULT_URL",
        "PAYMENTOR_VAULT_KEY",
        "PAYMENTOR_TOKEN_KEY",
        "PAYMENTOR_EXTRACT_KEY",
    ),
    Environment.PRODUCTION: (
        "PAYMENTOR_HOME",
        "PAYMENTOR_CATALOG_TYPE",
        "PAYMENTOR_WAREHOUSE",
        "PAYMENTOR_OPERATIONAL_URL",
        "PAYMENTOR_VAULT_URL",
        "PAYMENTOR_VAULT_KEY",
        "PAYMENTOR_TOKEN_KEY",
        "PAYMENTOR_EXTRACT_KEY",
    ),
}

#: May keys be made on first use (a laptop), or must a secret store give them?
MAKES_OWN_KEYS = {
    Environment.LOCAL: True,
    Environment.TEST: True,
    Environment.STAGING: False,
    Environment.PRODUCTION: False,
}


#: How long a file in the local landing folder must lie untouched before it counts as complete. A
#: laptop's files come from tools of ours, which rename at the end.
LANDING_SETTLES_IN = {
    Environment.LOCAL: timedelta(0),
    Environment.TEST: timedelta(0),
    Environment.STAGING: timedelta(minutes=1),
    Environment.PRODUCTION: timedelta(minutes=1),
}


@dataclass(frozen=True)
class Settings:
    """Where things are. Paths are absolute; secrets are not in here, only how to find them."""

    environment: Environment
    home: Path
    catalog_properties: Mapping[str, str]
    operational_url: str
    vault_url: str
    is_automation_on: bool
    ui_url: str
    #: `s3://bucket/prefix` or `sftp://user@host:port/path`; None is the folder `landing_dir`.
    landing_url: str | None = None
    sftp_key_file: Path | None = None
    sftp_known_hosts: Path | None = None

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables (by default the process's own).

        Raises SettingsError for an unknown environment or a required variable that is absent.
        """
        env = os.environ if env is None else env
        environment = _environment(env.get("PAYMENTOR_ENV", Environment.LOCAL.value))
        missing = [name for name in REQUIRED_VARIABLES[environment] if not env.get(name)]
        if missing:
            raise SettingsError(
                f"PAYMENTOR_ENV={environment.value} needs {', '.join(missing)}; set them."
            )
        home = home_path(env)
        lakehouse = home / "lakehouse"
        catalog_type = env.get("PAYMENTOR_CATALOG_TYPE", "sql")
        properties = {
            "type": catalog_type,
            "warehouse": env.get("PAYMENTOR_WAREHOUSE", f"file://{lakehouse}"),
        }
        if catalog_type == "sql":
            properties["uri"] = env.get(
                "PAYMENTOR_CATALOG_URI", f"sqlite:///{lakehouse}/catalog.db"
            )
        return cls(
            environment=environment,
            home=home,
            catalog_properties=properties,
            operational_url=env.get(
                "PAYMENTOR_OPERATIONAL_URL", f"sqlite:///{home}/operational.db"
            ),
            vault_url=env.get("PAYMENTOR_VAULT_URL", f"sqlite:///{home}/vault.db"),
            is_automation_on=is_automation_on(env),
            ui_url=env.get("PAYMENTOR_UI_URL", "http://127.0.0.1:3000"),
            landing_url=env.get("PAYMENTOR_LANDING_URL") or None,
            sftp_key_file=_path(env, "PAYMENTOR_SFTP_KEY_FILE"),
            sftp_known_hosts=_path(env, "PAYMENTOR_SFTP_KNOWN_HOSTS"),
        )

    @property
    def landing_dir(self) -> Path:
        """Where lenders drop files: `landing/<lender>/<feed>/`."""
        return self.home / "landing"

    @property
    def lakehouse_dir(self) -> Path:
        """Where the local catalog and its data files are."""
        return self.home / "lakehouse"

    @property
    def warehouse_dir(self) -> Path:
        """Where dbt keeps its DuckDB scratch."""
        return self.home / "warehouse"

    @property
    def registry_dir(self) -> Path:
        """Where the model registry is."""
        return self.home / "registry"

    @property
    def development_dir(self) -> Path:
        """Where model development lives, apart from production."""
        return self.home / "development"

    @property
    def outbox_dir(self) -> Path:
        """Where the local channels put what they send."""
        return self.home / "outbox"

    @property
    def stream_dir(self) -> Path:
        """Where the local engagement stream is."""
        return self.home / "stream"

    @property
    def lenders_dir(self) -> Path:
        """Where lender contracts are, one YAML each."""
        return self.home / "lenders"

    @property
    def keys_dir(self) -> Path:
        """Where a laptop keeps the keys it made for itself."""
        return self.home / "keys"

    @property
    def alerts_dir(self) -> Path:
        """Where notifications and alerts are written when no topic is configured."""
        return self.home / "alerts"

    @property
    def clock_path(self) -> Path:
        """The simulated clock."""
        return self.home / "clock"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own state."""
        return self.home / "dagster"

    @property
    def landing_settles_in(self) -> timedelta:
        """How long a file in the local landing folder lies untouched before it is complete."""
        return LANDING_SETTLES_IN[self.environment]

    @property
    def makes_own_keys(self) -> bool:
        """Whether missing keys are made on first use."""
        return MAKES_OWN_KEYS[self.environment]


def home_path(env: Mapping[str, str]) -> Path:
    """`$PAYMENTOR_HOME`, where a relative one resolves against the project root."""
    return (PROJECT_ROOT / env.get("PAYMENTOR_HOME", ".paymentor")).resolve()


def current_home() -> Path:
    """`$PAYMENTOR_HOME` of this process."""
    return home_path(os.environ)


def _path(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    return (PROJECT_ROOT / value).resolve() if value else None


def _environment(name: str) -> Environment:
    try:
        return Environment(name)
    except ValueError:
        known = ", ".join(e.value for e in Environment)
        raise SettingsError(
            f"PAYMENTOR_ENV={name!r} is not an environment; known ones are: {known}."
        ) from None


def is_automation_on(env: Mapping[str, str]) -> bool:
    """Whether sensors and schedules start by themselves, in either code location.

    `PAYMENTOR_AUTOMATION` decides, and where it is absent the environment does. Raises
    SettingsError when either is unknown.
    """
    value = env.get("PAYMENTOR_AUTOMATION")
    if value is None:
        return AUTOMATION_IS_ON[_environment(env.get("PAYMENTOR_ENV", Environment.LOCAL.value))]
    if value not in ("on", "off"):
        raise SettingsError(f"PAYMENTOR_AUTOMATION={value!r}; it is either 'on' or 'off'.")
    return value == "on"
