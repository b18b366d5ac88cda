"""From a message to the borrower it reaches, with the traits a world may use."""

from decimal import Decimal

import numpy as np

from simulator import people as folk
from simulator import places
from simulator.calendar import months_since_epoch
from simulator.errors import SimulationError
from simulator.lender import SimulatedLender
from simulator.world import Borrower, Message


class Directory:
    """Looks borrowers up by account id, or by address when a message names no account."""

    def __init__(self, lender: SimulatedLender) -> None:
        self._lender = lender
        day = lender.state.closed
        self._now = lender.book.position(day)
        self._shock = lender.book.shocks.during(int(months_since_epoch(day)))
        self._names = folk.full_names(lender.people)
        self._by_address: dict[str, int] | None = None

    def account_of(self, message: Message) -> int:
        """Account index of a message.

        Raises:
            SimulationError: neither the account nor the address is the simulated lender's.
        """
        if message.account_id is None:
            customer = self._addresses().get(message.to)
            if customer is not None:
                return int(np.searchsorted(self._lender.loans.customer, customer))
        else:
            digits = message.account_id.removeprefix("A")
            if digits.isdigit() and 0 < int(digits) <= len(self._lender.loans):
                return int(digits) - 1
        raise SimulationError(
            f"Message {message.action_id} is for account {message.account_id!r}, which the "
            f"simulated lender {message.lender_id!r} does not have. "
            "Was it written for another lender?"
        )

    def borrower(self, account: int) -> Borrower:
        """The borrower of an account, as of the last closed day."""
        people, loans = self._lender.people, self._lender.loans
        customer = int(loans.customer[account])
        return Borrower(
            customer_id=folk.customer_ids([customer])[0].as_py(),
            account_id=f"A{account + 1:07d}",
            full_name=self._names[customer].as_py(),
            country=folk.COUNTRIES[people.country[customer]],
            time_zone=places.PLACES[people.place[customer]].time_zone,
            currency=folk.CURRENCIES[people.country[customer]],
            overdue_amount=_money(self._now.overdue[account]),
            emi_amount=_money(loans.emi[account]),
            days_past_due=int(self._now.days_past_due[account]),
            best_channel=folk.CHANNELS[people.best_channel[customer]],
            best_slot=folk.SLOTS[people.best_slot[customer]],
            willingness=float(people.willingness[customer]),
            persuadability=float(people.persuadability[customer]),
            digital=float(people.digital[customer]),
            interest=folk.PRODUCTS[people.interest[customer]],
            is_in_income_shock=bool(self._shock[customer]),
        )

    def _addresses(self) -> dict[str, int]:
        if self._by_address is None:
            people = self._lender.people
            everyone = np.arange(len(people))
            phones = folk.phones(people, everyone).to_pylist()
            emails = folk.emails(people).to_pylist()
            self._by_address = {
                address: customer
                for addresses in (phones, emails)
                for customer, address in enumerate(addresses)
                if address is not None
            }
        return self._by_address


def _money(cents: int | np.int64) -> Decimal:
    return Decimal(int(cents)).scaleb(-2)
