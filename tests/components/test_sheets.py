import cv2
import numpy as np

from components import sheets


def test_each_face_stands_on_the_sheet_in_reading_order_over_its_caption(tmp_path):
    images = np.arange(12, dtype=np.uint8).repeat(64).reshape(12, 8, 8) + 20
    sheet = sheets.contact_sheet(images, [f"face {n}\nhappy" for n in range(12)], "Twelve faces")
    sheets.save(tmp_path / "sheet.png", sheet)
    read = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    assert (read == sheet).all()
    flat = [(sheet == 20 + n).sum() for n in range(12)]
    assert min(flat) >= 96 * 96
    tops, lefts = zip(*[np.argwhere(_solid(sheet, 20 + n))[0] for n in range(12)], strict=True)
    assert list(zip(tops, lefts, strict=True)) == sorted(zip(tops, lefts, strict=True))
    assert len(set(tops)) == 2
    assert (sheet[tops[0] + 96 : tops[10], lefts[0] : lefts[0] + 60] < 128).any()  # a caption
    assert (sheet[: tops[0]] < 128).any()  # the title


def test_colours_stay_what_they_are(tmp_path):
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    sheets.save(tmp_path / "sheet.png", sheets.contact_sheet(red, ["red"], "One face"))
    read = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert (read == (200, 0, 0)).all(axis=2).sum() >= 96 * 96


def _solid(sheet: np.ndarray, grey: int) -> np.ndarray:
    """Where a 90 × 90 square of one grey level begins."""
    kernel = np.ones((90, 90), np.float32)
    count = cv2.filter2D((sheet == grey).astype(np.float32), -1, kernel, anchor=(0, 0))
    return count >= 90 * 90 - 0.5
