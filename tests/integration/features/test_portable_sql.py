"""One SQL for two engines: the project keeps the rules, and each rule catches its violation.

The project is compiled in a copy whose engine macros are Spark's, so what is parsed is what a Spark
target would run. The same dbt run makes the documentation, which must need no network and no lake.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paymentor_assets.features.project import PROJECT_DIR
from paymentor_assets.settings import PROJECT_ROOT
from tests.support.portable_sql import compiled_findings, in_compiled, in_source, source_findings

_DBT = (sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dbt's target folder after `dbt docs generate` for Spark, without a lake."""
    root = tmp_path_factory.mktemp("spark")
    project = root / "dbt_project"
    shutil.copytree(PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    for macros in (project / "macros" / "engine").glob("*.sql"):
        # An engine macro without a Spark form keeps its default, which then must be Spark's SQL.
        text = macros.read_text()
        for name in re.findall(r"macro spark__(\w+)", text):
            text = text.replace(f"macro default__{name}", f"macro duckdb_only__{name}")
            text = text.replace(f"macro spark__{name}", f"macro default__{name}")
        macros.write_text(text)
    done = subprocess.run(
        [*_DBT, "docs", "generate", "--select", "path:models"],
        cwd=project,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(PROJECT_ROOT),
            "PAYMENTOR_ENV": "test",
            "PAYMENTOR_HOME": str(root / "home"),
            # A door that leads nowhere: whoever wants the network fails.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project / "target"


def test_the_sources_say_nothing_that_one_engine_alone_understands() -> None:
    assert [str(finding) for finding in source_findings(PROJECT_DIR)] == []


def test_every_model_is_spark_sql_that_leaves_nothing_to_the_engine(target: Path) -> None:
    models = target / "compiled" / "paymentor" / "models"
    assert len(list(models.rglob("*.sql"))) > 50
    assert [str(finding) for finding in compiled_findings(models)] == []


def test_documentation_is_made_offline_and_describes_everything(target: Path) -> None:
    assert (target / "index.html").exists() and (target / "catalog.json").exists()
    manifest = json.loads((target / "manifest.json").read_text())
    shown = [
        *(n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed")),
        *manifest["sources"].values(),
        *manifest["exposures"].values(),
    ]
    assert len(shown) > 80
    silent = [node["unique_id"] for node in shown if not node["description"].strip()] + [
        f"{node['unique_id']}.{column['name']}"
        for node in shown
        for column in node.get("columns", {}).values()
        if not column["description"].strip()
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("select a::int as a from t", "cast written ::"),
        ("select a from t qualify row_number() over (order by a) = 1", "QUALIFY"),
        ("select list_contains(a, 'x') as a from t", "function of one engine"),
        ("select {{ f('x') }}, strftime(a, '%Y') as a from t", "function of one engine"),
        ("select epoch (a) as a from t", "function of one engine"),
        ("select {{ dbt.datediff('a', 'b', 'day') }} as n from t", "dbt's own date macros"),
        ("select {{ dateadd('day', 1, 'a') }} as n from t", "dbt's own date macros"),
    ],
)
def test_a_source_that_breaks_a_rule_is_found(sql: str, rule: str) -> None:
    assert [finding.rule for finding in in_source("models/x.sql", sql)] == [rule]


@pytest.mark.parametrize(
    "sql",
    [
        "with q as (select 'a::b qualify epoch(1)' as a from t) select a from q -- a::b",
        "select {{ plus_days('a', 1) }} as a, {{ money('sum(x)') }} as b from {{ ref('t') }} as t",
        "{#- dateadd(x) is avoided -#} select cast(a as decimal(18, 2)) as a from t where a in (1)",
    ],
)
def test_a_source_that_keeps_the_rules_is_left_alone(sql: str) -> None:
    assert [str(finding) for finding in in_source("models/x.sql", sql)] == []


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("select a from t order by a", "implicit null order"),
        ("select a from t order by a desc", "implicit null order"),
        (
            "select cast(max(a) over (partition by b order by c) as int) as a from t",
            "implicit null order",
        ),
        (
            "select cast(row_number() over (partition by b order by c asc nulls last) as int) as n "
            "from t",
            "no unique tie-break",
        ),
        ("select cast(lag(a) over (partition by b) as int) as n from t", "no unique tie-break"),
        ("select cast(a / b as double) as a from t", "division of exact numbers"),
        (
            "select cast(cast(a as decimal(18, 2)) / nullif(b, 0) as double) as a from t",
            "division of exact numbers",
        ),
        ("select sum(a) as a from t", "output column without a cast"),
        ("select 1 as a", "output column without a cast"),
        ("select * except (a) from t", "DuckDB's own SQL"),
        ("select * replace (1 as a) from t", "DuckDB's own SQL"),
        ("select distinct on (a) b from t", "DuckDB's own SQL"),
        ("select a from t asof join u using (a)", "DuckDB's own SQL"),
        ("select cast([x for x in a] as string) as a from t", "DuckDB's own SQL"),
        ("select cast(a[1:2] as string) as a from t", "DuckDB's own SQL"),
        ("select cast({'a': 1} as string) as a from t", "not Spark's SQL"),
    ],
)
def test_a_compiled_model_that_breaks_a_rule_is_found(sql: str, rule: str) -> None:
    assert rule in [finding.rule for finding in in_compiled("intermediate/x.sql", sql)]


def test_a_mart_says_the_type_of_every_column_again() -> None:
    sql = "select a, cast(b as int) as b from t"
    assert [str(f) for f in in_compiled("intermediate/x.sql", sql)] == []
    (finding,) = in_compiled("marts/x.sql", sql)
    assert (finding.rule, finding.what) == ("output column without a cast", "a")


@pytest.mark.parametrize(
    "order",
    ["c asc nulls last, event_id asc nulls first", "c desc nulls last\n-- unique: c is the key.\n"],
)
def test_a_total_order_is_left_alone(order: str) -> None:
    sql = f"select cast(row_number() over (partition by b order by {order}) as int) as n from t"
    assert [str(f) for f in in_compiled("intermediate/x.sql", sql)] == []
