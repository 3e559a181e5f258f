"""MLflow's registry: who challenges, who is champion, who was before.

| alias | is |
|---|---|
| `challenger` | the version that was packaged last |
| `champion` | the version that may be served |
| `previous` | the champion before |

A version that becomes champion is tagged with the one that it replaces, so that rolling back
can be repeated. Whoever changes aliases takes the turn first (components/turns.py).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from components.errors import InputError

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
REPLACED, DECISION, REASONS = "gate.replaced", "gate.decision", "gate.reasons"
IDENTITY = ("onnx_sha256", "test_sha256")  # tags that no two versions share
ROLLED_BACK = "rolled back"  # a decision
FILES = ("manifest.json", "MODEL_CARD.md", "predictions.parquet")  # of the run that packaged


@dataclass(frozen=True)
class Registry:
    """The versions of one registered model.

    Attributes:
        name: Of the model.
        client: MLflow's.
    """

    name: str
    client: MlflowClient

    def version(self, alias: str) -> ModelVersion | None:
        """Returns the version that an alias names, if there is one."""
        try:
            return self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def find(self, said: str) -> ModelVersion:
        """Finds a version by its number, an alias, or the `model_version` of an answer.

        Raises:
            InputError: If there is none.
        """
        known = self.client.search_model_versions(f"name = '{self.name}'")
        aliased = None if said.isdigit() else self.version(said)
        for version in known:
            if said in (str(version.version), version.tags.get("version")) or (
                aliased is not None and aliased.version == version.version
            ):
                return self.client.get_model_version(self.name, version.version)
        numbers = ", ".join(sorted((str(version.version) for version in known), key=int)) or "none"
        raise InputError(f"{self.name} has no version {said!r}; the registry has {numbers}.")

    def packaged(self, manifest: dict[str, Any]) -> ModelVersion | None:
        """Returns the version of a packaged graph that was measured on the same test faces."""
        for version in self.client.search_model_versions(f"name = '{self.name}'"):
            if all(version.tags.get(key) == manifest[key] for key in IDENTITY):
                return version
        return None

    def challenger(self) -> ModelVersion:
        """Returns the version to be judged.

        Raises:
            InputError: If there is none.
        """
        found = self.version(CHALLENGER)
        if found is None:
            raise InputError(
                f"the registry has no {CHALLENGER} for {self.name}; `dvc repro` registers what it "
                "packages."
            )
        return found

    def fetch(self, version: ModelVersion, folder: Path) -> Path:
        """Copies what a version is judged and served by into a folder.

        Returns:
            The folder.

        Raises:
            InputError: If something of it is gone.
        """
        folder.mkdir(parents=True)
        try:
            for name in FILES:
                mlflow.artifacts.download_artifacts(
                    run_id=version.run_id, artifact_path=name, dst_path=str(folder)
                )
            model = mlflow.artifacts.download_artifacts(self.uri(version), dst_path=f"{folder}/m")
            shutil.move(Path(model) / "model.onnx", folder / "ensemble.onnx")
            shutil.rmtree(f"{folder}/m")
        except (MlflowException, OSError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.name} version {version.version} ({', '.join(version.aliases) or 'no alias'}"
                f") has lost artifacts ({said}); bring them back, or give its alias to a whole "
                "version."
            ) from error
        return folder

    def uri(self, version: ModelVersion) -> str:
        """Returns where MLflow finds the version's model."""
        return f"models:/{self.name}/{version.version}"

    def challenge(self, version: str) -> None:
        """Makes a version the challenger."""
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)

    def settle(
        self, challenger: ModelVersion, champion: ModelVersion | None, decision: dict[str, Any]
    ) -> None:
        """Tags the challenger with the gate's decision and, if it was promoted, moves aliases.

        Args:
            challenger: The version that was judged.
            champion: The version that it was judged against.
            decision: As `components.promote` writes it.

        Raises:
            InputError: If another champion was made since it was judged.
        """
        now = self.version(CHAMPION)
        if (now and now.version) != (champion and champion.version):
            raise InputError(
                f"{self.name} has got another champion (version {now.version if now else 'none'}) "
                "while this one was judged; run again."
            )
        promoted = decision["promoted"]
        replaced = str(champion.version) if champion else ""
        tags = {
            DECISION: "promoted" if promoted else "refused",
            REASONS: "; ".join(decision["reasons"])[:5000],
            "gate.against": replaced,
        }
        for key, value in tags.items():
            self.client.set_model_version_tag(self.name, challenger.version, key, value)
        if not promoted:
            return
        self.client.set_model_version_tag(self.name, challenger.version, REPLACED, replaced)
        self._point(PREVIOUS, replaced)
        self._point(CHAMPION, challenger.version)

    def previous(self) -> ModelVersion:
        """Returns the champion before.

        Raises:
            InputError: If there is none to go back to.
        """
        champion, found = self.version(CHAMPION), self.version(PREVIOUS)
        if champion is None or found is None or champion.version == found.version:
            raise InputError(
                f"{self.name} has no {PREVIOUS} champion to go back to; see `make ui` for its "
                "versions."
            )
        return found

    def roll_back(self) -> ModelVersion:
        """Makes the champion's predecessor champion again; returns the champion that goes.

        Raises:
            InputError: If there is none to go back to.
        """
        coming, going = self.previous(), self.version(CHAMPION)
        self.client.set_model_version_tag(self.name, going.version, DECISION, ROLLED_BACK)
        self._point(CHAMPION, coming.version)
        self._point(PREVIOUS, coming.tags.get(REPLACED, ""))
        challenger = self.version(CHALLENGER)
        if challenger is not None and challenger.version == going.version:
            self._point(CHALLENGER, "")  # or the next promotion would bring it back
        return going

    def _point(self, alias: str, version: str) -> None:
        if version:
            self.client.set_registered_model_alias(self.name, alias, version)
        elif self.version(alias) is not None:
            self.client.delete_registered_model_alias(self.name, alias)
