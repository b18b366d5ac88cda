"""What the command line does: one module a command, without argument parsing.

`cli.py` parses and prints errors; these modules work and report through `console`.
"""
