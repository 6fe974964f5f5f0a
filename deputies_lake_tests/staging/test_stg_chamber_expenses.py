"""The House's expenses: every trap of its files is read for what it is, and what can't be read says why."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import pytest
from pyspark.sql import Row, SparkSession

from deputies_lake.contracts import YEAR
from deputies_lake.raw import chamber_expenses
from deputies_lake.staging import stg_chamber_expenses, stg_kaggle_reimbursements
from deputies_lake_tests.redacted_texts import STARS
from deputies_lake_tests.staging import check_digits
from deputies_lake_tests.staging.raw_rows import (
    Case,
    RawRow,
    by_case,
    by_line,
    chamber_expense,
    is_counted,
    outcome,
    raw_chamber_expenses,
    stage_chamber_expenses,
)
from deputies_lake_tests.test_architecture import WITH_A_TABLE, table_of

TABLE: Final = stg_chamber_expenses.TABLE
COMPANY: Final = check_digits.cnpj("012345670001")
PERSON: Final = check_digits.cpf("012345678")

OFFICE: Final = {
    "txNomeParlamentar": "LIDERANÇA DO PT",
    "cpf": "",
    "ideCadastro": "",
    "nuCarteiraParlamentar": "",
    "sgUF": "NA",
    "sgPartido": "",
    "nuDeputadoId": "9001",
}
WHOLE: Final = {
    "ideCadastro": "900042",
    "nuLegislatura": "2019",
    "codLegislatura": "56",
    "numSubCota": "3",
    "numEspecificacaoSubCota": "1",
    "indTipoDocumento": "4",
    "numMes": "3",
    "numAno": "2020",
    "numParcela": "2",
    "numLote": "1800001",
    "numRessarcimento": "5369",
    "nuDeputadoId": "4242",
    "ideDocumento": "70000001",
}
"""What stands in the columns of whole numbers."""

OFFICES: Final = ("LIDERANÇA DO PSDB", "LIDERANÇA DO UNIÃO BRASIL", "LID.GOV-CD", "LIDMIN", "PDT", "SDD", "NOVO")


def dated(must: str, text: str, expected: date | None, *, impossible: bool = False) -> Case:
    return Case(must, {"datEmissao": text}, {"receipt_date": expected, "is_date_impossible": impossible})


def amounts(must: str, document: str, deduction: str, net: str, *, inconsistent: bool = False) -> Case:
    return Case(
        must,
        {"vlrDocumento": document, "vlrGlosa": deduction, "vlrLiquido": net},
        {
            "document_amount": Decimal(document).quantize(Decimal("0.01")),
            "deduction_amount": Decimal(deduction).quantize(Decimal("0.01")),
            "net_amount": Decimal(net).quantize(Decimal("0.01")),
            "is_net_inconsistent": inconsistent,
        },
    )


CASES: Final = (
    Case("the year is the file's although the row is of another", {"numAno": "2021"}, {"year": 2022}),
    Case("the row's own year is kept beside it", {"numAno": "2021"}, {"competence_year": 2021}),
    Case("the quota month is kept", {"numMes": "3"}, {"competence_month": 3}),
    *(
        Case(
            f"{mark}0 behind a whole number is what a data frame wrote",
            {name: f" {number}{mark}0" for name, number in WHOLE.items()},
            {
                "deputy_id": "4242",
                "deputy_register_id": "900042",
                "document_id": "70000001",
                "competence_month": 3,
                "competence_year": 2020,
                "instalment": 2,
                "term_of_office": 56,
                "batch_id": "1800001",
                "reimbursement_id": "5369",
                "expense_category_id": "3",
                "document_type_id": "4",
            },
        )
        for mark in (".", ",")
    ),
    Case(
        "an id of 0.0 is none, too",
        {"nuDeputadoId": "0.0", "ideCadastro": "0.0"},
        {"deputy_id": "office:FULANA DE TAL", "deputy_register_id": None},
    ),
    Case("a row without a quota month is kept", {"numMes": ""}, {"competence_month": None}),
    Case("a thirteenth month is none", {"numMes": "13"}, {"competence_month": None}),
    Case("a row without a quota year is kept", {"numAno": ""}, {"competence_year": None}),
    dated("a day with a T is read", "2022-03-27T00:00:00", date(2022, 3, 27)),
    dated("a day with a blank is read", "2022-03-27 00:00:00", date(2022, 3, 27)),
    dated("a day with milliseconds is read", "2022-03-27T11:37:55.943", date(2022, 3, 27)),
    dated("a day without a time is read", "2022-03-27", date(2022, 3, 27)),
    dated("no date is unknown and possible", "", None),
    dated("a date of blanks is unknown and possible", " ", None),
    dated("a date of the year before is kept", "2021-12-31T00:00:00", date(2021, 12, 31)),
    dated("the first day of the calendar is kept", "2007-01-01T00:00:00", date(2007, 1, 1)),
    dated("a date before the calendar is impossible", "2006-12-31T00:00:00", None, impossible=True),
    dated("a date of the year 2202 is impossible", "2202-03-27T00:00:00", None, impossible=True),
    dated("a date of the year 22 is impossible", "0022-03-27T00:00:00", None, impossible=True),
    dated("30 February is impossible", "2022-02-30T00:00:00", None, impossible=True),
    dated("a Brazilian date is impossible", "27/03/2022", None, impossible=True),
    dated("a month is no day", "2022-03", None, impossible=True),
    Case("the deputy's id is nuDeputadoId", {}, {"deputy_id": "4242", "deputy_register_id": "900042"}),
    Case(
        "a deputy without nuDeputadoId is known by the register",
        {"nuDeputadoId": ""},
        {"deputy_id": "cadastro:900042", "deputy_register_id": "900042"},
    ),
    Case(
        "a deputy's id of 0 is none",
        {"nuDeputadoId": "0", "ideCadastro": "0"},
        {"deputy_id": "office:FULANA DE TAL", "deputy_register_id": None},
    ),
    Case(
        "what is as long as a CPF is no number of a deputy",
        {"nuDeputadoId": PERSON, "ideCadastro": PERSON, "txNomeParlamentar": f"Gabinete {PERSON}"},
        {"deputy_id": f"office:GABINETE {STARS}", "deputy_register_id": None},
    ),
    Case(
        "nor a code of anything else",
        {"numSubCota": PERSON, "indTipoDocumento": PERSON, "ideDocumento": PERSON},
        {"expense_category_id": "3", "document_type_id": None, "document_id": None},
    ),
    Case(
        "a CPF in a label is hidden",
        {"numSubCota": "", "txtDescricao": f"DRONES {PERSON}", "sgPartido": f"PX {PERSON}"},
        {"expense_category_label": f"DRONES {STARS}", "party_label": f"PX {STARS}"},
    ),
    Case(
        "an office without ids is known by its name",
        {**OFFICE, "nuDeputadoId": "", "txNomeParlamentar": " Liderança do PT "},
        {"deputy_id": "office:LIDERANÇA DO PT", "deputy_name": "Liderança do PT", "is_leadership": True},
    ),
    *(
        Case(
            f"{name} of the state {state!r} is a leadership office, of no party and no state",
            {**OFFICE, "txNomeParlamentar": name, "sgUF": state},
            {"is_leadership": True, "state_code": None, "party_label": None, "deputy_id": "9001"},
        )
        for name in OFFICES
        for state in ("NA", "")
    ),
    Case(
        "who has neither register nor state is an office whatever the name",
        {**OFFICE, "txNomeParlamentar": "DEPES"},
        {"is_leadership": True},
    ),
    Case(
        "an office by its name is one although it has a register",
        {**OFFICE, "ideCadastro": "900001"},
        {"is_leadership": True, "deputy_register_id": "900001"},
    ),
    Case(
        "who has a state but no register is a deputy",
        {"ideCadastro": ""},
        {"is_leadership": False, "state_code": "SP", "party_label": "PSB"},
    ),
    Case(
        "a registered deputy without a state is no office",
        {"sgUF": "NA"},
        {"is_leadership": False, "state_code": None, "party_label": "PSB"},
    ),
    *(
        Case(f"a deputy called {name} is no office", {"txNomeParlamentar": name}, {"is_leadership": False})
        for name in ("Patriota", "Rede", "Liderança De Tal")
    ),
    Case("S.PART. is a deputy's label", {"sgPartido": "S.PART."}, {"party_label": "S.PART.", "is_leadership": False}),
    Case("PP** stays as it is reported", {"sgPartido": "PP**"}, {"party_label": "PP**"}),
    Case("a deputy of the party NA is of none", {"sgPartido": "NA"}, {"party_label": None}),
    Case("a name loses the blanks around it", {"txNomeParlamentar": " Fulana "}, {"deputy_name": "Fulana"}),
    Case("the term of office is a number", {"codLegislatura": "56"}, {"term_of_office": 56}),
    Case("no term of office is null", {"codLegislatura": ""}, {"term_of_office": None}),
    Case(
        "the category is known by its code, whatever its label",
        {"numSubCota": "9", "txtDescricao": "PASSAGENS ESPACIAIS"},
        {"expense_category_id": "9", "expense_category_label": "PASSAGENS ESPACIAIS"},
    ),
    Case("a code that nobody knows loads as itself", {"numSubCota": "9999"}, {"expense_category_id": "9999"}),
    Case("a category without a code is known by its label", {"numSubCota": ""}, {"expense_category_id": "3"}),
    Case(
        "a label that nobody knows has no code",
        {"numSubCota": "", "txtDescricao": "NOVA"},
        {"expense_category_id": None, "expense_category_label": "NOVA"},
    ),
    Case(
        "a label's odd blanks stay",
        {"txtDescricao": "HOSPEDAGEM ,EXCETO  X. "},
        {"expense_category_label": "HOSPEDAGEM ,EXCETO  X. "},
    ),
    Case("the specification is a label", {}, {"expense_specification": "Veículos Automotores"}),
    Case("no specification is null", {"txtDescricaoEspecificacao": ""}, {"expense_specification": None}),
    amounts("cents are kept", "671.93", "0", "671.93"),
    amounts("amounts without cents are kept", "70", "0", "70"),
    amounts("one digit of cents is kept", "70.5", "0.5", "70"),
    amounts("a negative net is kept with its sign", "-937.63", "0", "-937.63"),
    amounts("a net of zero is kept", "12.34", "12.34", "0"),
    amounts("a net that is not document less deduction is flagged and counted", "100", "0", "60", inconsistent=True),
    amounts("a positive document with a negative net is flagged and counted", "50", "0", "-50", inconsistent=True),
    amounts("the largest amount is kept", "99999999.99", "0", "99999999.99"),
    amounts("an absurd amount is kept, for the audit is the reader's", "2700000.00", "0", "2700000.00"),
    Case("nothing paid back is null", {"vlrRestituicao": ""}, {"returned_amount": None}),
    Case("what was paid back is kept", {"vlrRestituicao": "200.0"}, {"returned_amount": Decimal("200.00")}),
    Case(
        "what was paid back is read although one vintage writes a float",
        {"vlrRestituicao": "7.227000000000001e+002"},
        {"returned_amount": Decimal("722.70")},
    ),
    Case(
        "the day it was paid back is kept",
        {"datPagamentoRestituicao": "2022-05-04T00:00:00"},
        {"returned_date": date(2022, 5, 4)},
    ),
    Case("a document's id stays text", {"ideDocumento": "0042-ab"}, {"document_id": "0042-ab"}),
    *(
        Case(f"a document's id of {text!r} is none", {"ideDocumento": text}, {"document_id": None})
        for text in ("0", "")
    ),
    Case("a document's number stays text", {"txtNumero": "0017"}, {"document_number": "0017"}),
    Case("no document's number is null", {"txtNumero": ""}, {"document_number": None}),
    Case("a document's type is its code", {"indTipoDocumento": "4"}, {"document_type_id": "4"}),
    Case("no document's type is null", {"indTipoDocumento": ""}, {"document_type_id": None}),
    Case("the instalment is a number", {"numParcela": "12"}, {"instalment": 12}),
    Case("the batch and the reimbursement are ids", {"numRessarcimento": "5369"}, {"batch_id": "1800001"}),
    Case("no reimbursement is null", {"numRessarcimento": ""}, {"reimbursement_id": None}),
    Case("the trip is kept", {"txtTrecho": "BSB/GRU"}, {"trip": "BSB/GRU"}),
    Case("no trip is null", {"txtTrecho": ""}, {"trip": None}),
    Case("the address is kept as it is", {"urlDocumento": "https://x/1.pdf"}, {"receipt_url": "https://x/1.pdf"}),
    Case("no address is null", {"urlDocumento": ""}, {"receipt_url": None}),
    Case(
        "a company's id loses its wrong mask",
        {"txtCNPJCPF": check_digits.as_the_house_writes(COMPANY)},
        {"supplier_id": COMPANY, "supplier_id_kind": "cnpj", "supplier_token": COMPANY},
    ),
    Case(
        "a person's id is masked",
        {"txtCNPJCPF": check_digits.as_the_house_writes(PERSON)},
        {"supplier_id": f"***.{PERSON[3:6]}.{PERSON[6:9]}-**", "supplier_id_kind": "cpf"},
    ),
    Case(
        "a supplier without an id is its name",
        {"txtCNPJCPF": "", "txtFornecedor": "Cia Aérea"},
        {"supplier_id": None, "supplier_id_kind": "none", "supplier_token": "CIA AÉREA"},
    ),
    *(
        Case(
            f"a CPF in {column} becomes asterisks",
            {column: "X 12345678900 Y"},
            {name: "X *********** Y"},
        )
        for column, name in (
            ("txtFornecedor", "supplier_name"),
            ("txtTrecho", "trip"),
        )
    ),
    Case("a column that the House has added changes nothing", {"other_columns": '{"novo": "1"}'}, {"instalment": 0}),
    Case("a row says from which file it came", {}, {"source_file": "Ano-2022.csv.zip"}),
)


@pytest.fixture(scope="module")
def typed(spark: SparkSession) -> dict[str, Row]:
    raw = raw_chamber_expenses(spark, [chamber_expense(**case.given) for case in CASES])
    return by_case(CASES, stage_chamber_expenses(raw))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_published_row_is_typed(case: Case, typed: Mapping[str, Row]) -> None:
    assert outcome(case, typed[case.must]) == case.expected


def test_documents_whose_numbers_are_hidden_are_still_told_apart(spark: SparkSession) -> None:
    numbers = ["12345678900", "12345678901", "12345678900"]
    staged = stage_chamber_expenses(raw_chamber_expenses(spark, [chamber_expense(txtNumero=n) for n in numbers]))
    shown = [row.document_number for row in staged.orderBy("source_line").collect()]
    assert [number.partition("~")[0] for number in shown] == ["*" * 11] * 3
    assert (shown[0] == shown[2], shown[0] == shown[1]) == (True, False)


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    rows = stage_chamber_expenses(raw_chamber_expenses(spark, [chamber_expense()]))
    assert rows.dtypes == [(column.name, column.type) for column in TABLE.columns]


def test_required_columns_are_never_null(typed: Mapping[str, Row]) -> None:
    assert {name for row in typed.values() for name in TABLE.required if row[name] is None} == set()


def test_what_kaggle_has_too_has_the_same_name_and_type() -> None:
    types = {column.name: column.type for column in TABLE.columns}
    assert {c.name: types.get(c.name) for c in stg_kaggle_reimbursements.TABLE.columns} == {
        column.name: column.type for column in stg_kaggle_reimbursements.TABLE.columns
    }


def test_amounts_are_reconciled_in_the_order_in_which_the_file_counts_them() -> None:
    published = {column.name: column.published for column in TABLE.columns}
    assert TABLE.totals
    assert [published[name] for name in TABLE.totals.amounts] == [
        chamber_expenses.CSV.amount_column,
        *chamber_expenses.CSV.other_amount_columns,
    ]


def test_what_ends_in_raw_is_in_no_column(spark: SparkSession) -> None:
    secrets = {"cpf": "98765432100", "nuCarteiraParlamentar": "carteira-5150", "txtPassageiro": "BELTRANO DE SOUSA"}
    row = stage_chamber_expenses(raw_chamber_expenses(spark, [chamber_expense(**secrets)])).collect()[0]
    shown = "\n".join(str(value) for value in row)
    assert [secret for secret in secrets.values() if secret in shown] == []


@pytest.mark.parametrize("module", sorted(set(WITH_A_TABLE) - {"raw/chamber_expenses.py"}))
def test_no_contract_takes_what_ends_in_raw_but_into_a_rows_key(module: str) -> None:
    ends = {("chamber_expenses", column) for column in stg_chamber_expenses.PERSONAL}
    lineage = table_of(module).lineage
    assert [name for name, sources in lineage.items() if ends.intersection(sources) and name != "expense_key"] == []


# Row keys


def keys(spark: SparkSession, rows: Sequence[RawRow], cpf_key: str | None = None) -> dict[int, int]:
    """The key of each line."""
    raw = raw_chamber_expenses(spark, rows)
    staged = stage_chamber_expenses(raw, cpf_key) if cpf_key else stage_chamber_expenses(raw)
    return {line: row["expense_key"] for line, row in by_line(staged).items()}


def rows_of_many_kinds() -> list[RawRow]:
    """An ordinary row three times over, and one that differs in each column that may."""
    amount_columns = {chamber_expenses.CSV.amount_column, *chamber_expenses.CSV.other_amount_columns}
    columns = chamber_expenses.CSV.columns
    changed = [{name: "7" if name in amount_columns else "2007"} for name in columns]
    changed += [{name: " "} for name in columns if name not in amount_columns and not chamber_expense()[name]]
    changed += [{"txtFornecedor": " AUTO POSTO FICTÍCIO LTDA"}, {"txtFornecedor": "AUTO POSTO FICTÍCIO LTDA "}]
    return [chamber_expense()] * 3 + [chamber_expense(**change) for change in changed]


@pytest.fixture(scope="module")
def keyed(spark: SparkSession) -> dict[int, int]:
    return keys(spark, rows_of_many_kinds())


def test_no_row_is_lost_for_being_identical_to_another(keyed: Mapping[int, int]) -> None:
    assert len(keyed) == len(rows_of_many_kinds())


def test_rows_that_differ_in_any_published_column_have_keys_of_their_own(keyed: Mapping[int, int]) -> None:
    assert len(set(keyed.values())) == len(keyed)


def test_a_column_that_the_house_adds_changes_no_key(spark: SparkSession, keyed: Mapping[int, int]) -> None:
    assert keys(spark, [chamber_expense(other_columns='{"novo": "1"}')]) == {2: keyed[2]}


def test_keys_do_not_depend_on_the_other_rows(spark: SparkSession, keyed: Mapping[int, int]) -> None:
    lines = [9, 7, 5]
    some = [{**rows_of_many_kinds()[line - 2], "source_line": line} for line in lines]
    assert keys(spark, some) == {line: keyed[line] for line in lines}


def test_the_same_row_of_another_years_file_has_a_key_of_its_own(spark: SparkSession) -> None:
    of_two_years = keys(spark, [chamber_expense(), chamber_expense(**{YEAR: 2021})])
    assert len(set(of_two_years.values())) == 2


def test_a_masked_id_can_not_be_found_by_trying_out_its_digits_without_the_secret(
    spark: SparkSession, keyed: Mapping[int, int]
) -> None:
    # The key of a row depends on the secret, or else each CPF that fits the mask could be tried against it.
    assert keys(spark, [chamber_expense()], "another key") != {2: keyed[2]}


def test_a_row_has_the_same_key_in_every_run_and_on_every_machine(keyed: Mapping[int, int]) -> None:
    # Written down once. Another value means that all published keys change.
    assert keyed[2] == 8510830086790092757


# Rows that can't be read


def rejected(must: str, given: RawRow, reason: str | None) -> Case:
    return Case(must, given, {"rejection_reason": reason})


NO_ID: Final = {"nuDeputadoId": "", "ideCadastro": ""}
COMMA: Final = "has a comma, where amounts have a decimal point"
JUDGED: Final = (
    rejected("an ordinary row", {}, None),
    rejected(
        "a line that could not be split", {"unreadable_reason": "3 fields instead of 32"}, "3 fields instead of 32"
    ),
    rejected(
        "a line that could not be split, whose fields are empty",
        {**dict.fromkeys(chamber_expenses.CSV.columns, ""), "unreadable_reason": "empty line"},
        "empty line",
    ),
    *(
        rejected(f"{column} of {text}, with a comma", {column: text}, f"{column} {COMMA}: {text}")
        for column in ("vlrDocumento", "vlrGlosa", "vlrLiquido", "vlrRestituicao")
        for text in ("671,93", "1.234,56")
    ),
    *(
        rejected(f"{column} of {text!r}", {column: text}, f"{column} {fault}")
        for column in ("vlrDocumento", "vlrGlosa", "vlrLiquido")
        for text, fault in {
            "": "is empty",
            "NA": "is not an amount",
            "R$ 70": "is not an amount",
            "70.005": "is not an amount: 70.005",
            "1234567890123": "has more than 8 digits before the decimal point: no receipt is that large",
        }.items()
    ),
    rejected("vlrRestituicao of text", {"vlrRestituicao": "NA"}, "vlrRestituicao is not an amount"),
    *(
        rejected(
            f"a summary line: {name!r}, category {category!r}",
            {**NO_ID, "txNomeParlamentar": name, "txtDescricao": category, "numSubCota": ""},
            "a summary line, not a receipt: it has no id, and no category or TOTAL for a name",
        )
        for name, category in (("TOTAL", ""), ("", ""), ("Resumo", ""), ("Total geral", "TELEFONIA"))
    ),
    *(
        rejected(f"the office {name!r}", {**NO_ID, "txNomeParlamentar": name, "sgUF": "NA", "sgPartido": ""}, None)
        for name in ("LIDERANÇA DO PT", "LID.GOV-CD", "PDT", "REPRESENTAÇÃO DO PSOL", "GAB/PRESI")
    ),
    *(
        rejected(f"vlrLiquido of {text!r}, which is an amount", {"vlrLiquido": text}, None)
        for text in ("0", "-70.05", "671.93", "70.500", "99999999.99", "1e3", " 70", "+7")
    ),
    *(
        rejected(f"{column} of {text!r}", {column: text}, f"{column} is not a whole number: {text}")
        for column in WHOLE
        for text in ("3.7", "3,7", "1.000", "1.5e+05")
    ),
    *(
        rejected(f"{column} of {text!r}, which has no fraction", {column: text}, None)
        for column in WHOLE
        for text in ("3.0", " 3.", "3,00", "NA", "3.7.1", "e", "12/3")
    ),
    rejected(
        "a row without ids, which a data frame wrote as 0.0, and without a name",
        {"nuDeputadoId": "0.0", "ideCadastro": " 0.", "txNomeParlamentar": ""},
        "nuDeputadoId, ideCadastro and txNomeParlamentar are empty",
    ),
    rejected(
        "a row that names nobody",
        {"nuDeputadoId": "", "ideCadastro": "", "txNomeParlamentar": " "},
        "nuDeputadoId, ideCadastro and txNomeParlamentar are empty",
    ),
    rejected(
        "a row whose ids are as long as a CPF, without a name",
        {"nuDeputadoId": PERSON, "ideCadastro": PERSON, "txNomeParlamentar": ""},
        "nuDeputadoId, ideCadastro and txNomeParlamentar are empty",
    ),
    *(
        rejected(f"an empty {column}", {column: ""}, None)
        for column in chamber_expenses.CSV.columns
        if column not in ("vlrDocumento", "vlrGlosa", "vlrLiquido")
    ),
)


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    raw = raw_chamber_expenses(spark, [chamber_expense(**case.given) for case in JUDGED])
    return by_case(JUDGED, stg_chamber_expenses.judge(raw))


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_says_why(case: Case, judged: Mapping[str, Row]) -> None:
    assert outcome(case, judged[case.must]) == case.expected


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_a_row_that_can_not_be_read_counts_when_its_file_is_judged(case: Case) -> None:
    assert is_counted(chamber_expenses, chamber_expense(**case.given)) is (
        case.expected["rejection_reason"] is not None
    )
