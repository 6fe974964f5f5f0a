"""An environment's CloudFormation stack: shown before it is changed, made, and taken down without touching data.

Whatever is changed goes through a change set, so that what is shown is what would happen. What exists is said in
`template.yaml`; here is how it comes to be and ends, and what a person is told about it. Only a stack that carries this
project's and this environment's tags is ever touched, in the account that the settings name.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any, Final
from uuid import uuid4

from deputies_lake.aws import AwsError, client, require_account
from deputies_lake.emr.clusters import Clusters
from deputies_lake.environments import BUCKETS, AwsSettings, Environment, Settings
from deputies_lake.infrastructure.data import BUCKET, HOLDING, Data

_POLL_SECONDS: Final = 3.0

# A stack of which nothing was made yet: a change set waits in it.
_UNDER_REVIEW: Final = "REVIEW_IN_PROGRESS"
# A stack that failed when it was made. Nothing of it is left but its name, and it can only be deleted.
_NEVER_MADE: Final = "ROLLBACK_COMPLETE"
# As CloudFormation says that a change set would change nothing.
_NO_CHANGE: Final = re.compile("didn't contain changes|No updates are to be performed")


class StackError(AwsError):
    """The stack can't be changed, or could not be. Says what is wrong, what was done to it and what to do."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What would happen to a resource: add, change, replace, may replace, remove, or leave (it stays, outside of the
    stack). `loses_data` where the lake would be without data it has now."""

    action: str
    name: str
    type: str
    loses_data: bool


@dataclass(frozen=True, kw_only=True)
class _Proposal:
    """A change set that waits to be executed or discarded."""

    id: str
    stack_id: str
    changes: Sequence[Change]


class Stack:
    """The stack of `settings`. `report` is told, line by line, what is happening.

    All public methods raise `AccountError` for credentials of another account, and `StackError`.
    """

    def __init__(self, settings: Settings, report: Callable[[str], None] = lambda _: None) -> None:
        if settings.aws is None:
            raise StackError(
                f"the {settings.environment} lake needs no infrastructure. Name an environment in AWS: --env staging"
            )
        self._environment: Environment = settings.environment
        self._aws: AwsSettings = settings.aws
        self._report = report
        self._data = Data(self._aws)
        self._clusters = Clusters(settings)
        self._cloudformation = client("cloudformation", self._aws)
        self._pause = min(_POLL_SECONDS, self._aws.poll_seconds)

    def plan(self) -> Sequence[Change]:
        """What `up` would do. Changes nothing, nor leaves anything behind."""
        stack = self._ours()
        if stack and stack["StackStatus"] == _NEVER_MADE:
            raise StackError(
                f"the stack {self._aws.stack} failed when it was made and was rolled back; nothing of it exists. "
                f"Make it anew: {self._command('up')}"
            )
        self._require_complete(stack)
        proposal = self._propose(stack, **self._wanted())
        self._discard(proposal)
        return proposal.changes

    def up(self) -> bool:
        """Make the stack, or make it what the template and the settings say. False where it is already.

        Refuses to replace what holds data, which would leave the lake with empty buckets in its place.
        """
        stack = self._ours()
        if stack and stack["StackStatus"] == _NEVER_MADE:
            self._report(f"removing what is left of a failed creation of {self._aws.stack}")
            self._delete(stack)
            stack = None
        self._require_complete(stack)
        proposal = self._propose(stack, **self._wanted())
        if endangered := [change for change in proposal.changes if change.loses_data]:
            self._discard(proposal)
            names = ", ".join(f"{change.name} ({change.action})" for change in endangered)
            raise StackError(
                f"the lake would lose what these hold: {names}. Nothing was changed. Has a setting changed, such as "
                f"{BUCKETS}? Set it back. To begin anew with empty ones: {self._command('down --delete-data')}"
            )
        self._execute(proposal)
        self._protect(enabled=True)
        return bool(proposal.changes)

    def down(self) -> bool:
        """Remove all that acts (roles, the disks' key, security configuration, workgroup). No object, table or secret
        is touched, and `up` brings the rest back. False where nothing is left to remove."""
        stack = self._ours()
        if stack is None:
            return False
        self._require_no_clusters()
        if stack["StackStatus"] == _NEVER_MADE:
            self._delete(stack)
            return True
        # The template that the stack was made of, not today's: going down is no occasion for other changes.
        others = {parameter["ParameterKey"] for parameter in stack["Parameters"]} - {"Compute"}
        parameters = [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(others)]
        compute = {"ParameterKey": "Compute", "ParameterValue": "false"}
        proposal = self._propose(stack, UsePreviousTemplate=True, Parameters=[*parameters, compute])
        self._execute(proposal)
        return bool(proposal.changes)

    def delete_data(self) -> bool:
        """Delete the stack with all it holds: each version of each object, tables, the secret. Nothing brings it back.

        Ends what an interrupted call began. False where there is no stack. Raises `DeletionError` as well.
        """
        stack = self._ours()
        if stack is None:
            return False
        self._require_no_clusters()
        held = self._held()
        # The stack goes last: as long as it is there, what is ours can be told, however often this is interrupted.
        for kind, name in held:
            self._report(f"deleting {name} ({kind})")
            self._data.delete(kind, name)
        self._protect(enabled=False)
        self._delete(stack)
        if left := [name for kind, name in held if self._data.exists(kind, name)]:
            raise StackError(f"the stack is deleted, but these are still there: {', '.join(left)}. Delete them by hand")
        return True

    def outputs(self) -> Mapping[str, str]:
        """Names and ARNs that an engineer needs. Empty where there is no stack."""
        stack = self._ours() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    # The stack and whose it is

    def _ours(self) -> dict[str, Any] | None:
        """The stack, if anything was made of it and nobody else is changing it. Never one that isn't ours."""
        require_account(self._aws)
        try:
            stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self._aws.stack)["Stacks"][0]
        except self._cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        status = stack["StackStatus"]
        if status == _UNDER_REVIEW:
            return None
        found = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
        if not self._aws.ownership.items() <= found.items():
            wanted = ", ".join(f"{key}={value}" for key, value in self._aws.ownership.items())
            raise StackError(
                f"there is a stack {self._aws.stack} in {self._aws.region} that is not ours: it lacks the tags "
                f"{wanted}. Nothing was changed. Remove it, or use another account or region"
            )
        if status.endswith("_IN_PROGRESS"):
            raise StackError(f"the stack {self._aws.stack} is being changed ({status}). Wait until that is done")
        return stack

    @property
    def _tags(self) -> Mapping[str, str]:
        return {**self._aws.ownership, "owner": self._aws.owner}

    def _wanted(self) -> dict[str, Any]:
        aws = self._aws
        parameters = {
            "Project": aws.ownership["project"],
            "Environment": self._environment.value,
            "LandingBucketName": aws.landing_bucket,
            "RawBucketName": aws.raw_bucket,
            "LakeBucketName": aws.lake_bucket,
            "ArtifactsBucketName": aws.artifacts_bucket,
            "LogsBucketName": aws.logs_bucket,
            "DatabasePrefix": aws.database_prefix,
            "CpfSecretName": aws.cpf_secret,
            "EmrServiceRoleName": aws.emr_service_role,
            "EmrInstanceProfileName": aws.emr_instance_profile,
            "DagsterRoleName": aws.dagster_role,
            "ReaderRoleName": aws.reader_role,
            "AlarmEmail": aws.alarm_email or "",
            "BudgetUsd": f"{aws.budget_usd:g}",
            "Compute": "true",
        }
        return {
            "TemplateBody": resources.files(__package__).joinpath("template.yaml").read_text(encoding="utf-8"),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Tags": [{"Key": key, "Value": value} for key, value in self._tags.items()],
        }

    def _held(self) -> list[tuple[str, str]]:
        """Type and name of what holds data in the stack."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self._aws.stack)
        return [
            (resource["ResourceType"], resource["PhysicalResourceId"])
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] in HOLDING and resource["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def _require_complete(self, stack: Mapping[str, Any] | None) -> None:
        # CloudFormation itself would not notice, and change nothing.
        if stack and (missing := [name for kind, name in self._held() if not self._data.exists(kind, name)]):
            raise StackError(
                f"of the stack {self._aws.stack} is missing: {', '.join(missing)}. Did a person remove a secret? AWS "
                f"keeps it for days: aws secretsmanager restore-secret --secret-id {self._aws.cpf_secret} --region "
                f"{self._aws.region}. Was a deletion interrupted? End it: {self._command('down --delete-data')}"
            )

    def _require_no_clusters(self) -> None:
        ours = [f"{cluster.id} ({cluster.state})" for cluster in self._clusters.present()]
        if ours:
            raise StackError(
                f"clusters of {self._environment} have not ended: {', '.join(ours)}. Nothing was changed. End them, "
                f"which takes some minutes: deputies-lake cluster stop --env {self._environment}"
            )

    def _stuck(self, status: str) -> str:
        name = self._aws.stack
        if status == "UPDATE_ROLLBACK_FAILED":
            mend = f"aws cloudformation continue-update-rollback --stack-name {name} --region {self._aws.region}"
            return (
                f"the stack {name} could not go back after a failed update ({status}). Mend what it says, then: {mend}"
            )
        return (
            f"the stack {name} was left half deleted or half made ({status}). Its data, if any, are where they were. "
            f"End it, with its data: {self._command('down --delete-data')}"
        )

    def _command(self, verb: str) -> str:
        return f"deputies-lake infra {verb} --env {self._environment}"

    # Change sets

    def _propose(self, stack: Mapping[str, Any] | None, **request: Any) -> _Proposal:
        if stack and stack["StackStatus"].endswith("_FAILED"):
            raise StackError(self._stuck(stack["StackStatus"]))
        made = self._cloudformation.create_change_set(
            StackName=self._aws.stack,
            ChangeSetName=f"deputies-lake-{uuid4().hex}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **request,
        )
        proposal = partial(_Proposal, id=made["Id"], stack_id=made["StackId"])
        try:
            return proposal(changes=self._changes(made["Id"]))
        except BaseException:
            # Also when someone loses patience: nothing shall stay that nobody asked for.
            self._discard(proposal(changes=()))
            raise

    def _changes(self, change_set: str) -> list[Change]:
        """Waits until the change set is complete."""
        while (found := self._cloudformation.describe_change_set(ChangeSetName=change_set))["Status"] in (
            "CREATE_PENDING",
            "CREATE_IN_PROGRESS",
        ):
            time.sleep(self._pause)
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "no reason given")
            if _NO_CHANGE.search(reason):
                return []
            raise StackError(f"CloudFormation refuses this change of {self._aws.stack}: {reason}. Nothing was changed")
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
        changes = [_change(change["ResourceChange"]) for page in pages for change in page.get("Changes", [])]
        # What is left to change is no resource but the stack's own: what it says of itself.
        outputs = Change(action="change", name=self._aws.stack, type="AWS::CloudFormation::Stack", loses_data=False)
        return changes or [outputs]

    def _discard(self, proposal: _Proposal) -> None:
        self._cloudformation.delete_change_set(ChangeSetName=proposal.id)
        # The first change set makes a stack of its own, with nothing in it. Someone else's may be in it, too.
        stack = self._cloudformation.describe_stacks(StackName=proposal.stack_id)["Stacks"][0]
        if stack["StackStatus"] != _UNDER_REVIEW:
            return
        if not self._cloudformation.list_change_sets(StackName=proposal.stack_id)["Summaries"]:
            self._cloudformation.delete_stack(StackName=proposal.stack_id)
            gone = self._cloudformation.get_waiter("stack_delete_complete")
            gone.wait(StackName=proposal.stack_id, WaiterConfig={"Delay": self._pause})

    def _execute(self, proposal: _Proposal) -> None:
        if not proposal.changes:
            self._discard(proposal)
            return
        token = uuid4().hex
        self._cloudformation.execute_change_set(ChangeSetName=proposal.id, ClientRequestToken=token)
        self._follow(proposal.stack_id, token, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})

    def _delete(self, stack: Mapping[str, Any]) -> None:
        token = uuid4().hex
        self._cloudformation.delete_stack(StackName=stack["StackId"], ClientRequestToken=token)
        self._follow(stack["StackId"], token, {"DELETE_COMPLETE"})

    def _protect(self, *, enabled: bool) -> None:
        stack = self._cloudformation.describe_stacks(StackName=self._aws.stack)["Stacks"][0]
        if stack.get("EnableTerminationProtection", False) != enabled:
            self._cloudformation.update_termination_protection(
                StackName=self._aws.stack, EnableTerminationProtection=enabled
            )

    # What happens to the stack, as it happens

    def _follow(self, stack_id: str, token: str, good: set[str]) -> None:
        """Report the events of one operation until it has ended. Raises `StackError` with the reasons it failed for."""
        failures: list[str] = []
        for event in self._events(stack_id, token):
            name, status = event["LogicalResourceId"], event["ResourceStatus"]
            reason = event.get("ResourceStatusReason", "")
            of_stack = event["PhysicalResourceId"] == stack_id
            if of_stack or status.endswith(("_COMPLETE", "_FAILED")):
                self._report(f"{status:<24} {event['ResourceType']:<32} {name}  {reason}".rstrip())
            if not of_stack:
                # What was cancelled failed because of what failed.
                if status.endswith("_FAILED") and "cancelled" not in reason:
                    failures.append(f"{name}: {reason}{self._remedy(event['ResourceType'], reason)}")
            elif status in good:
                return
            elif not status.endswith("_IN_PROGRESS"):
                why = "".join(f"\n  {failure}" for failure in failures) or f"\n  {reason or 'no reason given'}"
                raise StackError(f"the stack {self._aws.stack} ended in {status}:{why}")

    def _events(self, stack_id: str, token: str) -> Iterator[dict[str, Any]]:
        """The events of the operation that was started with `token`, oldest first, without end."""
        seen: set[str] = set()
        while True:
            pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            events = [event for page in pages for event in page["StackEvents"]]
            for event in reversed(events):
                if event.get("ClientRequestToken") == token and event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    yield event
            time.sleep(self._pause)

    def _remedy(self, kind: str, reason: str) -> str:
        remedies = {
            "requires replacing": (
                f"It can't change under its name. No data is in it: {self._command('down')} && {self._command('up')}"
            ),
            f"^{BUCKET}: .*already": (
                "Bucket names are the world's. If it is this lake's, of a stack that was removed by hand, delete it; "
                f"else choose others: export {BUCKETS}=..."
            ),
            "scheduled for deletion": (
                f"Give it back first: aws secretsmanager restore-secret --secret-id {self._aws.cpf_secret} "
                f"--region {self._aws.region}"
            ),
            "already exists": "It was made outside of this stack, or is left of one removed by hand: delete it first.",
            "not authorized|access ?denied": "These credentials may not do it: use those of an administrator.",
        }
        said = f"{kind}: {reason}"
        return next((f"\n    {text}" for known, text in remedies.items() if re.search(known, said, re.IGNORECASE)), "")


def _change(change: Mapping[str, Any]) -> Change:
    action = {"Add": "add", "Remove": "remove"}.get(change["Action"], "change")
    if action == "change":
        action = {"True": "replace", "Conditional": "may replace"}.get(change.get("Replacement", ""), action)
    # Only what holds data is retained.
    retained = "Retain" in change.get("PolicyAction", "")
    if action == "remove" and retained:
        action = "leave"
    return Change(
        action=action,
        name=change.get("PhysicalResourceId") or change["LogicalResourceId"],
        type=change["ResourceType"],
        loses_data=retained and action in ("replace", "leave"),
    )
