"""Features: the dbt project as assets, and its publication.

What belongs here: running dbt over pinned inputs, publishing its marts once their tests pass. What
does not: feature logic, which is SQL in `dbt_project/`.
"""
