"""Engagement: what leaves the house and what comes back.

What belongs here: dispatching planned actions through the gate and the channels, and turning the
provider events that answer them into facts. What does not: deciding whom to contact.
"""
