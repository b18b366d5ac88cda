"""What can be said of a file before its rows are read: which one it is, when it was known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.errors import RejectedFile
from resources.landing_zone import LandedFile, LandingZone

#: Known this long before receipt means reconstructed, not lived, knowledge.
HISTORY_AFTER = timedelta(days=1)
_BLOCK_BYTES = 8 << 20


@dataclass
class IncomingFile:
    """One file of a run, and what became of it.

    `status` is None until decided: ingested, rejected, duplicate, known (taken in before, under
    the same name) or unfinished (could not be read this time).
    """

    landed: LandedFile
    attempts: int
    received_at: datetime
    file_index: int = 0
    file_id: str = ""
    known_at: datetime | None = None
    is_history_load: bool = False
    contract_version: str = ""
    rows_total: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    status: str | None = None
    reason_code: str | None = None
    message: str | None = None

    @property
    def name(self) -> str:
        """How sentences call the file: its place in the landing zone."""
        return self.landed.uri

    def refuse(self, error: RejectedFile) -> None:
        """Decide that nothing of the file is taken."""
        self.status = "rejected"
        self.reason_code = error.reason_code
        self.message = str(error)
        self.rows_total = self.rows_accepted = self.rows_rejected = 0


def content_id(landing: LandingZone, uri: str) -> str:
    """SHA-256 of the bytes of a file; raises OSError when it cannot be read."""
    digest = sha256()
    with landing.open(uri) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def judge(
    file: IncomingFile,
    lender: Lender,
    feeds: dict[str, FeedContract],
    clock: Clock,
    *,
    replaces_another: bool,
) -> None:
    """Fill in when the file was known, or refuse it for what its place and name say.

    `replaces_another`: the same name held other bytes before. Then the time in the name belongs to
    the first delivery, and the rows are known only now, whatever the lender's rule.
    """
    landed = file.landed
    now = clock.now()
    contract = feeds.get(landed.feed)
    try:
        if contract is None or landed.feed not in lender.feeds:
            raise RejectedFile(
                "UNKNOWN_FEED",
                f"{file.name}: the contract of lender {lender.lender_id} has no feed "
                f"{landed.feed!r}; its feeds are {', '.join(sorted(lender.feeds))}.",
            )
        file.contract_version = contract.contract_version
        if landed.name_error is not None or landed.business_date is None:
            raise RejectedFile("BAD_FILE_NAME", landed.name_error or f"{file.name} has no date.")
        file.known_at = now if replaces_another else _known_at(file, lender, now)
        file.is_history_load = now - file.known_at > HISTORY_AFTER
        if landed.business_date > lender.local_day(file.known_at):
            raise RejectedFile(
                "FUTURE_FILE",
                f"{file.name}: its business date {landed.business_date} lies after the day it "
                f"was delivered ({lender.local_day(file.known_at)}); correct the name.",
            )
        if landed.size == 0:
            raise RejectedFile(
                "EMPTY_FILE", f"{file.name} holds no byte; deliver the file again, complete."
            )
    except RejectedFile as error:
        file.refuse(error)


def _known_at(file: IncomingFile, lender: Lender, now: datetime) -> datetime:
    match lender.known_at:
        case "receipt":
            return now
        case "file_name":
            delivered = file.landed.delivered_at_utc
            if delivered is None:
                raise RejectedFile(
                    "BAD_FILE_NAME",
                    f"{file.name}: the lender's contract takes the delivery time from the name, "
                    "and there is none; name it <feed>_<YYYY-MM-DD>_<YYYYMMDDTHHMMSSZ>.<ext>.",
                )
            if delivered > now:
                raise RejectedFile(
                    "FUTURE_FILE",
                    f"{file.name}: its name says it was delivered at {delivered.isoformat()}, "
                    f"after it was received ({now.isoformat(timespec='seconds')}); correct the "
                    "name or the lender's clock.",
                )
            return delivered
