"""The walls of the house, read from the source itself: what may be imported, read and called where."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import deputies_lake
from deputies_lake.contracts import LAYERS, Table

PACKAGE = Path(deputies_lake.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}

IN_LAYERS = sorted(name for name in MODULES if name.split("/")[0] in LAYERS)
WITHOUT_DAGSTER = sorted(
    name
    for name in MODULES
    if name.split("/")[0] in {*LAYERS, "checks", "lakehouse", "reference", "sample", "contracts.py", "quota_years.py"}
    and not name.endswith("/assets.py")
)
WITHOUT_AWS = sorted({*IN_LAYERS, *(name for name in MODULES if name.startswith("checks/"))})
WITH_A_TABLE = sorted(
    name
    for name in IN_LAYERS
    if any(
        isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "TABLE"
        for node in ast.parse(MODULES[name]).body
    )
)

Violations = list[str]


def found(tree: ast.AST, is_violation: Callable[[ast.AST], bool]) -> Violations:
    """Where, as line and source."""
    return [
        f"line {node.lineno}: {ast.unparse(node)[:80]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.expr | ast.stmt) and is_violation(node)
    ]


def imported(node: ast.AST) -> Iterator[str]:
    """The full names of what an import statement brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(*packages: str) -> Callable[[str], Violations]:
    """A rule that finds imports of a package, and of any whose name begins with it and an underscore."""

    def is_violation(node: ast.AST) -> bool:
        roots = [name.split(".")[0] for name in imported(node)]
        return any(root == package or root.startswith(f"{package}_") for root in roots for package in packages)

    return lambda source: found(ast.parse(source), is_violation)


def names_imported(source: str) -> list[str]:
    return [name for node in ast.walk(ast.parse(source)) for name in imported(node)]


def relative_imports(source: str) -> Violations:
    return found(ast.parse(source), lambda node: isinstance(node, ast.ImportFrom) and node.level > 0)


READERS_OF_VARIABLES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def environment_variables(source: str) -> Violations:
    def is_violation(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr in READERS_OF_VARIABLES:
            return isinstance(node.value, ast.Name) and node.value.id == "os"
        return any(name.removeprefix("os.") in READERS_OF_VARIABLES for name in imported(node))

    return found(ast.parse(source), is_violation)


def calls_of(*names: str) -> Callable[[str], Violations]:
    """A rule that finds calls of a function or method of one of these names, and its use as a decorator."""

    def name_of(node: ast.expr) -> str:
        return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""

    def is_violation(node: ast.AST) -> bool:
        if isinstance(node, ast.FunctionDef):
            return any(name_of(decorator) in names for decorator in node.decorator_list)
        return isinstance(node, ast.Call) and name_of(node.func) in names

    return lambda source: found(ast.parse(source), is_violation)


def joins_without_how(source: str) -> Violations:
    """A literal text joins texts, anything else in a layer joins frames: Spark's default would drop rows."""

    def is_violation(node: ast.AST) -> bool:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join"):
            return False
        is_text = isinstance(node.func.value, ast.Constant | ast.JoinedStr)
        return not is_text and "how" not in {keyword.arg for keyword in node.keywords}

    return found(ast.parse(source), is_violation)


def missing_docstring(source: str) -> Violations:
    tree = ast.parse(source)
    return ["no docstring"] if tree.body and not ast.get_docstring(tree) else []


dagster_imports = imports_of("dagster")
aws_imports = imports_of("boto3", "botocore", "aiobotocore", "s3fs")
row_droppers = calls_of("distinct", "dropDuplicates", "drop_duplicates", "dropDuplicatesWithinWatermark")
python_in_spark = calls_of("udf", "pandas_udf", "udtf", "mapInPandas", "applyInPandas", "toPandas")


# the rules themselves


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (dagster_imports, "import dagster as dg"),
        (dagster_imports, "from dagster import asset"),
        (dagster_imports, "def f():\n    from dagster._core import x"),
        (dagster_imports, "import dagster_aws.emr"),
        (aws_imports, "import boto3"),
        (aws_imports, "from botocore.exceptions import ClientError"),
        (relative_imports, "from . import keys"),
        (relative_imports, "from ..contracts import Table"),
        (environment_variables, "import os\nos.environ['A']"),
        (environment_variables, "import os\nos.getenv('A')"),
        (environment_variables, "from os import environ"),
        (row_droppers, "rows.distinct()"),
        (row_droppers, "rows.dropDuplicates(['a'])"),
        (python_in_spark, "F.udf(str.upper)"),
        (python_in_spark, "udf(str.upper)"),
        (python_in_spark, "@udf\ndef f(x): ..."),
        (python_in_spark, "@F.pandas_udf('int')\ndef f(x): ..."),
        (joins_without_how, "rows.join(others, on='key')"),
        (joins_without_how, "rows.where(x).join(others, 'key')"),
        (missing_docstring, "import os"),
    ],
)
def test_a_rule_sees_what_is_forbidden(rule: Callable[[str], Violations], source: str) -> None:
    assert len(rule(source)) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (dagster_imports, "from deputies_lake import dagsterish"),
        (environment_variables, "import os\nos.path.join('a')"),
        (environment_variables, "environ = 1"),
        (relative_imports, "from deputies_lake import contracts"),
        (row_droppers, "F.countDistinct('a')"),
        (joins_without_how, "rows.join(others, on='key', how='left')"),
        (joins_without_how, "', '.join(names)"),
        (joins_without_how, "f'{a}'.join(names)"),
        (missing_docstring, ""),
        (missing_docstring, "'''What is here.'''\nimport os"),
    ],
)
def test_a_rule_sees_nothing_else(rule: Callable[[str], Violations], source: str) -> None:
    assert rule(source) == []


# the house


def test_every_part_of_the_house_is_looked_at() -> None:
    assert {"raw", "staging", "star", "checks", "sample"} <= {name.split("/")[0] for name in MODULES}
    assert {"raw/kaggle_refunds.py", "staging/stg_kaggle_refunds.py", "star/fct_expenses.py"} <= set(WITH_A_TABLE)


@pytest.mark.parametrize("module", WITHOUT_DAGSTER)
def test_tables_checks_and_samples_do_not_know_dagster(module: str) -> None:
    assert dagster_imports(MODULES[module]) == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"environments.py", "java.py"}))
def test_only_environments_and_java_read_environment_variables(module: str) -> None:
    assert environment_variables(MODULES[module]) == []


@pytest.mark.parametrize("module", sorted(name for name in MODULES if not name.startswith("cli/")))
def test_nothing_but_the_command_knows_its_verbs(module: str) -> None:
    assert [name for name in names_imported(MODULES[module]) if name.startswith("deputies_lake.cli")] == []


@pytest.mark.parametrize("module", WITHOUT_AWS)
def test_layers_and_checks_do_not_call_aws(module: str) -> None:
    assert aws_imports(MODULES[module]) == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_are_absolute(module: str) -> None:
    assert relative_imports(MODULES[module]) == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_says_what_it_is_for(module: str) -> None:
    assert missing_docstring(MODULES[module]) == []


@pytest.mark.parametrize("module", IN_LAYERS)
def test_a_join_says_which_rows_it_keeps(module: str) -> None:
    assert joins_without_how(MODULES[module]) == []


@pytest.mark.parametrize("module", IN_LAYERS)
def test_no_row_is_dropped_for_being_equal_to_another(module: str) -> None:
    assert row_droppers(MODULES[module]) == []


@pytest.mark.parametrize("module", IN_LAYERS)
def test_no_row_leaves_spark_for_python(module: str) -> None:
    assert python_in_spark(MODULES[module]) == []


def table_of(module: str) -> Any:
    return importlib.import_module(f"deputies_lake.{module.removesuffix('.py').replace('/', '.')}").TABLE


@pytest.mark.parametrize("module", WITH_A_TABLE)
def test_a_file_is_named_as_its_table_and_its_folder_as_its_layer(module: str) -> None:
    assert f"{table_of(module).layer}/{table_of(module).name}.py" == module


@pytest.mark.parametrize("module", sorted(set(IN_LAYERS) - set(WITH_A_TABLE)))
def test_no_table_is_declared_beside_those_of_the_files_named_after_them(module: str) -> None:
    name = f"deputies_lake.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
    declared = calls_of("Table")(MODULES[module])
    assert (name, declared) == (name, [])


def test_no_two_layers_have_a_table_of_the_same_name() -> None:
    names = [table_of(module).name for module in WITH_A_TABLE]
    assert sorted(names) == sorted(set(names))


def test_every_table_is_a_contract() -> None:
    assert [module for module in WITH_A_TABLE if not isinstance(table_of(module), Table)] == []


def test_table_files_can_be_used_where_dagster_is_not_installed() -> None:
    names = [f"deputies_lake.{module.removesuffix('.py').replace('/', '.')}" for module in WITH_A_TABLE]
    code = f"import sys; sys.modules['dagster'] = None\nimport {', '.join(names)}"
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
