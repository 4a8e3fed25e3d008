"""Where a judgement is kept: what decides, at the version of the model; all figures, at its run."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from amper_spark.classify.mlflow_settings import impatient
from amper_spark.classify.model_card import Outside, with_outside
from amper_spark.classify.promotion import outside_tags
from amper_spark.classify.registration import set_card, set_tags
from amper_spark.classify.registry import card_of
from amper_spark.classify.runs import Run
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.registry import RegisteredModel
    from amper_spark.classify.store import Store
    from amper_spark.outside.judging import Judgement

JUDGEMENT_FILE = "outside.json"
"""Among the files of the run of a model."""


def check_keeping(store: Store, registered: RegisteredModel) -> None:
    """Refuse, before anything is judged, what could not be kept in the end.

    Parameters
    ----------
    store : Store
    registered : RegisteredModel

    Raises
    ------
    ParameterError
        The model is no version.
    AmperSparkError
        The store cannot be written.
    """
    if registered.version == registered.model_id:
        raise ParameterError(f"{registered.uri} is not registered: only versions get a score")
    store.check(for_training=False)


def keep(
    store: Store, registered: RegisteredModel, judgements: Sequence[Judgement], *, corpus: str
) -> tuple[str, ...]:
    """Keep a judgement in place of the one before.

    Parameters
    ----------
    store : Store
    registered : RegisteredModel
    judgements : sequence of Judgement
        Of the free answers, which are scored, and of the joint ones.
    corpus : str
        What it was judged by.

    Returns
    -------
    tuple of str
        All vetoes.

    Raises
    ------
    AmperSparkError
        The store fails.
    """
    macro_recall = judgements[0].macro_recall
    vetoes = tuple(f"{one.way}: {veto}" for one in judgements for veto in one.vetoes)
    set_tags(store, registered, outside_tags(macro_recall.value, vetoes))
    set_card(store, registered, with_outside(card_of(store, registered), Outside(macro_recall, vetoes)))
    document = {
        "model": registered.uri,
        "corpus": corpus,
        "judged_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "vetoes": vetoes,
        **{one.way: asdict(one) for one in judgements},
    }
    with store.explained("written", OSError), impatient():
        run = Run(store.client(), run_id=registered.run_id, experiment_id="", name=str(registered))
        run.log_metrics({name: value for one in judgements for name, value in one.to_dict().items()})
        store.keep_file(registered.run_id, JUDGEMENT_FILE, json.dumps(document, indent=2) + "\n")
    return vetoes
