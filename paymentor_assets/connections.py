"""Which sources a lender has: `$PAYMENTOR_HOME/lenders/<lender>/connectors.yaml`.

The file names the environment variables that hold secrets, never the secrets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from resources.errors import ContractError, NotFound, SettingsError

FILE_NAME = "connectors.yaml"


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine alone."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _safe_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write scheme, host and path only, as in https://api.example.com/v1")
    if parts.username or parts.password:
        raise ValueError("a URL with credentials ends in logs; name their variable instead")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ValueError("only https leaves this machine")
    return url


SafeUrl = Annotated[str, AfterValidator(_safe_url)]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Secret:
    """A secret that shows itself only to who asks for it by name."""

    def __init__(self, variable: str, value: str) -> None:
        self.variable = variable
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.variable})"


def read_secret(variable: str, env: Mapping[str, str]) -> Secret:
    """The secret in a variable; raises SettingsError when it is absent or not printable ASCII."""
    value = env.get(variable, "")
    if not value:
        raise SettingsError(f"A connector needs the secret in {variable}, which is not set.")
    # A line break would end the header it is sent in, and be quoted in the error about that.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise SettingsError(f"{variable} holds characters that no token has; set it anew.")
    return Secret(variable, value)


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: SafeUrl
    token_variable: Variable
    page_size: int = Field(default=100, ge=1, le=1000)


class PaymentsSource(_Source):
    """A payment processor: its event list, and the events it sends by itself.

    Of two webhook secrets either may have signed, so that a key is rotated without a gap.
    """

    kind: Literal["payments"]
    webhook_secret_variables: tuple[Variable, ...] = Field(default=(), max_length=2)
    signature_header: str = Field(default="Webhook-Signature", pattern=r"^[A-Za-z][A-Za-z0-9-]*$")


class BureauSource(_Source):
    """A credit bureau that is asked again when a report is older than `refresh_days`."""

    kind: Literal["bureau"]
    bureau: Literal["cibil", "experian", "equifax"]
    refresh_days: int = Field(default=30, ge=1)


class ConsentSource(_Source):
    """An account aggregator that is asked for the state of consents.

    `public_key_file` is its public key (PEM) beside the configuration, which signed the artefacts.
    """

    kind: Literal["consent_status"]
    public_key_file: str


Source = PaymentsSource | BureauSource | ConsentSource


class _Sources(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    connectors: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")],
        Annotated[Source, Field(discriminator="kind")],
    ]


class ConnectorBook:
    """The connectors of all lenders of a folder, read when asked for, and their secrets."""

    def __init__(self, lenders_dir: Path, env: Mapping[str, str]) -> None:
        self._directory = lenders_dir
        self._env = env

    def folder(self, lender_id: str) -> Path:
        """Where the configuration of a lender stands."""
        return self._directory / lender_id

    def of(self, lender_id: str) -> dict[str, Source]:
        """The lender's connectors by name; empty when it has none.

        Raises ContractError naming the file and every field that is wrong.
        """
        path = self.folder(lender_id) / FILE_NAME
        if not path.exists():
            return {}
        try:
            return _Sources.model_validate(yaml.safe_load(path.read_text())).connectors
        except yaml.YAMLError as error:
            raise ContractError(f"{path} is not YAML: {error}") from error
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
            )
            raise ContractError(f"{path} does not describe connectors: {faults}.") from error

    def named(self, lender_id: str, name: str) -> Source:
        """One connector, or NotFound listing the known ones."""
        sources = self.of(lender_id)
        if name not in sources:
            known = ", ".join(sources) or "none"
            raise NotFound(f"Lender {lender_id} has no connector {name!r}; known ones: {known}.")
        return sources[name]

    def secret(self, variable: str) -> Secret:
        """The secret in a variable; raises SettingsError when it is absent."""
        return read_secret(variable, self._env)
