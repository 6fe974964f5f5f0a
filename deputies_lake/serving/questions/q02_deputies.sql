-- pt: Quem gastou mais em cada ano? (em BRL; pela própria cota, a pergunta 7)
-- en: Who spent most in each year? (in BRL; by the own quota, question 7)
SELECT year, place, deputy_name, party_label, state_code, receipts, spent_amount, known_gaps
FROM (
    SELECT *, row_number() OVER (PARTITION BY year ORDER BY spent_amount DESC, deputy_key) AS place
    FROM mart_deputies
    WHERE payer_kind = 'deputy'
) AS ranked
WHERE place <= 10
ORDER BY year DESC, place
