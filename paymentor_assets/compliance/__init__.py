"""The gate: whether a contact or an offer may reach a person, and why not.

What belongs here: rules as effective-dated data, the facts they read, and one set-based pass that
judges candidates. What does not: choosing among the allowed (strategies), sending (engagement).
"""
