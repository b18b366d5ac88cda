"""Publications, ledger, digests and upkeep: what lets somebody else check our word.

What belongs here: provenance that every stage writes and reads. What does not: any stage's logic.
"""
