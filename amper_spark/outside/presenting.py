"""Judgements as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.outside.judging import MAX_PERCUSSION_SHARE, MIN_AGREEMENT, MIN_ENTROPY_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.classify.intervals import Figure
    from amper_spark.outside.judging import Judgement


def figures_table(judgements: Sequence[Judgement]) -> Table:
    """Show score and vetoes, a column a way to answer."""
    table = Table(
        "figure", *(judgement.way for judgement in judgements), "n", "wanted", box=None, pad_edge=False
    )
    first = judgements[0]
    table.add_row(
        "macro recall of genre", *(str(one.macro_recall) for one in judgements), _n(first.macro_recall), ""
    )
    for genre, figure in first.recall.items():
        table.add_row(f"  {genre}", *(str(one.recall[genre]) for one in judgements), _n(figure), "")
    table.add_row("  one answer a recording", *(f"{one.vote_macro_recall:.3f}" for one in judgements), "", "")
    table.add_row(f"  always {first.constant[0]}", *(f"{one.constant[1]:.3f}" for one in judgements), "", "")
    table.add_row(
        "pitched, called percussion",
        *(str(one.percussion) for one in judgements),
        _n(first.percussion),
        f"<= {MAX_PERCUSSION_SHARE}",
    )
    for variant, figures in first.agreement.items():
        table.add_row(
            f"genre kept: {variant}",
            *(str(one.agreement[variant]["genre"]) for one in judgements),
            _n(figures["genre"]),
            f">= {MIN_AGREEMENT}",
        )
    table.add_row(
        "entropy of genres, nats",
        *(f"{one.entropy:.3f}" for one in judgements),
        "",
        f">= {MIN_ENTROPY_SHARE * first.prior_entropy:.3f}",
    )
    return table


def agreement_table(judgement: Judgement) -> Table:
    """Show how many windows keep their label, a row a variant and a column a target."""
    table = Table("variant", *TARGETS, box=None, pad_edge=False)
    for variant, figures in judgement.agreement.items():
        table.add_row(variant, *(f"{figures[target].value:.3f}" for target in TARGETS))
    return table


def _n(figure: Figure) -> str:
    return f"{figure.n_windows:,} of {figure.n_recordings:,}"
