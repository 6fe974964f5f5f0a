"""EMR's API where moto's differs from AWS: states that are true, cancellation, policies, fleets, pages, refusals.

What a cluster is and what callers may ask of it. How clusters come to life and run steps is in `nodes.py`, which
holds `LOCK`, as each call does.
"""

import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import utcnow
from moto.emr import models
from moto.emr.exceptions import InvalidRequestException, ValidationException
from moto.emr.responses import ElasticMapReduceResponse
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

LOCK: Final = threading.RLock()

ACTIVE_STEP: Final = ("PENDING", "CANCEL_PENDING", "RUNNING")
_ENDING: Final = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")
_ENDED_WELL: Final = ("USER_REQUEST", "ALL_STEPS_COMPLETED")
_MOST_ACTIVE_STEPS: Final = 256
_PAGE: Final = 50
_IDLE_SECONDS: Final = (60, 604800)


class Step(models.Step):
    """A step. `cancelled_by` is the option of the `CancelSteps` that wants it to end."""

    cancelled_by: str | None = None
    failure_details: Mapping[str, str] | None = None

    @property
    def status(self) -> dict[str, Any]:
        details = {"FailureDetails": self.failure_details} if self.failure_details else {}
        return {**super().status, **details}

    def begin(self) -> None:
        self.state = "RUNNING"
        self.start()

    def end(self, state: str, message: str | None = None) -> None:
        self.state = state
        self.end_date_time = utcnow()  # type: ignore[assignment] # in moto none ever ends
        self.last_state_change_reason = message


class Cluster(models.Cluster):
    """A cluster. `nodes.py` takes it from STARTING on; `terminate` asks for its end, which comes a moment later."""

    steps: list[Step]  # type: ignore[assignment] # `add_steps` makes no others
    reason: tuple[str, str] | None = None
    auto_termination_policy: Mapping[str, Any] | None = None
    managed_scaling_policy: Mapping[str, Any] | None = None
    instance_collection_type = "INSTANCE_GROUP"
    _fleets: Sequence[Mapping[str, Any]] = ()
    _configurations: Sequence[Mapping[str, Any]] = ()

    def run_bootstrap_actions(self) -> None:
        """In moto a cluster is ready within its constructor; here it takes as long as its scripts do."""

    def equip(self, given: Mapping[str, Any]) -> None:
        """Take from the arguments of `RunJobFlow` what moto leaves out."""
        instances = given.get("Instances", {})
        self.auto_termination_policy = given.get("AutoTerminationPolicy")
        self.managed_scaling_policy = given.get("ManagedScalingPolicy")
        if subnets := instances.get("Ec2SubnetIds"):
            self.ec2_subnet_id = subnets[0]
        if fleets := instances.get("InstanceFleets"):
            self.instance_collection_type = "INSTANCE_FLEET"
            self._fleets = [{**fleet, "Id": f"if-{secrets.token_hex(6).upper()}"} for fleet in fleets]
        self._configurations = given.get("Configurations", [])
        # As AWS reports it, whatever the scheme was.
        if self.log_uri:
            self.log_uri = f"s3n://{self.log_uri.partition('://')[2].rstrip('/')}/"
        for step in self.steps:
            step.start_date_time = None

    def configured(self, classification: str, *inner: str) -> Mapping[str, str]:
        """The properties of a classification, or of one inside it."""
        configurations = self._configurations
        for name in (classification, *inner):
            found = next((c for c in configurations if c["Classification"] == name), {})
            configurations = found.get("Configurations", [])
        properties: Mapping[str, str] = found.get("Properties", {})
        return properties

    @property
    def is_ending(self) -> bool:
        return self.state in _ENDING

    def active_steps(self) -> list[Step]:
        return [step for step in self.steps if step.state in ACTIVE_STEP]

    def step(self, step_id: str) -> Step:
        for step in self.steps:
            if step.id == step_id:
                return step
        raise InvalidRequestException(f"Step id '{step_id}' is not valid.")

    def add_steps(self, steps: list[dict[str, Any]]) -> list[Step]:  # type: ignore[override]
        if getattr(self, "state", None) in _ENDING:
            raise ValidationException("A job flow that is shutting down, terminated, or finished may not be modified.")
        if len(self.active_steps()) + len(steps) > _MOST_ACTIVE_STEPS:
            raise ValidationException(
                "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
            )
        added = [Step(state="PENDING", **step) for step in steps]
        level = getattr(self, "step_concurrency_level", 1)
        if level > 1 and any(step.action_on_failure != "CONTINUE" for step in added):
            raise ValidationException(
                f"ActionOnFailure must be CONTINUE, for the cluster's StepConcurrencyLevel is {level}."
            )
        self.steps += added
        return added

    def cancel(self, step_id: str, option: str) -> dict[str, str]:
        step = next((step for step in self.steps if step.id == step_id), None)
        if step is None or step.state not in ACTIVE_STEP:
            state = f"in state {step.state}" if step else "unknown"
            return {"StepId": step_id, "Status": "FAILED", "Reason": f"Cannot cancel a step that is {state}."}
        if step.state == "PENDING":
            step.end("CANCELLED", "Job terminated")
        else:
            step.state, step.cancelled_by = "CANCEL_PENDING", option
        return {"StepId": step_id, "Status": "SUBMITTED"}

    def terminate(self, code: str = "USER_REQUEST", message: str = "Terminated by user request") -> None:
        if not self.is_ending:
            self.state, self.reason = "TERMINATING", (code, message)

    def become_ready(self) -> None:
        self.state, self.ready_datetime = "WAITING", utcnow()

    def become_terminated(self) -> None:
        code, _ = self.reason or _ENDED_WELL
        self.state = "TERMINATED" if code in _ENDED_WELL else "TERMINATED_WITH_ERRORS"
        self.end_datetime = utcnow()

    @property
    def status(self) -> dict[str, Any]:
        if self.reason is None:
            return super().status
        return {**super().status, "StateChangeReason": dict(zip(("Code", "Message"), self.reason, strict=True))}

    @property
    def instance_fleets(self) -> list[dict[str, Any]]:
        state = {"WAITING": "RUNNING", "STARTING": "PROVISIONING"}.get(self.state or "", self.state)
        return [
            {
                **fleet,
                "InstanceTypeSpecifications": fleet.get("InstanceTypeConfigs", []),
                "ProvisionedOnDemandCapacity": fleet.get("TargetOnDemandCapacity", 0),
                "ProvisionedSpotCapacity": fleet.get("TargetSpotCapacity", 0),
                "Status": {"State": state, "Timeline": self.status["Timeline"]},
            }
            for fleet in self._fleets
        ]


class Emr(ElasticMapReduceResponse):
    """The calls. Where moto takes a cluster for given, a wrong id is refused as AWS does, not with a server error."""

    # moto takes every call that was not sent to an address of AWS for one to us-east-1.
    get_region_from_url = BaseResponse.get_region_from_url

    def call_action(self) -> Any:
        with LOCK:
            return super().call_action()

    def run_job_flow(self) -> ActionResult:
        given = self.params.original_dict()
        self._require_instance_profile(given.get("JobFlowRole"))
        if configuration := given.get("SecurityConfiguration"):
            self.backend.get_security_configuration(configuration)
        _require_sound_instances(given.get("Instances", {}))
        _require_sound_scaling(given.get("ManagedScalingPolicy"), fleets="InstanceFleets" in given["Instances"])
        _require_sound_timeout(given.get("AutoTerminationPolicy"))
        answer = super().run_job_flow()
        self._cluster(answer.result["JobFlowId"]).equip(given)  # type: ignore[index]
        return answer

    def add_job_flow_steps(self) -> ActionResult:
        steps = self._cluster(self._get_param("JobFlowId")).add_steps(self._get_param("Steps"))
        return ActionResult({"StepIds": [step.id for step in steps]})

    def cancel_steps(self) -> ActionResult:
        cluster = self._named_cluster()
        option = self._get_param("StepCancellationOption", "SEND_INTERRUPT")
        return ActionResult({"CancelStepsInfoList": [cluster.cancel(i, option) for i in self._get_param("StepIds")]})

    def describe_step(self) -> ActionResult:
        return ActionResult({"Step": self._named_cluster().step(self._get_param("StepId"))})

    def list_steps(self) -> ActionResult:
        ids, states = self._get_param("StepIds", []), self._get_param("StepStates", [])
        steps = [
            step
            for step in reversed(self._named_cluster().steps)
            if (not ids or step.id in ids) and (not states or step.state in states)
        ]
        return self._page("Steps", steps)

    def list_clusters(self) -> ActionResult:
        """The newest first, 50 at a time."""
        found = self.backend.list_clusters(
            self._get_param("ClusterStates", []), self._get_param("CreatedAfter"), self._get_param("CreatedBefore")
        )
        return self._page("Clusters", sorted(found, key=lambda cluster: cluster.creation_datetime, reverse=True))

    def terminate_job_flows(self) -> ActionResult:
        if not all(cluster_id in self.backend.clusters for cluster_id in self._get_param("JobFlowIds")):
            raise ValidationException("Specified job flow ID does not exist.")
        return super().terminate_job_flows()

    def list_instance_fleets(self) -> ActionResult:
        cluster = self._named_cluster()
        if cluster.instance_collection_type != "INSTANCE_FLEET":
            raise InvalidRequestException("Instance fleets and instance groups are mutually exclusive.")
        return self._page("InstanceFleets", cluster.instance_fleets)

    def put_auto_termination_policy(self) -> ActionResult:
        policy = self._given("AutoTerminationPolicy")
        _require_sound_timeout(policy)
        self._named_cluster().auto_termination_policy = policy
        return EmptyResult()

    def get_auto_termination_policy(self) -> ActionResult:
        return ActionResult({"AutoTerminationPolicy": self._named_cluster().auto_termination_policy or {}})

    def remove_auto_termination_policy(self) -> ActionResult:
        self._named_cluster().auto_termination_policy = None
        return EmptyResult()

    def put_managed_scaling_policy(self) -> ActionResult:
        policy, cluster = self._given("ManagedScalingPolicy"), self._named_cluster()
        _require_sound_scaling(policy, fleets=cluster.instance_collection_type == "INSTANCE_FLEET")
        cluster.managed_scaling_policy = policy
        return EmptyResult()

    def get_managed_scaling_policy(self) -> ActionResult:
        return ActionResult({"ManagedScalingPolicy": self._named_cluster().managed_scaling_policy or {}})

    def remove_managed_scaling_policy(self) -> ActionResult:
        self._named_cluster().managed_scaling_policy = None
        return EmptyResult()

    def _given(self, name: str) -> Any:
        return self.params.original_dict().get(name)

    def _named_cluster(self) -> Cluster:
        return self._cluster(self._get_param("ClusterId"))

    def _cluster(self, cluster_id: str) -> Cluster:
        cluster = self.backend.describe_cluster(cluster_id)
        assert isinstance(cluster, Cluster)
        return cluster

    def _page(self, name: str, items: Sequence[Any]) -> ActionResult:
        start = int(self._get_param("Marker") or 0)
        more = {"Marker": str(start + _PAGE)} if len(items) > start + _PAGE else {}
        return ActionResult({name: items[start : start + _PAGE], **more})

    def _require_instance_profile(self, name: str | None) -> None:
        try:
            iam_backends[self.current_account]["aws"].get_instance_profile(name or "")
        except NotFoundException as error:
            raise ValidationException(f"Invalid InstanceProfile: {name}.") from error


def _require_sound_instances(instances: Mapping[str, Any]) -> None:
    fleets = instances.get("InstanceFleets")
    if not fleets:
        return
    if instances.get("InstanceGroups"):
        raise ValidationException("Instance fleets and instance groups are mutually exclusive.")
    primary = [fleet for fleet in fleets if fleet["InstanceFleetType"] == "MASTER"]
    if [_capacity(fleet) for fleet in primary] != [1]:
        raise ValidationException("There must be one master instance fleet, of a target capacity of 1.")
    if any(_capacity(fleet) < 1 for fleet in fleets if fleet["InstanceFleetType"] != "TASK"):
        raise ValidationException("The core instance fleet must have a target capacity of 1 or more.")


def _capacity(fleet: Mapping[str, Any]) -> int:
    return int(fleet.get("TargetOnDemandCapacity", 0)) + int(fleet.get("TargetSpotCapacity", 0))


def _require_sound_scaling(policy: Mapping[str, Any] | None, *, fleets: bool) -> None:
    if policy and (policy["ComputeLimits"]["UnitType"] == "InstanceFleetUnits") != fleets:
        raise ValidationException("ManagedScalingPolicy: UnitType does not fit the cluster's instance collection type.")


def _require_sound_timeout(policy: Mapping[str, Any] | None) -> None:
    least, most = _IDLE_SECONDS
    if policy and not least <= policy["IdleTimeout"] <= most:
        raise ValidationException(f"AutoTerminationPolicy: IdleTimeout must be from {least} to {most} seconds.")


def all_clusters() -> list[Cluster]:
    """Every cluster since the emulator's start, of every account and region, the oldest first."""
    backends: list[models.ElasticMapReduceBackend] = [
        backend for regions in models.emr_backends.values() for backend in regions.values()
    ]
    clusters = [c for backend in backends for c in backend.clusters.values() if isinstance(c, Cluster)]
    return sorted(clusters, key=lambda cluster: cluster.creation_datetime)
