"""Put a packaged ensemble into BentoML's store and build its Bento; prints the tag of both.

Run it as `python -m pipelines.bento [FOLDER]`; `dvc repro` does, as the last thing. Beside the
ensemble goes what finds the faces: MTCNN, and YuNet where `make detector` has fetched it. The
tag's version is the manifest's, and a digest of the service and its detectors, so that the same
thing is stored once and nothing stale is served.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from pipelines.mtcnn import convert
from pipelines.yunet import FILE as YUNET
from serving.engine import read_manifest

PACKAGE = Path("artifacts/package")
ROOT = Path(__file__).parent.parent
SOURCES = ["serving/**/*", "components/__init__.py", "components/measures.py"]
SOURCES += ["components/preprocess.py", "components/data/__init__.py", "components/data/labels.py"]
RELEASED = "released"  # a folder in serving/, whose packages come as a model if at all
REQUIREMENTS = "requirements/serve.txt"


def store(package: Path) -> str:
    """Stores a packaged ensemble as a BentoML model and builds a Bento around it.

    Args:
        package: Folder that the `package` step wrote.

    Returns:
        The tag of both, `NAME:VERSION`.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    manifest = read_manifest(package)
    with tempfile.TemporaryDirectory() as folder:
        detectors = Path(folder)
        convert(detectors)
        if YUNET.is_file():
            shutil.copy(YUNET, detectors)
        tag = f"{manifest['name']}:{manifest['version']}-{_digest(detectors)}"
        _store(package, detectors, tag, {key: manifest[key] for key in ("data_md5", "label_set")})
    return tag


def _store(package: Path, detectors: Path, tag: str, labels: dict[str, str]) -> None:
    # The service reads which model to load when it is imported, which building a Bento does.
    os.environ["MIEN_MODEL"] = tag
    import bentoml

    if not any(str(model.tag) == tag for model in bentoml.models.list()):
        with bentoml.models.create(tag, labels=labels) as model:
            # A release has its members beside the graph, which are for training alone.
            without = shutil.ignore_patterns("members")
            shutil.copytree(package, model.path, dirs_exist_ok=True, ignore=without)
            shutil.copytree(detectors, Path(model.path) / "detectors")
    if not any(str(bento.tag) == tag for bento in bentoml.bentos.list()):
        name, version = tag.split(":")
        with tempfile.TemporaryDirectory() as context:
            for file in [*_sources(), ROOT / "README.md"]:
                copy = Path(context) / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
            bentoml.bentos.build(
                "serving.service:Mien",
                name=name,
                version=version,
                labels=labels,
                include=["serving/*", "components/*"],
                models=[tag],
                docker={"env": {"MIEN_MODEL": tag}},
                # BentoML would lock other versions than the ones that were tested.
                python={"requirements_txt": REQUIREMENTS, "lock_packages": False},
                # BentoML builds in no hidden folder, as `dvc exp run --temp` works in one.
                build_ctx=context,
            )


def _digest(detectors: Path) -> str:
    """Eight hexadecimal digits that change with the service's code or its detectors."""
    digest = hashlib.sha256()
    for file in [*_sources(), *sorted(detectors.iterdir())]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:8]


def _sources() -> list[Path]:
    """Returns the service's code and what it requires."""
    found = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file())
    apart = {"__pycache__", RELEASED}
    code = [path for path in found if not apart & set(path.relative_to(ROOT).parts)]
    return [*code, ROOT / REQUIREMENTS]


if __name__ == "__main__":
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE
    if not (package / "manifest.json").exists():
        sys.exit(f"{package} holds no packaged ensemble; make one with `make repro`.")
    print(store(package))
