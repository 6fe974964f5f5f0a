"""A lease is held by one at a time, whoever asks and whatever becomes of its holder."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from moto.s3.models import s3_backends

from deputies_lake.emr.clusters import Clusters
from deputies_lake.emr.lease import LOST_AFTER_SECONDS, Lease
from deputies_lake_tests.emr.cloud import OWN, Cloud, cloud, cloud_endpoint

__all__ = ["cloud", "cloud_endpoint"]

KEY = f"clusters/{OWN.environment_id}.lease"

NewLease = Callable[[], Lease]


@pytest.fixture
def new(cloud: Cloud) -> NewLease:
    return lambda: Lease(cloud.aws, KEY)


def age(cloud: Cloud, seconds: float) -> None:
    """As if it had been taken so long ago."""
    taken = s3_backends["123456789012"]["aws"].get_object(cloud.aws.artifacts_bucket, KEY)
    assert taken
    taken.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=seconds)


def test_a_second_does_not_get_what_is_held(new: NewLease) -> None:
    assert (new().take(), new().take()) == (True, False)


def test_it_can_be_taken_again_once_it_was_given_back(new: NewLease) -> None:
    first = new()
    first.take()
    first.release()
    assert new().take()


def test_also_in_a_bucket_that_keeps_versions(cloud: Cloud, new: NewLease) -> None:
    versioning = {"Status": "Enabled"}
    cloud.client("s3").put_bucket_versioning(Bucket=cloud.aws.artifacts_bucket, VersioningConfiguration=versioning)
    test_it_can_be_taken_again_once_it_was_given_back(new)


def test_a_repeated_request_is_granted_to_who_has_it(new: NewLease) -> None:
    holder = new()
    assert (holder.take(), holder.take()) == (True, True)
    holder.release()
    assert new().take()


@pytest.mark.parametrize(("seconds", "is_taken"), [(LOST_AFTER_SECONDS - 5, False), (LOST_AFTER_SECONDS + 5, True)])
def test_a_dead_holder_is_waited_for_no_longer_than_it_could_live(
    cloud: Cloud, new: NewLease, seconds: float, *, is_taken: bool
) -> None:
    new().take()
    age(cloud, seconds)
    assert new().take() is is_taken


def test_of_many_who_find_it_lost_one_gets_it(cloud: Cloud, new: NewLease) -> None:
    new().take()
    age(cloud, LOST_AFTER_SECONDS + 5)
    both_saw = threading.Barrier(4)
    took: list[bool] = []

    class Simultaneous(Lease):
        def _look(self) -> tuple[str, bytes, float] | None:
            found = super()._look()
            both_saw.wait(30)
            return found

    threads = [threading.Thread(target=lambda: took.append(Simultaneous(cloud.aws, KEY).take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(took) == [False, False, False, True]


def test_who_lost_it_does_not_take_it_from_the_next_by_giving_it_back(cloud: Cloud, new: NewLease) -> None:
    slow = new()
    slow.take()
    age(cloud, LOST_AFTER_SECONDS + 5)
    new().take()
    slow.release()
    assert not new().take()


def test_who_was_slow_can_tell_whether_it_is_theirs_still(cloud: Cloud, new: NewLease) -> None:
    slow = new()
    assert slow.take()
    assert slow.is_kept
    cloud.client("s3").put_object(Bucket=cloud.aws.artifacts_bucket, Key=slow._key, Body=b"another")
    assert not slow.is_kept


def test_it_is_safe_for_less_time_than_others_wait(new: NewLease, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = new()
    lease.take()
    assert lease.is_safe
    lease._taken -= LOST_AFTER_SECONDS / 2
    assert not lease.is_safe


def test_a_cluster_is_started_though_one_died_who_was_about_to(cloud: Cloud, new: NewLease) -> None:
    new().take()
    age(cloud, LOST_AFTER_SECONDS + 5)
    assert [Clusters(cloud.settings).provide(OWN)] == cloud.ids()
    assert cloud.leases() == []
