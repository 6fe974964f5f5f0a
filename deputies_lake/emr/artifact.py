"""The artifact that clusters run: this code as a zip and its Python environment, each named by a hash of its content.

The host never says which version it wants: it always means its own. So both sides run the same code and the same
packages, or the step is refused.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A version of the code and of the environment that it runs in. Both ids are hashes of what they name."""

    code_id: str
    environment_id: str

    def code_uri(self, bucket: str) -> str:
        """The zip for `spark-submit --py-files`."""
        return f"s3://{bucket}/code/{self.code_id}/deputies_lake.zip"

    def environment_uri(self, bucket: str) -> str:
        """The prefix that holds the lock, the wheels and the bootstrap script."""
        return f"s3://{bucket}/environments/{self.environment_id}"

    def bootstrap_uri(self, bucket: str) -> str:
        return f"{self.environment_uri(bucket)}/bootstrap.sh"

    @property
    def python(self) -> str:
        """The interpreter of the environment on a cluster's machines."""
        return f"/home/hadoop/deputies_lake/{self.environment_id}/bin/python"
