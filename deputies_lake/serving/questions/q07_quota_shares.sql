-- pt: Quem usou mais da própria cota até o último mês do ano? (o saldo acumula no ano; acima de 1 não é irregular por si)
-- en: Who used most of the own quota by the year's last month? (kept within the year; above 1 is not irregular by itself)
SELECT year, place, deputy_name, state_code, month, spent_to_date, quota_to_date, share_to_date, known_gaps
FROM (
    SELECT *, row_number() OVER (PARTITION BY year ORDER BY share_to_date DESC, deputy_key) AS place
    FROM (
        SELECT *, row_number() OVER (PARTITION BY year, deputy_key, state_key ORDER BY month DESC) AS months_back
        FROM mart_quota_shares
        WHERE share_to_date IS NOT NULL
    ) AS months
    WHERE months_back = 1
) AS ranked
WHERE place <= 20
ORDER BY year DESC, place
