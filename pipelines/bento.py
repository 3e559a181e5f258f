"""Put the packaged ensemble into BentoML's store and build its Bento; prints the tag of both.

Run it as `python -m pipelines.bento`; `dvc repro` does, as the last thing. Model and Bento
carry the version of the manifest, so that the same graph is stored once.
"""

import os
import shutil
import sys
from pathlib import Path

from serving.engine import read_manifest

PACKAGE = Path("artifacts/package")
ROOT = Path(__file__).parent.parent
SOURCES = ["serving/*", "components/__init__.py", "components/preprocess.py"]


def store(package: Path) -> str:
    """Stores a packaged ensemble as a BentoML model and builds a Bento around it.

    Args:
        package: Folder that the `package` step wrote.

    Returns:
        The tag of both, `NAME:VERSION`.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    manifest = read_manifest(package)
    tag = f"{manifest['name']}:{manifest['version']}"
    labels = {key: manifest[key] for key in ("data_md5", "label_set")}
    # The service reads which model to load when it is imported, which building a Bento does.
    os.environ["MIEN_MODEL"] = tag
    import bentoml

    if not any(str(model.tag) == tag for model in bentoml.models.list()):
        with bentoml.models.create(tag, labels=labels) as model:
            for file in package.iterdir():
                shutil.copy(file, model.path)
    if not any(str(bento.tag) == tag for bento in bentoml.bentos.list()):
        bentoml.bentos.build(
            "serving.service:Mien",
            name=manifest["name"],
            version=manifest["version"],
            labels=labels,
            include=SOURCES,
            models=[tag],
            docker={"env": {"MIEN_MODEL": tag}},
            # BentoML would lock other versions than the ones that were tested.
            python={"requirements_txt": "requirements/serve.txt", "lock_packages": False},
            build_ctx=str(ROOT),
        )
    return tag


if __name__ == "__main__":
    if not (PACKAGE / "manifest.json").exists():
        sys.exit(f"{PACKAGE} holds no packaged ensemble; make one with `make repro`.")
    print(store(PACKAGE))
