"""From what was seen to an answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.ai.offline import judgement
from growbin_jobs.ai.offline.head import load_head
from growbin_jobs.ai.offline.judgement import Sight, judge
from growbin_jobs.ai.offline.labels import CATEGORY_OF, GENERIC_ITEM, OFFLINE_ITEMS

ITEMS = load_head().items
TRAY = 868


def sight(distance=1.0, waste_like=0.8, imagenet=None, **items):
    rest = (1.0 - sum(items.values())) / (len(ITEMS) - len(items))
    return Sight({item: items.get(item, rest) for item in ITEMS}, distance, imagenet or {}, waste_like)


def test_a_likely_answer():
    answer = judge(sight(aluminum_can=0.95))

    assert (answer.category, answer.item, answer.state) == ("metal", "aluminum_can", "mixed")
    assert answer.confidence == pytest.approx(0.95 * 0.74, abs=0.01)


def test_items_of_a_category_stand_together():
    answer = judge(sight(envelope=0.2, newspaper=0.2, paper=0.15, glass_bottle=0.3))

    assert answer.category == "paper"


def test_an_unsure_item_becomes_the_generic_one():
    assert judge(sight(aluminum_can=0.33, steel_can=0.32, metal_item=0.3)).item == "metal_item"
    assert judge(sight(pet_bottle=0.3, plastic_bag=0.3, plastic_container=0.3)).item == "plastic_item"


GOOD = {
    "general": sight(distance=1.0, waste_like=0.01, general=0.999),
    "glass": sight(distance=1.0, waste_like=0.5, glass_bottle=0.999),
    "metal": sight(distance=1.0, waste_like=0.5, steel_can=0.999),
    "paper": sight(distance=1.0, waste_like=0.6, cardboard=0.999),
    "plastic": sight(distance=1.0, waste_like=0.5, pet_bottle=0.999),
}


@pytest.mark.parametrize("category", sorted(GOOD))
def test_only_good_grounds_make_an_answer_sure(category):
    good = GOOD[category]
    doubtful = (
        replace(good, distance=2.1),
        replace(good, waste_like=0.05 if category == "general" else 0.2),
        replace(good, items={item: value * 0.97 for item, value in good.items.items()}),
    )

    assert judge(good).category == category
    assert judge(good).confidence >= 0.75
    assert all(judge(each).confidence < 0.75 for each in doubtful)


def test_confidence_falls_with_the_distance():
    near, edge, away = (judge(sight(distance, aluminum_can=0.95)) for distance in (1.0, judgement.NEAR, 3.0))

    assert near.confidence == edge.confidence > away.confidence
    assert away.item == "aluminum_can"


@pytest.mark.parametrize(
    "strange",
    [
        sight(distance=judgement.FAR + 0.1, pet_bottle=0.99),
        sight(distance=judgement.NEAR + 0.1, waste_like=0.05, pet_bottle=0.99),
        sight(pet_bottle=0.15, glass_bottle=0.15, cardboard=0.15),
    ],
    ids=["far", "something else", "a guess"],
)
def test_what_it_does_not_know_is_general(strange):
    answer = judge(strange)

    assert (answer.category, answer.item) == ("general", "general")
    assert answer.confidence == judgement.UNKNOWN_CONFIDENCE


def test_near_pictures_may_look_like_nothing_to_imagenet():
    assert judge(sight(distance=1.0, waste_like=0.05, cardboard=0.9)).item == "cardboard"


def test_imagenet_names_a_tray_where_the_head_says_plastic():
    assert judge(sight(imagenet={TRAY: 0.6}, plastic_container=0.9)).item == "styrofoam_tray"
    assert judge(sight(imagenet={TRAY: 0.2}, plastic_container=0.9)).item == "plastic_container"
    assert judge(sight(imagenet={TRAY: 0.6}, metal_item=0.9)).item == "metal_item"


def test_every_item_of_the_head_and_every_generic_item_is_announced():
    assert set(ITEMS) <= set(OFFLINE_ITEMS)
    assert set(GENERIC_ITEM.values()) <= set(OFFLINE_ITEMS)
    assert all(CATEGORY_OF[item] == category for category, item in GENERIC_ITEM.items())


@given(
    probabilities=st.lists(st.floats(0.0, 1.0, width=32), min_size=len(ITEMS), max_size=len(ITEMS)).filter(any),
    distance=st.floats(0.0, 1e6),
    tray=st.floats(0.0, 1.0),
    waste_like=st.floats(0.0, 1.0),
)
def test_every_answer_is_consistent(probabilities, distance, tray, waste_like):
    total = sum(probabilities)
    items = {item: value / total for item, value in zip(ITEMS, probabilities, strict=True)}

    answer = judge(Sight(items, distance, {TRAY: tray}, waste_like))

    assert answer.category == CATEGORY_OF[answer.item]
    assert answer.state == "mixed"
    assert 0.0 <= answer.confidence <= judgement.SURE_SHARE
