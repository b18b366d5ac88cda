"""Notifications: how people hear that a day is done, late or broken.

What belongs here: getting one notice to where people look. What does not: deciding what is worth a
notice (`sensors`). A notice holds counts, ids and sentences, never personal data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from resources.clock import as_utc
from resources.errors import ChannelError, UsageError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
#: SNS: at most 100 characters of printable ASCII (Publish, parameter Subject).
_SUBJECT_LIMIT = 100
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
#: Errors of SNS after which the same request may succeed.
_TRANSIENT_CODES = frozenset(
    {"Throttling", "ThrottledException", "InternalError", "ServiceUnavailable", "RequestTimeout"}
)


class Severity(StrEnum):
    """`INFO` is news; `ALERT` wants a person."""

    INFO = "info"
    ALERT = "alert"


@dataclass(frozen=True)
class Notice:
    """One thing worth telling.

    `notice_id` says what it is about, so that telling it twice is telling it once: file-name
    characters only. `facts` must be JSON: counts, ids, links.
    """

    notice_id: str
    severity: Severity
    subject: str
    message: str
    at_utc: datetime
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.notice_id):
            raise UsageError(
                f"The notice id {self.notice_id!r} cannot be a file name; use letters, digits, "
                "'.', '_' and '-' only."
            )

    def to_json(self) -> str:
        """The notice as one JSON document, keys sorted."""
        document = {
            "notice_id": self.notice_id,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": self.message,
            "at_utc": as_utc(self.at_utc).isoformat(),
            "facts": dict(self.facts),
        }
        return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False)


class Notifier(Protocol):
    """Anything that can bring a notice to people."""

    def notify(self, notice: Notice) -> None:
        """Deliver one notice; raises when it could not be delivered."""
        ...


class LocalNotifier:
    """Notices as files: `<directory>/<notice_id>.json`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def notify(self, notice: Notice) -> None:
        """Write the notice, whole or not at all; one that was written before stays as it is."""
        path = self._directory / f"{notice.notice_id}.json"
        if path.exists():
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        scratch = self._directory / f".{notice.notice_id}.{os.getpid()}.tmp"
        scratch.write_text(notice.to_json() + "\n", encoding="utf-8")
        scratch.replace(path)


class SnsClient(Protocol):
    """The one call of boto3's SNS client that is used."""

    def publish(self, **request: object) -> object:
        """Publish to a topic."""
        ...


class SnsNotifier:
    """Notices published to an SNS topic; subscribers filter on the attribute `severity`."""

    def __init__(self, topic_arn: str, client: SnsClient) -> None:
        self._topic_arn = topic_arn
        self._client = client

    def notify(self, notice: Notice) -> None:
        """Publish the notice; raises ChannelError when SNS does not take it."""
        request: dict[str, object] = {
            "TopicArn": self._topic_arn,
            "Subject": _NOT_PRINTABLE.sub("?", notice.subject)[:_SUBJECT_LIMIT],
            "Message": notice.to_json(),
            "MessageAttributes": {
                "severity": {"DataType": "String", "StringValue": notice.severity.value},
                "notice_id": {"DataType": "String", "StringValue": notice.notice_id},
            },
        }
        if self._topic_arn.endswith(".fifo"):
            request |= {
                "MessageGroupId": "paymentor",
                "MessageDeduplicationId": notice.notice_id[:128],
            }
        try:
            self._client.publish(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise ChannelError(
                f"SNS topic {self._topic_arn} did not take the notice {notice.notice_id}: {error}",
                is_transient=code in _TRANSIENT_CODES,
            ) from error
        except BotoCoreError as error:
            raise ChannelError(
                f"SNS could not be reached with the notice {notice.notice_id}: {error}",
                is_transient=True,
            ) from error


def notifier(alerts_dir: Path, env: Mapping[str, str]) -> Notifier:
    """The SNS topic named by `PAYMENTOR_ALERTS_TOPIC`, else files in `alerts_dir`."""
    topic_arn = env.get("PAYMENTOR_ALERTS_TOPIC")
    if not topic_arn:
        return LocalNotifier(alerts_dir)
    import boto3  # a laptop never pays for it

    client: SnsClient = boto3.client("sns")
    return SnsNotifier(topic_arn, client)
