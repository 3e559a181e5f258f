"""Reads folders of pictures that are named after the pictures' labels.

`train/angry/x.jpg`, `test/angry/y.jpg` and, if there is one, `val/`; or `angry/x.jpg` without
splits. Kaggle's edition of FER-2013 keeps the published split in its file names
(`PublicTest_123.jpg`), and these win over the folder.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from components.data.blocks import Block, Fault
from components.data.disk import reading
from components.data.foreign import fold, label_codes, split_name
from components.data.pictures import Listing, batched, read_all, shown
from components.settings import IngestSettings

_PUBLISHED = re.compile(r"(Training|PublicTest|PrivateTest)_[0-9]+\.[a-zA-Z]+")
_NO_PICTURES = {"thumbs.db", "desktop.ini"}  # what file managers leave behind


class ClassFolders:
    """Class-named folders below `path`; see `components/data/blocks.py`."""

    def __init__(self, path: Path, settings: IngestSettings):
        self.path = self.folder = path
        self.settings = settings
        self.codes = label_codes(settings.label_map)

    @classmethod
    def found(cls, folder: Path, settings: IngestSettings) -> list[str]:
        """What in `folder` shows this layout; nothing if it is another."""
        with reading(folder):
            names = _folders(folder)
            splits = [n for n in names if split_name(n) and _folders(folder / n)]
            return splits or [n for n in names if fold(n) in label_codes(settings.label_map)]

    def count(self) -> int:
        with reading(self.folder):
            return sum(len(_entries(self.folder / c)) for _, c in self._classes())

    def blocks(self) -> Iterator[Block]:
        return read_all(self._listings(), self.settings.image_size, self.settings.colour)

    def _listings(self) -> Iterator[Listing]:
        loose = [
            Fault(shown(name), None, "label", "it lies in no folder that is named after a label")
            for split in self._splits()
            for name in self._loose(split)
        ]
        if loose:
            yield self._listing([], None, None, loose)
        for split, folder in self._classes():
            with reading(self.folder / folder):
                entries = _entries(self.folder / folder)
            label = folder.rpartition("/")[2]
            code = self.codes.get(fold(label))
            for names in batched(entries):
                paths = [f"{folder}/{name}" for name in names]
                if code is None:
                    detail = f"its folder {shown(label)!r} is no label; add it to ingest.label_map"
                    faults = [Fault(shown(path), None, "label", detail) for path in paths]
                    yield self._listing([], split, None, faults)
                else:
                    yield self._listing(paths, split, code, [])

    def _listing(
        self, paths: list[str], split: str | None, code: int | None, faults: list[Fault]
    ) -> Listing:
        good = [path for path in paths if _is_utf8(path)]
        detail = "its name is not UTF-8; rename it"
        faults = faults + [
            Fault(shown(path), None, "path", detail) for path in paths if not _is_utf8(path)
        ]
        columns = {
            "id": pa.array(good, pa.string()),
            "split": pa.array([_published(path) or split for path in good], pa.string()),
            "label": pa.array([code] * len(good), pa.int8()),
            "source": pa.array(good, pa.string()),
        }
        return Listing(
            paths=[self.folder / path for path in good],
            names=["it"] * len(good),
            places=[(shown(path), None) for path in good],
            table=pa.record_batch(columns),
            faults=faults,
        )

    def _splits(self) -> list[str]:
        """Folders of splits, or the folder itself if it has none."""
        names = _folders(self.folder)
        return [n for n in names if split_name(n) and _folders(self.folder / n)]

    def _classes(self) -> Iterator[tuple[str | None, str]]:
        """The split and the path of each folder that should be named after a label."""
        with reading(self.folder):
            splits = self._splits()
            if not splits:
                yield from ((None, name) for name in _folders(self.folder))
            for split in splits:
                for name in _folders(self.folder / split):
                    yield split_name(split), f"{split}/{name}"

    def _loose(self, split: str) -> list[str]:
        with reading(self.folder / split):
            classes = set(_folders(self.folder / split))
            entries = _entries(self.folder / split)
        return [f"{split}/{name}" for name in entries if name not in classes]


def _published(path: str) -> str | None:
    match = _PUBLISHED.fullmatch(path.rpartition("/")[2])
    return split_name(match[1]) if match else None


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _entries(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    return sorted(name for name in names if name.lower() not in _NO_PICTURES)


def _folders(folder: Path) -> list[str]:
    return [name for name in _entries(folder) if (folder / name).is_dir()]
