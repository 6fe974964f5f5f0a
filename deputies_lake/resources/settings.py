"""The environment's settings for steps that need more of them than where things are."""

import dagster as dg

from deputies_lake.environments import load_settings


class SettingsResource(dg.ConfigurableResource[None]):
    """Names the environment and nothing else: a resource's configuration is shown in the UI, secrets must not be."""

    environment: str

    def cpf_key(self) -> str:
        """The secret that hides private persons' tax ids. Raises `SettingsError` where none is set."""
        return load_settings(self.environment).require_cpf_key()
