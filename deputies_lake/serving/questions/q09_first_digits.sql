-- pt: Com que algarismo começam os valores, e o que a lei de Benford esperaria?
-- en: With which digit do the values begin, and what would Benford's law expect?
SELECT year, first_digit, receipts, share_of_receipts, expected_share
FROM mart_first_digits
ORDER BY year DESC, first_digit
