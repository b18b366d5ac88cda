"""The public Metro 2 samples, read where they lie: moov-io/metro2 (with expected values as JSON)
and the CFPB's parser tests. Nothing of them is copied into the project.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.ingestion.parsers.metro2_layout import TRAILER
from tests.support.metro2_files import Account

PROJECT_ROOT = Path(__file__).resolve().parents[2]
#: Fields as moov-io/metro2 names them in JSON, for both kinds of records.
_PERSON = {
    "surname": "surname",
    "firstName": "first_name",
    "middleName": "middle_name",
    "generationCode": "generation_code",
    "socialSecurityNumber": "ssn",
    "dateBirth": "date_of_birth",
    "telephoneNumber": "phone",
    "ecoaCode": "ecoa_code",
    "consumerInformationIndicator": "consumer_information_indicator",
    "countryCode": "country_code",
    "firstLineAddress": "address_line_1",
    "secondLineAddress": "address_line_2",
    "city": "city",
    "state": "state",
    "zipCode": "zip_code",
    "addressIndicator": "address_indicator",
    "residenceCode": "residence_code",
}
_BASE = _PERSON | {
    "processingIndicator": "processing_indicator",
    "timeStamp": "updated_at_utc",
    "identificationNumber": "identification_number",
    "consumerAccountNumber": "account_number",
    "portfolioType": "portfolio_type",
    "accountType": "account_type",
    "dateOpened": "date_opened",
    "highestCredit": "highest_credit",
    "termsDuration": "terms_duration",
    "actualPaymentAmount": "actual_payment_amount",
    "accountStatus": "account_status",
    "paymentRating": "payment_rating",
    "paymentHistoryProfile": "payment_history",
    "specialComment": "special_comment",
    "complianceConditionCode": "compliance_condition",
    "currentBalance": "current_balance",
    "dateAccountInformation": "date_account_information",
    "dateFirstDelinquency": "date_first_delinquency",
    "dateClosed": "date_closed",
    "dateLastPayment": "date_last_payment",
    "interestTypeIndicator": "interest_type",
}
_SEGMENTS = {
    "k1": {
        "originalCreditorName": "original_creditor_name",
        "creditorClassification": "creditor_classification",
    },
    "k2": {
        "purchasedIndicator": "purchased_sold_indicator",
        "purchasedName": "purchased_sold_name",
    },
    "k3": {"mortgageIdentificationNumber": "mortgage_identification_number"},
    "k4": {
        "specializedPaymentIndicator": "specialized_payment_indicator",
        "deferredPaymentStartDate": "deferred_payment_start_date",
        "balloonPaymentDueDate": "balloon_payment_due_date",
        "balloonPaymentAmount": "balloon_payment_amount",
    },
    "l1": {
        "changeIndicator": "change_indicator",
        "newConsumerAccountNumber": "new_account_number",
    },
    "n1": {
        "employerName": "employer_name",
        "firstLineEmployerAddress": "employer_address_line_1",
        "secondLineEmployerAddress": "employer_address_line_2",
        "employerCity": "employer_city",
        "employerState": "employer_state",
        "zipCode": "employer_zip_code",
        "occupation": "occupation",
    },
}
_DIGITS = {
    "highest_credit": 9,
    "actual_payment_amount": 9,
    "current_balance": 9,
    "balloon_payment_amount": 9,
    "ssn": 9,
    "phone": 10,
    "creditor_classification": 2,
    "specialized_payment_indicator": 2,
}
#: What a date is in moov's JSON where the file has none.
_NO_DATE = "0001-01-01T00:00:00Z"


def directory(name: str, *needed: str) -> Path:
    """A folder of the public data (`PAYMENTOR_REAL_DATA`, by default beside the project).

    Skips the test where the files are absent; in CI their absence is a failure, not a skip.
    """
    folder = PROJECT_ROOT / os.environ.get("PAYMENTOR_REAL_DATA", "../shared/data") / name
    missing = [file for file in needed if not (folder / file).is_file()]
    if not missing:
        return folder
    message = (
        f"The Metro 2 samples are not at {folder.resolve()} (missing: {', '.join(missing)}); set "
        f"PAYMENTOR_REAL_DATA to the folder that holds {name}/."
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def expected_account(record: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns that a record of moov's JSON says the parser must find."""
    values = _columns(record["base"], _BASE)
    for segment, names in _SEGMENTS.items():
        values |= _columns(record.get(segment) or {}, names)
    return values


def expected_consumers(record: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """The same for the J1 and J2 segments of a record, in their order."""
    return [
        {"segment": segment["segmentIdentifier"], **_columns(segment, _PERSON)}
        for key in ("j1", "j2")
        for segment in record.get(key) or []
    ]


def account_of(record: Mapping[str, Any]) -> Account:
    """A record of moov's JSON as one to be written."""
    return Account(
        {k: v for k, v in expected_account(record).items() if v is not None},
        [
            {k: v for k, v in consumer.items() if v is not None}
            for consumer in expected_consumers(record)
        ],
        [segment.upper() for segment in _SEGMENTS if record.get(segment)],
    )


def stated_totals(trailer: Mapping[str, Any]) -> dict[str, int]:
    """The figures of a trailer of moov's JSON, which names them in the order of the layout."""
    unnamed = ("recordIdentifier", "recordDescriptorWord", "blockCount")
    figures = [figure for key, figure in trailer.items() if key not in unnamed]
    return {word: figure for (word, _), figure in zip(TRAILER, figures, strict=True)}


def load(path: Path) -> dict[str, Any]:
    """A JSON file of moov's, plain or compressed."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    loaded: dict[str, Any] = json.loads(content)
    return loaded


def _columns(segment: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str | None]:
    return {column: _text(column, segment[key]) for key, column in names.items() if key in segment}


def _text(column: str, value: Any) -> str | None:
    if isinstance(value, str) and value.endswith("Z") and len(value) == 20:
        if value == _NO_DATE:
            return None
        form = "%m%d%Y%H%M%S" if column == "updated_at_utc" else "%m%d%Y"
        return datetime.fromisoformat(value).strftime(form)
    if column == "phone" and not value:
        return None
    text = str(value).rjust(_DIGITS.get(column, 0), "0")
    return text.strip() or None
