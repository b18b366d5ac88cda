"""What can be said of a file before its rows are read: which one it is, when it was known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Literal

from paymentor_assets.ingestion.contracts.model import FeedContract
from paymentor_assets.ingestion.reconcile import Waiting
from paymentor_assets.lenders import Lender
from resources.clock import Clock
from resources.errors import RejectedFile
from resources.landing_zone import LandedFile, LandingZone

#: Known this long before receipt means reconstructed, not lived, knowledge.
HISTORY_AFTER = timedelta(days=1)
_BLOCK_BYTES = 8 << 20


Status = Literal["ingested", "rejected", "duplicate", "unfinished"]


@dataclass(frozen=True)
class RecordedFile:
    """One row of `raw.ingested_files`, as far as it matters for the next delivery."""

    file_id: str
    uri: str
    etag: str
    status: Status


@dataclass
class IncomingFile:
    """One file of a run, and what became of it.

    `status` is None until decided; `unfinished` means that it could not be read this time. A file
    `was_recorded` when it stands in `raw.ingested_files` already: by a run that died afterwards,
    or because its bytes did not change under a new etag.
    """

    landed: LandedFile
    attempts: int
    received_at: datetime
    #: Runs that died with the file in their hands.
    interruptions: int = 0
    file_index: int = 0
    file_id: str = ""
    business_date: date | None = None
    known_at: datetime | None = None
    is_history_load: bool = False
    contract_version: str = ""
    rows_total: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    status: Status | None = None
    reason_code: str | None = None
    message: str | None = None
    was_recorded: bool = False
    twin: IncomingFile | None = None
    #: Faults by reason code, as far as the file was read.
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """How sentences call the file: its place in the landing zone."""
        return self.landed.uri

    @property
    def is_decided_now(self) -> bool:
        """Whether this run has something to record about the file."""
        return not self.was_recorded and self.status in ("ingested", "rejected", "duplicate")

    def refuse(self, error: RejectedFile) -> None:
        """Decide that nothing of the file is taken."""
        self.status = "rejected"
        self.reason_code = error.reason_code
        self.message = str(error)
        self._forget_rows()

    def leave(self, why: str) -> None:
        """Leave the file for another try."""
        self.status, self.reason_code = "unfinished", None
        self.message = f"{self.name} {why}; it will be tried again."
        self._forget_rows()

    def give_up(self) -> None:
        """Leave the file until somebody asks for it, since runs die of it."""
        self.status, self.reason_code = "unfinished", "KILLS_THE_RUN"
        self.message = (
            f"KILLS_THE_RUN: {self.name} was being read when {self.interruptions} runs died "
            "without a word, the last ones with this file alone; nothing of it was taken. See what "
            "ended the processes (memory first). Deliver the file anew, or in smaller parts; or, "
            f"once the cause is gone, run `paymentor ingest --file {self.name}`."
        )

    def start_over(self) -> None:
        """Forget what a failed batch found out about the file."""
        self.status = self.reason_code = self.message = None
        self._forget_rows()

    def _forget_rows(self) -> None:
        self.rows_total = self.rows_accepted = self.rows_rejected = 0
        self.faults.clear()


def receive(
    landing: LandingZone,
    lender: Lender,
    feeds: Mapping[str, FeedContract],
    todo: Sequence[Waiting],
    recorded: Sequence[RecordedFile],
    clock: Clock,
) -> list[IncomingFile]:
    """Identify each waiting file by content, and judge it by place and name."""
    same_delivery = {(r.file_id, r.uri, r.etag): r for r in recorded}
    taken = {r.file_id: r.uri for r in recorded if r.status == "ingested"}
    bytes_of: dict[str, set[str]] = {}
    for r in recorded:
        bytes_of.setdefault(r.uri, set()).add(r.file_id)
    first_of_run: dict[str, IncomingFile] = {}
    received = []
    for item in todo:
        file = IncomingFile(item.landed, item.attempts + 1, clock.now(), item.interruptions)
        received.append(file)
        if item.kills:
            file.give_up()
            continue
        try:
            file.file_id = content_id(landing, item.landed.uri)
        except OSError as error:
            file.leave(f"could not be read ({error})")
            continue
        before = same_delivery.get((file.file_id, file.name, file.landed.etag))
        if before is not None:
            file.was_recorded, file.status = True, before.status
        elif taken.get(file.file_id) == file.name:
            file.was_recorded, file.status = True, "ingested"
        else:
            replaces_another = bool(bytes_of.get(file.name, set()) - {file.file_id})
            judge(file, lender, feeds, clock, replaces_another=replaces_another)
            if file.status is None:
                _find_twin(file, taken, first_of_run)
    return received


def settle_twins(files: Sequence[IncomingFile]) -> None:
    """Give files that repeat a refused or unread file of the same run the same answer."""
    for file in files:
        twin = file.twin
        if twin is None or twin.status == "ingested":
            continue
        if twin.status == "rejected":
            file.refuse(
                RejectedFile(
                    str(twin.reason_code),
                    f"{file.name} holds the same bytes as a refused file: {twin.message}",
                )
            )
        else:
            file.leave(f"holds the same bytes as {twin.name}, which could not be read")


def _find_twin(
    file: IncomingFile, taken: Mapping[str, str], first_of_run: dict[str, IncomingFile]
) -> None:
    file.twin = first_of_run.get(file.file_id)
    original = file.twin.name if file.twin else taken.get(file.file_id)
    if original is None:
        first_of_run[file.file_id] = file
        return
    file.status = "duplicate"
    file.message = (
        f"{file.name} holds the same bytes as {original}, which was taken in before; nothing was "
        "taken twice."
    )


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
    feeds: Mapping[str, FeedContract],
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
        if contract.naming == "any":
            file.known_at = now
            file.business_date = lender.local_day(now)
        else:
            _judge_name(file, lender, now, replaces_another=replaces_another)
        _judge_age(file, lender, contract)
        if landed.size == 0:
            raise RejectedFile(
                "EMPTY_FILE", f"{file.name} holds no byte; deliver the file again, complete."
            )
    except RejectedFile as error:
        file.refuse(error)


def _judge_name(
    file: IncomingFile, lender: Lender, now: datetime, *, replaces_another: bool
) -> None:
    landed = file.landed
    file.business_date = landed.business_date
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


def _judge_age(file: IncomingFile, lender: Lender, contract: FeedContract) -> None:
    if contract.max_age_days is None or file.business_date is None or file.known_at is None:
        return
    age = (lender.local_day(file.known_at) - file.business_date).days
    if age > contract.max_age_days:
        raise RejectedFile(
            "STALE_FILE",
            f"{file.name} was delivered {age} days after its business date, and the contract of "
            f"feed {contract.feed} allows {contract.max_age_days}; deliver a newer file, or "
            "correct the contract.",
        )


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
