"""Rules of Amper's API, version 1, as its documentation has them, each with the check of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.render.server.contract.studio import Studio

HEADING = """\
# The contract, rule by rule

What is documented of Amper's API, version 1, and whether this server keeps it. Each rule is checked against
a server that really does the jobs by `tests/render/server/test_contract.py`, which also checks that this page
says the same. Where a rule is kept *differently*, what is checked is what this server does instead.

To write it anew: `python tests/render/server/test_contract.py > docs/contract.md`.
"""
SECTIONS = {
    "1": "Protocol",
    "1.1": "Paging",
    "1.2": "Endpoints",
    "1.3": "Access tokens",
    "2.1": "Asking for renders",
    "2.2": "Renders",
    "2.3": "Compositions",
    "2.4": "Bad input",
    "3": "Units",
    "3.1": "Timelines",
    "3.2": "Spans",
    "3.3": "Regions",
    "3.4": "Ends of regions",
    "3.5": "Keys",
    "3.6": "Edits",
    "3.7": "Instrument groups",
    "3.8": "Hits",
    "4": "Actions",
    "5": "Entities",
}


@dataclass(frozen=True)
class Rule:
    """A rule.

    Parameters
    ----------
    section : str
        Of `SECTIONS`.
    text : str
    name : str
        Of the check.
    check : callable or None
        Fails if the server does not do what the rule, or its difference, says; None: the rule is not kept.
    difference : str
        What the server does instead; empty if it keeps the rule to the letter.
    reason : str
        Why the rule is not kept; empty if it is.
    """

    section: str
    text: str
    name: str
    check: Callable[[Studio], None] | None = None
    difference: str = ""
    reason: str = ""


RULES: list[Rule] = []


def rule(section: str, text: str, *, differently: str = "") -> Callable[[Callable[[Studio], None]], None]:
    """Note a rule, whose check follows; and what the server does instead, if it does."""

    def noted(check: Callable[[Studio], None]) -> None:
        RULES.append(Rule(section, text, check.__name__.strip("_"), check, differently))

    return noted


def not_kept(section: str, text: str, reason: str) -> None:
    """Note a rule that this server does not keep."""
    RULES.append(Rule(section, text, "", reason=reason))


def in_order() -> list[Rule]:
    """Return all rules by section, in the order in which they were noted."""
    return sorted(RULES, key=lambda one: list(SECTIONS).index(one.section))


def page() -> str:
    """Write all rules as a page of documentation."""
    rules = in_order()
    n_lacking, n_different = (
        sum(bool(one.reason) for one in rules),
        sum(bool(one.difference) for one in rules),
    )
    n_kept = len(rules) - n_lacking - n_different
    total = f"Of {len(rules)} rules, {n_kept} are kept, {n_different} differently; {n_lacking} are not."
    lines = [HEADING, total, ""]
    for section, title in SECTIONS.items():
        lines += [f"## {section} {title}", "", "| rule | kept | check |", "| --- | --- | --- |"]
        lines += [_row(one) for one in rules if one.section == section]
        lines.append("")
    return "\n".join(lines)


def _row(one: Rule) -> str:
    if one.reason:
        kept = f"no: {one.reason}"
    else:
        kept = f"differently: {one.difference}" if one.difference else "yes"
    return f"| {one.text} | {kept} | {f'`{one.name}`' if one.name else 'none'} |"
