"""What must exist in an AWS account before the first run, and its removal: a CloudFormation stack for an environment.

Clusters do not belong here: runs start them (`emr/`).
"""
