"""What made a model, and of what: version and commit of the code, shares of what was learnt from."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from amper_spark import __version__

GENRE_SHARES = "genre_shares"
"""Where models say how much of what they have learnt from is of each genre: shares of windows, as JSON."""

_DIGITS = 12


def git_commit(folder: Path | None = None) -> str | None:
    """Name the commit that is checked out, with ``-dirty`` where files differ from it.

    Parameters
    ----------
    folder : Path, optional
        By default the one that this package runs from.

    Returns
    -------
    str or None
        None where the package was installed, and no checkout is there.
    """
    root = folder or Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return said.stdout.strip() or None


def code_version() -> str:
    """Hash the program that classifies: 12 hexadecimal digits.

    Examples
    --------
    >>> len(code_version())
    12
    """
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.py"))
    said = hashlib.sha256()
    for file in files:
        said.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return said.hexdigest()[:_DIGITS]


def code_tags() -> dict[str, str]:
    """Name version and commit of the code, as tags.

    Examples
    --------
    >>> code_tags()["amper_spark"]
    '...'
    """
    commit = git_commit()
    return {"amper_spark": __version__, **({"git_commit": commit} if commit else {})}
