"""One dispatcher at work: due actions in batches, judged and leased in one transaction, sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from paymentor_assets.audit.publications import RunInfo
from paymentor_assets.compliance.facts import GateFacts, hot_facts, lake_facts
from paymentor_assets.compliance.rules import Rulebook
from paymentor_assets.engagement import outcomes, queue
from paymentor_assets.engagement.dispatch_result import DispatchResult
from paymentor_assets.engagement.judging import Verdict, judge_now
from paymentor_assets.engagement.queue import QueuedAction
from paymentor_assets.engagement.rendering import Rendered, RenderingError, render
from paymentor_assets.engagement.sending import Leased, send_all, settle
from paymentor_assets.lenders import Lender
from resources.channels import Channel
from resources.clock import Clock, naive_utc
from resources.crash_points import reach, register
from resources.lakehouse import Lakehouse
from resources.operational_store import OperationalStore
from resources.vault import Vault

register("engagement.before_lease", "engagement.after_lease")

BATCH = 200
#: Longer than a batch takes to send; a dead dispatcher's messages wait this long to be recovered.
LEASE = timedelta(minutes=5)
#: Facts of the lakehouse change with files, by the hour; those of the operational store, by the
#: second, are read in every transaction.
LAKE_FACTS_LAST = timedelta(minutes=1)
DAY_OVER = '[{"id": "DAY-OVER", "version": 1, "detail": "its day ended before it could be sent"}]'


@dataclass
class Dispatcher:
    """Everything one dispatcher of one lender works with."""

    store: OperationalStore
    lake: Lakehouse
    vault: Vault
    channels: Mapping[str, Channel]
    lender: Lender
    rulebook: Rulebook
    clock: Clock
    info: RunInfo
    _facts: GateFacts | None = None

    def run(self, until: datetime, as_of_date: date | None) -> DispatchResult:
        """Recover what earlier dispatchers left open, then work off what is due."""
        result = DispatchResult()
        result.count(settle(self.store, self.channels, self.clock, self.lender.lender_id, LEASE))
        while True:
            with self.store.read() as connection:
                batch = queue.due(
                    connection,
                    self.lender.lender_id,
                    naive_utc(until),
                    as_of_date=as_of_date,
                    limit=BATCH,
                )
            if not batch:
                return result
            result.batches += 1
            rendered = {action.action_id: self._render(action) for action in batch}
            facts = self._lake_facts()
            reach("engagement.before_lease")
            leased = self._lease(batch, rendered, facts, result)
            reach("engagement.after_lease")
            result.count(send_all(self.store, self.vault, self.channels, self.clock, leased))

    def _render(self, action: QueuedAction) -> Rendered | RenderingError:
        try:
            return render(
                action.template_id,
                language=action.language,
                lender=self.lender,
                account_id=action.account_id,
                currency=action.currency,
                variables=action.payload,
            )
        except RenderingError as error:
            return error  # becomes the action's recorded failure, in the leasing transaction

    def _lake_facts(self) -> GateFacts:
        now = self.clock.now()
        if self._facts is None or naive_utc(now) - self._facts.as_of_utc > LAKE_FACTS_LAST:
            self._facts = lake_facts(self.lake, self.lender, now)
        return self._facts

    def _lease(
        self,
        batch: list[QueuedAction],
        rendered: Mapping[str, Rendered | RenderingError],
        facts: GateFacts,
        result: DispatchResult,
    ) -> list[Leased]:
        leased: list[Leased] = []
        with self.store.write() as connection:
            instant = self.clock.now()
            now = naive_utc(instant)
            waiting = queue.still_waiting(connection, batch)
            last = outcomes.last_attempts(connection, waiting)
            hot = hot_facts(connection, self.lender.lender_id, instant, include_queue=True)
            verdicts = judge_now(waiting, facts.with_hot(hot), self.rulebook, now)
            for action in waiting:
                words = rendered[action.action_id]
                attempt = max(action.attempt, last.get(action.action_id, 0)) + 1
                verdict = verdicts[action.action_id]
                if not action.is_within_its_day(now):
                    self._cancel(connection, action, attempt, verdict, now)
                    result.cancelled += 1
                elif isinstance(words, RenderingError):
                    self._fail(connection, action, attempt, words, now)
                    result.failed += 1
                else:
                    item = self._apply(connection, action, attempt, verdict, words, now, result)
                    leased.extend([] if item is None else [item])
        return leased

    def _apply(
        self,
        connection: Connection,
        action: QueuedAction,
        attempt: int,
        verdict: Verdict,
        words: Rendered,
        now: datetime,
        result: DispatchResult,
    ) -> Leased | None:
        until = verdict.defer_until
        can_wait = (
            verdict.verdict == "defer"
            and until is not None
            and until > now
            and action.is_within_its_day(until)
        )
        self._write_verdict(connection, action, attempt, verdict.verdict, verdict, now, words)
        if verdict.verdict == "allow":
            lease_until = now + LEASE
            queue.move(connection, action, "sending", now, attempt=attempt, lease_until=lease_until)
            outcomes.seal_day(connection, action, self.clock)
            result.allowed += 1
            return Leased(queue.leased(action, attempt, lease_until), words)
        result.blocked_by_rule.update(verdict.rule_ids)
        if can_wait:
            queue.move(connection, action, "deferred", now, attempt=attempt, scheduled_at=until)
            result.deferred += 1
        else:
            queue.move(connection, action, "blocked", now, attempt=attempt)
            result.blocked += 1
        return None

    def _cancel(
        self,
        connection: Connection,
        action: QueuedAction,
        attempt: int,
        verdict: Verdict,
        now: datetime,
    ) -> None:
        self._write_verdict(connection, action, attempt, "block", verdict, now, None, DAY_OVER)
        queue.move(connection, action, "cancelled", now, attempt=attempt)

    def _fail(
        self,
        connection: Connection,
        action: QueuedAction,
        attempt: int,
        error: RenderingError,
        now: datetime,
    ) -> None:
        queue.move(connection, action, "sending", now, attempt=attempt)
        outcomes.record_end(
            connection,
            queue.leased(action, attempt, None),
            status="failed",
            receipt=None,
            reason=str(error),
            clock=self.clock,
        )

    def _write_verdict(
        self,
        connection: Connection,
        action: QueuedAction,
        attempt: int,
        name: str,
        verdict: Verdict,
        now: datetime,
        words: Rendered | None,
        violated_rules: str | None = None,
    ) -> None:
        facts = {
            **verdict.facts,
            "run_id": self.info.run_id,
            "code_version": self.info.code_version,
            "plan_publication_id": action.plan_publication_id,
            "candidate_id": action.candidate_id,
            "candidate_kind": action.kind,
        }
        if words is not None:
            facts["language"] = words.language
            facts["language_fell_back_from"] = words.fell_back_from
            facts["template_sha256"] = words.template_sha256
        outcomes.record_verdict(
            connection,
            action,
            attempt=attempt,
            verdict=name,
            violated_rules=verdict.violated_rules if violated_rules is None else violated_rules,
            defer_until=verdict.defer_until,
            rulebook_version=self.rulebook.version,
            facts=facts,
            now=now,
        )
