from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.classify.hierarchy import PARENTS, TARGETS, Hierarchy, Node
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError

CATALOGUE = load_catalogue()
NAMES = sorted(one.name for one in CATALOGUE)

some_names = st.sets(st.sampled_from(NAMES), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def whole():
    return Hierarchy.of_catalogue(CATALOGUE)


def said_by_the_catalogue(name):
    one = CATALOGUE[name]
    return (one.genre, one.subgenre, one.mood.name, one.sentiment, one.mood.valence, one.mood.momentum)


def test_the_catalogue_has_this_many_nodes(whole):
    assert {target: len(nodes) for target, nodes in whole.nodes.items()} == {
        "genre": 7,
        "subgenre": 17,
        "mood": 204,
        "sentiment": 3,
        "valence": 7,
        "momentum": 15,
    }
    assert whole.names == tuple(NAMES)


def test_a_small_tree_by_hand():
    hierarchy = Hierarchy(
        {
            "b": ("rock", "indie", "happy", "positive", 2, 3),
            "a": ("folk", "modern", "happy", "positive", 2, 3),
            "c": ("rock", "classic", "dark", "negative", 0, 3),
        }
    )
    assert hierarchy.names == ("a", "b", "c")
    assert hierarchy.nodes == {
        "genre": (Node("folk", 0), Node("rock", 0)),
        "subgenre": (Node("modern", 0), Node("classic", 1), Node("indie", 1)),
        "mood": (Node("happy", 0), Node("dark", 1), Node("happy", 2)),
        "sentiment": (Node("negative", 0), Node("positive", 0)),
        "valence": (Node(0, 0), Node(2, 1)),
        "momentum": (Node(3, 0), Node(3, 1)),
    }
    assert hierarchy.codes.tolist() == [[0, 0, 0, 1, 1, 1], [1, 2, 2, 1, 1, 1], [1, 1, 1, 0, 0, 0]]
    assert hierarchy.classes["subgenre"] == ("folk_modern", "rock_classic", "rock_indie")
    assert hierarchy.classes["mood"] == ("dark", "happy")
    assert hierarchy.class_of_node["mood"].tolist() == [1, 0, 1]
    assert hierarchy.classes["momentum"] == (3,)
    assert hierarchy.affects.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert hierarchy.affect_of_descriptor.tolist() == [1, 1, 0]
    assert hierarchy.passed["subgenre"].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert hierarchy.children("subgenre", 1) == slice(1, 3)
    assert list(hierarchy.values("mood", np.array([1, 2]))) == ["dark", "happy"]


@given(names=some_names)
def test_nodes_say_what_the_catalogue_says(names):
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    assert hierarchy.names == tuple(sorted(names))
    for place, target in enumerate(TARGETS):
        said = hierarchy.values(target, hierarchy.codes[:, place])
        assert list(said) == [said_by_the_catalogue(name)[place] for name in hierarchy.names]


@given(names=some_names)
def test_every_node_lies_below_the_node_that_its_descriptors_pass(names):
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    for place, (target, above) in enumerate(PARENTS.items()):
        nodes = hierarchy.codes[:, place]
        assert set(nodes) == set(range(len(hierarchy.nodes[target])))
        parents = np.zeros(len(nodes)) if above is None else hierarchy.codes[:, TARGETS.index(above)]
        np.testing.assert_array_equal(hierarchy.parents[target][nodes], parents)
        np.testing.assert_array_equal(np.argmax(hierarchy.passed[target], axis=1), nodes)


@given(names=some_names)
def test_children_are_shared_out_among_their_parents(names):
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    for target, above in PARENTS.items():
        n_parents = 1 if above is None else len(hierarchy.nodes[above])
        shared_out = []
        for parent in range(n_parents):
            children = range(len(hierarchy.nodes[target]))[hierarchy.children(target, parent)]
            assert children
            assert {hierarchy.nodes[target][child].parent for child in children} == {parent}
            shared_out.extend(children)
        assert shared_out == list(range(len(hierarchy.nodes[target])))


@given(names=some_names)
def test_affects_are_those_of_the_descriptors(names):
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, names)
    of_descriptors = hierarchy.codes[:, 3:]
    np.testing.assert_array_equal(hierarchy.affects[hierarchy.affect_of_descriptor], of_descriptors)
    assert {tuple(affect) for affect in hierarchy.affects} == {tuple(affect) for affect in of_descriptors}


def test_classes_are_what_answers_are_compared_by(whole):
    assert whole.classes["subgenre"] == tuple(sorted({one.style for one in CATALOGUE}))
    assert whole.classes["mood"] == tuple(sorted({one.mood.name for one in CATALOGUE}))
    assert whole.classes["valence"] == (0, 1, 2)
    assert whole.classes["momentum"] == (0, 1, 2, 3, 4)
    for target in TARGETS:
        for node, class_ in zip(whole.nodes[target], whole.class_of_node[target], strict=True):
            said = whole.classes[target][class_]
            assert said == node.value or (target == "subgenre" and said.endswith(f"_{node.value}"))


def test_one_mood_word_is_one_class_in_all_styles(whole):
    nodes = [place for place, node in enumerate(whole.nodes["mood"]) if node.value == "bittersweet"]
    assert len(nodes) > 1
    assert len(set(whole.class_of_node["mood"][nodes])) == 1


def test_former_names_stand_for_what_they_are_now():
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, ["driving_classic_rock", "rock_indie_happy"])
    assert hierarchy.names == ("rock_classic_driving", "rock_indie_happy")
    both = Hierarchy.of_catalogue(CATALOGUE, ["driving_classic_rock", "rock_classic_driving"])
    assert both.names == ("rock_classic_driving",)


def test_names_are_found_again():
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, NAMES[:5])
    assert hierarchy.encode([NAMES[3], NAMES[0], NAMES[3]]).tolist() == [3, 0, 3]
    assert hierarchy.encode([]).tolist() == []


def test_unknown_names_are_refused_with_what_may_have_been_meant():
    with pytest.raises(ParameterError, match=r"no descriptor 'rock_indie_hapy'.*rock_indie_happy"):
        Hierarchy.of_catalogue(CATALOGUE, ["rock_indie_hapy"])
    hierarchy = Hierarchy.of_catalogue(CATALOGUE, ["rock_indie_happy"])
    with pytest.raises(ParameterError, match=r"no descriptor 'rock_indie_hapy' here.*rock_indie_happy"):
        hierarchy.encode(["rock_indie_happy", "rock_indie_hapy"])


def test_no_descriptors_are_no_hierarchy():
    with pytest.raises(ParameterError, match=r"no descriptors"):
        Hierarchy({})
    with pytest.raises(ParameterError, match=r"no descriptors"):
        Hierarchy.of_catalogue(CATALOGUE, [])
