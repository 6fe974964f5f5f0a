-- pt: Quanto gastaram os deputados de cada UF e região, no total e por deputado?
-- en: How much did the deputies of each state and region spend, in all and per deputy?
SELECT year, region_pt, region_en, state_code, state_name, deputies, spent_amount, spent_per_deputy, known_gaps
FROM mart_states
WHERE deputies > 0
ORDER BY year DESC, spent_amount DESC
