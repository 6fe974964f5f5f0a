"""A lake of invented rows in every mart that the dashboard shows, made without Spark: three years, three deputies.

2016 is Kaggle's; 2024 is the House's and whole; 2025 is the House's, its file ends in February, receipts may still
arrive, and two lines could not be read. Names try to break out of the page.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import file_versions
from deputies_lake.serving import (
    mart_categories,
    mart_deputies,
    mart_deputy_categories,
    mart_largest_receipts,
    mart_months,
    mart_parties,
    mart_parties_today,
    mart_points_of_attention,
    mart_quota_shares,
    mart_states,
    mart_suppliers,
)
from deputies_lake.staging import rejected_rows
from deputies_lake.star import fct_expenses
from deputies_lake_tests.serving import small_lake
from deputies_lake_tests.serving.small_lake import HOUSE, KAGGLE, KEY, SHA, commit, row

EVIL: Final = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
RECEIPT: Final = "https://www.camara.leg.br/cota-parlamentar/documentos/publ/1.pdf"
YEARS: Final = (2016, 2024, 2025)
GAPS: Final = {2016: "kaggle_lossy", 2024: None, 2025: "receipts_still_arriving, sigepa_missing"}

_DEPUTIES: Final = (
    # Key, name, party, state, share of the quota up to the last month.
    (KEY, "Fulana De Tal", "ABC", "SP", "0.912345"),
    (2, "José, o Velho", "XYZ", "RR", "1.050000"),
    (3, EVIL, "XYZ", "DF", "0.100000"),
)
_LEADERSHIP: Final = 4
_FUEL: Final = {"expense_category_key": 7, "category_pt": "Combustíveis", "category_en": "Fuels"}
_ADS: Final = {"expense_category_key": 8, "category_pt": "Divulgação", "category_en": "Publicity"}


def _amounts(year: int, spent: str, deduction: str = "0", refund: str = "0", difference: str = "0") -> dict[str, Any]:
    """What a mart knows of a year's money: of Kaggle's years nothing but the documents' value."""
    amount = Decimal(spent)
    known: dict[str, Any] = {"receipts": 3, "spent_amount": amount}
    if year == 2016:
        return {**known, "document_amount": amount, "gross_amount": amount}
    gross = amount + Decimal(deduction) - Decimal(refund) - Decimal(difference)
    return {
        **known,
        "document_amount": gross + Decimal(refund),
        "gross_amount": gross,
        "deduction_amount": Decimal(deduction),
        "refund_amount": Decimal(refund),
        "difference_amount": Decimal(difference),
        "net_amount": amount,
    }


def _of(year: int) -> dict[str, Any]:
    return {"year": year, "source_code": KAGGLE if year == 2016 else HOUSE}


def _gaps(year: int) -> dict[str, Any]:
    return {"known_gaps": GAPS[year], "is_incomplete": year == 2025}


def _payers(year: int) -> list[dict[str, Any]]:
    people = [
        {"deputy_key": key, "deputy_name": name, "party_label": party, "state_code": state, "payer_kind": "deputy"}
        for key, name, party, state, _ in _DEPUTIES
    ]
    office = {"deputy_key": _LEADERSHIP, "deputy_name": "LIDERANÇA DO ABC", "payer_kind": "leadership"}
    return [{**_of(year), **one} for one in [*people, office]]


def _rows(year: int) -> Mapping[Table, Sequence[Mapping[str, Any]]]:
    of, gaps = _of(year), _gaps(year)
    payers = _payers(year)
    shares = [
        {**of, **gaps, "deputy_key": key, "deputy_name": name, "state_code": state, "month": month}
        | {
            "spent_amount": Decimal("1234.56"),
            "quota_amount": Decimal(40_000),
            "quota_to_date": Decimal(40_000 * month),
        }
        | {"share_of_quota": Decimal("0.030864"), "share_to_date": Decimal(share), "spent_to_date": Decimal(2_000)}
        for key, name, _, state, share in _DEPUTIES
        for month in (1, 2)
    ]
    receipts = [
        {**of, **payers[i % 3], **_ADS, "expense_key": year * 10 + i, "rank_of_year": i, "rank_of_payer": 1}
        | {"date": date(year, 3, i), "supplier_name": EVIL, "document_number": f"N-{i}", "receipt_url": url}
        | {"spent_amount": Decimal(90_000 - i)}
        for i, url in ((1, RECEIPT), (2, "javascript:document.title='broken'"), (3, None))
    ]
    return {
        mart_months.TABLE: [
            {
                **of,
                **gaps,
                "month": 1,
                "payer_kind": "deputy",
                **_amounts(year, "1234567.89", "1000.11", "-20.02", "-5.05"),
            },
            {**of, **gaps, "month": 2, "payer_kind": "deputy", **_amounts(year, "1000000.10")},
            {**of, **gaps, "month": 2, "payer_kind": "leadership", **_amounts(year, "0.01")},
        ],
        mart_deputies.TABLE: [
            {**one, **gaps, **_amounts(year, str(1_000_000 - 1000 * i)), "deputy_register_id": "900042"}
            for i, one in enumerate(payers)
        ],
        mart_deputy_categories.TABLE: [{**one, **_FUEL, **_amounts(year, "4321.09")} for one in payers],
        mart_parties.TABLE: [
            {**of, **gaps, "party_key": key, "party_label": label, "party_kind": "party", "deputies": 2}
            | {"spent_per_deputy": Decimal(key), **_amounts(year, f"{key}000.50")}
            for key, label in ((1, "ABC"), (2, "XYZ"))
        ],
        mart_parties_today.TABLE: [
            {**of, **gaps, "party_label_today": "NOVÍSSIMO", "party_labels": "ABC, XYZ", "deputies": 3}
            | {"spent_per_deputy": Decimal("5.5"), **_amounts(year, "3001.00")}
        ],
        mart_states.TABLE: [
            {**of, **gaps, "state_key": key, "state_code": code, "state_name": name, "deputies": key}
            | {"region_pt": "Sudeste", "region_en": "Southeast", "spent_per_deputy": Decimal(key * 100)}
            | _amounts(year, "100.00")
            for key, code, name in ((1, "SP", "São Paulo"), (3, "RJ", "Rio de Janeiro"))
        ],
        mart_categories.TABLE: [
            {**of, **gaps, **category, "share_of_year": Decimal(share), **_amounts(year, f"{year}.{share[2:4]}")}
            for category, share in ((_FUEL, "0.250000"), (_ADS, "0.750000"))
        ],
        mart_suppliers.TABLE: [
            {**of, "supplier_key": 1, "supplier_id_kind": "cnpj", "supplier_name": EVIL, "deputies": 3}
            | {"supplier_id": "11222333000181", **_amounts(year, "70000.00")},
            {**of, "supplier_key": 2, "supplier_id_kind": "cnpj", "supplier_name": "AUTO POSTO LTDA", "deputies": 1}
            | {"only_deputy_key": KEY, "only_deputy_name": "Fulana De Tal", **_amounts(year, "60000.00")},
        ],
        mart_quota_shares.TABLE: [] if year == 2016 else shares,
        mart_largest_receipts.TABLE: receipts,
        mart_points_of_attention.TABLE: [
            {**of, "point_id": kind, "point_kind": kind, "text_pt": f"Ponto {kind}.", "text_en": f"Point {kind}."}
            | _amounts(year, "55.00")
            for kind in ("attention", "quality")
        ],
    }


def build(home: Path) -> Lake:
    """The small lake, with these marts in the place of its own."""
    lake = small_lake.build(home)
    house = {"decision": "published", "sha256": SHA, "decided_at": datetime(2025, 3, 2)}  # noqa: DTZ001
    files = [
        {**house, "year": year, "file_name": f"Ano-{year}.csv.zip", "modified_at": datetime(2025, 3, 3, 1)}  # noqa: DTZ001
        for year in (2024, 2025)
    ]
    commit(lake, file_versions.TABLE, [row(file_versions.TABLE, **one) for one in files])
    receipts: list[dict[str, Any]] = [
        {"year": 2016, "source_code": KAGGLE, "date_key": 20161231},
        *({"year": 2024, "source_code": HOUSE, "competence_month": month} for month in range(1, 13)),
        *({"year": 2025, "source_code": HOUSE, "competence_month": month} for month in (1, 2)),
    ]
    facts = [row(fct_expenses.TABLE, expense_key=i, **one) for i, one in enumerate(receipts)]
    commit(lake, fct_expenses.TABLE, facts)
    lines: list[dict[str, Any]] = [
        {"source_line": 7, "rejection_reason": f"vlrLiquido is not an amount: {EVIL}"},
        {"source_line": 9, "rejection_reason": "vlrGlosa is not an amount: 1,5", "amount": Decimal("1234.50")},
    ]
    rejected = {"year": 2025, "source_code": HOUSE, "source_file": "Ano-2025.csv.zip"}
    commit(lake, rejected_rows.TABLE, [row(rejected_rows.TABLE, **rejected, **one) for one in lines])
    of_years = [_rows(year) for year in YEARS]
    for table in of_years[0]:
        commit(lake, table, [row(table, **one) for rows in of_years for one in rows[table]])
    return lake
