"""The step that stages both sources: what is published of which year, and what a source without rows costs."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from deputies_lake.contracts import Table
from deputies_lake.environments import Engine
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.assets import kaggle_refunds_asset, kaggle_reimbursements_asset, take_in_chamber_expenses
from deputies_lake.resources.files import FilesResource
from deputies_lake.resources.lake import LakeResource
from deputies_lake.resources.settings import SettingsResource
from deputies_lake.resources.spark import SparkResource
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_reimbursements
from deputies_lake.staging.assets import stage_expenses, stage_refunds
from deputies_lake_tests.redacted_texts import OTHER_PERSON, PERSON, STARS, under_points
from deputies_lake_tests.staging.raw_rows import RawRow, chamber_expense, file_of, refund, reimbursement

pytestmark = pytest.mark.engine(Engine.SPARK)

HOUSE: Final = stg_chamber_expenses.TABLE
KAGGLE: Final = stg_kaggle_reimbursements.TABLE
REJECTED: Final = rejected_rows.TABLE


class NoSpark(SparkResource):
    """Spark that nobody may ask for."""

    def session(self) -> SparkSession:
        raise dg.Failure("a Spark session was asked for", allow_retries=False)


class Platform:
    """A lake of one test and its landing zone."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self._landing = folder / "landing"
        self._landing.mkdir()
        self._instance = instance

    @property
    def lake(self) -> Lake:
        return self._resource.open()

    def house(self, year: int, *rows: RawRow) -> None:
        """Land and take in the House's file of a year, with rows of that year."""
        source = chamber_expenses.CSV.of_year(year)
        of_year = [{**row, "numAno": str(year)} for row in rows]
        (self._landing / source.csv_name).write_bytes(file_of(source, of_year))
        assert self._materialize(take_in_chamber_expenses, year).success

    def kaggle(self, *rows: RawRow) -> None:
        """Land and take in Kaggle's file."""
        source = kaggle_reimbursements.CSV
        (self._landing / source.csv_name).write_bytes(file_of(source, rows))
        assert self._materialize(kaggle_reimbursements_asset).success

    def refunds(self, *rows: RawRow) -> None:
        """Land and take in Kaggle's file of refunds, and stage what can be read of it."""
        source = kaggle_refunds.CSV
        (self._landing / source.csv_name).write_bytes(file_of(source, rows))
        assert self._materialize(kaggle_refunds_asset).success
        assert self._materialize(stage_refunds).success

    def stage(self, year: int, *tables: Table, spark: SparkResource | None = None) -> dg.ExecuteInProcessResult:
        """Run the step for a year and, of its tables, for these or all."""
        return self._materialize(stage_expenses, year, tables, spark)

    def rows(self, table: Table) -> dict[tuple[int, int], Decimal]:
        """By year and line the amount by which a row is reconciled."""
        assert table.totals
        return {(row["year"], row["source_line"]): row[table.totals.amount] for row in self.lake.rows(table)}

    @property
    def events(self) -> str:
        """All that Dagster was told: messages, metadata, results of checks, previews."""
        runs = self._instance.get_runs()
        return "\n".join(str(entry) for run in runs for entry in self._instance.all_logs(run.run_id))

    @property
    def _resource(self) -> LakeResource:
        return LakeResource(warehouse=str(self.folder / "warehouse"))

    def _materialize(
        self,
        assets: dg.AssetsDefinition,
        year: int | None = None,
        tables: Sequence[Table] = (),
        spark: SparkResource | None = None,
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [assets],
            selection=[dg.AssetKey([table.layer, table.name]) for table in tables] or None,
            partition_key=str(year) if year else None,
            instance=self._instance,
            raise_on_error=False,
            resources={
                "lake": self._resource,
                "files": FilesResource(
                    landing=self._landing.as_uri(),
                    archive=(self.folder / "archive").as_uri(),
                    published=(self.folder / "published").as_uri(),
                ),
                "pyspark": spark or SparkResource(spark_config={}),
                "settings": SettingsResource(environment="local"),
                "pyspark_step_launcher": dg.ResourceDefinition.none_resource(),
            },
        )


@pytest.fixture
def platform(tmp_path: Path, spark: SparkSession) -> Iterator[Platform]:
    """An empty lake. The resources find the session that is there already."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(tmp_path, instance)


def test_rows_of_both_sources_are_staged_each_in_its_table(platform: Platform) -> None:
    platform.house(2013, chamber_expense(vlrLiquido="12.34"))
    platform.kaggle(reimbursement(receipt_date="2013-03-27", receipt_value="70"))
    assert platform.stage(2013).success
    assert (platform.rows(HOUSE), platform.rows(KAGGLE)) == ({(2013, 2): Decimal("12.34")}, {(2013, 2): Decimal(70)})


def test_rejected_rows_of_both_sources_are_kept(platform: Platform) -> None:
    platform.house(2013, chamber_expense(), chamber_expense(vlrDocumento="1,5", vlrLiquido="12.34"))
    platform.kaggle(reimbursement(receipt_date="2013-03-27", deputy_id="x"), reimbursement(), reimbursement())
    assert platform.stage(2013).success
    kept = {(row["source_code"], row["source_line"]): row["amount"] for row in platform.lake.rows(REJECTED)}
    assert kept == {("chamber_expenses", 3): Decimal("12.34"), ("kaggle_reimbursements", 2): Decimal(70)}


def test_no_event_shows_personal_data(platform: Platform) -> None:
    person = {
        "cpf": OTHER_PERSON,
        "nuCarteiraParlamentar": "carteira 5150",
        "txtPassageiro": "BELTRANO DE SOUSA",
        "txtFornecedor": f"FULANO {PERSON}",
        "txtNumero": f"2013{PERSON}",
        "txtTrecho": under_points(PERSON),
        "txNomeParlamentar": f"FULANO {PERSON}",
        "txtDescricao": f"DRONES {PERSON}",
        "numSubCota": PERSON,
        "sgPartido": f"P {PERSON}",
        "nuDeputadoId": PERSON,
    }
    platform.house(2013, chamber_expense(**person), chamber_expense(**person, vlrDocumento=f"x {PERSON}"))
    nobodys = reimbursement(deputy_id=f"x {under_points(PERSON)}", establishment_name=f"FULANO {PERSON}")
    platform.kaggle(nobodys, reimbursement(), reimbursement())
    assert platform.stage(2013).success
    shown = platform.events
    assert "vlrDocumento is not an amount" in shown
    secrets = (PERSON, OTHER_PERSON, under_points(PERSON), person["txtPassageiro"], person["nuCarteiraParlamentar"])
    assert [secret for secret in secrets if secret in shown] == []


def test_labels_that_hide_the_same_are_one_group_and_add_up(platform: Platform) -> None:
    labels = (f"DRONES {PERSON}", f"DRONES {OTHER_PERSON}")
    sound = [chamber_expense(txtDescricao=label, numSubCota="", vlrLiquido="12.34") for label in labels]
    platform.house(2013, *sound, chamber_expense(txtDescricao=labels[0], vlrDocumento="1,5"))
    run = platform.stage(2013)
    assert run.success
    assert ("adds_up", False) not in checks_of(run)
    shown = {row["expense_category_label"] for table in (HOUSE, REJECTED) for row in platform.lake.rows(table)}
    assert shown == {f"DRONES {STARS}"}


def test_rows_of_raw_from_before_a_column_was_added_are_not_staged_and_the_remedy_is_told(platform: Platform) -> None:
    table = kaggle_reimbursements.TABLE
    platform.kaggle(reimbursement(receipt_date="2013-03-27"))
    rows, version = platform.lake.rows(table), platform.lake.data_version(table)
    shutil.rmtree(platform.folder / "warehouse")
    known = replace(table, columns=tuple(column for column in table.columns if column.name != "occurrence"))
    of_old = [{name: row[name] for name in known.column_names} for row in rows]
    staged = platform.lake.stage_rows(known, lambda: of_old, "earlier", years=[2013])
    platform.lake.publish([replace(staged, data_version=version)], "earlier")
    (event,) = (event for event in platform.stage(2013).all_events if event.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    assert failure
    assert "dagster asset materialize --select raw/kaggle_reimbursements" in str(failure.description)


def test_a_restated_year_is_replaced_and_no_other(platform: Platform) -> None:
    for year in (2021, 2022):
        platform.house(year, chamber_expense(vlrLiquido="1"))
        platform.stage(year)
    platform.house(2022, chamber_expense(vlrLiquido="2"), chamber_expense(vlrLiquido="3"))
    assert platform.stage(2022).success
    assert platform.rows(HOUSE) == {(2021, 2): 1, (2022, 2): 2, (2022, 3): 3}


def test_a_lake_without_kaggles_file_is_staged(platform: Platform) -> None:
    platform.house(2022, chamber_expense())
    assert platform.stage(2022).success
    assert platform.rows(KAGGLE) == {}


def test_a_lake_without_the_houses_files_is_staged(platform: Platform) -> None:
    platform.kaggle(reimbursement(receipt_date="2013-03-27"))
    assert platform.stage(2013).success
    assert platform.rows(HOUSE) == {}


def test_a_year_of_which_no_source_has_rows_needs_no_spark(platform: Platform) -> None:
    platform.kaggle(reimbursement(receipt_date="2013-03-27"))
    platform.house(2022, chamber_expense())
    assert platform.stage(2010, spark=NoSpark(spark_config={})).success


def test_a_year_of_which_no_source_has_rows_leaves_the_others_as_they_are(platform: Platform) -> None:
    platform.kaggle(reimbursement(receipt_date="2013-03-27"))
    platform.stage(2013)
    assert platform.stage(2010, spark=NoSpark(spark_config={})).success
    assert [*platform.rows(KAGGLE)] == [(2013, 2)]


def test_of_a_selected_table_alone_nothing_else_is_published(platform: Platform) -> None:
    platform.house(2022, chamber_expense(), chamber_expense(vlrLiquido="1,5"))
    assert platform.stage(2022, REJECTED).success
    assert (platform.lake.exists(HOUSE), [*platform.rows(REJECTED)]) == (False, [(2022, 3)])


def test_without_any_file_the_failure_says_what_to_materialize(platform: Platform) -> None:
    result = platform.stage(2022)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said
    assert said.description == (
        "raw.chamber_expenses has no data yet. Materialize it first: "
        "dagster asset materialize --select raw/chamber_expenses -m deputies_lake.definitions"
    )


# The same again


def checks_of(run: dg.ExecuteInProcessResult) -> set[tuple[str, bool]]:
    return {(check.check_name, check.passed) for check in run.get_asset_check_evaluations()}


def test_what_has_not_changed_is_audited_again_and_not_computed(platform: Platform) -> None:
    platform.house(2022, chamber_expense(), chamber_expense(vlrLiquido="1,5"))
    platform.kaggle(reimbursement(receipt_date="2016-07-01 00:00:00"))
    first = platform.stage(2022)
    snapshots = [platform.lake.snapshots(table) for table in (HOUSE, KAGGLE, REJECTED)]
    again = platform.stage(2022, spark=NoSpark(spark_config={}))
    assert again.success
    assert checks_of(again) == checks_of(first)
    assert [platform.lake.snapshots(table) for table in (HOUSE, KAGGLE, REJECTED)] == snapshots


def test_a_year_that_has_not_changed_adds_up_beside_refunds_of_another(platform: Platform) -> None:
    platform.house(2022, chamber_expense())
    platform.refunds(refund())
    assert platform.stage(2022).success
    assert platform.stage(2022, spark=NoSpark(spark_config={})).success


def test_of_several_tables_each_year_follows_its_own_file(platform: Platform) -> None:
    for year in (2021, 2022):
        platform.house(year, chamber_expense())
        platform.stage(year)
    platform.house(2022, chamber_expense(), chamber_expense(numMes="3"))
    assert platform.stage(2021, spark=NoSpark(spark_config={})).success
    assert not platform.stage(2022, spark=NoSpark(spark_config={})).success
    platform.stage(2022)
    assert {year for year, _ in platform.rows(HOUSE)} == {2021, 2022}
    assert len(platform.rows(HOUSE)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setenv("DEPUTIES_LAKE_REBUILD", "all"),
        lambda patch: patch.setenv("DEPUTIES_LAKE_CPF_KEY", "another secret, as long as a secret has to be"),
        lambda patch: patch.setattr("deputies_lake.assets.code_id", lambda: "other code"),
    ],
    ids=["asked for", "another secret", "other code"],
)
def test_it_is_computed_again_where_more_than_the_rows_matters(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None]
) -> None:
    platform.house(2022, chamber_expense())
    platform.stage(2022)
    change(monkeypatch)
    assert "a Spark session was asked for" in str(failures(platform.stage(2022, spark=NoSpark(spark_config={}))))


def failures(run: dg.ExecuteInProcessResult) -> list[object]:
    return [event.step_failure_data for event in run.all_events if event.event_type_value == "STEP_FAILURE"]
