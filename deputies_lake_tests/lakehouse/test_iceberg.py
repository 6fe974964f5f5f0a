"""Tables, publication and clean-up, one process at a time."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import ValidationError
from pyiceberg.table import DataScan, FileScanTask, Table
from pyiceberg.table.statistics import StatisticsFile
from pyiceberg.table.update import update_table_metadata

from deputies_lake import contracts
from deputies_lake.contracts import Column
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.iceberg import expiry
from deputies_lake.lakehouse.local_home import LakeError
from deputies_lake_tests.lakehouse.tables import (
    EXPENSES,
    PARTIES,
    counts,
    expenses,
    publish,
    remove_orphans,
    retyped,
    rows_of,
    stage,
)

AT_ONCE = timedelta(0)
A_DAY = timedelta(days=1)


def files_below(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def rows_in(table: Table, snapshot_id: int) -> int:
    return int(iceberg.dataset(table, iceberg.data_files(table, None, snapshot_id)).count_rows())


def test_a_table_is_made_from_its_contract(catalog: Catalog, table: Table, root: Path) -> None:
    assert table.location() == f"file://{root}/star/fct_expenses"
    assert table.format_version == 2
    assert table.properties["comment"] == EXPENSES.en
    assert [field.name for field in table.schema().fields] == list(EXPENSES.column_names)
    assert [str(field.field_type) for field in table.schema().fields] == [
        *("long", "int", "int", "decimal(14, 2)", "string", "string", "boolean", "date", "timestamp")
    ]
    assert table.schema().find_field("net_amount").doc == "Amount / Valor"
    assert [field.name for field in table.spec().fields] == ["year"]
    assert iceberg.ensure_table(catalog, PARTIES).spec().is_unpartitioned()


def test_a_table_that_fits_its_contract_is_left_alone(catalog: Catalog, table: Table, root: Path) -> None:
    before = files_below(root)
    assert iceberg.ensure_table(catalog, EXPENSES).metadata_location == table.metadata_location
    assert files_below(root) == before


def test_a_commit_copies_the_metadata_only_when_it_changed(table: Table) -> None:
    publish(table, {2019: 1})
    with mock.patch("pyiceberg.table.update_table_metadata", wraps=update_table_metadata) as copied:
        publish(table.refresh(), {2019: 2})
    # Each copy holds all versions there are. PyIceberg alone makes 25.
    assert copied.call_count <= 5


def test_a_table_follows_its_contract_and_loses_nothing(catalog: Catalog, table: Table) -> None:
    wider = retyped(EXPENSES, version="bigint")
    added = Column(name="source_code", pt="Fonte", en="Source")
    evolved = iceberg.ensure_table(catalog, replace(wider, en="Receipts", columns=(*wider.columns, added)))
    assert str(evolved.schema().find_field("version").field_type) == "long"
    assert evolved.schema().find_field("source_code").field_id == len(EXPENSES.columns) + 1
    assert evolved.properties["comment"] == "Receipts"

    assert iceberg.ensure_table(catalog, EXPENSES).schema().as_struct() == evolved.schema().as_struct()


@pytest.mark.parametrize(
    ("contract", "error"),
    [
        (retyped(EXPENSES, supplier="int"), ValidationError),
        (replace(EXPENSES, partitioned=False), ValueError),
    ],
)
def test_a_change_that_old_files_cannot_follow_is_refused(
    catalog: Catalog, table: Table, contract: contracts.Table, error: type[Exception]
) -> None:
    before = table.metadata_location
    with pytest.raises(error):
        iceberg.ensure_table(catalog, contract)
    assert table.refresh().metadata_location == before


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[1]", "{a}", "a#b", "year=2019", "a\\b"])
def test_a_directory_that_readers_misunderstand_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LakeError, match="may not contain"):
        iceberg.local_catalog(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_glue_catalog_speaks_to_its_region_or_endpoint() -> None:
    catalog = iceberg.glue_catalog("s3://lake/warehouse", "sa-east-1", endpoint="http://127.0.0.1:5000")
    client = catalog.glue.meta  # type: ignore[attr-defined]
    assert (client.region_name, client.endpoint_url) == ("sa-east-1", "http://127.0.0.1:5000")
    assert catalog.properties["s3.endpoint"] == "http://127.0.0.1:5000"


def test_a_year_is_replaced_and_the_others_stay(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2, 2020: 1})
    publish(table, {2019: 5}, version=2)
    assert counts(table) == {(2018, 1): 3, (2019, 2): 5, (2020, 1): 1}


def test_a_year_may_become_empty(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2})
    publish(table, {2019: 0})
    assert counts(table) == {(2018, 1): 3}
    assert iceberg.data_files(table, [2019]) == []


def test_years_are_replaced_together_in_one_snapshot(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2, 2020: 1})
    publish(table, {2018: 1, 2020: 2}, version=2)
    assert counts(table) == {(2018, 2): 1, (2019, 1): 2, (2020, 2): 2}
    assert len(table.snapshots()) == 2


def test_the_whole_table_is_replaced(table: Table) -> None:
    publish(table, {2018: 3, 2019: 2})
    publish(table, {2020: 1}, version=2, whole=True)
    assert counts(table) == {(2020, 2): 1}


def test_a_dimension_is_replaced_as_a_whole(catalog: Catalog) -> None:
    dimension = iceberg.ensure_table(catalog, PARTIES)
    for names in (["PT", "MDB"], ["PSOL"]):
        rows = [{"party_key": key, "name": name} for key, name in enumerate(names)]
        iceberg.commit(dimension, stage(dimension, rows), years=None, expected_rows=len(rows), properties={})
        assert rows_of(dimension) == rows
    with pytest.raises(ValueError, match="not partitioned by year"):
        iceberg.commit(dimension, [], years=[2019], expected_rows=0, properties={})
    with pytest.raises(ValueError, match="not partitioned by year"):
        iceberg.data_files(dimension, [2019])


def test_files_older_than_the_partitioning_are_not_lost_with_one_year(catalog: Catalog) -> None:
    table = iceberg.ensure_table(catalog, replace(EXPENSES, partitioned=False))
    files = stage(table, expenses(2018) + expenses(2019))
    iceberg.commit(table, files, years=None, expected_rows=4, properties={})
    with table.update_spec() as update:
        update.add_identity("year")
    with pytest.raises(ValueError, match="other years too"):
        publish(table, {2019: 1}, version=2)
    assert counts(table.refresh()) == {(2018, 1): 2, (2019, 1): 2}
    publish(table, {2018: 1, 2019: 1}, version=2, whole=True)
    publish(table, {2019: 5}, version=3)
    assert counts(table) == {(2018, 2): 1, (2019, 3): 5}


def test_rows_deleted_by_another_engine_do_not_come_back(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(table, {2019: 2})
    task = next(iter(table.scan().plan_files()))
    deleted = FileScanTask(task.file, delete_files={task.file})
    monkeypatch.setattr(DataScan, "plan_files", lambda scan: [deleted])
    with pytest.raises(ValueError, match="row-level deletes"):
        iceberg.data_files(table)


def test_a_table_may_be_published_empty(table: Table) -> None:
    iceberg.commit(table, stage(table, []), years=None, expected_rows=0, properties={})
    assert counts(table) == {}
    assert iceberg.data_files(table) == []


def test_publishing_twice_changes_nothing(table: Table) -> None:
    files = stage(table, expenses(2018), expenses(2019))
    for _ in range(3):
        iceberg.commit(table, files, years=[2018, 2019], expected_rows=4, properties={})
        assert counts(table) == {(2018, 1): 2, (2019, 1): 2}
    publish(table, {2018: 2, 2019: 2})
    assert counts(table) == {(2018, 1): 2, (2019, 1): 2}


def test_a_snapshot_says_where_it_comes_from(table: Table) -> None:
    files = stage(table, expenses(2019))
    snapshot = iceberg.commit(table, files, years=[2019], expected_rows=2, properties={"lake.run-id": "r1"})
    assert snapshot.summary is not None
    assert snapshot.summary["lake.run-id"] == "r1"
    assert snapshot == table.current_snapshot()


def test_each_footer_is_read_once(table: Table) -> None:
    files = stage(table, *(expenses(year) for year in range(2008, 2024)))
    with mock.patch.object(pq, "read_metadata", wraps=pq.read_metadata) as read:
        iceberg.commit(table, files, years=None, expected_rows=32, properties={})
    assert read.call_count == len(files)


def test_a_reader_keeps_the_version_it_started_with(catalog: Catalog, table: Table) -> None:
    publish(table, {2018: 3, 2019: 2})
    reader = catalog.load_table(EXPENSES.identifier)
    first = reader.metadata.current_snapshot_id
    publish(table, {2018: 1, 2019: 1}, version=2)
    publish(table, {2019: 7}, version=3)
    assert counts(reader) == {(2018, 1): 3, (2019, 1): 2}
    assert iceberg.data_files(table, [2019], first) == iceberg.data_files(reader, [2019])


def test_versions_outlive_their_replacement_by_the_time_given(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 2 * A_DAY.total_seconds())
    table = iceberg.ensure_table(catalog, EXPENSES)
    publish(table, {2018: 1, 2019: 1})
    publish(table, {2019: 2}, version=2)
    monkeypatch.undo()
    publish(table, {2019: 3}, version=3)
    first, second, third = (snapshot.snapshot_id for snapshot in table.snapshots())

    # The second is as old as the first, but a reader may have started on it until just now.
    assert iceberg.expire_snapshots(table, keep=A_DAY) == [first]
    assert iceberg.expire_snapshots(table, keep=A_DAY) == []
    assert iceberg.expire_snapshots(table, keep=AT_ONCE) == [second]
    assert [snapshot.snapshot_id for snapshot in table.snapshots()] == [third]
    assert counts(table) == {(2018, 1): 1, (2019, 3): 3}


def test_a_tagged_version_is_never_expired(table: Table) -> None:
    publish(table, {2019: 1})
    tagged = table.current_snapshot()
    assert tagged is not None
    table.manage_snapshots().create_tag(tagged.snapshot_id, "audited").commit()
    publish(table, {2019: 2}, version=2)
    publish(table, {2019: 3}, version=3)
    assert len(iceberg.expire_snapshots(table, keep=AT_ONCE)) == 1
    remove_orphans(table, older_than=AT_ONCE)
    assert rows_in(table, tagged.snapshot_id) == 1


def test_only_files_of_no_version_are_removed(table: Table) -> None:
    publish(table, {2018: 1, 2019: 1})
    publish(table, {2019: 2}, version=2)
    abandoned = stage(table, expenses(2019), expenses(2020))

    assert remove_orphans(table, older_than=A_DAY) == []
    assert sorted(remove_orphans(table, older_than=AT_ONCE)) == abandoned
    assert remove_orphans(table, older_than=AT_ONCE) == []
    assert [rows_in(table, snapshot.snapshot_id) for snapshot in table.snapshots()] == [2, 3]
    publish(table, {2020: 1}, version=3)
    assert counts(table) == {(2018, 1): 1, (2019, 2): 2, (2020, 3): 1}


def test_expired_versions_leave_no_file_behind(table: Table, root: Path) -> None:
    for version in range(1, 6):
        publish(table, {2018: 1, 2019: 1}, version=version)
    iceberg.expire_snapshots(table, keep=AT_ONCE)
    removed = remove_orphans(table, older_than=AT_ONCE)
    data = {path for path in files_below(root) if path.suffix == ".parquet"}
    assert len([file for file in removed if file.endswith(".parquet")]) == 8
    assert data == {Path(file.removeprefix("file://")) for file in iceberg.data_files(table)}
    assert counts(table) == {(2018, 5): 1, (2019, 5): 1}


def test_statistics_that_another_engine_made_are_kept(table: Table) -> None:
    publish(table, {2019: 1})
    snapshot = table.current_snapshot()
    assert snapshot is not None
    puffin = Path(table.location().removeprefix("file://")) / "metadata" / "statistics.puffin"
    puffin.write_bytes(b"PFA1")
    statistics = StatisticsFile(
        snapshot_id=snapshot.snapshot_id,
        statistics_path=f"file://{puffin}",
        file_size_in_bytes=4,
        file_footer_size_in_bytes=4,
        blob_metadata=[],
    )
    with table.update_statistics() as update:
        update.set_statistics(statistics)
    assert remove_orphans(table, older_than=AT_ONCE) == []


def test_what_was_published_during_the_clean_up_is_kept(
    catalog: Catalog, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(table, {2018: 1})
    files = stage(table, expenses(2019))
    other = catalog.load_table(EXPENSES.identifier)
    refresh = Table.refresh

    def publish_first(late: Table) -> Table:
        if late is table:
            iceberg.commit(other, files, years=[2019], expected_rows=2, properties={})
        return refresh(late)

    monkeypatch.setattr(Table, "refresh", publish_first)
    assert remove_orphans(table, older_than=AT_ONCE) == []
    monkeypatch.undo()
    assert counts(table) == {(2018, 1): 1, (2019, 1): 2}


def test_a_listing_without_the_table_deletes_nothing(table: Table, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    publish(table, {2018: 1})
    before = files_below(root)
    monkeypatch.setattr(expiry, "_referenced_paths", lambda *_: {"/elsewhere/star/fct_expenses/a.parquet"})
    with pytest.raises(RuntimeError, match="nothing deleted"):
        remove_orphans(table, older_than=AT_ONCE)
    assert files_below(root) == before
