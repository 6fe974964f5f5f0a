"""What an alert says, in one line and in full."""

import json
from dataclasses import replace

from deputies_lake.alerts import Alert, Problem, alerts_of
from deputies_lake_tests.redacted_texts import PERSON, STARS


def problem(year: int | None, *, title: str = "not published", since: str = "2026-11-23T10:00:00+00:00") -> Problem:
    return Problem(
        name=f"x {year}",
        title=title,
        detail=f"{year}: rows fell",
        year=year,
        since=since,
        command=f"deputies-lake history --year {year}",
    )


def test_it_says_what_which_years_since_when_and_what_to_type() -> None:
    (alert,) = alerts_of([problem(2022)], "prod")
    assert alert.text.splitlines() == [
        "[deputies_lake prod] not published (2022)",
        "2022: rows fell",
        "Since 2026-11-23 07:00 in Brasília.",
        "Next: deputies-lake history --year 2022",
    ]


def test_it_shows_no_cpf_that_an_error_repeats_from_a_file() -> None:
    (alert,) = alerts_of([replace(problem(2022), detail=f"numAno is not a year: {PERSON}")], "prod")
    assert alert.details == (f"numAno is not a year: {STARS}",)


def test_a_bad_night_is_one_message_with_its_years_together() -> None:
    years = [2016, 2020, 2018, 2019]
    (alert,) = alerts_of([problem(year) for year in years], "prod")
    assert alert.subject == "[deputies_lake prod] not published (2016, 2018-2020)"
    assert alert.details == tuple(f"{year}: rows fell" for year in sorted(years))


def test_it_began_with_the_first_of_them() -> None:
    (alert,) = alerts_of([problem(2016), problem(2015, since="2026-11-22T23:30:00-03:00")], "prod")
    assert "Since 2026-11-22 23:30 in Brasília." in alert.text


def test_problems_of_two_kinds_are_two_messages() -> None:
    assert len(alerts_of([problem(2016), problem(2016, title="not fetched")], "prod")) == 2


def test_what_is_about_no_year_names_none() -> None:
    (alert,) = alerts_of([problem(None)], "local")
    assert alert.subject == "[deputies_lake local] not published"


def test_the_note_that_it_is_over_asks_for_nothing() -> None:
    (alert,) = alerts_of([problem(2022)], "prod", over=True)
    assert alert.text.splitlines() == [
        "[deputies_lake prod] over: not published (2022)",
        "Since 2026-11-23 07:00 in Brasília.",
    ]


def test_an_alert_survives_json() -> None:
    (alert,) = alerts_of([problem(2022)], "prod")
    assert Alert.read(json.loads(json.dumps(alert.values))) == alert
