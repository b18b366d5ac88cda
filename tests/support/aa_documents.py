"""Account Aggregator accounts made by hand, in both versions and both spellings."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from lxml import etree


def transaction(account: int, number: int) -> dict[str, Any]:
    """A transaction of the deposit schema v2."""
    return {
        "txnId": f"T{account}-{number}",
        "type": "DEBIT",
        "mode": "NACH",
        "amount": "12500.00",
        "transactionalBalance": "48500.50",
        "transactionTimestamp": "2026-06-05T06:00:00+05:30",
        "valueDate": "2026-06-05",
        "narration": "ACH D- EXAMPLE NBFC EMI",
        "reference": "A0002",
    }


def envelope(number: int, *, transactions: int | list[Any] = 2) -> dict[str, Any]:
    """A linked account with so many transactions (or exactly these), as v2.0.0 writes it."""
    if isinstance(transactions, int):
        transactions = [transaction(number, i) for i in range(1, transactions + 1)]
    return {
        "consentId": f"CO{number}",
        "customerId": f"C{number}",
        "fipId": "EXAMPLE-BANK",
        "linkRefNumber": f"L{number}",
        "fetchedAt": "2026-06-30T18:00:00Z",
        "account": {
            "linkedAccRef": f"L{number}",
            "maskedAccNumber": "XXXXXXXX1234",
            "version": "2.0.0",
            "type": "deposit",
            "profile": {
                "holders": {
                    "type": "SINGLE",
                    "holder": [
                        {
                            "name": f"ASHA EXAMPLE {number}",
                            "mobile": f"90000{number:05d}",
                            "email": "asha@example.com",
                            "pan": "AAAPZ0000A",
                        }
                    ],
                }
            },
            "summary": {
                "currentBalance": "47910.50",
                "currency": "INR",
                "balanceDateTime": "2026-06-30T17:59:59+05:30",
                "accountType": "REGULAR",
                "accountSubType": "SAVINGS",
                "ifsc": "EXMP0000001",
                "openingDate": "2015-04-01",
                "status": "ACTIVE",
            },
            "transactions": {"transaction": transactions},
        },
    }


def v1(document: dict[str, Any]) -> dict[str, Any]:
    """The same account as v1.2 writes it."""
    document = deepcopy(document)
    account = document["account"]
    account["version"] = "1.2"
    summary = account["summary"]
    del summary["accountType"]
    summary["type"] = summary.pop("accountSubType")
    summary["ifscCode"] = summary.pop("ifsc")
    summary["exchgeRate"] = ""
    for item in account["transactions"]["transaction"]:
        item["currentBalance"] = item.pop("transactionalBalance")
    return document


def as_json(*documents: dict[str, Any]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def as_xml(*documents: dict[str, Any]) -> bytes:
    """`<FIData>` around one `<FI>` a document: texts become attributes, the rest elements."""
    root = etree.Element("FIData")
    for document in documents:
        root.append(_element("FI", document))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _element(tag: str, members: dict[str, Any]) -> etree._Element:
    element = etree.Element(tag)
    for name, value in members.items():
        if isinstance(value, dict | list):
            for member in value if isinstance(value, list) else [value]:
                element.append(_element(name[:1].upper() + name[1:], member))
        else:
            element.set(name, str(value))
    return element
