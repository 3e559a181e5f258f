"""The BentoML service: an async front that reads pictures, a batching ensemble behind it.

Both live in one process. As a BentoML service of its own the ensemble would be asked over HTTP,
which costs more than its answer, and BentoML 1.4.39 closes that connection after every hundredth
request together with those under way (`SessionManager` in its proxy).

`make serve` starts it with the ensemble that the `package` step left in BentoML's store.
"""

import os
import re
from pathlib import Path
from typing import Any

import bentoml
from bentoml._internal.server.http import traffic as bento_traffic
from bentoml.models import BentoModel

from serving import access, logs, prediction_log
from serving.app import create_app
from serving.champion import Follower, is_whole
from serving.engine import Batcher, Engine, read_manifest
from serving.limits import from_environment
from serving.recognition import Recogniser
from serving.shadow import open_shadow
from serving.traffic import Admission, Deadline


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


def tracing() -> dict[str, Any]:
    """Traces go where OpenTelemetry's own variables say, and nowhere without them."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not any(os.environ.get(name) for name in names):
        return {"sample_rate": 0.0, "excluded_urls": ".*"}  # BentoML would record them all the same
    rate = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))
    return {"exporter_type": "otlp", "sample_rate": rate, "otlp": {"protocol": "http"}}


MODEL = model_tag()
LIMITS = from_environment()
THREADS = 2

# BentoML 1.4.39 sets a timer for each request and never stops it: up to 5 KB of each are kept for
# as long as a request may take. Ours is `Deadline`.
bento_traffic.TimeoutMiddleware = lambda app, timeout: app

logs.install()
app = create_app()
front = Deadline(Admission(app, LIMITS.max_waiting), LIMITS.answer_seconds)
front = access.guard(front, access.from_environment())


@bentoml.asgi_app(logs.RequestLog(front))
@bentoml.service(
    name="mien",
    logging={"access": {"enabled": False}},  # it names the clients' addresses; ours does not
    tracing=tracing(),
)
class Mien:
    """Facial-expression recognition."""

    model = BentoModel(MODEL)

    def __init__(self) -> None:
        own = Path(self.model.path)
        champion = Path(os.environ.get("MIEN_CHAMPION") or own)

        def install(package: Path) -> None:
            app.state.recogniser = load(package, own / "detectors")

        install(champion if is_whole(champion) else own)
        if champion != own:
            Follower(champion, app.state.recogniser.manifest["version"], install).start()


def load(package: Path, detectors: Path) -> Recogniser:
    """Loads a package and runs it once, so that no client waits for its first time.

    Args:
        package: Folder that the `package` step wrote, or a copy of it.
        detectors: Folder of the detectors' networks.
    """
    manifest = read_manifest(package)
    engine = Engine(package, THREADS)
    engine.warm_up()
    log = prediction_log.open_log(prediction_log.from_environment(), manifest)
    shadow = open_shadow(os.environ.get("MIEN_SHADOW"), manifest)
    classify = Batcher(engine).probabilities
    return Recogniser(package, detectors, manifest, classify, LIMITS, log, shadow)
