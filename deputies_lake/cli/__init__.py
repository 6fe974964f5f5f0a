"""`deputies-lake`, the command: one file for each verb, or for each group of verbs.

A verb holds its arguments and what a person reads. What it does is in the module it calls. Materializing, backfills and
schedules are the business of Dagster's own commands.
"""
