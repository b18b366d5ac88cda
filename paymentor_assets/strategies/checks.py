"""What must hold of every plan: enforced before it is published, and shown as asset checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from paymentor_assets.lenders import Lender
from paymentor_assets.strategies.tables import (
    ACTIONS,
    COMPLIANCE_DECISIONS,
    STRATEGIES,
)
from resources.lakehouse import TableContract

EVERY_ACTION_IS_ALLOWED = "every_action_is_allowed"
ONE_CONTACT_A_CUSTOMER = "one_contact_a_customer"
CAPACITY_IS_RESPECTED = "capacity_is_respected"

#: Name, table it guards, what it says.
CHECKS: tuple[tuple[str, TableContract, str], ...] = (
    (
        EVERY_ACTION_IS_ALLOWED,
        ACTIONS,
        "Each action names an allow in compliance_decisions of the same publication.",
    ),
    (ONE_CONTACT_A_CUSTOMER, STRATEGIES, "No customer is chosen twice on a day."),
    (CAPACITY_IS_RESPECTED, STRATEGIES, "No channel carries more than the lender's contract says."),
)


def check_plan(tables: Mapping[TableContract, pa.Table], lender: Lender) -> dict[str, list[str]]:
    """Faults by check name; every list is empty for a sound plan."""
    allowed = {
        (row["compliance_decision_id"], row["candidate_id"])
        for row in tables[COMPLIANCE_DECISIONS].to_pylist()
        if row["verdict"] == "allow"
    }
    chosen = tables[STRATEGIES]
    customers = Counter(chosen.column("customer_id").to_pylist())
    channels = Counter(chosen.column("channel").to_pylist())
    capacity = {str(name): terms.daily_capacity for name, terms in lender.channels.items()}
    return {
        EVERY_ACTION_IS_ALLOWED: [
            f"Action {row['action_id']} has no allow"
            for row in tables[ACTIONS].to_pylist()
            if (row["compliance_decision_id"], row["candidate_id"]) not in allowed
        ],
        ONE_CONTACT_A_CUSTOMER: [
            f"Customer {customer} is chosen {count} times"
            for customer, count in sorted(customers.items())
            if count > 1
        ],
        CAPACITY_IS_RESPECTED: [
            f"Channel {channel} carries {count}, capacity {capacity.get(channel, 0)}"
            for channel, count in sorted(channels.items())
            if count > capacity.get(channel, 0)
        ],
    }
