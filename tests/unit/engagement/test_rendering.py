"""Words of a message: every template in every language, strict variables, recorded fallback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from paymentor_assets.engagement.rendering import (
    RenderingError,
    load_treatments,
    render,
    required_variables,
    template_ids,
)
from paymentor_assets.lenders import Lender

LANGUAGES = ["en", "es", "hi", "mr", "ta"]


def lender(**changes: object) -> Lender:
    return Lender.model_validate(
        {
            "lender_id": "meridian",
            "name": "Meridian <Finance>",
            "role": "first_party",
            "zone": "Asia/Kolkata",
            "daily_cutoff": "06:00",
            "feeds": ["portfolio"],
            "required_feeds": ["portfolio"],
            "latest_by": "09:00",
            "currencies": ["INR"],
            "slots": ["10:00"],
            "channels": {"email": {"daily_capacity": 10, "cost": {"INR": "0.02"}}},
        }
        | changes
    )


def variables(template_id: str) -> dict[str, object]:
    return {name: f"<{name}>" for name in required_variables(template_id)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template_id", template_ids())
def test_every_template_speaks_every_language(template_id: str, language: str) -> None:
    rendered = render(
        template_id,
        language=language,
        lender=lender(role="third_party"),
        account_id="ACC-0001234",
        currency="INR",
        variables=variables(template_id),
    )
    assert rendered.language == language
    assert rendered.fell_back_from is None
    assert (rendered.subject is not None) == template_id.endswith(".email")
    is_html = template_id.endswith(".email")
    for name in required_variables(template_id):
        shown = f"&lt;{name}&gt;" if is_html else f"<{name}>"
        in_subject = rendered.subject is not None and f"<{name}>" in rendered.subject
        assert shown in rendered.body or in_subject, name
    assert "STOP" in rendered.body or template_id.endswith(".voice")


def test_a_missing_language_falls_back_to_the_lenders_and_says_so() -> None:
    rendered = render(
        "reminder.sms",
        language="bn",
        lender=lender(default_language="hi"),
        account_id="ACC-0001234",
        currency="INR",
        variables=variables("reminder.sms"),
    )
    assert (rendered.language, rendered.fell_back_from) == ("hi", "bn")


def test_a_missing_variable_is_an_error_and_not_a_message_with_a_hole() -> None:
    with pytest.raises(RenderingError, match="days_past_due"):
        render(
            "reminder.sms",
            language="en",
            lender=lender(),
            account_id="A1",
            currency="INR",
            variables={"overdue_amount": "10.00"},
        )


def test_values_cannot_write_html_or_reach_into_python() -> None:
    hostile = {"overdue_amount": "<script>x</script>", "days_past_due": "{{ 7 * 7 }}"}
    rendered = render(
        "reminder.email",
        language="en",
        lender=lender(),
        account_id="A1",
        currency="INR",
        variables=hostile,
    )
    assert "<script>" not in rendered.body
    assert "{{ 7 * 7 }}" in rendered.body


def test_the_collector_notice_is_said_by_third_parties_only() -> None:
    def body(role: str) -> str:
        return render(
            "reminder.sms",
            language="en",
            lender=lender(role=role),
            account_id="A1",
            currency="USD",
            variables=variables("reminder.sms"),
        ).body

    assert "attempt to collect a debt" in body("third_party")
    assert "attempt to collect a debt" not in body("first_party")


def test_a_template_without_the_opt_out_sentence_is_refused(tmp_path: Path) -> None:
    common = Path(__file__).parents[3] / "paymentor_assets/engagement/templates/_common.yaml"
    (tmp_path / "_common.yaml").write_text(common.read_text())
    bare = {"treatment": "bare", "variables": [], "sms": {"en": {"body": "Pay now."}}}
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(bare))
    with pytest.raises(RenderingError, match="opt-out"):
        render(
            "bare.sms",
            language="en",
            lender=lender(),
            account_id="A1",
            currency="INR",
            variables={},
            directory=tmp_path,
        )


def test_an_unknown_template_lists_the_known_ones() -> None:
    with pytest.raises(RenderingError, match=r"reminder\.sms"):
        required_variables("reminder.fax")
    assert "credit_offer" in load_treatments()
