"""The segments and fields of TUDF 12, as data.

Tags and longest lengths are those of FintechLadder/TUDF (`src/specs/*.ts`, ISC). That source gives
the residence code of an address the tag 08 a second time; it is taken for 09, and the telephone
extension for 02, the one tag that it leaves out. What values may be is for the feed contract.
"""

from __future__ import annotations

from collections.abc import Mapping

HEADER_BYTES = 146
HEADER_MARK = b"TUDF12"
#: Day that the file was reported and certified (DDMMYYYY); the password stands after it.
REPORTED = slice(54, 62)
TRAILER = b"TRLR"
END_OF_SUBJECT = b"ES02**"

#: First tag of each segment, and how the value after it begins.
SEGMENTS: Mapping[str, str] = {"PN": "N", "ID": "I", "PT": "T", "PA": "A", "TL": "T", "ES": "*"}

#: Fields of each segment: tag to name and longest length.
FIELDS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "PN": {
        **{f"{i:02d}": (f"name_{i}", 26) for i in range(1, 6)},
        "07": ("date_of_birth", 8),
        "08": ("gender", 1),
    },
    "ID": {
        "01": ("id_type", 2),
        "02": ("id_number", 30),
        "03": ("id_issue_date", 8),
        "04": ("id_expiry_date", 8),
    },
    "PT": {
        "01": ("phone", 20),
        "02": ("phone_extension", 10),
        "03": ("phone_type", 20),
    },
    "PA": {
        **{f"{i:02d}": (f"address_{i}", 40) for i in range(1, 6)},
        "06": ("state_code", 2),
        "07": ("pin_code", 10),
        "08": ("address_category", 2),
        "09": ("residence_code", 2),
    },
    "TL": {
        "01": ("member_code", 10),
        "02": ("member_short_name", 16),
        "03": ("account_number", 25),
        "04": ("account_type", 2),
        "05": ("ownership_indicator", 1),
        "08": ("date_opened", 8),
        "09": ("date_last_payment", 8),
        "10": ("date_closed", 8),
        "11": ("date_reported", 8),
        "12": ("sanctioned_amount", 9),
        "13": ("current_balance", 10),
        "14": ("overdue_amount", 9),
        "15": ("days_past_due", 3),
        "16": ("old_member_code", 10),
        "17": ("old_member_short_name", 16),
        "18": ("old_account_number", 25),
        "19": ("old_account_type", 2),
        "20": ("old_ownership_indicator", 1),
        "21": ("suit_filed_wilful_default", 2),
        "22": ("credit_facility_status", 2),
        "26": ("asset_classification", 2),
        "34": ("collateral_value", 9),
        "35": ("collateral_type", 2),
        "36": ("credit_limit", 9),
        "37": ("cash_limit", 9),
        "38": ("interest_rate", 8),
        "39": ("tenure_months", 3),
        "40": ("emi_amount", 9),
        "41": ("written_off_amount", 9),
        "42": ("written_off_principal", 9),
        "43": ("settlement_amount", 9),
        "44": ("payment_frequency", 2),
        "45": ("actual_payment_amount", 9),
        "46": ("occupation_code", 2),
        "47": ("income", 9),
        "48": ("income_net_gross", 1),
        "49": ("income_period", 1),
    },
    "ES": {},
}
