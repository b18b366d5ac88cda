"""What the dbt project may say, so that one SQL runs in DuckDB and in Spark.

Two looks. The sources (models, and macros outside `macros/engine`) are read without their Jinja:
there an operator or a function of one engine shows itself. The models compiled as Spark would see
them are parsed: there order, casts and divisions show, whichever macro wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.dialects import Spark
from sqlglot.errors import ParseError

ENGINE = Path("macros", "engine")

#: Functions that take the same arguments and mean the same in DuckDB and in Spark. Any other
#: belongs into a dispatched macro in `macros/engine`.
FUNCTIONS = frozenset({
    "abs", "avg", "cast", "ceil", "coalesce", "concat", "count", "dense_rank", "exp", "extract",
    "first_value", "floor", "greatest", "lag", "last_value", "lead", "least", "length", "ln",
    "lower", "lpad", "max", "max_by", "min", "min_by", "mod", "nullif", "power", "rank",
    "regexp_like", "replace", "round", "row_number", "rpad", "sign", "sqrt", "stddev_samp",
    "substring", "sum", "translate", "trim", "upper", "var_samp",
})  # fmt: skip
#: Words that stand before a parenthesis without being functions.
_WORDS = frozenset({
    "_", "all", "and", "any", "as", "asc", "between", "by", "case", "desc", "distinct", "else",
    "except", "exists", "filter", "first", "from", "group", "having", "in", "intersect", "is",
    "join", "last", "like", "not", "nulls", "null", "on", "or", "order", "over", "partition",
    "select", "set", "then", "union", "using", "values", "when", "where", "with",
})  # fmt: skip
_TYPES = frozenset({
    "char", "decimal", "numeric", "varchar",
})  # fmt: skip
_JINJA = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.S)
_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.S)
_CALL = re.compile(r"(?<![.\w])([a-z_][a-z_0-9]*)\s*\(", re.I)
#: A relation or common table expression with its columns: `name (` after `with` or a comma.
_NAMED = re.compile(r"(?<![.\w])([a-z_][a-z_0-9]*)\s+as\s+\(", re.I)
_DBT_DATES = re.compile(r"\b(?:dbt\.)?(dateadd|datediff)\s*\(", re.I)
#: An order that ends with one of these is total; else a comment `unique: …` after it says why.
_TIE_BREAK = re.compile(r"(_id|^_row_number|^change_number)$")
_RANKING = (exp.RowNumber, exp.Lead, exp.Lag, exp.FirstValue, exp.LastValue, exp.NthValue)
_DUCKDB_FORMS = (exp.Array, exp.Columns, exp.Distinct, exp.Join, exp.Slice, exp.Star, exp.Struct)


class _NullsSmall(Spark):
    NULL_ORDERING = "nulls_are_small"


class _NullsLarge(Spark):
    NULL_ORDERING = "nulls_are_large"


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.what}"


def source_findings(project: Path) -> list[Finding]:
    """What the sources of a dbt project say that only one engine understands."""
    paths = [*(project / "models").rglob("*.sql"), *(project / "macros").rglob("*.sql")]
    return [
        finding
        for path in sorted(paths)
        if not path.relative_to(project).is_relative_to(ENGINE)
        for finding in in_source(path.relative_to(project).as_posix(), path.read_text())
    ]


def in_source(where: str, text: str) -> Iterator[Finding]:
    """The findings of one model or macro file as it is written."""
    for block in _JINJA.findall(text):
        if not block.startswith("{#") and (found := _DBT_DATES.search(block)):
            yield Finding("dbt's own date macros", where, found.group(1))
    sql = _LITERAL.sub(" ", _JINJA.sub(" _ ", _LITERAL.sub(_kept_jinja, text)))
    if "::" in sql:
        yield Finding("cast written ::", where, "write cast(… as …)")
    if re.search(r"\bqualify\b", sql, re.I):
        yield Finding("QUALIFY", where, "rank in a common table expression and filter after it")
    named = {name.lower() for name in _NAMED.findall(sql)}
    for name in sorted({name.lower() for name in _CALL.findall(sql)}):
        if name not in FUNCTIONS | _WORDS | _TYPES | named:
            yield Finding("function of one engine", where, name)


def _kept_jinja(literal: re.Match[str]) -> str:
    # A quote inside Jinja opens no SQL literal: such text goes with its block.
    return literal.group() if "{" in literal.group() or "}" in literal.group() else " _ "


def compiled_findings(folder: Path) -> list[Finding]:
    """What compiled models leave to an engine; `folder` is `…/compiled/paymentor/models`."""
    return [
        finding
        for path in sorted(folder.rglob("*.sql"))
        # Compiled tests lie in folders named as the yml they stand in.
        if path.parent.suffix != ".yml"
        for finding in in_compiled(path.relative_to(folder).as_posix(), path.read_text())
    ]


def in_compiled(where: str, text: str) -> Iterator[Finding]:
    """The findings of one model compiled for Spark; `where` begins with its layer."""
    # dbt quotes relations as its adapter does, and this adapter is not Spark's.
    sql = text.replace('"', "`")
    try:
        tree = parse_one(sql, dialect=_NullsSmall, error_level=ErrorLevel.RAISE)
        other = parse_one(sql, dialect=_NullsLarge, error_level=ErrorLevel.RAISE)
    except ParseError as error:
        yield Finding("not Spark's SQL", where, str(error).splitlines()[0])
        return
    # Without NULLS FIRST or LAST the two dialects put nulls at opposite ends.
    for one, two in zip(tree.find_all(exp.Ordered), other.find_all(exp.Ordered), strict=True):
        if one.args.get("nulls_first") != two.args.get("nulls_first"):
            yield Finding("implicit null order", where, one.this.sql())
    for window in tree.find_all(exp.Window):
        if isinstance(window.this, _RANKING) and not _is_total(window):
            yield Finding("no unique tie-break", where, window.sql(comments=False))
    for division in tree.find_all(exp.Div):
        if not (_is_double(division.this) or _is_double(division.expression)):
            yield Finding("division of exact numbers", where, division.sql())
    for node in tree.find_all(*_DUCKDB_FORMS):
        if _is_duckdb_only(node):
            yield Finding("DuckDB's own SQL", where, node.sql())
    yield from _uncast(where, tree)


def _uncast(where: str, tree: exp.Expression) -> Iterator[Finding]:
    """Output columns whose type an engine would choose.

    A column passed on has the type it got in the model below; in a mart it is said again, because
    the contract is what is published.
    """
    is_mart = where.startswith("marts/")
    for item in tree.selects:  # type: ignore[attr-defined]
        value = item.unalias()
        passed_on = isinstance(value, exp.Column | exp.Star) and not is_mart
        if not isinstance(value, exp.Cast) and not passed_on:
            yield Finding("output column without a cast", where, item.sql(comments=False))


def _is_total(window: exp.Window) -> bool:
    order = window.args.get("order")
    if order is None:
        return False
    # The parser hands a comment at the end of a window to the name that the window is given.
    item = window.find_ancestor(exp.Alias) or window
    if "unique:" in item.sql(comments=True):
        return True
    last = order.expressions[-1].this
    return isinstance(last, exp.Column) and bool(_TIE_BREAK.search(last.name))


def _is_duckdb_only(node: exp.Expression) -> bool:
    if isinstance(node, exp.Star):
        return bool(node.args.get("except_") or node.args.get("replace"))
    if isinstance(node, exp.Join):
        return node.method in ("ASOF", "POSITIONAL")
    return not isinstance(node, exp.Distinct) or bool(node.args.get("on"))


def _is_double(value: exp.Expression | None) -> bool:
    """Whether both engines compute in DOUBLE: one operand or branch of that type makes it so."""
    if isinstance(value, exp.Cast):
        return value.to.is_type("double")
    if isinstance(value, exp.Sqrt):
        return True
    if isinstance(value, exp.Binary):
        return _is_double(value.this) or _is_double(value.expression)
    if isinstance(value, exp.Case):
        branches = [branch.args["true"] for branch in value.args["ifs"]]
        return any(map(_is_double, [*branches, value.args.get("default")]))
    if isinstance(
        value, exp.Paren | exp.Neg | exp.Nullif | exp.Round | exp.Greatest | exp.Coalesce
    ):
        return any(map(_is_double, [value.this, *value.expressions]))
    return False
