"""Models: from published features to an approved, hash-checked artefact.

What belongs here: the extract that training may see, the families, their evaluation, the artefact
format and the approvals. What does not: the daily scores (rankings).
"""
