"""Learning: from a frame and an outcome to a model that was chosen by measuring.

What belongs here: reading frames, candidates, folds, the choice between candidates, calibration,
intervals, the leakage guard, and the bytes of what was learned. What does not: which family learns
what (families), and where a model is kept and approved (registry, approvals).
"""
