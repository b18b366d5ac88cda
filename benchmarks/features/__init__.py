"""Benchmarks of the daily feature build."""
