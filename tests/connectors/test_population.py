"""The made-up population: reserved numbers, coherent families, sentinels that occur once."""

from __future__ import annotations

from collections import Counter
from datetime import date

from connectors.population import TODAY, Day, population, sentinels, story, story_people
from gateway.model.identifiers import has_valid_check_digit


def test_numbers_are_reserved_ones() -> None:
    people = population()
    assert len(people) >= 1000
    for citizen_id in [*people, *(each.citizen_id for each in story_people())]:
        assert citizen_id[0] == "9"
        assert has_valid_check_digit(citizen_id)


def test_the_same_seed_makes_the_same_people() -> None:
    population.cache_clear()
    again = population(2569)
    population.cache_clear()
    assert population(2569) == again
    assert population(1).keys() != again.keys()


def test_all_sorts_are_there() -> None:
    people = list(population().values())
    assert sum(one.dead for one in people) >= 10
    assert sum(one.age(TODAY) < 20 for one in people) >= 100
    assert sum(one.nation[0] != "099" for one in people) >= 10
    assert sum(one.born.month == 0 for one in people) >= 5
    assert sum(one.born.month != 0 and one.born.day == 0 for one in people) >= 5
    assert sum(one.born.year <= 1940 and 1 <= one.born.month <= 3 for one in people) >= 5
    assert sum(one.house.id.startswith("0") for one in people) >= 100
    assert any(one.cover is None for one in people)
    assert {"74", "76", "77", "71", "89"} <= {one.cover.sub for one in people if one.cover}


def test_families_hang_together() -> None:
    people = population()
    linked = 0
    for one in people.values():
        for parent, name in ((one.father, one.father_name), (one.mother, one.mother_name)):
            if parent:
                linked += 1
                assert people[parent].first_name == name
                assert people[parent].house == one.house
                assert people[parent].born.year < one.born.year - 12
        assert not one.father or not people[one.father].female
        assert not one.mother or people[one.mother].female
        assert one.cover is None or not one.dead
    assert linked > 500


def test_sentinels_occur_with_one_household_only() -> None:
    owners = Counter(value for one in population().values() for value in {one.english_middle_name, one.first_name})
    assert max(owners.values()) == 1
    by_house: dict[str, set[str]] = {}
    for one in population().values():
        assert all(len(value) >= 4 for value in sentinels(one))
        for value in (one.house.road, one.house.id):
            by_house.setdefault(value, set()).add(one.house.id)
    assert all(len(houses) == 1 for houses in by_house.values())
    cards = [one.cover.card for one in population().values() if one.cover]
    assert len(cards) == len(set(cards))


def test_the_stories_people() -> None:
    people = population()
    keys = [each.key for each in story_people()]
    assert len(keys) == len(set(keys))
    elder, dead, minor = (people[story(key)] for key in ("elder", "dead", "minor"))
    assert elder.age(date(2026, 11, 20)) >= 60
    assert not elder.dead
    assert str(elder.born) == "1957-03"
    assert dead.dead
    assert minor.age(date(2026, 11, 20)) < 20
    assert people[story("elsewhere")].house.place != elder.house.place
    assert story("unknown") not in people
    assert all(each.about_en and each.about_th for each in story_people())


def test_days_in_the_buddhist_era() -> None:
    assert Day(1935, 3, 2).buddhist == 24770302
    assert Day(1940, 4, 1).buddhist == 24830401
    assert Day(1941, 1, 1).buddhist == 24840101
    assert Day(1957, 3).buddhist == 25000300
    assert Day(1957).buddhist == 25000000
    assert Day(1934).buddhist == 24770000
