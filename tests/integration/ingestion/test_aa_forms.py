"""An account through the whole of an ingestion: the same rows, however it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.aa_documents import as_xml
from tests.support.landing_house import as_lines, consent, deposit, landing_house

_OF_THE_FILE = {"_file_id", "schema_version"}


def taken(root: Path, content: bytes) -> dict[str, list[dict[str, Any]]]:
    """What the two tables hold of a delivery."""
    with landing_house(root) as house:
        house.deliver("aa_consents", as_lines(consent(1), consent(2)))
        house.deliver("aa_deposits", content)
        result = house.ingest()
        assert [f.status for f in result.files] == ["ingested", "ingested"]
        assert house.rows("raw.rejected_rows") == []
        return {
            table: [
                {k: v for k, v in row.items() if k not in _OF_THE_FILE} for row in house.rows(table)
            ]
            for table in ("raw.aa_accounts", "raw.aa_transactions")
        }


def test_json_and_xml_end_as_the_same_rows(tmp_path: Path) -> None:
    accounts = [deposit(1), deposit(2)]
    from_json = taken(tmp_path / "json", as_lines(*accounts))
    from_xml = taken(tmp_path / "xml", as_xml(*accounts))
    assert len(from_json["raw.aa_accounts"]) == 2 and from_json["raw.aa_transactions"]
    # Tokens differ between two houses, since each made its own keys.
    for table, rows in from_json.items():
        plain = [{k: v for k, v in r.items() if not k.endswith("_token")} for r in rows]
        assert plain == [
            {k: v for k, v in r.items() if not k.endswith("_token")} for r in from_xml[table]
        ]
