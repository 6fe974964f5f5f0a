"""star.ref_monthly_quotas: what a deputy of a state may spend in a month, act by act.

The quota of a month is the one that is valid on the month's first day: the House applies a new act from the next
month on and does not divide a month. So the act of 3 February 2016, replaced on 1 March, was never a month's quota.
Add-ons of office holders are not in it. What is not spent is kept within the year.
"""

from typing import Final

from deputies_lake.contracts import MONEY, Column, Table
from deputies_lake.star.shipped import CONFIDENCE, NOTE, VALIDITY

TABLE: Final = Table(
    layer="star",
    name="ref_monthly_quotas",
    pt="Cota mensal por UF e ato; a de um mês é a que vale no primeiro dia dele.",
    en="Monthly quota by state and act; a month's is the one that is valid on its first day.",
    grain="one row per state and act",
    columns=(
        Column(
            name="state_code",
            pt="sigla da UF",
            en="the state's code",
            example="SP",
        ),
        *VALIDITY,
        Column(
            name="monthly_quota_amount",
            type=MONEY,
            pt="cota mensal em BRL",
            en="quota of a month in BRL",
            example="37043.53",
        ),
        Column(
            name="act",
            pt="ato da Mesa que a fixou",
            en="the act of the House that set it",
            example="Ato da Mesa 76/2016",
        ),
        CONFIDENCE,
        NOTE,
    ),
    key=("state_code", "valid_from"),
)
