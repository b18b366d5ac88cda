"""What a consent allows: the fair-use rules as data, and the checks of artefacts and fetches."""
