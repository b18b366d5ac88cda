"""Every door to the outside: lakehouse, operational store, vault, landing, streams, clock.

What belongs here: how to reach a system. What does not: any knowledge of assets, stages or rules.
Nothing here imports `paymentor_assets`, `sensors` or `simulator`.
"""
