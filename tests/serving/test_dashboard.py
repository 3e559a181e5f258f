"""What is asked of Prometheus is what the service tells it. The containers were not run."""

import json
import re
from pathlib import Path

import yaml

from tests.waiting import until

ROOT = Path(__file__).parents[2]


def asked() -> set[str]:
    """Every metric that the dashboard and the alerts ask for."""
    board = json.loads((ROOT / "deploy/grafana/mien.json").read_text())
    rules = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return set(re.findall(r"\b(?:mien|bentoml)_\w+", " ".join(queries)))


def told(service) -> set[str]:
    """Every metric that a service has."""
    lines = service.http.get("/metrics").text.splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines}


def test_every_metric_that_is_drawn_or_watched_is_one_that_the_service_has(serve, package, png):
    with serve(MIEN_SHADOW=str(package)) as service:
        assert service.post("/faces", png).is_success
        service.post("/faces", b"nothing")
        assert len(asked()) >= 12
        until(lambda: asked() <= told(service))  # the shadow answers after the client is answered


def test_the_containers_mount_files_that_are_there():
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    assert set(services) == {"mien", "mlflow", "prometheus", "grafana"}
    mounts = [mount for one in services.values() for mount in one.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert len(files) == 5
    for file in files:
        assert (ROOT / file).is_file(), file
