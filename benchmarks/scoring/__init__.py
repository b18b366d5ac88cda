"""The cost of a day's scores."""
