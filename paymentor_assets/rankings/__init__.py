"""Rankings: the day's scores by approved models, and each customer's likely channel.

What belongs here: scoring, reason codes, channel preferences and their publication. What does not:
training and approval (models), and what to do about a score (strategies).
"""
