"""Bytes to all-text relations in DuckDB, one module a format; no Dagster, no contract checks."""
