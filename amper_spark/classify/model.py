"""What is registered and scores a corpus: a classifier, how sure it may be, and what it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from amper_spark.classify.calibration import Calibration
from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.surroundings import REACH, heard_around
from amper_spark.classify.trees import both_ways
from amper_spark.classify.windows import TABLE_COLUMNS, VECTOR_COLUMNS, assemble_matrix
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from amper_spark.classify.estimator import HierarchicalClassifier
    from amper_spark.classify.trees import Answers

Matrix = npt.NDArray[np.float32]
Words = npt.NDArray[np.object_]
Codes = npt.NDArray[np.int64]

WAYS = ("free", "joint")
"""Ways to answer, see `amper_spark.classify.trees`."""


@dataclass(frozen=True)
class Labels:
    """What a model says of windows.

    Parameters
    ----------
    values : dict of str to dict of str to np.ndarray [shape=(n,), dtype=object]
        By way, ``free`` or ``joint``, then by target: words; levels for valence and momentum.
    confidences : dict of str to np.ndarray [shape=(n, 6), dtype=float32]
        By way; columns as in `amper_spark.classify.hierarchy.TARGETS`.
    descriptors : np.ndarray [shape=(n,), dtype=object]
        The joint answer.
    abstained : np.ndarray [shape=(n,), dtype=bool]
        Whether the model would rather not say.
    """

    values: dict[str, dict[str, Words]]
    confidences: dict[str, npt.NDArray[np.float32]]
    descriptors: Words
    abstained: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.descriptors)

    def to_frame(self) -> pd.DataFrame:
        """Write them as a table: a column each, ``free_genre``, ``free_genre_confidence`` and so on."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for way in WAYS:
            for place, target in enumerate(TARGETS):
                columns[f"{way}_{target}"] = self.values[way][target]
                columns[f"{way}_{target}_confidence"] = self.confidences[way][:, place]
        return pd.DataFrame({**columns, "joint_descriptor": self.descriptors, "abstained": self.abstained})


class DescriptorModel(BaseEstimator):
    """A fitted classifier that says how sure it is.

    Parameters
    ----------
    classifier : HierarchicalClassifier
        Fitted.
    made_with : dict of str to str
        What decides whether it fits a table of windows, and what made it: ``analysis_version``,
        ``catalogue``, ``composer`` and so on.
    abstain_below : float
        Confidence of the free genre below which it abstains; 0 never does.
    reach : int
        How many windows to either side are heard too, see `amper_spark.classify.surroundings`.

    Attributes
    ----------
    calibration_, calibration_alone_ : dict of str to list of Calibration
        By way, one a target, of windows in their surroundings and by themselves; set by `calibrate`. Without
        it, confidences are the classifier's probabilities.
    """

    def __init__(
        self,
        classifier: HierarchicalClassifier,
        made_with: dict[str, str] | None = None,
        abstain_below: float = 0.0,
        reach: int = REACH,
    ) -> None:
        self.classifier = classifier
        self.made_with = made_with
        self.abstain_below = abstain_below
        self.reach = reach

    @property
    def analysis_version(self) -> str | None:
        """The analysis version of the windows that it has learnt from."""
        return (self.made_with or {}).get("analysis_version")

    def calibrate(
        self, around: Mapping[str, Answers], alone: Mapping[str, Answers], nodes: npt.NDArray[np.int64]
    ) -> None:
        """Learn how sure the classifier may be.

        Parameters
        ----------
        around, alone : mapping of str to Answers
            By way: what a classifier like this one said of recordings that it had not heard, of windows in
            their surroundings and by themselves.
        nodes : np.ndarray [shape=(n, 6)]
            What would have been right.
        """
        self.calibration_, self.calibration_alone_ = (
            {
                way: [
                    Calibration.learn(answers[way].confidences[:, place], is_right)
                    for place, is_right in enumerate((answers[way].nodes == nodes).T)
                ]
                for way in WAYS
            }
            for answers in (around, alone)
        )

    def label(self, matrix: Matrix, stretch: Codes | None = None) -> Labels:
        """Say what each window is.

        Parameters
        ----------
        matrix : np.ndarray [shape=(n, column)]
            See `amper_spark.classify.windows.MATRIX_COLUMNS`.
        stretch : np.ndarray [shape=(n,)], optional
            Which windows follow each other, see `amper_spark.classify.surroundings.stretches`: they are heard
            in their surroundings. Otherwise each is heard by itself.

        Returns
        -------
        Labels
        """
        hierarchy = self.classifier.hierarchy
        probabilities = self.classifier.node_probabilities(matrix)
        if stretch is not None:
            probabilities = heard_around(probabilities, stretch, reach=self.reach)
        descriptors, answers = both_ways(hierarchy, probabilities)
        confidences = {
            way: self.confidences(way, answers[way].confidences, alone=stretch is None) for way in WAYS
        }
        return Labels(
            values={
                way: {
                    target: hierarchy.values(target, answers[way].nodes[:, place])
                    for place, target in enumerate(TARGETS)
                }
                for way in WAYS
            },
            confidences=confidences,
            descriptors=self.classifier.classes_[descriptors],
            abstained=confidences["free"][:, 0] < self.abstain_below,
        )

    def predict_labels(self, windows: pd.DataFrame | Matrix) -> pd.DataFrame:
        """Do what `label` does, each window by itself, with a table in and a table out, as MLflow wants it.

        Parameters
        ----------
        windows : pd.DataFrame or np.ndarray
            See `matrix_of`; or a matrix, see `label`.

        Returns
        -------
        pd.DataFrame
            See `Labels.to_frame`.
        """
        return self.label(windows if isinstance(windows, np.ndarray) else matrix_of(windows)).to_frame()

    def confidences(
        self, way: str, probabilities: npt.NDArray[np.float32], *, alone: bool = False
    ) -> npt.NDArray[np.float32]:
        """Say how sure one may be of answers that the classifier gives these probabilities.

        Parameters
        ----------
        way : str
            One of `WAYS`.
        probabilities : np.ndarray [shape=(n, 6), dtype=float32]
        alone : bool
            Whether each window was heard by itself.
        """
        if not hasattr(self, "calibration_"):
            return probabilities
        maps: Sequence[Calibration] = (self.calibration_alone_ if alone else self.calibration_)[way]
        return np.column_stack([map_(column) for map_, column in zip(maps, probabilities.T, strict=True)])


def matrix_of(windows: pd.DataFrame) -> Matrix:
    """Make a matrix of a table of windows, such as the view ``windows``.

    Parameters
    ----------
    windows : pd.DataFrame
        The columns `amper_spark.classify.windows.TABLE_COLUMNS`: the 18 stored features by name, vectors such
        as ``logmel`` as lists, ``tonic`` and ``tonic_strength``.

    Returns
    -------
    np.ndarray [shape=(n, column), dtype=float32]

    Raises
    ------
    ParameterError
        A column is missing, or lists have another length.
    """
    columns = {name: windows[name].to_numpy() for name in TABLE_COLUMNS if name in windows.columns}
    for name, entries in VECTOR_COLUMNS.items():
        width = len(entries)
        if name in columns:
            lengths = {len(values) for values in columns[name]}
            if lengths - {width}:
                raise ParameterError(f"{name} must have {width} numbers, got {sorted(lengths)}")
            columns[name] = np.stack(columns[name].tolist()) if lengths else np.empty((0, width))
    return assemble_matrix(columns)
