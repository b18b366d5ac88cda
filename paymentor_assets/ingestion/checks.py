"""Contract to SQL: typed rows, and for each row that does not fit, every fault as a sentence.

`typed_<i>` holds each row with its stored columns and whether it is clean; `faults` holds one row
a fault. A row with any fault is rejected; its first fault gives the reason code.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import pyarrow as pa

from paymentor_assets.ingestion.contracts.categories import category_sql
from paymentor_assets.ingestion.contracts.date_patterns import pattern_of
from paymentor_assets.ingestion.contracts.model import ColumnContract, RecordContract
from paymentor_assets.ingestion.parsers.faults import PARSE_FAULTS
from resources.duck import quote

FAULTS_DDL = """
    CREATE OR REPLACE TEMP TABLE faults (
        record_index INTEGER, file_index INTEGER, row_number BIGINT, position INTEGER,
        column_name VARCHAR, reason_code VARCHAR, sentence VARCHAR, value VARCHAR
    )
"""
#: Where a value may be quoted in a sentence; replaced by the value or by "the value".
VALUE = "{value}"

_WHOLE_ROW, _PARENT, _FIRST_COLUMN = 0, 1, 2

_FORMS = {
    "date": r"\d{4}-\d{2}-\d{2}",
    "local_date": r"\d{4}-\d{2}-\d{2}(T.*)?",
    "timestamp": r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})",
    "decimal": r"[+-]?\d{1,16}(\.\d{1,2}0*)?",
    "integer": r"[+-]?\d{1,10}",
    "double": r"[+-]?\d{1,18}(\.\d{0,20})?([eE][+-]?\d{1,2})?",
    "boolean": r"(?i)true|false",
}
_CASTS = {
    "date": "try_cast({c} AS DATE)",
    "local_date": "try_cast(left({c}, 10) AS DATE)",
    # DuckDB reads the offset only for TIMESTAMPTZ and drops it silently for TIMESTAMP.
    "timestamp": "CASE WHEN {c} LIKE '%Z' THEN try_cast(left({c}, -1) AS TIMESTAMP) "
    "ELSE try_cast({c} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END",
    "decimal": "try_cast({c} AS DECIMAL(18,2))",
    "integer": "try_cast({c} AS INTEGER)",
    "double": "try_cast({c} AS DOUBLE)",
    "boolean": "try_cast({c} AS BOOLEAN)",
}
_CANONICAL = {"date", "decimal", "integer"}
_MEANINGS = {
    "date": "a date (YYYY-MM-DD)",
    "local_date": "a date (YYYY-MM-DD)",
    "timestamp": "an instant with an offset (2026-01-31T09:15:00Z)",
    "decimal": "an amount with at most 16 digits and two decimals",
    "integer": "a whole number",
    "double": "a number",
    "boolean": "true or false",
}


def stage_typed(
    con: duckdb.DuckDBPyConnection, record: RecordContract, index: int, *, zone: str
) -> None:
    """Table `typed_<index>` from `fields_<index>`, and the faults that one row alone can have.

    Needs `files` (file_index, name, business_date, known_at), `faults` and the macros
    `token_<kind>` and `sealed_<kind>`.
    `zone` is the lender's, for instants that are written without an offset.
    """
    columns = record.delivered_columns
    texts = ", ".join(f'f."{c.name}" AS c{i}' for i, c in enumerate(columns))
    typed = ", ".join(f"{_typed(c, i, zone)} AS t{i}" for i, c in enumerate(columns))
    staged = (
        "f.file_index, f.row_number, f.line_number, f.parse_error, f.fault_column, f.column_count"
    )

    def rows(only: str = "") -> str:
        return (
            f"SELECT *, {typed} FROM (SELECT {staged}, {texts} FROM fields_{index} AS f {only}) "
            f"AS r JOIN files USING (file_index)"
        )

    codes = [_code(c, i, record) for i, c in enumerate(columns)]
    stored = ", ".join(f't{i} AS "{c.stored_name}"' for i, c in enumerate(columns))
    derived = "".join(
        f', {_derived(c, columns)} AS "{c.name}"' for c in record.columns if c.derived
    )
    sealed = "".join(
        f', sealed_{c.pii}(c{i}) AS "{c.sealed_name}"'
        for i, c in enumerate(columns)
        if c.sealed_name
    )
    clean = " AND ".join(["parse_error IS NULL", *(f"({code}) IS NULL" for code in codes)])
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE typed_{index} AS
        SELECT file_index, row_number, line_number, {stored}{derived}{sealed}, {clean} AS is_clean
        FROM ({rows()})
        """
    )
    if con.execute(f"FROM typed_{index} WHERE NOT is_clean LIMIT 1").fetchone():
        unclean = f"(FROM typed_{index} WHERE NOT is_clean) USING (file_index, row_number)"
        con.execute(f"CREATE OR REPLACE TEMP TABLE suspects AS {rows(f'SEMI JOIN {unclean}')}")
        con.execute(_parse_faults(record, index))
        for i, c in enumerate(columns):
            con.execute(_column_faults(c, i, codes[i], record, index))
    if record.rules:
        con.execute(_rule_faults(record, index))


def reject_children(con: duckdb.DuckDBPyConnection, child: int, parent: int) -> None:
    """Faults for records whose enclosing record was rejected."""
    con.execute(
        f"""
        INSERT INTO faults
        SELECT {child}, c.file_index, c.row_number, {_PARENT}, NULL, 'PARENT_REJECTED',
               name || ', row ' || c.row_number || ': the account it belongs to (row '
               || p.row_number || ') was rejected; correct that and deliver both again.', NULL
        FROM typed_{child} AS c JOIN files USING (file_index)
        JOIN typed_{parent} AS p
          ON p.file_index = c.file_index AND p.line_number = c.line_number
        SEMI JOIN (SELECT file_index, row_number FROM faults WHERE record_index = {parent}) AS bad
          ON bad.file_index = p.file_index AND bad.row_number = p.row_number
        """
    )


def reject_repeated_keys(
    con: duckdb.DuckDBPyConnection, record: RecordContract, index: int, *, is_first: bool
) -> None:
    """Faults for rows whose key an earlier sound row of the same file already has.

    Table `keys_<index>` remembers the keys of a file that comes in pieces; `is_first` begins anew.
    """
    key = ", ".join(f'"{k}"' for k in record.key)
    sound = (
        f"FROM typed_{index} ANTI JOIN (SELECT file_index, row_number FROM faults "
        f"WHERE record_index = {index}) AS bad USING (file_index, row_number)"
    )
    if is_first:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE keys_{index} AS "
            f"SELECT file_index, {key}, row_number FROM typed_{index} LIMIT 0"
        )
    con.execute(f"INSERT INTO keys_{index} SELECT file_index, {key}, row_number {sound}")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT file_index, {key}, min(row_number) AS first_row
        FROM keys_{index} SEMI JOIN typed_{index} USING (file_index, {key})
        GROUP BY file_index, {key} HAVING count(*) > 1
        """
    )
    con.execute(
        f"""
        INSERT INTO faults
        SELECT {index}, file_index, row_number, {len(record.columns) + _FIRST_COLUMN},
               NULL, 'DUPLICATE_KEY',
               name || ', row ' || row_number || {quote(f": the key ({', '.join(record.key)}) ")}
               || 'already stands in row ' || first_row || ' of the file; the first row was taken.',
               NULL
        FROM (SELECT * {sound}) JOIN repeated USING (file_index, {key})
        JOIN files USING (file_index)
        WHERE row_number > first_row
        """
    )


def accepted_rows(
    con: duckdb.DuckDBPyConnection,
    record: RecordContract,
    index: int,
    *,
    schema: pa.Schema,
    lender_id: str,
    ingested_at: datetime,
) -> pa.Table:
    """View `accepted_<index>`: the rows without a fault, in files that are not refused; returns
    them in the table's schema.

    Columns of the table that the lender's contract leaves out are null.
    """
    stored = ", ".join(f'"{c.stored_name}"' for c in record.columns)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW accepted_{index} AS
        SELECT * FROM typed_{index} JOIN files USING (file_index)
        ANTI JOIN (SELECT file_index, row_number FROM faults WHERE record_index = {index}) AS bad
          USING (file_index, row_number)
        WHERE NOT is_refused
        """
    )
    rows = con.execute(
        f"""
        SELECT {stored}, file_id AS _file_id, row_number AS _row_number, known_at AS _known_at,
               $ingested_at::TIMESTAMP AS _ingested_at, $lender_id::VARCHAR AS _lender_id
        FROM accepted_{index} ORDER BY file_index, row_number
        """,
        {"ingested_at": ingested_at, "lender_id": lender_id},
    ).to_arrow_table()
    present = set(rows.column_names)
    return pa.table(
        [
            rows.column(f.name).cast(f.type) if f.name in present else pa.nulls(len(rows), f.type)
            for f in schema
        ],
        schema=schema,
    )


def _typed(column: ColumnContract, i: int, zone: str) -> str:
    if column.pii:
        return f"token_{column.pii}(c{i})"
    if column.type == "text":
        return f"c{i}"
    if column.format:
        read = f"try_strptime(c{i}, {quote(column.format)})"
        if column.type != "timestamp":
            return f"CAST({read} AS DATE)"
        # With %z DuckDB yields an instant, without it the clock on the lender's wall.
        at = "'UTC'" if "%z" in column.format else f"{quote(zone)} AT TIME ZONE 'UTC'"
        return f"{read} AT TIME ZONE {at}"
    form = quote(_FORMS[column.type])
    cast = _CASTS[column.type].format(c=f"c{i}")
    if column.type in _CANONICAL:
        # What is written as DuckDB writes it needs no pattern, which costs more than both casts.
        return (
            f"CASE WHEN CAST({cast} AS VARCHAR) = c{i} THEN {cast} "
            f"WHEN regexp_full_match(c{i}, {form}) THEN {cast} END"
        )
    return f"CASE WHEN regexp_full_match(c{i}, {form}) THEN {cast} END"


def _derived(column: ColumnContract, columns: tuple[ColumnContract, ...]) -> str:
    position = {c.name: f"c{i}" for i, c in enumerate(columns)}
    return category_sql(
        f"coalesce({position['narration']}, '')", position["mode"], position["direction"]
    )


def _code(column: ColumnContract, i: int, record: RecordContract) -> str:
    """CASE yielding the reason code of one column, NULL when it is sound."""
    c, t = f"c{i}", f"t{i}"
    missing = f"WHEN {c} IS NULL THEN " + ("'MISSING_VALUE'" if column.required else "NULL")
    branches = [missing]
    if column.type != "text":
        branches.append(f"WHEN {t} IS NULL THEN 'BAD_TYPE'")
    if column.enum:
        branches.append(
            f"WHEN {c} NOT IN ({', '.join(map(quote, column.enum))}) THEN 'NOT_IN_LIST'"
        )
    if column.pattern:
        form = quote(column.pattern)
        branches.append(f"WHEN NOT regexp_full_match({c}, {form}) THEN 'BAD_PATTERN'")
    if column.pii:
        branches.append(f"WHEN {t} IS NULL THEN 'BAD_PATTERN'")
    if column.type == "decimal" and (column.min == 0 or column.above == 0):
        branches.append(f"WHEN {t} < 0 THEN 'NEGATIVE_AMOUNT'")
    outside = [
        f"{t} {operator} {bound}"
        for operator, bound in (("<", column.min), ("<=", column.above), (">", column.max))
        if bound is not None
    ]
    if outside:
        branches.append(f"WHEN {' OR '.join(outside)} THEN 'OUT_OF_RANGE'")
    if column.not_after == "business_date":
        branches.append(f"WHEN {t} > business_date THEN 'FUTURE_DATE'")
    if column.not_after == "delivery":
        branches.append(f"WHEN {t} > known_at THEN 'FUTURE_DATE'")
    if record.business_date == column.name:
        branches.append(f"WHEN {t} <> business_date THEN 'BUSINESS_DATE_MISMATCH'")
    return f"CASE {' '.join(branches)} END"


def _column_faults(
    column: ColumnContract, i: int, code: str, record: RecordContract, index: int
) -> str:
    value = "NULL" if column.pii else f"c{i}"
    limits = [
        text
        for text in (
            None if column.min is None else f"at least {column.min}",
            None if column.above is None else f"above {column.above}",
            None if column.max is None else f"at most {column.max}",
        )
        if text
    ]
    late = "known_at" if column.not_after == "delivery" else "business_date"
    what = {
        "MISSING_VALUE": quote("is empty, and the contract requires a value"),
        "BAD_TYPE": quote(f"{VALUE} is not {_meaning(column)}"),
        "NOT_IN_LIST": quote(f"{VALUE} is not one of {', '.join(column.enum or ())}"),
        "BAD_PATTERN": quote(f"{VALUE} does not have the form {column.pattern}"),
        "NEGATIVE_AMOUNT": quote(f"{VALUE} is negative"),
        "OUT_OF_RANGE": quote(f"{VALUE} is not {' and '.join(limits)}"),
        "FUTURE_DATE": quote(
            f"{VALUE} lies after the {column.not_after or ''} of the file, ".replace("_", " ")
        )
        + f" || {late}",
        "BUSINESS_DATE_MISMATCH": quote(f"{VALUE} is not the business date in the file's name, ")
        + " || business_date",
    }
    cases = " ".join(f"WHEN {quote(k)} THEN {v}" for k, v in what.items())
    return f"""
        INSERT INTO faults
        SELECT {index}, file_index, row_number, {i + _FIRST_COLUMN}, {quote(column.name)}, code,
               {_where(column.delivered_as or column.name)} || CASE code {cases} END
               || '; correct it and deliver the row again.', {value}
        FROM (SELECT *, {code} AS code FROM suspects WHERE parse_error IS NULL)
        WHERE code IS NOT NULL
    """


def _rule_faults(record: RecordContract, index: int) -> str:
    """All rules in one pass over the rows that are sound by themselves."""
    tokens = "".join(f', {c.stored_name} AS "{c.name}"' for c in record.columns if c.pii)
    position = {c.name: i + _FIRST_COLUMN for i, c in enumerate(record.columns)}
    hits = ", ".join(
        f"CASE WHEN {rule.violated_when} THEN {i} END" for i, rule in enumerate(record.rules, 1)
    )

    def by_rule(values: list[str]) -> str:
        return f"([{', '.join(values)}])[rule]"

    columns = by_rule([quote(r.column) for r in record.rules])
    return f"""
        INSERT INTO faults
        SELECT {index}, file_index, row_number,
               {by_rule([str(position[r.column]) for r in record.rules])}, {columns},
               {by_rule([quote(r.reason_code) for r in record.rules])},
               name || ', row ' || row_number || ', column ' || {columns} || ': '
               || {by_rule([quote(r.message) for r in record.rules])}
               || '; correct it and deliver the row again.', NULL
        FROM (
            SELECT file_index, row_number,
                   unnest(list_filter([{hits}], lambda x: x IS NOT NULL)) AS rule
            FROM (SELECT *{tokens} FROM typed_{index} WHERE is_clean)
        ) JOIN files USING (file_index)
    """


def _parse_faults(record: RecordContract, index: int) -> str:
    columns = len(record.delivered_columns)
    said = " ".join(f"WHEN {quote(code)} THEN {quote(text)}" for code, text in PARSE_FAULTS.items())
    return f"""
        INSERT INTO faults
        SELECT {index}, file_index, row_number, {_WHOLE_ROW}, fault_column, parse_error,
               name || ', row ' || row_number || coalesce(', column ' || fault_column, '') || ': '
               || CASE parse_error {said}
                   ELSE 'has ' || coalesce(column_count, 0) || ' columns instead of {columns}'
               END || '; correct it and deliver the row again.', NULL
        FROM suspects WHERE parse_error IS NOT NULL
    """


def _meaning(column: ColumnContract) -> str:
    if column.format:
        what = "an instant" if column.type == "timestamp" else "a date"
        return f"{what} as {pattern_of(column.format)}"
    return _MEANINGS.get(column.type, "text")


def _where(column: str) -> str:
    return f"name || ', row ' || row_number || ', column {column}: '"
