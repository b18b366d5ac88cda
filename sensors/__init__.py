"""What starts work by itself: new files, new events, closed days; and who hears of the outcome.

Sensors decide *whether* to start, from evidence in the data and in Dagster's own record of runs.
They do no work themselves, and they never rely on run keys: a used run key blocks its work for
ever, also when the run failed. Only the two code locations import this package: production its
`production` and `upkeep`, model development its `development`.
"""
