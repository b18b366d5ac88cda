"""Credit offers: what a customer in good standing can carry, at which price, and how likely a yes.

What belongs here: affordability, pricing, acceptance, the offers of a day. What does not: whether
an offer may be sent (compliance) and to whom a contact of the day goes (strategies).
"""
