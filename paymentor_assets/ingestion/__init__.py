"""Landing files to `raw.*`: contract-checked, tokenised, counted, idempotent by content.

What belongs here: what a file must look like, how it is read, what happens to rows that do not
fit, and how a run survives its own death. What does not: any meaning of the data beyond its
contract; that begins in the dbt project.
"""
