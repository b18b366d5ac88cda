"""Who is contacted, when, through which channel, with what: the plan of a day.

What belongs here: candidates, treatments, allocation under capacity, the plan and its queue. What
does not: whether a candidate may be contacted (compliance), sending (engagement).
"""
