"""Connectors: sources that are asked, or that call, instead of dropping files.

What belongs here: fetching over HTTP, checking who speaks, remembering what was told already, and
putting it into the landing zone as a file of its feed. What does not: whether a row is good. A
connector's file is validated, tokenised, quarantined and counted like every other file, so there
is one door into the house.
"""
