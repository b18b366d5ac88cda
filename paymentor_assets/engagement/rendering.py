"""Words of a message: one template a treatment, channel and language, filled in strictly.

A template that asks for a variable nobody gave is an error, not a message with a hole in it. A
language without a template falls back to the lender's default, and the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape
from pydantic import BaseModel, ConfigDict, ValidationError

from paymentor_assets.lenders import Channel, Lender
from resources.errors import ContractError

TEMPLATES_DIR = Path(__file__).parent / "templates"
#: E-mail is HTML; everything else is plain text, where escaping would show.
_HTML_CHANNELS = frozenset({"email"})

_plain = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_html = SandboxedEnvironment(undefined=StrictUndefined, autoescape=True)


@dataclass(frozen=True)
class Rendered:
    """A message in words. `fell_back_from` is the language that was asked for and is missing."""

    subject: str | None
    body: str
    language: str
    fell_back_from: str | None
    template_sha256: str


class Texts(BaseModel):
    """The words of one template in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str | None = None
    body: str


class Treatment(BaseModel):
    """The templates of one treatment: texts by channel and language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    treatment: str
    variables: list[str]
    channels: dict[Channel, dict[str, Texts]]


class Common(BaseModel):
    """Sentences that every message carries: by channel and language, and by language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opt_out: dict[Channel, dict[str, str]]
    collector_notice: dict[str, str]


class RenderingError(ContractError):
    """A message cannot be put into words; it must not be sent."""


def template_ids(directory: Path = TEMPLATES_DIR) -> list[str]:
    """Every template id there is, `<treatment>.<channel>`, sorted."""
    treatments = load_treatments(directory)
    return sorted(f"{name}.{channel}" for name, t in treatments.items() for channel in t.channels)


def required_variables(template_id: str, directory: Path = TEMPLATES_DIR) -> list[str]:
    """What an action's payload must hold for this template (the lender's name and the like come
    by themselves); raises RenderingError for an unknown template."""
    treatment, _ = _find(template_id, directory)
    return list(treatment.variables)


def render(
    template_id: str,
    *,
    language: str,
    lender: Lender,
    account_id: str | None,
    currency: str,
    variables: Mapping[str, object],
    directory: Path = TEMPLATES_DIR,
) -> Rendered:
    """Fill a template in.

    Raises RenderingError for an unknown template, a language that neither the template nor the
    lender's default has, a missing variable, or a result without the opt-out sentence.
    """
    treatment, channel = _find(template_id, directory)
    by_language = treatment.channels[channel]
    used = language if language in by_language else lender.default_language
    if used not in by_language:
        raise RenderingError(
            f"Template {template_id} has neither {language!r} nor the default {used!r} of lender "
            f"{lender.lender_id}; it has {', '.join(sorted(by_language))}."
        )
    common = _common(directory)
    opt_out = _sentence(common.opt_out.get(channel, {}), used, f"opt-out sentence for {channel}")
    notice = (
        _sentence(common.collector_notice, used, "collector notice")
        if lender.role == "third_party"
        else ""
    )
    is_html = channel in _HTML_CHANNELS
    values = {
        **variables,
        "lender_name": lender.name,
        "account_reference": (account_id or "")[-4:],
        "currency": currency,
        "opt_out": opt_out,
        "collector_notice": notice,
    }
    texts = by_language[used]
    # A subject is a header, not HTML: escaping would show.
    subject = None if texts.subject is None else _fill(False, texts.subject, values, template_id)
    body = _fill(is_html, texts.body, values, template_id)
    expected = str(escape(opt_out)) if is_html else opt_out
    if expected not in body:
        raise RenderingError(
            f"Template {template_id} ({used}) lacks the opt-out sentence; add {{{{ opt_out }}}}."
        )
    return Rendered(
        subject=" ".join(subject.split()) if subject is not None else None,
        body=body.strip() if is_html else " ".join(body.split()),
        language=used,
        fell_back_from=None if used == language else language,
        template_sha256=sha256(texts.model_dump_json().encode()).hexdigest(),
    )


def _sentence(by_language: Mapping[str, str], language: str, what: str) -> str:
    try:
        return by_language[language]
    except KeyError:
        raise RenderingError(f"_common.yaml has no {what} in {language!r}; add it.") from None


def _fill(is_html: bool, text: str, values: Mapping[str, object], template_id: str) -> str:
    try:
        return _compiled(is_html, text).render(values)
    except UndefinedError as error:
        raise RenderingError(
            f"Template {template_id} needs a variable the action does not carry: {error.message}. "
            "The strategy that chose it must put the value into the payload."
        ) from error
    except TemplateError as error:
        raise RenderingError(f"Template {template_id} cannot be filled in: {error}.") from error


@lru_cache(maxsize=1024)
def _compiled(is_html: bool, text: str) -> Template:
    return (_html if is_html else _plain).from_string(text)


def _find(template_id: str, directory: Path) -> tuple[Treatment, Channel]:
    name, _, wanted = template_id.partition(".")
    treatment = load_treatments(directory).get(name)
    channel = next((c for c in treatment.channels if c == wanted), None) if treatment else None
    if treatment is None or channel is None:
        raise RenderingError(
            f"No template {template_id!r}; known ones: {', '.join(template_ids(directory))}."
        )
    return treatment, channel


@lru_cache(maxsize=8)
def load_treatments(directory: Path = TEMPLATES_DIR) -> dict[str, Treatment]:
    """Every treatment's texts by name; raises ContractError naming the file that is malformed."""
    treatments = {}
    for path in sorted(directory.glob("[!_]*.yaml")):
        content = _read(path)
        try:
            treatment = Treatment.model_validate(
                {
                    "treatment": content.pop("treatment"),
                    "variables": content.pop("variables"),
                    "channels": content,
                }
            )
        except (KeyError, ValidationError) as error:
            raise ContractError(f"{path} is not a template file: {error}.") from error
        if treatment.treatment != path.stem:
            raise ContractError(f"{path} names treatment {treatment.treatment!r}; rename one.")
        treatments[path.stem] = treatment
    return treatments


@lru_cache(maxsize=8)
def _common(directory: Path) -> Common:
    path = directory / "_common.yaml"
    try:
        return Common.model_validate(_read(path))
    except ValidationError as error:
        raise ContractError(f"{path} is malformed: {error}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ContractError(f"{path} is not YAML: {error}.") from error
    if not isinstance(content, dict):
        raise ContractError(f"{path} holds no mapping; see its neighbours for the form.")
    return content
