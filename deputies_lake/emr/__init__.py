"""What runs on EMR and what it runs on: the artifact of code and environment, its bootstrap, the clusters.

Only boto3 and the settings are known here. What must exist in the account before the first run is in
`infrastructure/`; Dagster's step launcher, which uses both, is `resources/emr/`.
"""
