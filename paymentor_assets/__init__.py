"""The asset graph: one package a stage, in lineage order.

ingestion -> features -> models -> rankings -> compliance -> offers -> strategies -> engagement,
with `audit` beside them all. A stage imports only the stages before it.
"""
