-- pt: Quanto se gastou, por ano e mês da cota?
-- en: How much was spent, by year and quota month?
SELECT
    year,
    month,
    sum(receipts) AS receipts,
    sum(spent_amount) AS spent_amount,
    sum(refund_amount) AS refund_amount,
    max(source_code) AS source_code,
    max(known_gaps) AS known_gaps
FROM mart_months
GROUP BY year, month
ORDER BY year, month
