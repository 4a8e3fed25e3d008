"""What an arranger looks for in a score: who plays when, how figures go on, where chords lie, how it ends."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.arrangement import Arrangement
from amper_spark.render.composer.band import draw_band
from amper_spark.render.composer.brief import Brief, Seat
from amper_spark.render.composer.expression import HARMONY_ROLES, express
from amper_spark.render.composer.form import section_at
from amper_spark.render.composer.harmonizing import harmonize
from amper_spark.render.composer.harmony import SCALES, chord_on, dominant
from amper_spark.render.composer.meter import Meter
from amper_spark.render.composer.notation import onset_steps, read_pattern
from amper_spark.render.composer.parts import Bar, Player
from amper_spark.render.composer.strokes import Repertoire, adapted, draw
from amper_spark.render.composer.style import HALVES, load_styles
from amper_spark.render.composer.tones import Tones
from amper_spark.render.composer.voicing import COLOURS, is_clear, lead

CATALOGUE, INSTRUMENTS, STYLES = load_catalogue(), load_instruments(), load_styles()
TONIC, SUBDOMINANT = (chord_on(degree, quality="major") for degree in (0, 3))
qualities = st.sampled_from(sorted(SCALES))


def brief(descriptor, *, seed=1, n_beats=64.0, n_layers=None):
    style = STYLES[descriptor.style]
    expression = express(descriptor.mood, style)
    half = HALVES[seed % 2]
    band = draw_band(
        descriptor,
        style,
        instruments=INSTRUMENTS,
        half=half,
        n_layers=n_layers or expression.n_layers,
        rng=np.random.default_rng(seed),
    )
    names = [one.id for one in band]
    roles = INSTRUMENTS.assign_roles(names, style=style.name, order=style.layers)
    return Brief(
        start_s=0.0,
        end_s=n_beats / 2.0 + 2.0,
        descriptor=descriptor,
        style=style,
        tonic=0,
        quality=descriptor.scale_qualities[0],
        tempo_bpm=120.0,
        meter=Meter(n_beats, style.swing, lambda beats: beats / 2.0),
        rings=True,
        begins=True,
        ends=True,
        band=tuple(Seat(one, roles[one.id], ((0.0, np.inf),)) for one in band),
        half=half,
        seed=(seed, 0),
    )


def arranged(wanted):
    return Arrangement(wanted, express(wanted.descriptor.mood, wanted.style))


def tones(instrument="grand_piano", role="chords", **more):
    asked = {"colour": "triad", "register": 0, "is_foundation": False, "has_chords": True, "is_dark": False}
    asked |= {"has_ninths": False, "may_rub": False, **more}
    return Tones(INSTRUMENTS[instrument], role, 0, asked.pop("quality", "major"), **asked)


def player(role, text, bar, *, length=1.0, instrument="grand_piano", **more):
    one = INSTRUMENTS[instrument]
    sound = Player(one, one.presets[0], role, tones(instrument, role, **more), length)
    return list(sound.play(bar, read_pattern(role, text).bar(0)))


def bar_of(*chords, following=TONIC, **more):
    return Bar(0.0, 16, chords, following, **more)


@pytest.mark.parametrize("one", list(CATALOGUE)[::5], ids=lambda one: one.name)
def test_the_climax_is_where_most_is_struck(one):
    for seed in (1, 2):
        wanted = brief(one, seed=seed)
        arrangement = arranged(wanted)
        struck = {"verse": [], "climax": []}
        for bar in range(wanted.meter.n_bars):
            kind = section_at(bar, arrangement.sections).kind
            if kind in struck:
                playing = [seat for seat in wanted.band if arrangement.plays(seat, bar)]
                struck[kind].append(sum(len(onset_steps(arrangement.strokes(seat, bar))) for seat in playing))
        assert np.mean(struck["climax"]) >= np.mean(struck["verse"])
        assert np.mean(struck["climax"]) > np.mean(struck["verse"]) or len(wanted.band) == 2


def test_players_of_a_role_enter_one_after_the_other():
    wanted = brief(CATALOGUE["cinematic_percussion_triumphant"])
    arrangement = arranged(wanted)
    playing = {
        section.kind: [seat for seat in wanted.band if arrangement.plays(seat, section.first_bar)]
        for section in arrangement.sections
    }
    assert [seat.role for seat in playing["intro"]] == ["drums", "percussion"]
    assert len(playing["intro"]) < len(playing["verse"]) < len(playing["climax"]) == len(wanted.band) == 4


@pytest.mark.parametrize("kind", ["intro", "outro"])
def test_the_band_is_never_complete_at_the_margins(kind):
    for one in CATALOGUE:
        wanted = brief(one, n_layers=3)
        arrangement = arranged(wanted)
        section = next(section for section in arrangement.sections if section.kind == kind)
        playing = [seat for seat in wanted.band if arrangement.plays(seat, section.first_bar)]
        assert len(playing) < len(wanted.band) >= 3
        assert one.subgenre == "percussion" or {seat.role for seat in playing} & set(HARMONY_ROLES)


@pytest.mark.parametrize(
    "name", ["folk_acoustic_tender", "electronica_downtempo_lonely", "cinematic_percussion_ritual_circle"]
)
def test_a_slow_rhythm_turns_at_the_end_of_a_phrase(name):
    wanted = brief(CATALOGUE[name])
    arrangement = arranged(wanted)
    climax = next(one for one in arrangement.sections if one.kind == "climax")
    for seat in wanted.band:
        if seat.role in ("chords", "arpeggio", "percussion"):
            before, turn = (onset_steps(arrangement.strokes(seat, climax.first_bar + bar)) for bar in (2, 3))
            assert len(turn) > len(before)


def test_the_climax_begins_with_the_busier_pattern():
    calm, busy = (read_pattern("chords", text) for text in ("D--- ---- ---- ----", "D--- d--- d--- d---"))
    for seed in range(4):
        drawn = draw([busy, calm], np.random.default_rng(seed))
        assert drawn == Repertoire(calm, busy)
    assert [drawn.bar(bar, "climax") for bar in range(4)] == [busy.bar(0)] * 2 + [calm.bar(0)] * 2
    assert drawn.bar(0, "verse") == calm.bar(0)


@pytest.mark.parametrize(
    ("n_onsets", "is_second", "figure"),
    [
        (2, False, "01"),
        (2, True, "23"),
        (4, False, "0123"),
        (4, True, "4321"),
        (6, True, "012343"),
        (12, False, "012343210123"),
    ],
)
def test_figures_are_played_slower_or_faster(n_onsets, is_second, figure):
    strokes = read_pattern("arpeggio", "0-1- 2-3- 4-3- 2-1-").bar(0)
    rng = np.random.default_rng(0)
    found = adapted(strokes, role="arpeggio", n_onsets=n_onsets, rng=rng, is_second=is_second)
    assert "".join(one.symbol for one in found) == figure
    assert found[0].step == 0


def test_two_strokes_of_a_bar_are_held():
    strokes = read_pattern("chords", "D... .... ..d. ..d.").bar(0)
    found = adapted(strokes, role="chords", n_onsets=2, rng=np.random.default_rng(0))
    assert sum(one.n_steps for one in found) == 16


@given(st.integers(0, 6), qualities, st.integers(0, 11), st.integers(57, 75))
def test_chords_are_clear(degree, quality, tonic, centre):
    for colour in ("triad", "open", "power", "shell"):
        assert is_clear(lead(chord_on(degree, quality=quality), tonic=tonic, colour=colour, centre=centre))


@given(st.integers(0, 6), qualities, st.sampled_from(sorted(COLOURS)), st.booleans())
def test_the_root_of_a_strum_lies_apart(degree, quality, colour, is_foundation):
    strummed = tones(
        "steel_acoustic_guitar", quality=quality, colour=colour, is_foundation=is_foundation, register=-4
    )
    keys = strummed.of(chord_on(degree, quality=quality))
    assert keys[1] - keys[0] > 2
    assert keys[0] % 12 != chord_on(degree, quality=quality).ninth


def test_top_voices_do_not_run_in_octaves_with_the_roots():
    chord = chord_on(1, quality="major")
    free, led = (
        lead(chord, tonic=0, colour="triad", centre=66, before=(64, 67, 72), since=since)
        for since in (None, TONIC)
    )
    assert free == (65, 69, 74)
    assert led == (62, 65, 69)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=8), qualities, st.sampled_from(sorted(COLOURS)))
def test_arpeggios_rise_from_roots_that_lie_near_each_other(degrees, quality, colour):
    part = tones(role="arpeggio", quality=quality, colour=colour)
    figures = [part.of(chord_on(degree, quality=quality)) for degree in degrees]
    for degree, keys in zip(degrees, figures, strict=True):
        assert keys[0] % 12 == chord_on(degree, quality=quality).root
        assert list(keys) == sorted(set(keys))
        assert len(keys) > 2 or colour in ("shell", "doubled", "octave")
    assert all(abs(one[0] - other[0]) < 12 for one, other in pairwise(figures))


def test_pads_keep_clear_of_chords():
    chord = tones().of(TONIC)
    for strings in ("synth_strings", "nice_scoring_viola_ensemble"):
        assert tones(strings, "pad", colour="shell").of(TONIC)[0] > chord[-1]
    assert tones("french_horns", "pad", colour="shell").of(TONIC)[0] < chord[0]


@given(st.integers(0, 6), qualities, st.sampled_from(["add9", "seventh", "sus2"]))
def test_no_colour_rubs_against_what_others_play(degree, quality, colour):
    chord = chord_on(degree, quality=quality)
    heard = {(key - chord.root) % 12 for key in tones(quality=quality, colour=colour).of(chord)}
    assert not heard & {1, 11}
    assert not heard >= {2, 3}


def test_what_is_lengthened_does_not_ring_into_another_chord():
    for following, longest in ((TONIC, 4.8), (SUBDOMINANT, 4.0)):
        bar = bar_of(TONIC, following=following)
        assert {note.n_beats for note in player("chords", "D" + "-" * 15, bar, length=1.2)} == {longest}
    changing = bar_of(TONIC, SUBDOMINANT)
    assert {note.n_beats for note in player("chords", "D" + "-" * 15, changing, length=1.2)} == {2.0}


def test_a_slow_figure_has_both_chords_of_a_bar():
    notes = player("arpeggio", "2" + "-" * 15, bar_of(TONIC, SUBDOMINANT))
    assert [(note.beat, note.n_beats, note.key % 12) for note in notes] == [(0.0, 2.0, 7), (2.0, 2.0, 5)]


def test_a_bass_has_one_voice():
    notes = player("bass", "R--- --R- F--- ..A-", bar_of(TONIC), length=1.2, instrument="upright_bass")
    assert all(one.beat + one.n_beats <= other.beat for one, other in pairwise(notes))


def test_a_seventh_in_the_bass_falls_to_the_root_from_near():
    falling, rising = (
        player("bass", text, bar_of(SUBDOMINANT), instrument="upright_bass")
        for text in ("R--- ---- F--- S---", "R--- F--- S--- O---")
    )
    assert falling[2].key == falling[0].key - 1
    assert rising[2].key == rising[3].key - 1


def test_a_few_players_double_their_chords_at_the_climax():
    plain, full = (
        [note.key for note in player("chords", "D" + "-" * 15, bar_of(TONIC, is_full=is_full))]
        for is_full in (False, True)
    )
    assert full[:-1] == plain
    assert full[-1] - 12 in plain
    figure = player("arpeggio", "0-1- 2-1- 0-1- 2-1-", bar_of(TONIC, is_full=True))
    doubled = [one.beat for one, other in pairwise(figure) if other.key == one.key - 12]
    assert doubled == [0.0, 2.0]


@pytest.mark.parametrize("n_beats", [62.0, 63.0, 64.0])
@pytest.mark.parametrize("one", [one for one in CATALOGUE if one.subgenre != "percussion"][::19])
def test_the_dominant_is_heard_before_the_end(one, n_beats):
    wanted = brief(one, n_beats=n_beats)
    harmony = harmonize(wanted, arranged(wanted).sections, tension=0)
    leads = dominant(wanted.quality)
    assert harmony.by_bar[-1][-1] == leads
    n_steps = wanted.meter.n_steps(wanted.meter.n_bars - 1)
    last = Bar(0.0, n_steps, harmony.by_bar[-1], harmony.last)
    assert last.chords[last.chord_at(n_steps - 1)] == leads
