"""Benchmarks of the ingestion stage."""
