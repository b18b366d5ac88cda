"""Reading a day part by part: what a model refuses must not depend on how the day was cut.

A column that is empty although it was filled in training is refused, but only when the whole day
lacks it: the accounts of one part may all be of a product that never has it.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from paymentor_assets.models.artefact import ModelArtefact


class DayReader:
    """One artefact's reading of one day's frames. `of_parts` is the artefact that reads them."""

    def __init__(self, artefact: ModelArtefact) -> None:
        self.of_parts = artefact.of_parts()
        self._artefact = artefact
        self._filled: set[str] = set()
        self._rows = 0

    def features(self, frame: pa.Table) -> pd.DataFrame:
        """The frame's columns that the model may know, as `of_parts` reads them.

        What it needs and lacks is its own to refuse.
        """
        known = [name for name in self.of_parts.phrases if name in frame.column_names]
        rows = frame.num_rows
        self._rows += rows
        self._filled.update(name for name in known if frame.column(name).null_count < rows)
        features: pd.DataFrame = frame.select(known).to_pandas()
        return features

    def check(self) -> None:
        """After the last part: ContractError naming family and column that no part had filled."""
        self._artefact.check_filled(self._filled, self._rows)
