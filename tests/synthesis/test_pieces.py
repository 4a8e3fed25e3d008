from __future__ import annotations

import numpy as np
import pytest

from tests.synthesis.pieces import STYLES, TEST_SEEDS, TUNING_SEEDS, form_piece, key_piece, tempo_piece


def test_tuning_never_sees_what_is_reported():
    assert not set(TUNING_SEEDS) & set(TEST_SEEDS)


@pytest.mark.parametrize("compose", [tempo_piece, key_piece, form_piece])
def test_a_seed_is_a_piece(compose):
    first, again, other = (compose(seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.signal.samples, again.signal.samples)
    assert first.signal.samples.tobytes() != other.signal.samples.tobytes()
    assert np.isfinite(first.signal.samples).all()
    assert np.abs(first.signal.samples).max() <= 1


def test_tempi_and_keys_cover_what_music_has():
    tempi = [tempo_piece(seed, duration_s=1).tempo_bpm for seed in TEST_SEEDS]
    keys = {(piece.tonic, piece.mode) for piece in (key_piece(seed, duration_s=1) for seed in range(24))}
    assert min(tempi) < 60
    assert max(tempi) > 185
    assert len(keys) == 24


def test_sections_tile_the_piece_and_neighbours_differ():
    for seed in range(4):
        piece = form_piece(seed)
        assert piece.boundaries_s[0] == 0
        assert piece.boundaries_s[-1] == pytest.approx(piece.signal.duration_s, abs=1e-4)
        assert len(piece.boundaries_s) == len(piece.sections) + 1
        assert all(one != other for one, other in zip(piece.sections, piece.sections[1:], strict=False))


def test_a_stroke_falls_on_the_beat():
    seed = next(seed for seed in TUNING_SEEDS if STYLES[seed % len(STYLES)].name == "four_on_floor")
    piece = tempo_piece(seed)
    beats = np.round(np.arange(1, 40) * 60 / piece.tempo_bpm * 22_050).astype(int)
    energy = np.square(piece.signal.samples.astype(float))
    after = np.mean([energy[beat : beat + 800].mean() for beat in beats])
    before = np.mean([energy[beat - 1_000 : beat - 200].mean() for beat in beats])
    assert after > 1.3 * before
