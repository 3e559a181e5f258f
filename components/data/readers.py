"""Finds out which layout a data set has by looking at it."""

from pathlib import Path

from components.data import fer2013, ferplus_folders, tables, votes
from components.data.archives import ENDINGS, find
from components.data.blocks import Reader
from components.data.class_folders import ClassFolders
from components.data.disk import reading
from components.data.fer2013 import Fer2013
from components.data.ferplus_folders import FerplusFolders
from components.data.manifest import Manifest
from components.errors import InputError
from components.settings import IngestSettings

_REMEDY = (
    f"put {fer2013.NAMES[0]} (plain, .gz, .xz, .zst or .zip; FER+'s {votes.NAMES[0]} beside it "
    'is optional) or another layout of README.md\'s "Bring your data" there, or run `make data` '
    "to draw the embedded data set."
)
_SHOWN = 5  # names of what a folder holds


def reader(source: Path, settings: IngestSettings) -> Reader:
    """Looks at `source` and returns what can read it.

    Args:
        source: A file, or a folder with one known layout in it.
        settings: What names the data use, and how the faces should come out.

    Raises:
        InputError: If `source` shows no known layout, or several.
    """
    with reading(source):
        if source.is_file():
            return _of_file(source, settings)
        if not source.is_dir():
            raise InputError(f"{source} is missing; {_REMEDY}")
        return _of_folder(source, settings)


def _of_file(path: Path, settings: IngestSettings) -> Reader:
    if _is_fer2013(path.name):
        return Fer2013(path, settings)
    names = tables.header(path)
    if settings.columns.path in names:
        return Manifest(path, settings)
    if "pixels" in names:
        return Fer2013(path, settings)
    raise InputError(
        f"{path} has neither a column 'pixels', as FER-2013, nor a column "
        f"{settings.columns.path!r} with the paths of pictures; add one, or say in ingest.columns "
        "what it is called."
    )


def _of_folder(folder: Path, settings: IngestSettings) -> Reader:
    found: dict[str, type[Reader]] = {}
    if csv := find(folder, fer2013.NAMES):
        found[csv.name] = Fer2013
    if names := FerplusFolders.found(folder):
        found[f"{names[0]}/{ferplus_folders.LABELS}"] = FerplusFolders
    if names := ClassFolders.found(folder, settings):
        found[f"the folder {names[0]} of pictures by label"] = ClassFolders
    manifests, damage = _manifests(folder, settings)
    found |= dict.fromkeys(manifests, Manifest)
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {' and '.join(found)}; move all but one away, or name the one to use "
            "in ingest.source."
        )
    for name, kind in found.items():
        return kind(folder / name if kind in (Fer2013, Manifest) else folder, settings)
    if damage:
        raise damage
    raise InputError(
        f"{folder} holds no {' or '.join(fer2013.NAMES)}, no folders of pictures by label, no "
        f"{next(iter(ferplus_folders.FOLDERS))}/{ferplus_folders.LABELS} and no table with a "
        f"column {settings.columns.path!r}{_contents(folder)}; {_REMEDY}"
    )


def _manifests(folder: Path, settings: IngestSettings) -> tuple[list[str], InputError | None]:
    """Tables that list pictures, and what is wrong with the last one that cannot be read."""
    found, damage = [], None
    for path in sorted(folder.iterdir()):
        known = path.name.startswith(".") or _is_fer2013(path.name)
        if known or not tables.is_table(path) or not path.is_file():
            continue
        try:
            if settings.columns.path in tables.header(path):
                found.append(path.name)
        except InputError as error:
            damage = error
    return found, damage


def _is_fer2013(name: str) -> bool:
    return name in {n + ending for n in (*fer2013.NAMES, *votes.NAMES) for ending in ENDINGS}


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    more = ", …" if len(names) > _SHOWN else ""
    return f" (it has {', '.join(names[:_SHOWN])}{more})" if names else ""
