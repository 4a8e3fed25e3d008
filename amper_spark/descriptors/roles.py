"""Who plays what: a matching of roles and instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def fill_roles(
    roles: Sequence[str], names: Sequence[str], *, plays: Callable[[str, str], bool]
) -> dict[str, str]:
    """Fill as many roles as can be, each with one instrument.

    Parameters
    ----------
    roles : sequence of str
        Those first that are filled first.
    names : sequence of str
        Instruments, those first that are taken first.
    plays : callable
        Whether an instrument has a role.

    Returns
    -------
    dict of str to str
        Role by instrument, for those that have got one.

    Notes
    -----
    Kuhn's algorithm for the largest matching in a bipartite graph: where all who can play a role are
    taken, it is asked of each in turn whether someone else can take over what they play.

    Examples
    --------
    >>> able = {"cello": {"bass", "pad"}, "contrabass": {"bass"}}
    >>> fill_roles(["bass", "pad"], ["cello", "contrabass"], plays=lambda name, role: role in able[name])
    {'cello': 'pad', 'contrabass': 'bass'}
    """
    assigned: dict[str, str] = {}

    def fill(role: str, asked: set[str]) -> bool:
        able = [name for name in names if plays(name, role)]
        for name in able:
            if name not in assigned:
                assigned[name] = role
                return True
        for name in able:
            if name not in asked:
                asked.add(name)
                if fill(assigned[name], asked):
                    assigned[name] = role
                    return True
        return False

    for role in roles:
        fill(role, set())
    return assigned
