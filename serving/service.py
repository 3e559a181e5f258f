"""The BentoML service: an async front that reads pictures, a batching ensemble behind it.

`make serve` starts it with the ensemble that the `package` step left in BentoML's store.
"""

import os
import re
from pathlib import Path

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from bentoml.models import BentoModel

from serving.app import Admission, create_app
from serving.engine import MAX_BATCH, Engine, read_manifest
from serving.limits import from_environment
from serving.problems import ProblemError
from serving.recognition import Recogniser


def model_tag() -> str:
    """Which model to serve: what MIEN_MODEL says, else this Bento's own, else the latest.

    `pipelines.bento` gives a Bento and its model one tag; a container has the variable.
    """
    if "MIEN_MODEL" in os.environ:
        return os.environ["MIEN_MODEL"]
    bento = Path(__file__).parents[2] / "bento.yaml"
    if not bento.is_file():
        return "mien:latest"
    # Its thousands of lines are not worth a YAML parser's seconds.
    found = re.findall(r"^(?:name|version): (\S+)$", bento.read_text("utf-8"), re.MULTILINE)
    return ":".join(word.strip("'\"") for word in found[:2])


MODEL = model_tag()
LIMITS = from_environment()
THREADS = 2
HOUR = 3600  # seconds that a video may take; every other body has limits of its own

app = create_app()


@bentoml.service(name="ensemble")
class Ensemble:
    """Answers faces in batches."""

    model = BentoModel(MODEL)

    def __init__(self) -> None:
        self.engine = Engine(Path(self.model.path), THREADS)
        self.engine.warm_up()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=10_000)
    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        return self.engine.probabilities(faces)


@bentoml.asgi_app(Admission(app, LIMITS.max_waiting))
@bentoml.service(name="mien", traffic={"timeout": HOUR})
class Mien:
    """Facial-expression recognition."""

    model = BentoModel(MODEL)
    ensemble = bentoml.depends(Ensemble)

    def __init__(self) -> None:
        package = Path(self.model.path)
        app.state.recogniser = Recogniser(package, read_manifest(package), self.classify, LIMITS)

    async def classify(self, faces: np.ndarray) -> np.ndarray:
        """Asks the ensemble: (N, h, w, c) uint8 to (N, classes) float32.

        Raises:
            ProblemError: If it has more to do than it can within its time.
        """
        try:
            return await self.ensemble.to_async.probabilities(faces)
        except BentoMLException as error:
            if error.error_code != 503:
                raise
            detail = "the ensemble is busy; try again after the seconds in Retry-After."
            raise ProblemError("overloaded", detail) from error
