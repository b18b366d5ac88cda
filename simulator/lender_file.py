"""The lender's own contract with the platform: ``lenders/<lender>.yaml``."""

from pathlib import Path

from simulator.files import write_atomically
from simulator.lender import FEEDS

_TEMPLATE = """\
# Terms of a simulated lender. Capacities grow with the book: calls are scarce, texts are not.
lender_id: {lender_id}
name: {name}
role: first_party
zone: Asia/Kolkata
daily_cutoff: "06:00"
known_at: file_name
required_feeds: [portfolio, payments]
latest_by: "09:00"
on_missing: run_flagged
currencies: [INR, USD]
slots: ["09:00", "12:00", "15:00", "18:00"]
max_rejected_share: 0.10
feeds:
{feeds}
channels:
  email:
    daily_capacity: {email}
    cost: {{INR: "0.02", USD: "0.0004"}}
  sms:
    daily_capacity: {sms}
    cost: {{INR: "0.18", USD: "0.0095"}}
  whatsapp:
    daily_capacity: {whatsapp}
    cost: {{INR: "0.35", USD: "0.0120"}}
  voice:
    daily_capacity: {voice}
    cost: {{INR: "18.00", USD: "0.8500"}}
"""


def write_lender_file(out: Path, lender_id: str, customers: int) -> Path:
    """Write the contract unless one is already there; returns its path.

    Capacities a day: e-mail for 10 % of the customers, SMS 6 %, WhatsApp 3 %, calls 0.8 %.
    """
    path = out / "lenders" / f"{lender_id}.yaml"
    if not path.exists():
        text = _TEMPLATE.format(
            lender_id=lender_id,
            name=f"{lender_id.replace('_', ' ').title()} Finance (simulated)",
            feeds="\n".join(f"  - {feed}" for feed in FEEDS),
            email=max(customers // 10, 20),
            sms=max(customers * 6 // 100, 12),
            whatsapp=max(customers * 3 // 100, 6),
            voice=max(customers * 8 // 1_000, 3),
        )
        write_atomically(path, text.encode())
    return path
