"""Both engines must compute a transformation alike: what keeps out of it all that only Spark does, or does otherwise.

Looked at is the plan that Spark makes of each transformation, not its source: there every function has one name, in
whatever way it was written, and types are known. What each rule says of the embedded engine, Sail, was seen with pysail
0.7.2.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from deputies_lake.contracts import Table
from deputies_lake.environments import Engine
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.serving import assets as serving
from deputies_lake.serving.marts import Star, of_fact
from deputies_lake.staging import rejected_rows, stg_chamber_expenses, stg_kaggle_refunds, stg_kaggle_reimbursements
from deputies_lake.star import assets as star
from deputies_lake.star import (
    dim_dates,
    dim_deputies,
    dim_expense_categories,
    dim_parties,
    dim_states,
    dim_suppliers,
    fct_expenses,
    ref_category_limits,
    ref_known_gaps,
    ref_monthly_quotas,
)
from deputies_lake.star.expenses import HOUSE, KAGGLE, conformed
from deputies_lake.star.literals import no_rows
from deputies_lake.star.mentions import payers
from deputies_lake_tests.staging.raw_rows import CPF_KEY

pytestmark = pytest.mark.engine(Engine.SPARK)

ALIKE: Final = frozenset(
    {
        *("AttributeReference", "OuterReference", "Alias", "Literal", "TypedNullLiteral", "CaseWhen", "If", "Coalesce"),
        *("NullIf", "IsNull", "IsNotNull", "And", "Or", "Not", "In", "EqualTo", "EqualNullSafe", "LessThan"),
        *("LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual", "Cast", "SortOrder", "Least"),
        *("Add", "Subtract", "Multiply", "Remainder", "IntegralDivide", "Divide", "UnaryMinus", "Abs", "Floor"),
        *("BRound", "Length", "OctetLength", "Ascii", "Upper", "Lower", "StringTrim", "StringLPad", "Substring"),
        *("SubstringIndex", "StringTranslate", "Concat", "ConcatWs", "Contains", "StartsWith", "EndsWith"),
        *("RLike", "RegExpReplace", "RegExpExtract", "RegExpExtractAll", "StructsToCsv", "JsonToStructs"),
        *("Sha2", "Unhex", "XxHash64"),
        *(
            "Year",
            "Month",
            "Quarter",
            "DayOfMonth",
            "DayOfWeek",
            "WeekOfYear",
            "DateAdd",
            "MakeDate",
            "DateFormatClass",
        ),
        *("CreateArray", "CreateNamedStruct", "GetStructField", "Get", "GetArrayItem", "Size", "Sequence"),
        *("ArrayContains", "ArrayJoin", "ArraySort", "ArrayCompact", "ArrayTransform", "ArrayFilter", "ArrayExists"),
        *("LambdaFunction",),
        *("NamedLambdaVariable", "UnresolvedNamedLambdaVariable", "Explode", "Inline"),
        *("AggregateExpression", "Count", "CountIf", "Sum", "Average", "Min", "Max", "BoolAnd", "StddevSamp"),
        *("Percentile", "CollectList", "CollectSet"),
        *("WindowExpression", "WindowSpecDefinition", "SpecifiedWindowFrame", "UnboundedPreceding$", "CurrentRow$"),
        *("UnboundedFollowing$", "RowNumber"),
    }
)
"""Expressions by the names that Spark gives them. One more belongs here when a test has shown it alike on both."""

OTHERWISE: Final[Mapping[str, str]] = {
    "WeekDay": "of a Sunday Sail says -1: compute it from `dayofweek`",
    "YearOfWeek": "Sail knows no YEAROFWEEK: take the year of the week's Thursday",
    "ElementAt": "Sail fails where there is no such element: `get` counts from 0 and gives null",
    "CreateMap": "Sail makes a map anew for each row, in minutes for a few million: `looked_up` is a CASE",
    "TryElementAt": "`get` counts from 0 and gives null, too",
}

_CUT_OFF: Final = 18
_UNKNOWN_TO_RUST: Final = re.compile(r"\(\?<?[=!]|\(\?>|\\[1-9]|[*+?}]\+")
_CHOICES: Final = frozenset({"CaseWhen", "If", "Coalesce", "NullIf"})
_TEXTS: Final = frozenset(
    {
        *("Upper", "Lower", "StringTrim", "StringLPad", "Substring", "SubstringIndex", "StringTranslate", "Concat"),
        *("ConcatWs", "RegExpReplace", "RegExpExtract", "DateFormatClass", "ArrayJoin", "StructsToCsv", "Sha2"),
    }
)


@dataclass(frozen=True)
class Expression:
    """A node of a plan's expressions, by the name of Spark's class."""

    name: str
    fields: Mapping[str, Any]
    children: "tuple[Expression, ...]"

    @property
    def kind(self) -> str:
        """The type, where the node says it."""
        return str(self.fields.get("dataType", ""))

    @property
    def is_text(self) -> bool:
        if self.name in _CHOICES:
            return any(child.is_text for child in self.children)
        return self.kind == "string" or self.name in _TEXTS

    @property
    def may_be_nothing(self) -> bool:
        """Whether it is null for some rows by what it says, not by what its columns hold."""
        if self.name == "CaseWhen":
            return len(self.children) % 2 == 0 or any(child.may_be_nothing for child in self.children[1::2])
        return self.name == "Literal" and self.fields.get("value") is None


def expressions(frame: DataFrame) -> Iterator[Expression]:
    """All expressions of a frame's plan, each as a tree."""
    plan = json.loads(frame._jdf.queryExecution().analyzed().toJSON())
    for node in plan:
        for value in node.values():
            yield from _trees(value)


def _trees(value: Any) -> Iterator[Expression]:
    if not isinstance(value, list) or not value:
        return
    if isinstance(value[0], dict) and "class" in value[0]:
        yield _tree(iter(value))
        return
    for one in value:
        yield from _trees(one)


def _tree(nodes: Iterator[Mapping[str, Any]]) -> Expression:
    """Of a list of nodes, each before its children."""
    fields = next(nodes)
    children = tuple(_tree(nodes) for _ in range(fields["num-children"]))
    return Expression(fields["class"].rpartition(".")[2], fields, children)


def differing(expression: Expression, *, is_guarded: bool = False) -> Iterator[str]:
    """What of an expression the engines would compute otherwise, and what to write in its place."""
    if expression.name not in ALIKE:
        why = OTHERWISE.get(expression.name, "nothing shows yet that both engines compute it alike")
        yield f"{expression.name}: {why}"
    yield from filter(
        None, (rule(expression) for rule in (_divides, _negates, _matches, _prefers_null, _hashes_a_choice))
    )
    if not is_guarded and _casts_text(expression):
        yield f"Cast to {expression.kind}: of a text that is none Sail fails: match it first, in a CASE"
    for place, child in enumerate(expression.children):
        # Of a CASE every second child is a condition, the others are asked for only where theirs holds.
        is_result = expression.name == "CaseWhen" and (place % 2 == 1 or place == len(expression.children) - 1)
        # A function of an array's elements is asked for those that were found in a text.
        is_result = is_result or expression.name == "LambdaFunction"
        yield from differing(child, is_guarded=is_guarded or is_result)


def _casts_text(expression: Expression) -> bool:
    return (
        expression.name == "Cast"
        and expression.kind not in {"string", "binary", "integer", "date", "boolean"}
        and expression.children[0].name != "Literal"
        and expression.children[0].is_text
    )


def _divides(expression: Expression) -> str | None:
    if expression.name != "Divide":
        return None
    dividend = re.fullmatch(r"decimal\(\d+,(\d+)\)", expression.children[0].kind)
    if dividend and int(dividend[1]) >= _CUT_OFF:
        return None
    return f"Divide: Sail cuts a decimal quotient off early: cast the dividend to {_CUT_OFF} places, as `ratio` does"


def _negates(expression: Expression) -> str | None:
    if expression.name != "UnaryMinus" or not expression.children[0].kind.startswith("decimal"):
        return None
    return "UnaryMinus: of a decimal it is no decimal of the same type for Sail: write `0 -`, and cast"


def _matches(expression: Expression) -> str | None:
    if expression.name not in {"RLike", "RegExpReplace", "RegExpExtract", "RegExpExtractAll"}:
        return None
    pattern = str(expression.children[1].fields.get("value"))
    if not _UNKNOWN_TO_RUST.search(pattern):
        return None
    return f"{expression.name} {pattern}: Sail's regular expressions know no look-around, no \\1 and nothing possessive"


def _prefers_null(expression: Expression) -> str | None:
    if expression.name not in {"Max", "Min"} or expression.children[0].name != "CreateNamedStruct":
        return None
    if not any(value.may_be_nothing for value in expression.children[0].children[1::2]):
        return None
    return f"{expression.name} of a struct with a null: for Sail null is the greatest: put the CASE around the struct"


def _hashes_a_choice(expression: Expression) -> str | None:
    if expression.name != "XxHash64":
        return None
    parts = [part for child in expression.children for part in (child.children if "Concat" in child.name else [child])]
    told = [part for part in parts if part.name != "Literal"]
    if not told or any(part.name not in _CHOICES for part in told):
        return None
    return "XxHash64 of a choice: Sail panics where it gives one constant for many rows: choose between hashes"


def empty(spark: SparkSession, table: Table) -> DataFrame:
    return no_rows(spark, {column.name: column.type for column in table.columns})


def of_staging(spark: SparkSession) -> Iterator[tuple[Table, DataFrame]]:
    sources = (
        (kaggle_reimbursements, stg_kaggle_reimbursements),
        (chamber_expenses, stg_chamber_expenses),
        (kaggle_refunds, stg_kaggle_refunds),
    )
    judged = [
        (raw, staging, staging.judge(empty(spark, raw.TABLE)).withColumn("source_file", F.lit("a file")))
        for raw, staging in sources
    ]
    for _, staging, rows in judged:
        yield staging.TABLE, staging.transform(rows, cpf_key=CPF_KEY)
    rejected = [rejected_rows.transform(rows, raw.CSV) for raw, _, rows in judged]
    yield rejected_rows.TABLE, reduce(lambda one, other: one.unionByName(other), rejected)


def of_star(spark: SparkSession) -> Iterator[tuple[Table, DataFrame]]:
    expenses = conformed(spark, {source: empty(spark, source) for source in (HOUSE, KAGGLE)})
    refunds = empty(spark, stg_kaggle_refunds.TABLE)
    inputs = star._Inputs(expenses=expenses, payers=payers(expenses), refunds=refunds)
    for table, (_, transform) in star._DIMENSIONS.items():
        yield table, transform(inputs)
    yield fct_expenses.TABLE, fct_expenses.transform(expenses)


def of_serving(spark: SparkSession) -> Iterator[tuple[Table, DataFrame]]:
    fact, dates, deputies, suppliers = (
        empty(spark, module.TABLE) for module in (fct_expenses, dim_dates, dim_deputies, dim_suppliers)
    )
    known = Star(
        receipts=of_fact(fact, deputies, dates, suppliers),
        fact=fact,
        dates=dates,
        deputies=deputies,
        parties=empty(spark, dim_parties.TABLE),
        states=empty(spark, dim_states.TABLE),
        suppliers=suppliers,
        categories=empty(spark, dim_expense_categories.TABLE),
        quotas=empty(spark, ref_monthly_quotas.TABLE),
        limits=empty(spark, ref_category_limits.TABLE),
        gaps=empty(spark, ref_known_gaps.TABLE),
    )
    for mart, transform in serving._MARTS.items():
        yield mart, transform(known)


@pytest.mark.parametrize("frames", [of_staging, of_star, of_serving])
def test_transformations_hold_only_what_both_engines_compute_alike(
    spark: SparkSession, frames: Callable[[SparkSession], Iterator[tuple[Table, DataFrame]]]
) -> None:
    found = {
        f"{table.identifier}: {problem}"
        for table, frame in frames(spark)
        for expression in expressions(frame)
        for problem in differing(expression)
    }
    assert sorted(found) == []


def _latest() -> Column:
    return F.max(F.struct(F.when(F.col("text").isNotNull(), F.col("number")), F.col("text")))


NOT_ALIKE: Final[Mapping[str, tuple[Callable[[], Column], str]]] = {
    "the weekday": (lambda: F.weekday("day"), "WeekDay: of a Sunday Sail says -1"),
    "the week's year": (lambda: F.expr("extract(YEAROFWEEK FROM day)"), "YearOfWeek: Sail knows no YEAROFWEEK"),
    "an element from 1": (lambda: F.element_at("list", 1), "ElementAt: Sail fails where there is no such element"),
    "a map": (lambda: F.create_map(F.lit("a"), F.col("text")), "CreateMap: Sail makes a map anew for each row"),
    "look-behind": (lambda: F.col("text").rlike("(?<![0-9])1"), "RLike (?<![0-9])1: Sail's regular expressions"),
    "look-ahead": (lambda: F.regexp_replace("text", "1(?=2)", ""), "RegExpReplace 1(?=2): Sail's regular"),
    "decimals divided": (lambda: F.col("amount") / F.col("amount"), "Divide: Sail cuts a decimal quotient off"),
    "a decimal's negative": (lambda: -F.col("amount"), "UnaryMinus: of a decimal it is no decimal of the same type"),
    "a text as a bigint": (lambda: F.col("text").cast("bigint"), "Cast to long: of a text that is none"),
    "a trimmed text as a double": (lambda: F.trim("text").cast("double"), "Cast to double: of a text that is none"),
    "an optional text as money": (
        lambda: F.coalesce(F.trim("text"), F.lit("0")).cast("decimal(14,2)"),
        "Cast to decimal(14,2): of a text that is none",
    ),
    "a condition that casts": (
        lambda: F.when(F.col("text").cast("double") > 1, 1),
        "Cast to double: of a text that is none",
    ),
    "the latest, or null": (_latest, "Max of a struct with a null: for Sail null is the greatest"),
    "the hash of a default": (
        lambda: F.xxhash64(F.concat_ws("|", F.lit("party"), F.coalesce(F.col("text"), F.lit("UNKNOWN")))),
        "XxHash64 of a choice: Sail panics",
    ),
    "what nobody has tried": (lambda: F.soundex("text"), "SoundEx: nothing shows yet that both engines"),
}
_COLUMNS: Final = {
    "day": "date",
    "list": "array<string>",
    "text": "string",
    "number": "int",
    "amount": "decimal(14,2)",
}


@pytest.mark.parametrize("name", NOT_ALIKE)
def test_what_the_engines_compute_otherwise_is_told_with_the_remedy(spark: SparkSession, name: str) -> None:
    column, told = NOT_ALIKE[name]
    frame = no_rows(spark, _COLUMNS).select(column())
    problems = [problem for expression in expressions(frame) for problem in differing(expression)]
    assert [problem for problem in problems if problem.startswith(told)], problems


def test_a_text_may_be_cast_where_it_was_matched_first(spark: SparkSession) -> None:
    text = F.col("text")
    guarded = F.when(text.rlike("^[0-9]+$"), text.cast("bigint"))
    frame = no_rows(spark, _COLUMNS).select(guarded)
    assert [problem for expression in expressions(frame) for problem in differing(expression)] == []
