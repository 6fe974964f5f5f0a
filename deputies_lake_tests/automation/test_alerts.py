"""What the sensor of alerts tells, look by look, of runs that really ran: once when it begins, once when it is over."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from dagster import AssetCheckKey
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from deputies_lake.alert_targets import NotSentError
from deputies_lake.alerts import Alert
from deputies_lake.automation import alerts, run_problems
from deputies_lake.automation.alerts import MOST_TRIES, Memory, alert_definitions, deliver, look
from deputies_lake.definitions import defs
from deputies_lake.environments import AlertSettings, Environment, load_settings
from deputies_lake.partitions import range_tags, reimbursement_years
from deputies_lake.serving.assets import TODAYS_FIGURES

KEY = dg.AssetKey(["raw", "chamber_expenses"])
CHECKS = ("nothing_vanished", "files_are_readable", "files_were_fetched", "categories_are_known", "grain_is_unique")
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN

found: dict[str, Any] = {}
"""What the asset below finds in its next run: a check's result, or an error."""


@dg.multi_asset(
    name="take_in",
    specs=[dg.AssetSpec(KEY, partitions_def=reimbursement_years)],
    check_specs=[dg.AssetCheckSpec(name, asset=KEY) for name in CHECKS],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def take_in() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    results = [
        dg.AssetCheckResult(check_name=name, asset_key=KEY, **found.get(name, {"passed": True})) for name in CHECKS
    ]
    if "error" in found:
        yield from results
        raise found["error"]
    yield dg.MaterializeResult(asset_key=KEY, check_results=results)


JOBS = [dg.define_asset_job(name, selection=[KEY]) for name in ("from_chamber_expenses", "lake")]
PROJECT = dg.Definitions(assets=[take_in], jobs=JOBS)


@dataclass
class Watch:
    """An instance, and what the sensor remembers of it from one look to the next."""

    instance: dg.DagsterInstance
    memory: Memory = field(default_factory=Memory)

    def run(self, first: int, last: int, job: str = "from_chamber_expenses", **finds: Any) -> dg.DagsterRun:
        found.clear()
        found.update(finds)
        ran = PROJECT.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=dict(range_tags(first, last)), raise_on_error=False
        )
        return ran.dagster_run

    def look(self, environment: Environment = Environment.LOCAL) -> list[str]:
        """The subjects; what is remembered is written and read as the cursor is."""
        return [alert.subject.removeprefix(f"[deputies_lake {environment}] ") for alert in self.alerts(environment)]

    def alerts(self, environment: Environment = Environment.LOCAL) -> Sequence[Alert]:
        checks = [AssetCheckKey(KEY, name) for name in CHECKS]
        told = look(self.instance, checks, self.memory, environment)
        self.memory = Memory.read(self.memory.write())
        return told


@pytest.fixture
def watch() -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(instance)


def refused(*years: int) -> dict[str, Any]:
    """As the raw asset says it; another year has a remark only."""
    names = ", ".join(map(str, years))
    return {
        "passed": False,
        "severity": ERROR,
        "description": f"{names} not published, readers keep what they had",
        "metadata": {**{str(year): "rows fell by 25.00%" for year in years}, "2008": "rows fell by 0.60%"},
    }


NOT_PUBLISHED = "a new file of the House was not published, readers keep what they had"

# Checks


def test_where_all_is_well_nothing_is_told(watch: Watch) -> None:
    watch.run(2021, 2022)
    assert watch.look() == []


def test_a_year_that_was_not_published_is_told_although_its_run_succeeded(watch: Watch) -> None:
    run = watch.run(2020, 2022, nothing_vanished=refused(2021, 2022))
    (alert,) = watch.alerts(Environment.PROD)
    assert run.is_success
    assert (alert.title, alert.years, alert.environment) == (NOT_PUBLISHED, (2021, 2022), "prod")
    assert alert.details == ("2021: rows fell by 25.00%", "2022: rows fell by 25.00%")
    assert alert.command.startswith("deputies-lake history --year 2021 --env prod")
    assert datetime.now(UTC) - datetime.fromisoformat(alert.since) < timedelta(minutes=1)


def test_acceptance_is_advised_where_it_can_help(watch: Watch) -> None:
    watch.run(2021, 2021, nothing_vanished=refused(2021))
    watch.run(2022, 2022, files_are_readable=refused(2022))
    doubted, unreadable = watch.alerts()
    assert (doubted.title, doubted.years) == (NOT_PUBLISHED, (2021,))
    assert (unreadable.title, unreadable.years) == (
        "a new file of the House could not be read, readers keep what they had",
        (2022,),
    )
    assert "deputies-lake accept --year 2021" in doubted.command
    assert "accept" not in unreadable.command
    assert "--partition 2022" in unreadable.command


def test_the_same_state_is_told_once_however_often_it_is_found(watch: Watch) -> None:
    told = []
    for _ in range(3):
        watch.run(2022, 2022, nothing_vanished=refused(2022))
        told += [*watch.look(), *watch.look()]
    assert told == [f"{NOT_PUBLISHED} (2022)"]


def test_it_is_wrong_since_it_was_found_first(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    (first,) = watch.alerts()
    with mock.patch.object(alerts, "_iso", return_value="2030-01-01T00:00:00+00:00"):
        watch.run(2022, 2022, nothing_vanished=refused(2022))
        watch.look()
    watch.run(2022, 2022)
    (last,) = watch.alerts()
    assert (last.over, last.since) == (True, first.since)


def test_a_second_year_is_told_by_itself(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    watch.look()
    watch.run(2021, 2022, nothing_vanished=refused(2021, 2022))
    assert watch.look() == [f"{NOT_PUBLISHED} (2021)"]


def test_a_run_of_other_years_that_is_well_mends_nothing(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    watch.look()
    watch.run(2025, 2026)
    assert watch.look() == []


def test_it_is_over_when_the_year_is_well(watch: Watch) -> None:
    watch.run(2021, 2022, nothing_vanished=refused(2021, 2022))
    watch.look()
    watch.run(2022, 2022)
    assert watch.look() == [f"over: {NOT_PUBLISHED} (2022)"]
    watch.run(2021, 2022)
    assert watch.look() == [f"over: {NOT_PUBLISHED} (2021)"]


def test_what_began_and_ended_between_two_looks_is_nothing_to_tell(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    watch.run(2022, 2022)
    assert watch.look() == []


def test_a_small_loss_is_no_alert(watch: Watch) -> None:
    remark = {"passed": False, "severity": WARN, "description": "2022: rows fell by 0.60%", "metadata": {"2022": "-"}}
    watch.run(2022, 2022, nothing_vanished=remark)
    assert watch.look() == []


def test_unknown_categories_are_told_with_their_labels(watch: Watch) -> None:
    unknown = {"passed": False, "severity": WARN, "description": "1 category", "metadata": {"label 'DRONES'": 12}}
    watch.run(2021, 2022, categories_are_known=unknown)
    (alert,) = watch.alerts()
    assert (alert.years, alert.details) == ((2021, 2022), ("1 category (label 'DRONES': 12)",))


def test_files_that_could_not_be_fetched_are_told(watch: Watch) -> None:
    not_there = {
        "passed": False,
        "severity": ERROR,
        "description": "2022 could not be fetched",
        "metadata": {"2022": "HTTP 503"},
    }
    watch.run(2021, 2022, files_were_fetched=not_there)
    (alert,) = watch.alerts()
    assert (alert.years, alert.details, alert.command) == (
        (2022,),
        ("2022: HTTP 503",),
        "deputies-lake fetch --years 2022",
    )


def test_every_check_that_is_watched_exists() -> None:
    graph = defs.resolve_asset_graph()
    assert {key.name for key in graph.asset_check_keys} >= alerts._WATCHED.keys()


# Runs

FAILED = "a run of from_chamber_expenses failed"
ERROR_OF_RUN = dg.Failure(description="Ano-2022.csv.zip: is no zip file. Fetch it again", allow_retries=False)


def test_a_failed_run_is_told_with_its_reason_and_how_to_repeat_it(watch: Watch) -> None:
    run = watch.run(2021, 2022, error=ERROR_OF_RUN)
    (alert,) = watch.alerts()
    assert alert.subject == f"[deputies_lake local] {FAILED} (2021-2022)"
    assert alert.details == (f"Ano-2022.csv.zip: is no zip file. Fetch it again (run {run.run_id})",)
    assert alert.command == (
        "dagster job execute -m deputies_lake.definitions -j from_chamber_expenses --tags "
        '\'{"dagster/asset_partition_range_start": "2021", "dagster/asset_partition_range_end": "2022"}\''
    )


def test_a_run_that_fails_again_is_not_told_again(watch: Watch) -> None:
    told = []
    for _ in range(2):
        watch.run(2022, 2022, error=ERROR_OF_RUN)
        told += watch.look()
    assert told == [f"{FAILED} (2022)"]


def test_an_unexpected_error_is_told_by_its_own_words(watch: Watch) -> None:
    watch.run(2022, 2022, error=ValueError("the disk is full"))
    assert watch.alerts()[0].details[0].startswith("ValueError: the disk is full")


@pytest.mark.parametrize(
    ("first", "last", "job", "told"),
    [
        (2020, 2023, "from_chamber_expenses", [f"over: {FAILED} (2022)"]),
        (2023, 2023, "from_chamber_expenses", []),
        (2022, 2022, "lake", []),
    ],
)
def test_it_is_over_when_a_run_of_the_job_succeeds_for_the_year(
    watch: Watch, first: int, last: int, job: str, told: list[str]
) -> None:
    watch.run(2022, 2022, error=ERROR_OF_RUN)
    watch.look()
    watch.run(first, last, job)
    assert watch.look() == told


def test_a_run_that_skipped_what_failed_mends_nothing(watch: Watch) -> None:
    watch.run(2022, 2022, error=ERROR_OF_RUN)
    watch.look()
    later = watch.run(2022, 2022)
    watch.instance.report_dagster_event(dg.DagsterEvent("STEP_SKIPPED", later.job_name), later.run_id)
    assert watch.look() == []


def test_a_run_that_failed_for_what_is_told_already_is_no_news(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022), error=ERROR_OF_RUN)
    assert watch.look() == [f"{NOT_PUBLISHED} (2022)"]
    watch.run(2022, 2022, "lake")
    assert watch.look() == [f"over: {NOT_PUBLISHED} (2022)"]
    assert watch.look() == []


def test_a_run_that_dagster_repeats_by_itself_has_not_failed_yet(watch: Watch) -> None:
    run = watch.run(2022, 2022, error=ERROR_OF_RUN)
    watch.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    assert watch.look() == []


def test_what_nobody_repeated_for_a_month_is_forgotten_without_a_word(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.run(2022, 2022, error=ERROR_OF_RUN)
    watch.look()
    for module in (alerts, run_problems):
        monkeypatch.setattr(module, "FORGOTTEN_AFTER", timedelta(seconds=-5))
    assert (watch.look(), watch.memory.problems) == ([], {})


# The deadline


def freshness(watch: Watch, state: FreshnessState) -> None:
    """What the freshness daemon says when the state of an asset changes."""
    change = FreshnessStateChange(
        key=TODAYS_FIGURES.key,
        previous_state=FreshnessState.UNKNOWN,
        new_state=state,
        state_change_timestamp=datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC).timestamp(),
    )
    watch.instance._report_runless_asset_event(asset_event=change)


def test_a_missed_deadline_is_told_once_and_when_it_is_made_good(watch: Watch) -> None:
    freshness(watch, FreshnessState.PASS)
    assert watch.look() == []
    freshness(watch, FreshnessState.FAIL)
    (alert,) = watch.alerts()
    assert alert.subject.endswith("the day's figures were not ready by 07:00 in Brasília")
    assert "Since 2026-11-23 07:00 in Brasília." in alert.text
    assert watch.look() == []
    freshness(watch, FreshnessState.PASS)
    assert watch.look() == ["over: the day's figures were not ready by 07:00 in Brasília"]


# On their way


@dataclass
class Phone:
    """A target that is out of order for the first so many alerts."""

    broken: int = 0
    name: str = "phone"
    got: list[str] = field(default_factory=list)

    def send(self, alert: Alert) -> None:
        if self.broken:
            self.broken -= 1
            raise NotSentError(self.name, "no answer")
        self.got.append(alert.title)


def alert(title: str) -> Alert:
    return Alert(title=title, over=False, environment="local", years=(), since="", details=(), command="")


def send(memory: Memory, *titles: str, to: Sequence[Phone]) -> tuple[Memory, list[str]]:
    warnings: list[str] = []
    deliver(memory, [alert(title) for title in titles], to, warnings.append)
    return Memory.read(memory.write()), warnings


def test_what_a_target_did_not_take_is_sent_at_the_next_look_in_its_order() -> None:
    phone = Phone(broken=2)
    memory, warnings = send(Memory(), "one", "two", to=[phone])
    assert (phone.got, warnings) == (
        [],
        ["phone did not take it: no answer. It is tried again: [deputies_lake local] one"],
    )
    memory, _ = send(memory, "three", to=[phone])
    memory, warnings = send(memory, to=[phone])
    assert (phone.got, memory.waiting, warnings) == (["one", "two", "three"], [], [])


def test_a_target_that_fails_does_not_hold_up_another() -> None:
    works = Phone(name="radio")
    send(Memory(), "one", to=[Phone(broken=9), works])
    assert works.got == ["one"]


def test_it_is_given_up_after_two_hours_and_the_next_one_is_tried() -> None:
    phone, memory = Phone(broken=MOST_TRIES), Memory()
    memory, _ = send(memory, "one", "two", to=[phone])
    for _ in range(MOST_TRIES - 1):
        memory, warnings = send(memory, to=[phone])
    assert "Given up: [deputies_lake local] one" in warnings[0]
    send(memory, to=[phone])
    assert phone.got == ["two"]


def test_what_waits_does_not_grow_without_end() -> None:
    phone = Phone(broken=9)
    memory, _ = send(Memory(), *map(str, range(200)), to=[phone])
    assert [one.alert.title for one in memory.waiting] == [str(number) for number in range(150, 200)]


def test_what_waits_for_a_target_that_is_configured_no_more_is_dropped() -> None:
    memory, _ = send(Memory(), "one", to=[Phone(broken=9)])
    assert send(memory, to=[])[0].waiting == []


# The sensor


def tick(watch: Watch, cursor: str | None, targets: Sequence[Phone] = ()) -> dg.SensorResult:
    """One evaluation of the project's own sensor."""
    context = dg.build_sensor_context(instance=watch.instance, cursor=cursor, definitions=defs)
    with mock.patch.object(alerts, "targets_of", return_value=targets):
        result: Any = defs.get_repository_def().get_sensor_def("alerts")(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_the_sensor_remembers_in_its_cursor_what_it_told(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    phone = Phone()
    first = tick(watch, None, [phone])
    second = tick(watch, first.cursor, [phone])
    assert (phone.got, second.skip_reason) == ([NOT_PUBLISHED], dg.SkipReason("nothing new; 1 problems stand"))


def test_a_year_that_failed_its_audit_is_told_although_its_run_succeeded(watch: Watch) -> None:
    run = watch.run(2021, 2022, grain_is_unique=refused(2022))
    phone = Phone()
    first = tick(watch, None, [phone])
    title = "a year failed its audit and was not published, readers keep what they had"
    assert (run.is_success, phone.got) == (True, [title])
    watch.run(2022, 2022)
    tick(watch, first.cursor, [phone])
    assert phone.got == [title, title]


def test_a_target_that_fails_does_not_fail_the_sensor(watch: Watch) -> None:
    watch.run(2022, 2022, nothing_vanished=refused(2022))
    phone = Phone(broken=1)
    first = tick(watch, None, [phone])
    assert phone.got == []
    tick(watch, first.cursor, [phone])
    assert phone.got == [NOT_PUBLISHED]


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"problems": {"x": {}}}', '{"waiting": [1]}'])
def test_a_cursor_that_is_not_ours_counts_as_none(cursor: str) -> None:
    assert Memory.read(cursor) == Memory()


def test_the_cursor_of_a_bad_night_is_small(watch: Watch) -> None:
    watch.run(2008, 2026, nothing_vanished=refused(*range(2008, 2027)))
    watch.look()
    assert len(watch.memory.write()) < 20_000


@pytest.mark.parametrize("environment", Environment)
def test_it_runs_by_itself_in_every_environment(environment: str) -> None:
    (sensor,) = alert_definitions(load_settings(environment, {})).sensors or ()
    assert (sensor.name, sensor.default_status) == ("alerts", dg.DefaultSensorStatus.RUNNING)


def test_no_address_of_a_target_is_in_the_definitions_that_dagster_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster_shared.serdes import serialize_value

    settings = load_settings("prod", {"DEPUTIES_LAKE_ALERT_SLACK": "https://hooks.example/SECRET"})
    assert settings.alerts == AlertSettings(slack="https://hooks.example/SECRET")
    repository = alert_definitions(settings).get_repository_def()
    assert "SECRET" not in serialize_value(RepositorySnap.from_def(repository))


def test_the_page_for_operators_says_what_each_alert_means() -> None:
    titles = re.findall(r'title=f?"([^"{]+)', Path(alerts.__file__).read_text())
    page = resources.files("deputies_lake").joinpath("docs/operations.md").read_text()
    assert {title.strip() for title in titles if title.strip() not in page} == set()
    assert len(titles) > len(CHECKS)
