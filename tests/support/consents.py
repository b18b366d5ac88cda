"""Consents and earlier fetches as ingestion registers them, made by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from paymentor_assets.ingestion.consents.facts import ConsentFacts


def consent_row(number: int = 1, **changes: object) -> dict[str, Any]:
    """A lawful underwriting consent of customer `C<number>`, known since it was given."""
    row: dict[str, Any] = {
        "consent_id": f"CO{number}",
        "customer_id": f"C{number}",
        "status": "ACTIVE",
        "created_at_utc": datetime.fromisoformat("2026-06-07"),
        "consent_start_utc": datetime.fromisoformat("2026-06-07"),
        "consent_expiry_utc": datetime.fromisoformat("2026-07-06"),
        "fetch_type": "ONETIME",
        "consent_types": "PROFILE;SUMMARY;TRANSACTIONS",
        "fi_types": "DEPOSIT",
        "purpose_code": "103",
        "data_range_from_utc": datetime.fromisoformat("2025-06-07"),
        "data_range_to_utc": datetime.fromisoformat("2026-06-07"),
        "frequency_unit": "HOUR",
        "frequency_value": 1,
        "consent_template": None,
        "_known_at": datetime.fromisoformat("2026-06-08"),
    }
    return row | changes


def consent_facts(
    consents: list[dict[str, Any]] | None = None, fetches: list[dict[str, Any]] | None = None
) -> ConsentFacts:
    """Facts of these artefacts (by default of C1 and C2) and these earlier fetches."""
    rows = [consent_row(1), consent_row(2)] if consents is None else consents
    nothing = ConsentFacts.none()
    return ConsentFacts(
        pa.Table.from_pylist(rows, schema=nothing.artefacts.schema),
        pa.Table.from_pylist(fetches or [], schema=nothing.fetches.schema),
    )
