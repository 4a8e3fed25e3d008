"""Timelines for hypothesis that keep all rules, with all that the language has."""

from __future__ import annotations

import sys
from itertools import accumulate, pairwise

from hypothesis import strategies as st

from amper_spark.timeline.document import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from amper_spark.timeline.tempo import TempoCurve
from tests.timeline.arbitrary import SCALARS

_N_IDS = 101  # a prime: any step through them reaches all
_SHORTEST_SPAN_S = 0.1

DESCRIPTORS = st.sampled_from(
    [
        "rock_indie_happy",
        "folk_acoustic_uplifting",
        "cinematic_ambient_dreamy",
        "cinematic_minimal_tense",
        "happy rock, please",
    ]
)
INSTRUMENTS = st.sampled_from(
    ["grand_piano", "drumkit", "picked_bass", "halo_pad", "low_gong", "taiko", "flute_section", "nose_flute"]
)
HITS = st.sampled_from(
    ["cymbal_crash", "cymbal_swell_2s", "suck_to_hit", "swirl_rise_and_hit", "tock_hit", "?"]
)
TONICS = st.sampled_from(["c", "cis", "Bes", "deses", "fisis", "es", "asas", "F#", "A♭", "B", "h", "ü"])
QUALITIES = st.sampled_from(["major", "natural_minor", "Dorian", "locrian", "melodic_minor", "blue"])
TEMPI = st.one_of(
    st.integers(int(MIN_TEMPO_BPM), int(MAX_TEMPO_BPM)),
    st.floats(MIN_TEMPO_BPM, MAX_TEMPO_BPM),
    st.sampled_from([MIN_TEMPO_BPM, MAX_TEMPO_BPM]),
)
SEEDS = st.one_of(st.integers(0, 9), st.integers(0, 2**53 - 1))


def numbers_to(most, *, below=False):
    """Numbers from 0 to a bound, which is one of them unless they are to lie below it."""
    steps = st.integers(0, 15 if below else 16).map(lambda step: most * step / 16)
    return st.one_of(
        steps,
        st.floats(0, most, exclude_max=below),
        st.floats(0, most, exclude_max=below).map(lambda number: int(number * 10) / 10),
        st.sampled_from([0, 0.0, min(1e-9, most / 2), most * (1 - 1e-12)]),
    )


@st.composite
def timelines(draw, *, max_spans=3, max_span_s=12.0):
    """Timelines that keep all rules, with all that the language has."""
    ids = _Ids(draw(st.sampled_from([1, 7, 40, _N_IDS - 1])), draw(st.sampled_from([0, 0, 2**53 - _N_IDS])))
    lengths = draw(st.lists(_lengths(max_span_s), min_size=1, max_size=max_spans))
    times = list(accumulate(lengths, initial=draw(st.sampled_from([0, 0, 0.5, 1e-9]))))
    music = draw(st.integers(0, len(lengths) - 1))
    spans = [
        draw(_metered(time, following - time, ids, is_music=index == music))
        if index == music or draw(st.booleans())
        else draw(_unmetered(time))
        for index, (time, following) in enumerate(pairwise(times))
    ]
    spans.append(draw(_unmetered(times[-1])))
    _refer(draw, spans, ids)
    more = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "random_seed": SEEDS,
                "meta": st.dictionaries(st.text(max_size=3), SCALARS.filter(_is_json), max_size=2),
                "info": st.sampled_from([None, {}, "more", [1, {"a": None}]]),
                "notifications": st.sampled_from([None, [], ["WARNING: before"], [1], "text"]),
                "unmetered_hits": st.lists(
                    st.fixed_dictionaries({"hit": HITS, "time": numbers_to(times[-1] + 3)}), max_size=3
                ),
            },
        )
    )
    document = {"spans": spans, **more}
    return {"timeline": document} if draw(st.integers(0, 9)) == 9 else document


class _Ids:
    """Ids of regions, in whatever order."""

    def __init__(self, step, lowest):
        self.made = []
        self._step, self._lowest = step, lowest

    def new(self):
        self.made.append(self._lowest + (len(self.made) + 1) * self._step % _N_IDS)
        return self.made[-1]


def _lengths(most_s):
    return st.one_of(
        st.floats(_SHORTEST_SPAN_S * 1.01, most_s),
        st.sampled_from([_SHORTEST_SPAN_S + 1e-6, 0.25, 1, 2.0, 4, most_s]),
    )


def _is_json(value):
    if isinstance(value, str):
        return value.isprintable() and value.encode(errors="replace").decode() == value
    return not isinstance(value, (int, float)) or abs(value) < 2**53


def _unmetered(time_s):
    empty = {"regions": [], "actions": [], "tempo": None}
    return st.sampled_from([{}, {}, empty]).map(lambda more: {"type": "unmetered", "time": time_s, **more})


@st.composite
def _metered(draw, time_s, duration_s, ids, *, is_music):
    span = {"type": "metered", "time": time_s}
    makes = draw(st.sampled_from(["regions", "actions", "both", "create"] if is_music else ["any", "both"]))
    actions = draw(st.lists(_actions(duration_s, ids), max_size=5)) if makes != "create" else []
    if makes == "actions":
        actions.append(draw(_actions(duration_s, ids, starts="music")))
    if makes == "create":
        texts = st.lists(st.builds(lambda text: {"using": text}, _words()), min_size=1, max_size=3)
        actions = [
            {"create": draw(texts)},
            *draw(st.lists(_actions(duration_s, ids, starts=None), max_size=2)),
        ]
    points = draw(_tempi(duration_s, span))
    changes = any(key in action for action in actions for key in _TEMPO_KEYS) or any(
        isinstance(action.get("add_region"), dict) and action["add_region"].get("random_tempo")
        for action in actions
    )
    curve = TempoCurve(points) if points and not changes else TempoCurve.constant(MAX_TEMPO_BPM)
    beats = float(curve.beats_at(duration_s))
    if makes in ("regions", "both"):
        span["regions"] = draw(_regions(beats, ids, is_music=is_music))
    if actions:
        span["actions"] = draw(st.permutations(actions))
    if draw(st.booleans()):
        names = draw(st.lists(INSTRUMENTS, unique=True, max_size=3))
        span["instrument_groups"] = [
            {"instrument_group": name, "statuses": draw(_statuses(beats))} for name in names
        ]
    if draw(st.booleans()):
        hits = st.fixed_dictionaries({"hit": HITS, "beat": numbers_to(beats)})
        span[draw(st.sampled_from(["hits", "metered_hits"]))] = draw(st.lists(hits, max_size=3))
    return span


_TEMPO_KEYS = ("set_tempo", "ramp_tempo", "copy_tempo_from_time")


@st.composite
def _tempi(draw, duration_s, span):
    """Give a span its tempo; return the points, if there are any."""
    points = []
    if draw(st.booleans()):
        span["tempo"] = draw(TEMPI)
        points.append((0.0, span["tempo"]))
    if draw(st.integers(0, 2)) == 0:
        times = sorted(draw(st.lists(numbers_to(duration_s), max_size=4, unique_by=float)))
        times = sorted(times + draw(st.lists(st.sampled_from(times or [0]), max_size=2, unique=True)))
        span["tempo_changes"] = [{"time": time, "tempo": draw(TEMPI)} for time in times]
        changes = [(change["time"], change["tempo"]) for change in span["tempo_changes"]]
        points = [*(points if not changes or changes[0][0] != 0 else []), *changes]
    return points


@st.composite
def _regions(draw, beats, ids, *, is_music):
    starts = sorted(draw(st.lists(numbers_to(beats, below=True), min_size=1, max_size=5, unique_by=float)))
    regions = []
    for start, end in pairwise([*starts, beats]):
        kinds = ["music", "silence", "music"] if regions or not is_music else ["music"]
        region = {"region": draw(st.sampled_from(kinds)), "beat": start}
        if region["region"] == "music" or draw(st.booleans()):
            region["descriptor"] = draw(DESCRIPTORS)
        if draw(st.booleans()):
            region["id"] = ids.new()
        if draw(st.integers(0, 2)) == 0:
            region["end_type"] = draw(_end_types(end - start))
        if draw(st.integers(0, 2)) == 0:
            region["key"] = draw(_keys())
        regions.append(region)
    return regions


def _end_types(room):
    pairs = st.sampled_from([("ending", "ringout"), ("transition", "cut")])
    beats = numbers_to(room).map(lambda beat: beat or room)
    return st.builds(lambda beat, pair: {"beat": beat, "event": pair[0], "type": pair[1]}, beats, pairs)


def _keys():
    return st.fixed_dictionaries({}, optional={"tonic": TONICS, "quality": QUALITIES})


@st.composite
def _statuses(draw, beats):
    starts = sorted(draw(st.lists(numbers_to(beats), max_size=4, unique_by=float)))
    return [{"beat": beat, "status": draw(st.sampled_from(["active", "inactive"]))} for beat in starts]


def _words():
    words = st.sampled_from(["dark", "drums", "happy", "rock", "ünï", "😀", "a" * 450, "slow"])
    return st.lists(words, min_size=1, max_size=4).map(" ".join)


@st.composite
def _actions(draw, duration_s, ids, *, starts="any"):
    time_s = draw(numbers_to(duration_s, below=True))
    names = st.lists(INSTRUMENTS, max_size=4)
    action = draw(
        st.fixed_dictionaries(
            {"time": st.just(time_s)},
            optional={
                "add_instruments": names,
                "set_instruments": names,
                "silence_instruments": st.one_of(names, st.just("all")),
                "copy_instruments_from_time": numbers_to(time_s),
                "set_tempo": TEMPI,
                "ramp_tempo": TEMPI,
                "copy_tempo_from_time": numbers_to(time_s),
            },
        )
    )
    if "set_instruments" in action and draw(st.booleans()):
        action["instrumentation_threshold"] = draw(st.sampled_from([0, 0.01, 0.5, 1.0]))
    kind = draw(st.sampled_from(["music", "silence", "copy", None])) if starts == "any" else starts
    if kind == "silence":
        action["add_region"] = "silence"
    elif kind == "copy" and ids.made:
        action["copy_region"] = None  # whose is told once all regions are there
    elif kind == "music":
        action["add_region"] = draw(_added(time_s, duration_s, ids))
    return action if len(action) > 1 else {**action, "add_instruments": []}


@st.composite
def _added(draw, time_s, duration_s, ids):
    added = draw(
        st.fixed_dictionaries(
            {"descriptor": DESCRIPTORS},
            optional={
                "random_tempo": st.booleans(),
                "random_instruments": st.booleans(),
                "cut_at": numbers_to(duration_s),
                "ringout_at": numbers_to(duration_s - time_s).map(lambda after: time_s + after),
                "key": _keys(),
            },
        )
    )
    if not time_s < added.get("ringout_at", duration_s) <= duration_s:
        del added["ringout_at"]
    return {**added, "id": ids.new()} if draw(st.booleans()) else added


def _refer(draw, spans, ids):
    """Let copies and edits take from regions; edits only from lower ids, so that they go in no circle."""
    for span in spans:
        for action in span.get("actions", ()):
            if "copy_region" in action:
                action["copy_region"] = draw(st.sampled_from(ids.made))
        for region in span.get("regions", ()):
            lower = [one for one in ids.made if one < region.get("id", sys.maxsize)]
            if draw(st.integers(0, 2)) == 0:
                region["edits"] = draw(st.lists(_edits(lower), max_size=3))


def _edits(sources):
    taken = st.fixed_dictionaries(
        {"type": st.sampled_from(["harmony", "rhythm"])},
        optional={"source_id": st.sampled_from(sources)} if sources else {},
    )
    return st.one_of(taken, TONICS.map(lambda tonic: {"type": {"set_tonic": tonic}}))
