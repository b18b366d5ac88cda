"""The one exception hierarchy of the house.

It lives in the lowest layer so that a door may raise the same errors as the rooms behind it
(docs/adr/0002). Every message is a sentence: what was wrong, where, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class PayMentorError(Exception):
    """Base of all errors that a person should read; `exit_code` is what the CLI returns."""

    exit_code = 1


class UsageError(PayMentorError):
    """The command or configuration was used in a way that cannot mean anything."""

    exit_code = 2


class SettingsError(UsageError):
    """An environment variable or settings file is missing, unknown or contradictory."""


class NotFound(PayMentorError):
    """The thing that was named does not exist."""

    exit_code = 3


class ContractError(PayMentorError):
    """A feed, table or lender contract is malformed, or data disagrees with it as a whole."""


class LeakageError(ContractError):
    """Training columns tell the outcome: they are the label in disguise or known only after it.

    `columns` names all of them in the frame's order, `reasons` says why, column by column.
    """

    def __init__(self, columns: Sequence[str], reasons: Mapping[str, str], family: str) -> None:
        listed = "; ".join(f"{column!r} {reasons[column]}" for column in columns)
        super().__init__(
            f"{family}: {len(columns)} columns leak the outcome: {listed}. Leave them out, or fit "
            "with drop_leaks=True, which does and records it."
        )
        self.columns = list(columns)
        self.reasons = dict(reasons)


class RejectedFile(PayMentorError):
    """A landing file is refused as a whole.

    `reason_code` is one of the file-level reason codes of the ingestion contracts.
    """

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code


class ConnectorError(PayMentorError):
    """A source did not answer as agreed; what it delivered before stands, a later run goes on."""


class SignatureError(PayMentorError):
    """A message is not signed by whom it claims to come from, or its signature is too old."""


class CatalogError(PayMentorError):
    """The lakehouse catalog holds something other than the table contract says."""


class PublicationError(PayMentorError):
    """A publication cannot be made or read as it was promised."""


class SealedDayError(PayMentorError):
    """A day that has been carried out was recomputed with a different result.

    `diff` names the tables that differ and how.
    """

    def __init__(self, message: str, diff: dict[str, str]) -> None:
        super().__init__(message)
        self.diff = diff


class GateError(PayMentorError):
    """The compliance gate could not judge; nothing may leave."""


class ApprovalError(PayMentorError):
    """A model approval was asked for or relied upon, and the record does not support it."""


class RegistryError(PayMentorError):
    """The model registry does not answer, or may not be written from here."""


class NoApprovedModel(ApprovalError):
    """No version of a model family is approved for scoring."""


class StreamGapError(PayMentorError):
    """A stream range is not the exact continuation of what is committed."""


class LedgerError(PayMentorError):
    """The hash chain of the audit ledger does not hold."""


class VaultError(PayMentorError):
    """A value cannot be sealed in or revealed from the vault."""


class ChannelError(PayMentorError):
    """A channel did not accept a message; `is_transient` says whether trying again may help."""

    def __init__(self, message: str, *, is_transient: bool) -> None:
        super().__init__(message)
        self.is_transient = is_transient


class DecryptionError(PayMentorError):
    """A payload cannot be opened; the sentence never holds anything of what is inside.

    `reason_code` is one of the row-level reason codes of the ingestion contracts.
    """

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
