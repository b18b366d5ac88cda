"""One module a feed (or a family of small ones): from simulated facts to the rows of a file."""
