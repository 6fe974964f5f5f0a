"""CloudFormation for moto, as far as our stack needs it to be like AWS's.

moto 5.2.5 knows neither Glue databases, Athena workgroups, secrets nor bucket policies in a template, and sets nothing
of a bucket but its encryption. Of a stack it lacks what `infra` lives by: conditions that change in an update, retained
resources, replacement, rollback, deletions that fail, termination protection, operations that take their time, and the
token that their events carry. So operations on stacks and change sets are answered here, and moto's services hold the
resources that come of them. `patch_moto()` puts it in place.

An operation goes on by some resources whenever someone asks how it goes: who does not wait sees it unfinished.
"""

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import uuid4

from moto.athena.models import athena_backends
from moto.budgets.models import budgets_backends
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.emr.models import emr_backends
from moto.glue.models import glue_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.cloud_formation import cfn_to_api_encryption
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

from deputies_lake_tests.infrastructure.templates import REF, Resolver, parse

Tags = Mapping[str, str]
Properties = Mapping[str, Any]
Attributes = Mapping[str, str]

_AT_ONCE = 8
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class RefusedError(Exception):
    """A resource that can't be made, changed or deleted, with the reason that CloudFormation would give."""


@dataclass(frozen=True)
class Place:
    account: str
    region: str


@dataclass(frozen=True)
class Kind:
    """What a type of resource does in moto. `make` changes the one that is there, if any, and gives its attributes.

    A change of the property `replaced_by` makes another resource, as a change of any does where it is "*".
    """

    make: Callable[[Place, Properties, Tags, Attributes | None], Attributes]
    delete: Callable[[Place, str], None]
    replaced_by: str


def _bucket(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    s3, name = s3_backends[place.account]["aws"], properties["BucketName"]
    if not there:
        if name in s3_backends.bucket_accounts:
            raise RefusedError(f"{name} already exists")
        s3.create_bucket(name, place.region)
    s3.put_bucket_versioning(name, properties["VersioningConfiguration"]["Status"])
    s3.put_bucket_encryption(name, cfn_to_api_encryption(properties["BucketEncryption"]))
    s3.put_public_access_block(name, {key: str(value) for key, value in _access(properties).items()})
    s3.put_bucket_tagging(name, dict(tags))
    return {REF: name, "Arn": f"arn:aws:s3:::{name}"}


def _access(properties: Properties) -> Mapping[str, bool]:
    access: Mapping[str, bool] = properties["PublicAccessBlockConfiguration"]
    return access


def _delete_bucket(place: Place, name: str) -> None:
    s3 = s3_backends[place.account]["aws"]
    # What is gone already is as good as deleted, for CloudFormation, too.
    if name in s3.buckets and s3.delete_bucket(name) is None:
        raise RefusedError("The bucket you tried to delete is not empty. You must delete all versions in the bucket.")


def _bucket_policy(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    # Not given to moto, which overlooks conditions: it would refuse every request, for being without TLS or not.
    return {REF: properties["Bucket"]}


def bucket_policies(account: str) -> Mapping[str, Any]:
    """The policies that stacks gave to their buckets, by bucket."""
    return {
        resource.properties["Bucket"]: resource.properties["PolicyDocument"]
        for backend in cloudformation_backends[account].values()
        for stack in backend.__dict__.get("like_aws", ())
        for resource in stack.resources.values()
        if resource.kind == "AWS::S3::BucketPolicy"
    }


def _role(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    iam, name = iam_backends[place.account]["aws"], properties["RoleName"]
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    if there:
        iam.update_assume_role_policy(name, trust)
    else:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        iam.create_role(name, trust, "/", None, "", pairs, None)
    role = iam.get_role(name)
    role.policies.clear()
    for policy in properties["Policies"]:
        iam.put_role_policy(name, policy["PolicyName"], json.dumps(policy["PolicyDocument"]))
    return {REF: name, "Arn": role.arn}


def _delete_role(place: Place, name: str) -> None:
    iam = iam_backends[place.account]["aws"]
    iam.get_role(name).policies.clear()
    iam.delete_role(name)


def _instance_profile(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    iam, name = iam_backends[place.account]["aws"], properties["InstanceProfileName"]
    profile = (
        iam.get_instance_profile(name)
        if there
        else iam.create_instance_profile(name=name, path="/", role_names=properties["Roles"])
    )
    return {REF: name, "Arn": profile.arn}


def _delete_instance_profile(place: Place, name: str) -> None:
    iam_backends[place.account]["aws"].delete_instance_profile(name, ignore_attached_roles=True)


def _database(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    glue, wanted = glue_backends[place.account][place.region], properties["DatabaseInput"]
    if there:
        glue.update_database(wanted["Name"], wanted)
    else:
        glue.create_database(wanted["Name"], wanted)
    return {REF: wanted["Name"]}


def _secret(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    backend, name = secretsmanager_backends[place.account][place.region], properties["Name"]
    if not there:
        length = properties["GenerateSecretString"]["PasswordLength"]
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        backend.create_secret(name, secrets.token_hex(length)[:length], None, None, pairs, None, None, [], False)
    return {REF: backend.secrets[name].arn}


def _delete_secret(place: Place, arn: str) -> None:
    secretsmanager_backends[place.account][place.region].delete_secret(arn, None, True)


def _key(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    if there:
        return there
    pairs = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    key = kms_backends[place.account][place.region].create_key(
        json.dumps(properties["KeyPolicy"]), "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", properties["Description"], pairs
    )
    return {REF: key.id, "Arn": key.arn}


def _delete_key(place: Place, key: str) -> None:
    kms_backends[place.account][place.region].schedule_key_deletion(key, 7)


def _workgroup(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    athena, name = athena_backends[place.account][place.region], properties["Name"]
    if not there and name in athena.work_groups:
        raise RefusedError(f"WorkGroup {name} already exists")
    athena.delete_work_group(name)
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    athena.create_work_group(name, dict(properties["WorkGroupConfiguration"]), properties["Description"], pairs)
    return {REF: name}


def _security_configuration(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    emr = emr_backends[place.account][place.region]
    emr.create_security_configuration(properties["Name"], json.dumps(properties["SecurityConfiguration"]))
    return {REF: properties["Name"]}


def _topic(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    sns = sns_backends[place.account][place.region]
    arn = there[REF] if there else sns.create_topic(f"topic-{uuid4()}", tags=dict(tags)).arn
    sns.delete_topic_subscriptions(sns.get_topic(arn))
    for wanted in properties["Subscription"]:
        sns.subscribe(arn, wanted["Endpoint"], wanted["Protocol"])
    return {REF: arn}


def _alarm(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    cloudwatch_backends[place.account][place.region].put_metric_alarm(
        name=properties["AlarmName"],
        namespace=properties["Namespace"],
        metric_name=properties["MetricName"],
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=properties["EvaluationPeriods"],
        period=properties["Period"],
        threshold=properties["Threshold"],
        statistic=properties["Statistic"],
        description=properties["AlarmDescription"],
        dimensions=properties["Dimensions"],
        alarm_actions=properties["AlarmActions"],
        ok_actions=properties["OKActions"],
        treat_missing_data=properties["TreatMissingData"],
    )
    return {REF: properties["AlarmName"]}


def _budget(place: Place, properties: Properties, tags: Tags, there: Attributes | None) -> Attributes:
    budgets, name = budgets_backends[place.account]["aws"], there[REF] if there else f"budget-{uuid4()}"
    if there:
        budgets.delete_budget(place.account, name)
    wanted = {**properties["Budget"], "BudgetName": name}
    budgets.create_budget(place.account, wanted, properties["NotificationsWithSubscribers"])
    return {REF: name}


KINDS: Mapping[str, Kind] = {
    "AWS::S3::Bucket": Kind(_bucket, _delete_bucket, "BucketName"),
    "AWS::S3::BucketPolicy": Kind(_bucket_policy, lambda *_: None, "Bucket"),
    "AWS::IAM::Role": Kind(_role, _delete_role, "RoleName"),
    "AWS::IAM::InstanceProfile": Kind(_instance_profile, _delete_instance_profile, "InstanceProfileName"),
    "AWS::Glue::Database": Kind(
        _database,
        lambda place, name: glue_backends[place.account][place.region].delete_database(name),
        "DatabaseInput.Name",
    ),
    "AWS::SecretsManager::Secret": Kind(_secret, _delete_secret, "Name"),
    "AWS::KMS::Key": Kind(_key, _delete_key, ""),
    "AWS::Athena::WorkGroup": Kind(
        _workgroup, lambda place, name: athena_backends[place.account][place.region].delete_work_group(name), "Name"
    ),
    "AWS::EMR::SecurityConfiguration": Kind(
        _security_configuration,
        lambda place, name: emr_backends[place.account][place.region].delete_security_configuration(name),
        "*",
    ),
    "AWS::SNS::Topic": Kind(_topic, lambda place, arn: sns_backends[place.account][place.region].delete_topic(arn), ""),
    "AWS::CloudWatch::Alarm": Kind(
        _alarm, lambda place, name: cloudwatch_backends[place.account][place.region].delete_alarms([name]), "AlarmName"
    ),
    "AWS::Budgets::Budget": Kind(
        _budget,
        lambda place, name: budgets_backends[place.account]["aws"].delete_budget(place.account, name),
        "NotificationsWithSubscribers",
    ),
}
# A change of the stack's tags is a change of each of these.
TAGGED = (
    "AWS::S3::Bucket",
    "AWS::IAM::Role",
    "AWS::SecretsManager::Secret",
    "AWS::Athena::WorkGroup",
    "AWS::KMS::Key",
    "AWS::SNS::Topic",
    "AWS::CloudWatch::Alarm",
)


@dataclass
class Resource:
    kind: str
    properties: Properties
    attributes: Attributes
    retained: bool


@dataclass
class ChangeSet:
    id: str
    kind: str
    template: str
    parameters: Mapping[str, str]
    tags: Tags
    changes: list[dict[str, Any]]
    empty: bool
    asked: int = 0


@dataclass
class Stack:
    id: str
    name: str
    place: Place
    status: str = "REVIEW_IN_PROGRESS"
    template: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    protected: bool = False
    resources: dict[str, Resource] = field(default_factory=dict)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    operation: Iterator[None] = field(default_factory=lambda: iter(()))

    def go_on(self) -> None:
        for _ in islice(self.operation, _AT_ONCE):
            pass

    def event(self, token: str, status: str, *, of: str | None = None, kind: str = "", reason: str = "") -> None:
        if of is None:
            self.status = status
        resource = self.resources.get(of or "")
        physical = self.id if of is None else resource.attributes[REF] if resource else ""
        self.events.insert(
            0,
            {
                "StackId": self.id,
                "StackName": self.name,
                "EventId": str(uuid4()),
                "LogicalResourceId": of or self.name,
                "PhysicalResourceId": physical,
                "ResourceType": kind or "AWS::CloudFormation::Stack",
                "ResourceStatus": status,
                "ResourceStatusReason": reason or None,
                "Timestamp": utcnow(),
                "ClientRequestToken": token,
            },
        )

    def resolver(self, template: str, parameters: Mapping[str, str]) -> Resolver:
        known = {
            **parameters,
            "AWS::AccountId": self.place.account,
            "AWS::Region": self.place.region,
            "AWS::Partition": "aws",
            "AWS::StackName": self.name,
        }
        # What is not there yet is known after it was made; until then it stands for itself.
        return Resolver(
            parse(template),
            known,
            lambda name, attribute: (
                self.resources[name].attributes[attribute] if name in self.resources else f"<{name}.{attribute}>"
            ),
        )

    def differences(self, wanted: Resolver, tags: Tags) -> list[dict[str, Any]]:
        """As a change set lists them."""
        found = []
        for name in wanted.resources():
            kind = wanted.template["Resources"][name]["Type"]
            if name not in self.resources:
                found.append({"Action": "Add", "LogicalResourceId": name, "ResourceType": kind})
            elif self._differs(name, kind, wanted, tags):
                found.append(self._difference("Modify", name, replaced=self._is_replaced(name, wanted)))
        gone = [name for name in self.resources if name not in wanted.resources()]
        return [*found, *(self._difference("Remove", name) for name in gone)]

    def _differs(self, name: str, kind: str, wanted: Resolver, tags: Tags) -> bool:
        return (kind in TAGGED and tags != self.tags) or wanted.properties(name) != self.resources[name].properties

    def _is_replaced(self, name: str, wanted: Resolver) -> bool:
        resource = self.resources[name]
        return _identity(resource.kind, resource.properties) != _identity(resource.kind, wanted.properties(name))

    def _difference(self, action: str, name: str, *, replaced: bool = False) -> dict[str, Any]:
        resource = self.resources[name]
        policy = "Retain" if resource.retained else "Delete"
        difference = {
            "Action": action,
            "LogicalResourceId": name,
            "PhysicalResourceId": resource.attributes[REF],
            "ResourceType": resource.kind,
        }
        if action == "Modify":
            difference["Replacement"] = str(replaced)
            policy = f"ReplaceAnd{policy}" if replaced else ""
        return {**difference, "PolicyAction": policy} if policy else difference

    def change(self, change_set: ChangeSet, token: str) -> Iterator[None]:
        """Make the stack what the change set says, or what it was before."""
        verb = "CREATE" if change_set.kind == "CREATE" else "UPDATE"
        back = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        wanted = self.resolver(change_set.template, change_set.parameters)
        self.event(token, f"{verb}_IN_PROGRESS", reason="User Initiated")
        before = dict(self.resources)
        for name in wanted.resources():
            kind = wanted.template["Resources"][name]["Type"]
            if name in before and not self._differs(name, kind, wanted, change_set.tags):
                continue
            step = "UPDATE" if name in before else "CREATE"
            self.event(token, f"{step}_IN_PROGRESS", of=name, kind=kind)
            yield
            try:
                self._make(name, kind, wanted, change_set.tags)
            # Whatever moto refuses, AWS would, and its text is the reason.
            except Exception as error:  # noqa: BLE001
                self.event(token, f"{step}_FAILED", of=name, kind=kind, reason=str(error))
                self.event(token, f"{back}_IN_PROGRESS", reason=f"The following resource(s) failed: [{name}].")
                yield from self._roll_back(before, token)
                self.event(token, f"{back}_COMPLETE")
                return
            self.event(token, f"{step}_COMPLETE", of=name, kind=kind)
        self.template, self.parameters, self.tags = change_set.template, change_set.parameters, change_set.tags
        if gone := [name for name in reversed(self.resources) if name not in wanted.resources()]:
            self.event(token, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            for name in gone:
                yield from self._delete(name, token, keep=self.resources[name].retained)
        self.event(token, f"{verb}_COMPLETE")

    def _make(self, name: str, kind: str, wanted: Resolver, tags: Tags) -> None:
        properties, old = wanted.properties(name), self.resources.get(name)
        there = old.attributes if old else None
        if old and self._is_replaced(name, wanted):
            if old.attributes[REF] == properties.get("Name"):
                raise RefusedError(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {old.attributes[REF]} and update the stack again."
                )
            there = None
        attributes = KINDS[kind].make(self.place, properties, tags, there)
        # Both say the same here: what a failed creation has made is deleted with it, and all else is kept.
        policy = wanted.template["Resources"][name].get("DeletionPolicy", "Delete")
        self.resources[name] = Resource(kind, properties, attributes, policy == "RetainExceptOnCreate")

    def _roll_back(self, before: Mapping[str, Resource], token: str) -> Iterator[None]:
        for name in [name for name in reversed(self.resources) if name not in before]:
            yield from self._delete(name, token, keep=False)
        for name, resource in before.items():
            if self.resources[name] is not resource:
                KINDS[resource.kind].make(self.place, resource.properties, self.tags, resource.attributes)
                self.resources[name] = resource

    def delete(self, token: str) -> Iterator[None]:
        self.event(token, "DELETE_IN_PROGRESS", reason="User Initiated")
        for name in reversed(list(self.resources)):
            yield from self._delete(name, token, keep=self.resources[name].retained)
        if failed := ", ".join(self.resources):
            self.event(token, "DELETE_FAILED", reason=f"The following resource(s) failed to delete: [{failed}]. ")
        else:
            self.event(token, "DELETE_COMPLETE")

    def _delete(self, name: str, token: str, *, keep: bool) -> Iterator[None]:
        resource = self.resources[name]
        if keep:
            self.event(token, "DELETE_SKIPPED", of=name, kind=resource.kind)
        else:
            self.event(token, "DELETE_IN_PROGRESS", of=name, kind=resource.kind)
            yield
            try:
                KINDS[resource.kind].delete(self.place, resource.attributes[REF])
            except Exception as error:  # noqa: BLE001
                self.event(token, "DELETE_FAILED", of=name, kind=resource.kind, reason=str(error))
                return
            self.event(token, "DELETE_COMPLETE", of=name, kind=resource.kind)
        del self.resources[name]


def _identity(kind: str, properties: Properties) -> object:
    """What of a resource can't change without making it another one."""
    path = KINDS[kind].replaced_by
    found: Any = properties
    for key in path.split(".") if path not in ("", "*") else ():
        found = found[key]
    return found if path else None


# Operations

_LOCK = threading.RLock()


class Operations:
    """CloudFormation's operations, by the names under which moto looks for them. Mixed into its responses."""

    current_account: str
    region: str
    cloudformation_backend: Any
    _get_param: Any
    _get_bool_param: Any

    def create_change_set(self) -> ActionResult:
        with _LOCK:
            kind = self._get_param("ChangeSetType") or "CREATE"
            stack = self._stack(deleted=False) if kind == "UPDATE" or self._there() else self._new_stack()
            if kind == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
                raise ValidationError(message=f"Stack [{stack.name}] already exists and cannot be created again.")
            if kind == "UPDATE" and not stack.status.endswith(
                ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
            ):
                raise ValidationError(message=f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
            template = (
                stack.template if self._get_bool_param("UsePreviousTemplate") else self._get_param("TemplateBody")
            )
            parameters = {
                given["ParameterKey"]: stack.parameters[given["ParameterKey"]]
                if given.get("UsePreviousValue")
                else given["ParameterValue"]
                for given in self._get_param("Parameters", [])
            }
            if missing := parse(template)["Parameters"].keys() - parameters.keys():
                raise ValidationError(message=f"Parameters: {sorted(missing)} must have values")
            given = self._get_param("Tags")
            tags = stack.tags if given is None else {tag["Key"]: tag["Value"] for tag in given}
            if kind == "CREATE":
                stack.tags = tags
            changes = stack.differences(stack.resolver(template, parameters), tags)
            same = bool(stack.template) and parse(template) == parse(stack.template)
            made = ChangeSet(
                id=f"arn:aws:cloudformation:{self.region}:{self.current_account}:changeSet/"
                f"{self._get_param('ChangeSetName')}/{uuid4()}",
                kind=kind,
                template=template,
                parameters=parameters,
                tags=tags,
                changes=changes,
                empty=not changes and same and (parameters, tags) == (stack.parameters, stack.tags),
            )
            stack.change_sets[made.id] = made
            return ActionResult({"Id": made.id, "StackId": stack.id})

    def describe_change_set(self) -> ActionResult:
        with _LOCK:
            stack, change_set = self._change_set()
            change_set.asked += 1
            # It takes its time.
            status = (
                "CREATE_IN_PROGRESS" if change_set.asked == 1 else "FAILED" if change_set.empty else "CREATE_COMPLETE"
            )
            return ActionResult(
                {
                    "ChangeSetId": change_set.id,
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "Status": status,
                    "Parameters": dict(change_set.parameters),
                    "StatusReason": NO_CHANGES if status == "FAILED" else None,
                    "Changes": change_set.changes if status == "CREATE_COMPLETE" else [],
                }
            )

    def delete_change_set(self) -> ActionResult:
        with _LOCK:
            stack, change_set = self._change_set()
            del stack.change_sets[change_set.id]
            return EmptyResult()

    def list_change_sets(self) -> ActionResult:
        with _LOCK:
            stack = self._stack()
            return ActionResult({"Summaries": [{"ChangeSetId": change_set} for change_set in stack.change_sets]})

    def execute_change_set(self) -> ActionResult:
        with _LOCK:
            stack, change_set = self._change_set()
            if change_set.empty:
                raise ValidationError(message=f"ChangeSet [{change_set.id}] cannot be executed in its current status")
            stack.change_sets.clear()
            stack.operation = stack.change(change_set, self._get_param("ClientRequestToken"))
            next(stack.operation, None)
            return EmptyResult()

    def delete_stack(self) -> ActionResult:
        with _LOCK:
            if not self._there():
                return EmptyResult()
            stack = self._stack()
            if stack.protected:
                raise ValidationError(
                    message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            stack.operation = stack.delete(self._get_param("ClientRequestToken"))
            next(stack.operation, None)
            return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        with _LOCK:
            stack = self._stack(deleted=False)
            stack.protected = self._get_bool_param("EnableTerminationProtection")
            return ActionResult({"StackId": stack.id})

    def describe_stacks(self) -> ActionResult:
        with _LOCK:
            stacks = [self._stack()] if self._get_param("StackName") else self._stacks()
            for stack in stacks:
                stack.go_on()
            # Only by its id is a deleted stack still told of.
            told = stacks if self._get_param("StackName") else [s for s in stacks if s.status != "DELETE_COMPLETE"]
            return ActionResult({"Stacks": [_described(stack) for stack in told]})

    def describe_stack_events(self) -> ActionResult:
        with _LOCK:
            stack = self._stack()
            stack.go_on()
            return ActionResult({"StackEvents": list(stack.events)})

    def list_stack_resources(self) -> ActionResult:
        with _LOCK:
            return ActionResult(
                {
                    "StackResourceSummaries": [
                        {
                            "LogicalResourceId": name,
                            "PhysicalResourceId": resource.attributes[REF],
                            "ResourceType": resource.kind,
                            "ResourceStatus": "CREATE_COMPLETE",
                            "LastUpdatedTimestamp": utcnow(),
                        }
                        for name, resource in self._stack().resources.items()
                    ]
                }
            )

    # Where moto keeps nothing of the kind

    def _stacks(self) -> list[Stack]:
        stacks: list[Stack] = self.cloudformation_backend.__dict__.setdefault("like_aws", [])
        return stacks

    def _there(self) -> bool:
        name = self._get_param("StackName")
        return any(name in (stack.id, stack.name) and stack.status != "DELETE_COMPLETE" for stack in self._stacks())

    def _stack(self, *, deleted: bool = True) -> Stack:
        name = self._get_param("StackName")
        for stack in self._stacks():
            # A deleted one is known by its id only.
            if (name == stack.name and stack.status != "DELETE_COMPLETE") or (deleted and name == stack.id):
                return stack
        raise ValidationError(name)

    def _new_stack(self) -> Stack:
        name = self._get_param("StackName")
        arn = f"arn:aws:cloudformation:{self.region}:{self.current_account}:stack/{name}/{uuid4()}"
        stack = Stack(arn, name, Place(self.current_account, self.region))
        self._stacks().append(stack)
        return stack

    def _change_set(self) -> tuple[Stack, ChangeSet]:
        arn = self._get_param("ChangeSetName")
        for stack in self._stacks():
            if arn in stack.change_sets:
                return stack, stack.change_sets[arn]
        raise ValidationError(message=f"ChangeSet [{arn}] does not exist")


def _described(stack: Stack) -> dict[str, Any]:
    made = bool(stack.template)
    outputs = stack.resolver(stack.template, stack.parameters).outputs() if made else {}
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": utcnow(),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
        "Tags": dict(stack.tags),
        "EnableTerminationProtection": stack.protected,
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
    }


def patch_moto() -> None:
    """Have moto answer for CloudFormation as above, in this process and for good. Again does nothing more."""
    for name, operation in vars(Operations).items():
        if callable(operation):
            setattr(CloudFormationResponse, name, operation)
