from __future__ import annotations

import pytest

from tests.render.whole_fonts import whole_font


@pytest.fixture(scope="session")
def font(tmp_path_factory):
    """Make a SoundFont file that has every sound, each a short tone."""
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return file
