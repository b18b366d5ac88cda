"""Approvals: only what somebody else approved may score, and only its very bytes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from paymentor_assets.audit import ledger
from paymentor_assets.models import approvals, inventory
from paymentor_assets.models import registry as models
from resources.crash_points import SimulatedCrash, armed
from resources.errors import ApprovalError, NoApprovedModel, NotFound
from resources.operational_schema import ledger as ledger_table
from tests.integration.models.conftest import Register
from tests.support.model_lender import CLOCK, ModelLender

FAMILY = "customer_ranking"


def _approve(place: ModelLender, version: int | None = None, **changes: str) -> int:
    words = {"actor": "officer", "reason": "better than the last", **changes}
    return models.approve(
        place.lake, place.registry, place.store, family=FAMILY, version=version, clock=CLOCK,
        **words,
    )  # fmt: skip


def _decide(place: ModelLender, what: str, **more: Any) -> int | None:
    decide = {"reject": models.reject, "rollback": models.rollback}[what]
    decided: int | None = decide(
        place.lake, place.registry, place.store, family=FAMILY, actor="officer",
        reason="it drifts", clock=CLOCK, **more,
    )  # fmt: skip
    return decided


def _load(place: ModelLender) -> models.ApprovedModel:
    return models.load_approved(place.lake, place.registry, FAMILY)


def _ledger_kinds(place: ModelLender) -> list[str]:
    with place.store.read() as connection:
        kinds = connection.execute(select(ledger_table.c.kind).order_by(ledger_table.c.seq))
        return list(kinds.scalars())


def test_nothing_scores_before_an_approval(place: ModelLender, register: Register) -> None:
    register()
    with pytest.raises(NoApprovedModel, match="paymentor models approve customer_ranking"):
        _load(place)


def test_nothing_can_be_approved_before_a_registration(place: ModelLender) -> None:
    with pytest.raises(NotFound, match="Train one"):
        _approve(place)


def test_an_approval_is_recorded_everywhere(place: ModelLender, register: Register) -> None:
    version = register()
    assert _approve(place) == 1
    loaded = _load(place)
    assert loaded.version == 1
    assert loaded.approval.artefact_sha256 == version.artefact_sha256
    assert (loaded.approval.actor, loaded.approval.trainer) == ("officer", "scientist")
    events = approvals.history(place.lake, FAMILY)
    assert [(e.sequence, e.state) for e in events] == [(1, "registered"), (2, "approved")]
    assert _ledger_kinds(place) == ["model.registered", "model.approved"]
    assert ledger.verify(place.store) == 2


@pytest.mark.parametrize("actor", ["scientist", " Scientist "])
def test_the_trainer_may_not_approve(place: ModelLender, register: Register, actor: str) -> None:
    register()
    with pytest.raises(ApprovalError, match="somebody else has to"):
        _approve(place, actor=actor)
    assert approvals.history(place.lake, FAMILY) == []


@pytest.mark.parametrize("words", [{"actor": " "}, {"reason": ""}])
def test_actor_and_reason_are_required(
    place: ModelLender, register: Register, words: dict[str, str]
) -> None:
    register()
    with pytest.raises(ApprovalError, match=r"give --(actor|reason)"):
        _approve(place, **words)


def test_approving_the_champion_again_changes_nothing(
    place: ModelLender, register: Register
) -> None:
    register()
    _approve(place)
    head = place.lake.head(approvals.APPROVALS.name)
    assert _approve(place) == 1
    assert place.lake.head(approvals.APPROVALS.name) == head
    assert len(_ledger_kinds(place)) == 2


def test_an_artefact_altered_before_approval_is_refused(
    place: ModelLender, register: Register
) -> None:
    folder = place.registry.artefact_dir(register())
    (folder / "extra.txt").write_text("x")
    with pytest.raises(
        ApprovalError, match="customer_ranking version 1 was altered after it was registered"
    ):
        _approve(place)


@pytest.mark.parametrize("name", ["paid_30d/scorer.json", "metadata.json", "model_card.md"])
def test_an_artefact_altered_after_approval_does_not_score(
    place: ModelLender, register: Register, name: str
) -> None:
    folder = place.registry.artefact_dir(register())
    _approve(place)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(
        ApprovalError, match="customer_ranking version 1 was altered after it was registered"
    ):
        _load(place)


def test_an_artefact_that_is_gone_does_not_score(place: ModelLender, register: Register) -> None:
    folder = place.registry.artefact_dir(register())
    _approve(place)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(ApprovalError, match="does not exist"):
        _load(place)


def test_an_approval_of_other_bytes_does_not_count(place: ModelLender, register: Register) -> None:
    register()
    _approve(place)
    with create_engine(place.registry.tracking_uri).begin() as connection:
        connection.execute(
            text("UPDATE model_version_tags SET value = :hash WHERE key LIKE '%artefact%'"),
            {"hash": "f" * 64},
        )
    with pytest.raises(
        ApprovalError,
        match=r"customer_ranking version 1 .* is not the artefact that officer approved",
    ):
        _load(place)


def test_the_newest_approval_counts_and_a_rollback_undoes_it(
    place: ModelLender, register: Register
) -> None:
    register()
    _approve(place)
    register("second")
    assert _load(place).version == 1  # registering approves nothing
    assert _approve(place) == 2
    assert _load(place).version == 2
    assert _decide(place, "rollback") == 1
    assert _load(place).version == 1
    assert _decide(place, "rollback") is None
    with pytest.raises(NoApprovedModel):
        _load(place)
    assert _approve(place, version=1) == 1
    states = [e.state for e in approvals.history(place.lake, FAMILY)]
    assert states.count("approved") == 3 and states.count("rolled_back") == 2
    assert len(_ledger_kinds(place)) == len(states) == 7


def test_a_rollback_onto_altered_bytes_is_refused(place: ModelLender, register: Register) -> None:
    folder = place.registry.artefact_dir(register())
    _approve(place)
    register("second")
    _approve(place)
    (folder / "extra.txt").write_text("x")
    with pytest.raises(ApprovalError, match="altered"):
        _decide(place, "rollback")
    assert _load(place).version == 2


def test_a_version_can_be_rejected_unless_it_is_in_force(
    place: ModelLender, register: Register
) -> None:
    register()
    register("second")
    _approve(place, version=1)
    assert _decide(place, "reject", version=2) == 2
    assert _decide(place, "reject", version=2) == 2
    states = [e.state for e in approvals.history(place.lake, FAMILY)]
    assert states.count("rejected") == 1
    with pytest.raises(ApprovalError, match="paymentor models rollback"):
        _decide(place, "reject", version=1)


def test_an_approval_that_died_is_finished_by_repeating_it(
    place: ModelLender, register: Register
) -> None:
    register()
    with pytest.raises(SimulatedCrash), armed("models.approve.after_approval"):
        _approve(place)
    assert _approve(place) == 1
    assert [e.state for e in approvals.history(place.lake, FAMILY)] == ["registered", "approved"]
    assert _ledger_kinds(place) == ["model.registered", "model.approved"]


def test_two_decisions_at_once_are_not_both_made(
    place: ModelLender, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    _approve(place)
    events = approvals.history(place.lake, FAMILY)
    monkeypatch.setattr(approvals, "history", lambda *_: [])
    with pytest.raises(ApprovalError, match="at the same moment"):
        approvals.append(place.lake, events[-1:])


def test_registrations_are_written_down_once(place: ModelLender, register: Register) -> None:
    register()
    words = {"family": FAMILY, "clock": CLOCK}
    for expected in (1, 0):
        recorded = models.record_registrations(place.lake, place.registry, place.store, **words)
        assert recorded == expected
    assert _ledger_kinds(place) == ["model.registered"]


def test_the_inventory_says_where_every_version_stands(
    place: ModelLender, register: Register
) -> None:
    register()
    register("second")
    _approve(place, version=1)
    second, first = inventory.list_versions(place.lake, place.registry, FAMILY)
    assert (second["version"], second["state"], second["is_champion"]) == (2, "registered", False)
    assert (first["state"], first["is_champion"], first["decided_by"]) == (
        "approved",
        True,
        "officer",
    )
    shown = inventory.show(place.lake, place.registry, FAMILY, 1)
    assert shown["artefact_is_intact"] and shown["card"].startswith("# Model card")
    assert [d["state"] for d in shown["decisions"]] == ["registered", "approved"]
    assert inventory.compare(place.registry, FAMILY, 1, 2)["metrics"] == [
        {"metric": "paid_30d.auc", "version": 0.8, "other": pytest.approx(0.86), "difference": 0.06}
    ]
