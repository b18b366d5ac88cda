"""Notices reach the folder or the topic, once and whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import ANY, Stubber

from resources.errors import ChannelError, UsageError
from resources.notifications import (
    LocalNotifier,
    Notice,
    Severity,
    SnsNotifier,
    notifier,
)

TOPIC = "arn:aws:sns:ap-south-1:000000000000:paymentor"


def a_notice(notice_id: str = "not_planned_meridian_2026-06-30", **changes: object) -> Notice:
    values: dict[str, object] = {
        "notice_id": notice_id,
        "severity": Severity.ALERT,
        "subject": "PayMentor: meridian 2026-06-30 – not planned",
        "message": "portfolio has not arrived",
        "at_utc": datetime(2026, 7, 1, 4, tzinfo=UTC),
        "facts": {"lender_id": "meridian"},
    }
    return Notice(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return boto3.client("sns", region_name="ap-south-1")


def test_a_local_notice_is_one_whole_file(tmp_path: Path) -> None:
    LocalNotifier(tmp_path / "alerts").notify(a_notice())
    (path,) = (tmp_path / "alerts").iterdir()
    assert path.name == "not_planned_meridian_2026-06-30.json"
    assert json.loads(path.read_text()) == {
        "notice_id": "not_planned_meridian_2026-06-30",
        "severity": "alert",
        "subject": "PayMentor: meridian 2026-06-30 – not planned",
        "message": "portfolio has not arrived",
        "at_utc": "2026-07-01T04:00:00+00:00",
        "facts": {"lender_id": "meridian"},
    }


def test_telling_twice_is_telling_once(tmp_path: Path) -> None:
    folder = LocalNotifier(tmp_path)
    folder.notify(a_notice())
    folder.notify(a_notice(message="another time"))
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["message"] == "portfolio has not arrived"


@pytest.mark.parametrize("notice_id", ["../escape", "", "a/b", ".hidden", "x" * 201])
def test_an_id_that_is_no_file_name_is_refused(notice_id: str) -> None:
    with pytest.raises(UsageError, match="cannot be a file name"):
        a_notice(notice_id)


def test_sns_gets_subject_in_ascii_and_the_severity_to_filter_on(sns: object) -> None:
    with Stubber(sns) as stub:
        stub.add_response(
            "publish",
            {"MessageId": "1"},
            {
                "TopicArn": TOPIC,
                "Subject": "PayMentor: meridian 2026-06-30 ? not planned",
                "Message": a_notice().to_json(),
                "MessageAttributes": {
                    "severity": {"DataType": "String", "StringValue": "alert"},
                    "notice_id": {
                        "DataType": "String",
                        "StringValue": "not_planned_meridian_2026-06-30",
                    },
                },
            },
        )
        SnsNotifier(TOPIC, sns).notify(a_notice())  # type: ignore[arg-type]
        stub.assert_no_pending_responses()


def test_a_fifo_topic_deduplicates_by_notice(sns: object) -> None:
    with Stubber(sns) as stub:
        stub.add_response(
            "publish",
            {"MessageId": "1"},
            {
                "TopicArn": f"{TOPIC}.fifo",
                "Subject": ANY,
                "Message": ANY,
                "MessageAttributes": ANY,
                "MessageGroupId": "paymentor",
                "MessageDeduplicationId": "not_planned_meridian_2026-06-30",
            },
        )
        SnsNotifier(f"{TOPIC}.fifo", sns).notify(a_notice())  # type: ignore[arg-type]
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("code", "is_transient"), [("Throttling", True), ("NotFound", False)])
def test_a_refusal_says_which_notice_and_whether_trying_again_helps(
    sns: object, code: str, is_transient: bool
) -> None:
    with Stubber(sns) as stub:
        stub.add_client_error("publish", service_error_code=code)
        with pytest.raises(ChannelError, match="not_planned_meridian") as caught:
            SnsNotifier(TOPIC, sns).notify(a_notice())  # type: ignore[arg-type]
    assert caught.value.is_transient is is_transient


def test_the_topic_decides_which_notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert isinstance(notifier(tmp_path, {}), LocalNotifier)
    assert isinstance(notifier(tmp_path, {"PAYMENTOR_ALERTS_TOPIC": TOPIC}), SnsNotifier)
