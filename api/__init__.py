"""What calls in from outside, over HTTP.

A receiver checks who speaks, writes down what was said before it answers, and decides nothing:
the rest happens in the asset graph. Only commands import this package.
"""
