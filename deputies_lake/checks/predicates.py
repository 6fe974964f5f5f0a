"""The checks: named predicates over any table, derived from its contract.

A check of one table only does not belong here: say it in the contract, then every table can have it. How a check is
run, and what a failed one stops, is in `audit.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Final

from deputies_lake import redaction
from deputies_lake.checks.audit import Audit, Check, Group, Sums, sums
from deputies_lake.contracts import YEAR, Table, Totals
from deputies_lake.reference import tables

Result = tuple[bool, str, Mapping[str, int | str]]

_EXAMPLES: Final = 5
_OF_A_LINE: Final = ("source_file", "source_line")

# Free texts, of which staging hides what is or may be a CPF. Tables after it carry them on under these names.
_REDACTED: Final = ("supplier_name", "document_number", "trip", "rejection_reason", "line_text")

# Of a dimension all texts are looked at, for labels and names come into the star by it; but for these: masked where
# they are a person's, and companies' numbers may look like a CPF.
_TAX_IDS: Final = ("supplier_id", "supplier_root")


def checks_of(contract: Table) -> tuple[Check, ...]:
    """The checks a contract asks for, in the order they are run."""
    checks = [GRAIN, FILLED]
    if contract.references:
        checks.append(REFERENCES)
    if contract.referred_by:
        checks.append(MEMBERS)
    if contract.totals:
        checks.append(ADDS_UP)
    if contract.layer != "raw" and _redacted_columns(contract):
        checks.append(NO_CPF)
    if contract.layer == "staging":
        checks += [check for column, check in _OF_COLUMNS.items() if column in contract.column_names]
    return tuple(checks)


def _places(audit: Audit, rows: str, *more: str) -> str:
    """What is needed to find staged rows: their years, and of one its key, its line in the file, and `more`."""
    contract = audit.contract
    years = ""
    if YEAR in contract.column_names:
        found = [str(year) for (year,) in audit.rows(f"SELECT DISTINCT {YEAR} FROM {rows} ORDER BY 1")]
        years = f" in {', '.join(found[:_EXAMPLES])}{' and others' if len(found) > _EXAMPLES else ''}"
    names = [*contract.key, *(name for name in _OF_A_LINE if name in contract.column_names), *more]
    values = audit.one(f"SELECT {', '.join(names)} FROM {rows} ORDER BY ALL LIMIT 1")
    return f"{years}, such as {', '.join(f'{name} {_key(value)}' for name, value in zip(names, values, strict=True))}"


def _grain_is_unique(audit: Audit) -> Result:
    key = ", ".join(audit.contract.key)
    query = f"SELECT {key}, count(*) AS times FROM staged GROUP BY ALL HAVING count(*) > 1"
    (repeated,) = audit.one(f"SELECT count(*) FROM ({query})")
    if not repeated:
        return True, f"no two rows share {key}", {}
    examples = audit.rows(f"{query} ORDER BY ALL LIMIT {_EXAMPLES}")
    where = _places(audit, f"(FROM staged QUALIFY count(*) OVER (PARTITION BY {key}) > 1)")
    summary = f"{repeated} values of {key} occur more than once{where}"
    return False, summary, {"repeated": repeated, "examples": str(examples)}


def _required_columns_are_filled(audit: Audit) -> Result:
    required = audit.contract.required
    counts = audit.one("SELECT " + ", ".join(f"count(*) - count({name})" for name in required) + " FROM staged")
    missing = {name: count for name, count in zip(required, counts, strict=True) if count}
    if not missing:
        return True, f"no nulls in {len(required)} required columns", {}
    is_missing = " OR ".join(f"{name} IS NULL" for name in missing)
    return False, f"nulls in {', '.join(missing)}{_places(audit, f'staged WHERE {is_missing}')}", missing


def _references_resolve(audit: Audit) -> Result:
    dangling: dict[str, int | str] = {}
    places = []
    for reference in audit.contract.references:
        column, dimension = reference.column, f"star_{reference.table}"
        (rows,) = audit.one(
            f"SELECT coalesce(sum(n), 0) FROM (SELECT {column}, count(*) AS n FROM staged GROUP BY ALL) "
            f"ANTI JOIN {dimension} USING ({column})"
        )
        if rows:
            dangling[column] = int(rows)
            where = _places(audit, f"staged ANTI JOIN {dimension} USING ({column})", column)
            places.append(f"{column} ({rows} rows{where})")
    if not dangling:
        return True, f"all keys resolve in {len(audit.contract.references)} dimensions", {}
    return False, f"keys without a member: {', '.join(places)}; materialize the dimensions first", dangling


def _published_keys_have_members(audit: Audit) -> Result:
    (key,) = audit.contract.key
    lost: dict[str, int | str] = {}
    for table, view in audit.referring.items():
        for year, rows, example in audit.rows(
            f"SELECT {YEAR}, count(*), min({key}) FROM {view} ANTI JOIN staged USING ({key}) GROUP BY 1 ORDER BY 1"
        ):
            lost[f"{table} of {year}"] = f"{rows} rows, such as {key} {example}"
    if not lost:
        return True, "what is published has its members", {}
    places = "; ".join(f"{place}: {what}" for place, what in lost.items())
    return False, f"published rows without a member: {places}; build these years with the dimension", lost


def _adds_up(audit: Audit) -> Result:
    totals, expected = audit.contract.totals, audit.expected
    if totals is None or expected is None:
        raise ValueError(f"{audit.contract.identifier}: nothing was given that its rows must add up to")
    found = sums(audit.connection, "staged", totals)
    figures: dict[str, int | str] = {
        "rows expected": expected.row_count,
        "rows found": found.row_count,
        "BRL expected": f"{expected.amount:.2f}",
        "BRL found": f"{found.amount:.2f}",
    }
    groups = {*expected.rows, *found.rows}
    off = sorted(
        (
            group
            for group in groups
            if expected.rows.get(group) != found.rows.get(group)
            or any(one != another for _, one, another in _amounts(totals, group, expected, found))
        ),
        key=str,
    )
    if not off:
        return True, f"{found.row_count} rows and BRL {found.amount:.2f} in {len(groups)} groups, none lost", figures
    names = [f"group {' | '.join(_shown(value) for value in group)}" for group in off[:_EXAMPLES]]
    for name_of_group, group in zip(names, off, strict=False):
        figures[name_of_group] = (
            f"expected {expected.rows.get(group, 0)} rows, BRL {expected.amounts.get(group, 0):.2f}; "
            f"found {found.rows.get(group, 0)} rows, BRL {found.amounts.get(group, 0):.2f}"
        ) + "".join(
            f"; {name}: expected BRL {one:.2f}, found BRL {another:.2f}"
            for name, one, another in _amounts(totals, group, expected, found)
            if name in totals.also and one != another
        )
    what = f"{len(off)} of {len(groups)} groups by {', '.join(totals.by)} do not add up"
    return False, f"{what}, such as {names[0]}: {figures[names[0]]}", figures


def _amounts(totals: Totals, group: Group, expected: Sums, found: Sums) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Each amount's name, what it should be and what it is."""
    pairs = zip_longest(expected.amounts_of(group), found.amounts_of(group), fillvalue=Decimal(0))
    return ((name, one, another) for name, (one, another) in zip(totals.amounts, pairs, strict=False))


def _shown(value: object) -> str:
    """A published value as figures may name it: nobody knows what a file has where a label should be."""
    return redaction.redacted_text(str(value))


def _key(value: object) -> str:
    """Numbers of keys are hashes, whatever they look like."""
    return str(value) if isinstance(value, int) else _shown(value)


def _redacted_columns(contract: Table) -> list[str]:
    if contract.referred_by:
        return [column.name for column in contract.columns if column.type == "string" and column.name not in _TAX_IDS]
    return [column for column in _REDACTED if column in contract.column_names]


def _no_cpf_is_shown(audit: Audit) -> Result:
    columns = _redacted_columns(audit.contract)
    shown: dict[str, int | str] = {column: count for column in columns if (count := _cpfs_in(audit, column))}
    if not shown:
        return True, f"nothing in {', '.join(columns)} is or may be a CPF", {}
    # No examples: who reads them is not to see CPFs either.
    return (
        False,
        f"what is or may be a CPF stands in {', '.join(shown)}, where staging hides it: a fault of ours",
        shown,
    )


def _cpfs_in(audit: Audit, column: str) -> int:
    """How many CPFs, and how many elevens of digits that stand alone, the texts of a column hold."""
    length, weights = redaction.CPF_LENGTH, redaction.CPF_WEIGHTS

    def check_digit(first_place: int, weights: Sequence[int]) -> str:
        places = (f"n // {10 ** (first_place + i)} % 10 * {weight}" for i, weight in enumerate(weights))
        return f"({' + '.join(places)}) * 10 % 11 % 10"

    # Row by row, not by functions over lists, which take DuckDB twice as long.
    (count,) = audit.one(
        f"""
        WITH texts AS (
            SELECT {column} AS text FROM staged WHERE regexp_matches({column}, '{redaction.LONG_NUMBER}')
        ), runs AS (
            SELECT unnest(regexp_extract_all(bare, '{redaction.DIGITS}')) AS run
            FROM (SELECT translate(text, '{redaction.PUNCTUATION}', '') AS bare FROM texts)
        ), places AS (
            SELECT run, unnest(range(1, length(run) - {length - 2})) AS place FROM runs
        ), numbers AS (
            SELECT substring(run, place, {length})::BIGINT AS n FROM places
        )
        SELECT count(*) + (SELECT count(*) FROM texts WHERE regexp_matches(text, '{redaction.LONE}')) FROM numbers
        WHERE {check_digit(2, weights[:-1])} * 10 + {check_digit(1, weights)} = n % 100
            AND n % {redaction.ONE_DIGIT_REPEATED} <> 0
        """
    )
    return int(count)


def _categories_are_known(audit: Audit) -> Result:
    unknown = audit.connection.execute(
        "SELECT expense_category_id, expense_category_label, count(*) FROM staged "
        "WHERE expense_category_id IS NULL OR NOT list_contains($known, expense_category_id) "
        "GROUP BY ALL ORDER BY 3 DESC, 1, 2",
        {"known": [row["expense_category_id"] for row in tables.rows("expense_categories")]},
    ).fetchall()
    if not unknown:
        return True, "every category has a code that the reference knows", {}
    figures = {
        f"label {_shown(label)!r}" if code is None else f"code {_shown(code)!r}, label {_shown(label)!r}": rows
        for code, label, rows in unknown[:_EXAMPLES]
    }
    remedy = "add them to expense_category_labels.csv and expense_categories.csv"
    return False, f"{len(unknown)} categories without a code that is known: {remedy}", figures


def _competence_is_the_files_year(audit: Audit) -> Result:
    others = audit.rows(
        "SELECT year, competence_year, count(*) FROM staged WHERE competence_year IS DISTINCT FROM year "
        "GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    )
    if not others:
        return True, "each row is of its file's year", {}
    figures = {f"file of {year}, quota year {other or 'unknown'}": rows for year, other, rows in others[:_EXAMPLES]}
    return False, f"{sum(rows for *_, rows in others)} rows are of another year than their file", figures


def _net_is_document_less_deduction(audit: Audit) -> Result:
    rows, off = audit.one(
        "SELECT count(*), coalesce(sum(net_amount - (document_amount - deduction_amount)), 0) "
        "FROM staged WHERE is_net_inconsistent"
    )
    if not rows:
        return True, "every net value is the document's less the deduction", {}
    return (
        False,
        f"{rows} net values are not the document's less the deduction; net counts",
        {"BRL apart": f"{off:.2f}"},
    )


def _dates_are_possible(audit: Audit) -> Result:
    (rows,) = audit.one("SELECT count(*) FROM staged WHERE is_date_impossible")
    return not rows, f"{rows or 'no'} rows have a date that can't be a receipt's", {}


GRAIN: Final = Check(name="grain_is_unique", description="No two rows share the table's key.", examine=_grain_is_unique)
FILLED: Final = Check(
    name="required_columns_are_filled",
    description="Columns that the contract calls required hold no nulls.",
    examine=_required_columns_are_filled,
)
REFERENCES: Final = Check(
    name="references_resolve",
    description="Each foreign key has its member in the dimension.",
    examine=_references_resolve,
)
MEMBERS: Final = Check(
    name="published_keys_have_members",
    description="What is published and stays finds its member here: members that occur no more are kept as they were.",
    examine=_published_keys_have_members,
)
ADDS_UP: Final = Check(
    name="adds_up",
    description="Rows and cents equal those of the step before, group by group: nothing lost, nothing invented.",
    examine=_adds_up,
)
NO_CPF: Final = Check(
    name="no_cpf_is_shown",
    description="No text holds a CPF that is one by its check digits, or eleven digits that stand alone.",
    examine=_no_cpf_is_shown,
)
KNOWN: Final = Check(
    name="categories_are_known",
    description="Each category has a code of the House that the reference knows. Another one loads as itself.",
    blocking=False,
    examine=_categories_are_known,
)
COMPETENCE: Final = Check(
    name="competence_is_the_files_year",
    description="Each row's quota year is that of its file. Rows of another year stay in the file's.",
    blocking=False,
    examine=_competence_is_the_files_year,
)
NET: Final = Check(
    name="net_is_document_less_deduction",
    description="Each net value is the document's value less the deduction. Net, which was paid, counts in any case.",
    blocking=False,
    examine=_net_is_document_less_deduction,
)
DATES: Final = Check(
    name="dates_are_possible",
    description="Each published date can be a receipt's. One that can't is null, and its row stays.",
    blocking=False,
    examine=_dates_are_possible,
)

# Of staging only: what is odd in a source is told once, where it is read.
_OF_COLUMNS: Final = {
    "expense_category_id": KNOWN,
    "competence_year": COMPETENCE,
    "is_net_inconsistent": NET,
    "is_date_impossible": DATES,
}
