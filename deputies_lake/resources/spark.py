"""The Spark session, started when a step first asks for it and shared by the whole run."""

from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from deputies_lake.environments import provide_java


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy session, with a Java runtime found for it where the machine has none."""

    @property
    def spark_session(self) -> Any:
        provide_java()
        return super().spark_session

    def session(self) -> SparkSession:
        session: SparkSession = self.spark_session
        return session
