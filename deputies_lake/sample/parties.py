"""The parties of Kaggle's files: labels, number of deputies, and what the refunds file says of them.

Labels are the published ones, odd case and leading blank included. Attributes are this project's own short
wording; members are rounded to what is plausible, and `Nan` is text in the published file too.
"""

from typing import Final, NamedTuple

NO_PARTY: Final = "SEM PARTIDO ASSOCIADO"
LEFT_THE_PARTY: Final = " S.PART."


class Party(NamedTuple):
    label: str
    deputies: int
    portuguese: str
    english: str
    number: int
    registered: str
    members: str
    ideologies: tuple[str, ...]
    position: str


PARTIES: Final = (
    Party("PMDB", 177, "Partido do Movimento Democrático", "Democratic Movement", 15, "1981-06-30", "2400000",
          ("Big tent", "Centrism"), "Centre"),
    Party("PT", 159, "Partido dos Trabalhadores", "Workers' Party", 13, "1982-02-11", "1580000",
          ("Social democracy", "Democratic socialism"), "Leftwing"),
    Party("PSDB", 125, "Partido da Social Democracia", "Social Democracy", 45, "1989-08-24", "1450000",
          ("Third way", "Liberalism"), "Centre/Centreright"),
    Party("PP", 82, "Partido Progressista", "Progressive Party", 11, "1995-11-16", "1440000",
          ("Conservatism",), "Rightwing"),
    Party("PR", 79, "Partido da República", "Party of the Republic", 22, "2006-12-19", "790000",
          ("Conservatism", "Liberalism"), "Centreright"),
    Party("DEM", 77, "Democratas", "Democrats", 25, "1986-09-11", "1090000",
          ("Liberal conservatism", "Christian democracy"), "Centreright"),
    Party("PSB", 75, "Partido Socialista", "Socialist Party", 40, "1988-07-01", "650000",
          ("Social democracy", "Democratic socialism"), "Centreleft"),
    Party("PSD", 68, "Partido Social Democrático", "Social Democratic", 55, "2011-09-27", "310000",
          ("Conservatism",), "Centre"),
    Party("PDT", 43, "Partido Democrático Trabalhista", "Democratic Labour", 12, "1981-11-10", "1250000",
          ("Labourism", "Social democracy", "Populism"), "Centreleft"),
    Party("PTB", 38, "Partido Trabalhista", "Labour Party", 14, "1981-11-03", "1190000",
          ("Labourism", "Conservatism"), "Centreright"),
    Party("PRB", 36, "Partido Republicano", "Republican Party", 10, "2005-08-25", "390000",
          ("Christian democracy",), "Centreright"),
    Party("PCdoB", 26, "Partido Comunista", "Communist Party", 65, "1988-06-23", "400000",
          ("Communism", "Marxism", "Developmentalism"), "Farleft"),
    Party("PSC", 26, "Partido Social Cristão", "Social Christian Party", 20, "1990-03-29", "420000",
          ("Christian right", "Social conservatism", "Economic liberalism", "Nationalism"), "Rightwing"),
    Party("PV", 25, "Partido Verde", "Green Party", 43, "1993-09-30", "370000",
          ("Green politics",), "Centreleft"),
    Party("SD", 25, "Solidariedade", "Solidarity", 77, "2013-09-24", "161000",
          ("Labourism", "Social democracy"), "Centre to centreleft"),
    Party("PPS", 21, "Partido Popular Socialista", "Popular Socialist", 23, "1992-03-19", "480000",
          ("Third way", "Parliamentarism"), "Centreleft"),
    Party("PODE", 19, "Podemos", "We Can", 19, "1997-10-02", "Nan",
          ("Direct democracy", "Centrism"), "Centre"),
    Party("PROS", 17, "Ordem Social", "Social Order", 90, "2013-09-24", "95000",
          ("Social liberalism",), "Centre"),
    Party("PHS", 9, "Partido Humanista", "Humanist Party", 31, "1997-03-20", "200000",
          ("Distributism",), "Centre"),
    Party("PSOL", 8, "Socialismo e Liberdade", "Socialism and Liberty", 50, "2005-09-15", "124000",
          ("Socialism", "Ecosocialism", "Marxism", "Feminism"), "Farleft"),
    Party("AVANTE", 6, "Avante", "Forward", 70, "1994-10-11", "Nan",
          ("Labourism",), "Centre"),
    Party("PEN", 4, "Partido Ecológico", "Ecological Party", 51, "2012-06-19", "Nan",
          ("Green conservatism",), "Centreright"),
    Party("REDE", 4, "Rede", "Network", 18, "2015-09-22", "15600",
          ("Green politics", "Progressivism"), "Centreleft"),
    Party("PMN", 4, "Mobilização Nacional", "National Mobilisation", 33, "1990-10-25", "220000",
          ("Nationalism",), "Centre"),
    Party("PSL", 4, "Partido Social Liberal", "Social Liberal Party", 17, "1998-06-02", "230000",
          ("Social liberalism",), "Centreright"),
    Party("PRP", 4, "Republicano Progressista", "Progressive Republican", 44, "1991-10-29", "240000",
          ("Nationalism",), "Centreright"),
    Party("PTdoB", 2, "Partido Trabalhista do Brasil", "Labour Party of Brazil", 70, "1994-10-11", "180000",
          ("Labourism", "Populism"), "Centre"),
    Party("PRTB", 1, "Renovador Trabalhista", "Labour Renewal", 28, "1997-02-18", "130000",
          ("Conservatism",), "Rightwing"),
    Party("PSDC", 1, "Social Democrata Cristão", "Christian Social Democrat", 27, "1997-08-05", "180000",
          ("Christian democracy",), "Centreright"),
    Party("PTC", 1, "Partido Trabalhista Cristão", "Christian Labour", 36, "1990-02-22", "Nan",
          ("Christian democracy",), "Centreright"),
)  # fmt: skip

ATTRIBUTE_COLUMNS: Final = (
    "party_pg",
    "party_en",
    "party_tse",
    "party_regdate",
    "party_nmembers",
    "party_ideology1",
    "party_ideology2",
    "party_ideology3",
    "party_ideology4",
    "party_position",
)
MOST_IDEOLOGIES: Final = 4


def attributes(label: str) -> tuple[str, ...]:
    """A party's `ATTRIBUTE_COLUMNS`, all empty for offices, which have no party."""
    for party in PARTIES:
        if party.label == label:
            none_left = ("",) * (MOST_IDEOLOGIES - len(party.ideologies))
            facts = (party.portuguese, party.english, str(party.number), party.registered, party.members)
            return (*facts, *party.ideologies, *none_left, party.position)
    return ("",) * len(ATTRIBUTE_COLUMNS)
