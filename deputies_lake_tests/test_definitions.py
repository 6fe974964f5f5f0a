"""The code location loads in every environment, without a network, and every asset tells all that is known of it."""

import importlib
import socket
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_aws.emr.pyspark_step_launcher import EmrPySparkStepLauncher

from deputies_lake.checks.predicates import checks_of
from deputies_lake.contracts import Table
from deputies_lake.definitions import build_definitions
from deputies_lake.environments import VARIABLES, Environment
from deputies_lake.partitions import BY_YEARS, reimbursement_years
from deputies_lake.quota_years import current_year
from deputies_lake.raw import chamber_expenses, file_versions, kaggle_refunds, kaggle_reimbursements
from deputies_lake.serving import assets as serving
from deputies_lake.serving import data_dictionary, publications, readiness, rejected_lines
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_document_types,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expense_changes,
    fct_expenses,
    ref_category_labels,
    ref_category_limits,
    ref_functional_suppliers,
    ref_known_gaps,
    ref_monthly_quotas,
    ref_party_events,
)

REFERENCE_TABLES = (
    ref_monthly_quotas,
    ref_category_limits,
    ref_category_labels,
    ref_party_events,
    ref_functional_suppliers,
    ref_known_gaps,
)

MARTS = tuple(serving._MARTS)

CONTRACTS: Mapping[dg.AssetKey, Table] = {
    dg.AssetKey([module.TABLE.layer, module.TABLE.name]): module.TABLE
    for module in (
        kaggle_reimbursements,
        kaggle_refunds,
        chamber_expenses,
        file_versions,
        stg_kaggle_reimbursements,
        stg_chamber_expenses,
        stg_kaggle_refunds,
        rejected_rows,
        dim_dates,
        dim_deputies,
        dim_parties,
        dim_states,
        dim_suppliers,
        dim_expense_categories,
        dim_document_types,
        *REFERENCE_TABLES,
        fct_expenses,
        fct_expense_changes,
        publications,
        data_dictionary,
        readiness,
        rejected_lines,
    )
} | {dg.AssetKey([mart.layer, mart.name]): mart for mart in MARTS}

# Assets that are no tables: files, and what only has a deadline.
FILES = {dg.AssetKey(["serving", name]) for name in ("duckdb_file", "dashboard")}
DEADLINES = {dg.AssetKey(["serving", "todays_figures"])}

BY_YEAR = {
    *(f"serving/{mart.name}" for mart in MARTS),
    "raw/chamber_expenses",
    "raw/file_versions",
    "staging/stg_kaggle_reimbursements",
    "staging/stg_chamber_expenses",
    "staging/rejected_rows",
    "star/fct_expenses",
    "star/fct_expense_changes",
}

# What comes from no column: a raw table's own columns come from its file, the calendar is computed, reference tables
# ship with the package, and where a row came from is known of the file.
WITHOUT_LINEAGE = {
    *(f"raw/{name}.*" for name in ("kaggle_reimbursements", "kaggle_refunds", "chamber_expenses", "file_versions")),
    "staging/rejected_rows.*",
    "staging/stg_kaggle_reimbursements.source_file",
    "staging/stg_kaggle_refunds.source_file",
    "staging/stg_kaggle_refunds.year",
    "star/dim_dates.*",
    "star/dim_states.state_name",
    "star/dim_states.region_pt",
    "star/dim_states.region_en",
    "star/dim_expense_categories.name_pt",
    "star/dim_expense_categories.name_en",
    "star/dim_expense_categories.group_pt",
    "star/dim_expense_categories.group_en",
    "star/dim_expense_categories.note",
    "star/fct_expenses.source_code",
    "star/fct_expense_changes.changed_at",
    "star/dim_document_types.name_pt",
    "star/dim_document_types.name_en",
    "staging/stg_chamber_expenses.source_file",
    *(f"star/{module.TABLE.name}.*" for module in REFERENCE_TABLES),
    # Computed from no column: moments, a law, texts.
    "serving/publications.published_at",
    "serving/data_dictionary.*",
    *(f"serving/readiness.{column}" for column in ("is_in_time", "ready_at", "made_at")),
    "serving/mart_first_digits.expected_share",
    *(f"serving/mart_points_of_attention.{column}" for column in ("point_id", "point_kind", "text_pt", "text_en")),
}

JOBS = {
    "lake",
    "raw",
    "expenses",
    "typed_rows",
    "figures",
    "from_chamber_expenses",
    "from_kaggle_reimbursements",
    "from_kaggle_refunds",
    "maintain_tables",
}


@pytest.fixture(autouse=True, scope="module")
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No network, no other program, no variables that set something, and a directory in which nothing is."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("definitions must load without a network and without starting a program")

    with pytest.MonkeyPatch.context() as patch:
        for call in ("connect", "connect_ex", "bind"):
            patch.setattr(socket.socket, call, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(subprocess, "Popen", refuse)
        for name in (*VARIABLES, "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


@pytest.fixture(scope="module", params=list(Environment))
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.param
    return found


@pytest.fixture(scope="module")
def definitions(environment: Environment) -> dg.Definitions:
    return build_definitions(environment.value)


@pytest.fixture(scope="module")
def specs() -> Mapping[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in build_definitions("local").resolve_all_asset_specs()}


@pytest.fixture(params=list(CONTRACTS), ids=lambda key: key.to_user_string())
def contract(request: pytest.FixtureRequest) -> Table:
    return CONTRACTS[request.param]


@pytest.fixture
def spec(contract: Table, specs: Mapping[dg.AssetKey, dg.AssetSpec]) -> dg.AssetSpec:
    return specs[dg.AssetKey([contract.layer, contract.name])]


def schema_of(spec: dg.AssetSpec) -> dg.TableSchema:
    schema: Any = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    return schema


def lineage_of(spec: dg.AssetSpec) -> Mapping[str, Sequence[dg.TableColumnDep]]:
    lineage: Any = spec.metadata["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    return lineage.deps_by_column


# every environment


def test_definitions_are_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_loading_definitions_makes_no_file(environment: Environment) -> None:
    build_definitions(environment.value)
    assert list(Path().iterdir()) == []


def test_dg_finds_the_definitions() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    module = importlib.import_module(project["code_location_target_module"])
    assert isinstance(module.defs, dg.Definitions)
    assert module.__name__.startswith(f"{project['root_module']}.")


def test_the_assets_are_the_same_in_every_environment(definitions: dg.Definitions) -> None:
    assert {spec.key for spec in definitions.resolve_all_asset_specs()} == set(CONTRACTS) | FILES | DEADLINES


def test_the_jobs_are_the_same_in_every_environment_but_for_the_end_of_clusters(
    definitions: dg.Definitions, environment: Environment
) -> None:
    found = {job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    assert found == JOBS | (set() if environment is Environment.LOCAL else {"terminate_idle_clusters"})


def test_every_resource_is_there_in_every_environment(definitions: dg.Definitions) -> None:
    assert set(definitions.resources or {}) == {"lake", "files", "pyspark", "settings", "pyspark_step_launcher"}


def launcher_of(definitions: dg.Definitions) -> Any:
    """What a run gets to launch its steps with."""
    with dg.build_resources({"launcher": (definitions.resources or {})["pyspark_step_launcher"]}) as resources:
        return resources.launcher


def test_local_steps_are_launched_by_nothing() -> None:
    assert launcher_of(build_definitions("local")) is None


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_other_steps_are_launched_on_emr_from_their_environments_bucket(environment: str) -> None:
    launcher = launcher_of(build_definitions(environment))
    assert isinstance(launcher, EmrPySparkStepLauncher)
    assert launcher.staging_bucket == f"deputies-lake-{environment}-artifacts"


def test_a_steps_process_is_the_runs_process(definitions: dg.Definitions) -> None:
    assert definitions.executor is dg.in_process_executor


def test_no_secret_is_in_a_resource_that_the_ui_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPUTIES_LAKE_CPF_KEY", "nobody may see this")
    assert "nobody may see this" not in repr(build_definitions("prod").resources)


def test_an_unknown_environment_does_not_load() -> None:
    with pytest.raises(ValueError, match="set it to one of: local, staging, prod"):
        build_definitions("production")


# every asset


def test_a_step_is_tried_again_and_waits_for_its_turn_on_the_cluster(definitions: dg.Definitions) -> None:
    assets = [asset for asset in definitions.resolve_asset_graph().assets_defs if asset.is_executable]
    steps = {asset.op: "pyspark_step_launcher" in asset.required_resource_keys for asset in assets}
    found = {
        (step.retry_policy.max_retries if step.retry_policy else 0, step.pool, is_launched)
        for step, is_launched in steps.items()
    }
    assert found == {(2, "emr", True), (2, None, False)}


def test_an_asset_is_grouped_by_its_layer(spec: dg.AssetSpec, contract: Table) -> None:
    assert (spec.group_name, spec.tags["layer"]) == (contract.layer, contract.layer)


def test_an_asset_has_an_owner(spec: dg.AssetSpec) -> None:
    assert spec.owners


def test_an_asset_says_how_it_is_kept_and_computed(spec: dg.AssetSpec, contract: Table) -> None:
    is_from_csv = contract.layer == "raw" or contract.name.startswith("ref_")
    is_small = contract in (publications.TABLE, rejected_lines.TABLE, data_dictionary.TABLE, readiness.TABLE)
    assert spec.kinds == {"iceberg"} | (set() if is_small else {"csv" if is_from_csv else "pyspark"})


def test_an_asset_is_described_in_both_languages_with_its_grain(spec: dg.AssetSpec, contract: Table) -> None:
    assert spec.description == f"{contract.en}\n\n{contract.pt}\n\n**Grain:** {contract.grain}."


def test_the_two_languages_are_two(contract: Table) -> None:
    texts = [(contract.pt, contract.en), *((column.pt, column.en) for column in contract.columns)]
    assert [pair for pair in texts if not all(pair) or pair[0] == pair[1]] == []


def test_an_asset_names_its_table(spec: dg.AssetSpec, contract: Table) -> None:
    assert spec.metadata["dagster/table_name"] == f"{contract.layer}.{contract.name}"


def test_an_assets_columns_are_its_tables(spec: dg.AssetSpec, contract: Table) -> None:
    assert [(column.name, column.type) for column in schema_of(spec).columns] == [
        (column.name, column.type) for column in contract.columns
    ]


def test_every_column_is_described_in_both_languages(spec: dg.AssetSpec, contract: Table) -> None:
    described = {column.name: column.description or "" for column in schema_of(spec).columns}
    assert [c.name for c in contract.columns if c.pt not in described[c.name] or c.en not in described[c.name]] == []


def test_a_column_says_whether_it_may_be_null(spec: dg.AssetSpec, contract: Table) -> None:
    nullable = [column.name for column in schema_of(spec).columns if column.constraints.nullable]
    assert nullable == [column.name for column in contract.columns if column.nullable]


def test_only_a_key_of_one_column_is_unique(spec: dg.AssetSpec, contract: Table) -> None:
    unique = tuple(column.name for column in schema_of(spec).columns if column.constraints.unique)
    assert unique == (contract.key if len(contract.key) == 1 else ())


def test_lineage_names_columns_that_exist(spec: dg.AssetSpec) -> None:
    named = {(dep.asset_key, dep.column_name) for deps in lineage_of(spec).values() for dep in deps}
    assert [(key, column) for key, column in named if column not in CONTRACTS[key].column_names] == []


def test_lineage_names_only_what_the_asset_depends_on(spec: dg.AssetSpec) -> None:
    named = {dep.asset_key for deps in lineage_of(spec).values() for dep in deps}
    assert named <= {dep.asset_key for dep in spec.deps}


def test_every_column_has_its_lineage_but_those_that_come_from_no_column(spec: dg.AssetSpec, contract: Table) -> None:
    asset = spec.key.to_user_string()
    lacking = {column.name for column in contract.columns if not lineage_of(spec).get(column.name)}
    exempt = {name.partition(".")[2] for name in WITHOUT_LINEAGE if name.startswith(f"{asset}.")}
    assert lacking == (set(contract.column_names) if exempt == {"*"} else exempt)


def test_an_asset_depends_on_tables_of_the_layers_before(spec: dg.AssetSpec, contract: Table) -> None:
    order = ["raw", "staging", "star", "serving"]
    layers = {dep.asset_key.path[0] for dep in spec.deps}
    # The fact's keys must have their members: it comes after the dimensions of its own layer.
    allowed = order[: order.index(contract.layer)] + (["star"] if contract.name.startswith("fct_") else [])
    # It measures when the marts were there.
    allowed += ["serving"] if contract == readiness.TABLE else []
    assert layers <= set(allowed)


def test_the_fact_depends_on_each_dimension_it_refers_to(specs: Mapping[dg.AssetKey, dg.AssetSpec]) -> None:
    spec = specs[dg.AssetKey(["star", "fct_expenses"])]
    referred = {dg.AssetKey(["star", reference.table]) for reference in fct_expenses.TABLE.references}
    assert referred <= {dep.asset_key for dep in spec.deps}


def test_a_reference_leads_to_the_key_of_its_dimension(contract: Table) -> None:
    keys = {r.column: CONTRACTS[dg.AssetKey(["star", r.table])].key for r in contract.references}
    assert keys == {column: (column,) for column in keys}


def test_an_asset_of_years_has_a_partition_for_each_from_2008_on(spec: dg.AssetSpec) -> None:
    years = [str(year) for year in range(2008, current_year() + 1)]
    partitions = spec.partitions_def
    keys = list(partitions.get_partition_keys()) if partitions else []
    assert keys == (years if spec.key.to_user_string() in BY_YEAR else [])


def test_an_asset_of_years_is_stored_by_year(spec: dg.AssetSpec, contract: Table) -> None:
    assert contract.partitioned or spec.partitions_def is None


def test_no_backfill_waits_for_a_year_without_a_file(spec: dg.AssetSpec) -> None:
    """Such a year is never materialized in raw.chamber_expenses; in raw.file_versions it is."""
    graph = build_definitions("local").resolve_asset_graph()
    house, looked_for = (dg.AssetKey(["raw", name]) for name in ("chamber_expenses", "file_versions"))
    if house not in graph.get(spec.key).parent_keys:
        return
    mapping = graph.get_partition_mapping(spec.key, house)
    year = reimbursement_years.subset_with_partition_keys(["2013"])
    waited_for = mapping.get_upstream_mapped_partitions_result_for_partitions(
        year, reimbursement_years, reimbursement_years
    )
    assert (waited_for.partitions_subset.is_empty, looked_for in graph.get(spec.key).parent_keys) == (True, True)


_OWN_CHECKS = {
    chamber_expenses.TABLE: (
        "files_were_fetched",
        "files_are_used",
        "files_are_readable",
        "nothing_vanished",
        "lines_are_readable",
    ),
    fct_expense_changes.TABLE: ("history_is_whole",),
    kaggle_reimbursements.TABLE: ("lines_are_readable",),
    kaggle_refunds.TABLE: ("lines_are_readable",),
}
"""Checks that are about files, not about rows."""


def test_an_asset_has_the_checks_of_its_contract(specs: Mapping[dg.AssetKey, dg.AssetSpec], contract: Table) -> None:
    key = dg.AssetKey([contract.layer, contract.name])
    graph = build_definitions("local").resolve_asset_graph()
    checks = {check: graph.get_check_spec(check).blocking for check in graph.get_check_keys_for_assets({key})}
    own = dict.fromkeys(_OWN_CHECKS.get(contract, ()), False)
    # Of a table by years it is the audit that stops a year: Dagster would stop the others with it.
    asked = {check.name: check.blocking and not contract.partitioned for check in checks_of(contract)}
    assert checks == {dg.AssetCheckKey(key, name): blocking for name, blocking in {**asked, **own}.items()}


def test_what_stops_a_table_as_a_whole_stops_what_is_built_on_it(contract: Table) -> None:
    key = dg.AssetKey([contract.layer, contract.name])
    graph = build_definitions("local").resolve_asset_graph()
    blocking = {graph.get_check_spec(check).blocking for check in graph.get_check_keys_for_assets({key})}
    assert (True in blocking) is not contract.partitioned
    assert any(check.blocking for check in checks_of(contract))


def test_a_range_of_years_is_one_run(contract: Table) -> None:
    graph = build_definitions("local").resolve_asset_graph()
    policy = graph.get(dg.AssetKey([contract.layer, contract.name])).backfill_policy
    assert policy == dg.BackfillPolicy.single_run()


# jobs


@pytest.mark.parametrize(
    ("job", "layers"),
    [
        ("lake", {"raw", "staging", "star", "serving"}),
        ("raw", {"raw"}),
        ("expenses", {"staging", "star", "serving"}),
        ("typed_rows", {"staging"}),
        ("figures", {"star", "serving"}),
    ],
)
def test_a_job_is_of_its_layers_assets(job: str, layers: set[str]) -> None:
    selected = build_definitions("local").resolve_job_def(job).asset_layer.executable_asset_keys
    assert selected == {key for key in (*CONTRACTS, *FILES, *DEADLINES) if key.path[0] in layers}


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_says_what_it_is_for(job: str) -> None:
    assert build_definitions("local").resolve_job_def(job).description


@pytest.mark.parametrize("job", sorted(JOBS - {"maintain_tables"}))
def test_a_job_of_assets_must_be_told_its_years(job: str) -> None:
    assert BY_YEARS.items() <= build_definitions("local").resolve_job_def(job).tags.items()
