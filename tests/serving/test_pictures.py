import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.data.pictures import read_picture
from components.preprocess import to_face
from serving.pictures import decode
from serving.problems import ProblemError

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
MOST = 10_000


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header says that size, with the pixels of another."""
    whole = encoded(Image.new("L", (1, 1)), "PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(NOISE), "JPEG", exif=exif)


COLOUR = Image.fromarray(NOISE)
DEEP = Image.fromarray(np.random.default_rng(1).integers(0, 2**16, (32, 32), np.uint16))
GOOD = {
    "JPEG": encoded(COLOUR, "JPEG"),
    "turned by EXIF": turned(),
    "CMYK": encoded(COLOUR.convert("CMYK"), "JPEG"),
    "16 bits": encoded(DEEP, "PNG"),
    "alpha": encoded(COLOUR.convert("RGBA"), "PNG"),
    "grey with alpha": encoded(COLOUR.convert("LA"), "PNG"),
    "palette": encoded(COLOUR.convert("P"), "PNG"),
    "one bit": encoded(COLOUR.convert("1"), "PNG"),
    "one frame of GIF": encoded(COLOUR, "GIF"),
    "WebP": encoded(COLOUR, "WEBP", lossless=True),
}
JPEG = GOOD["JPEG"]
FRAMES = [COLOUR, Image.fromarray(NOISE[::-1])]
BAD = {
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "unreadable-picture", "damaged or cut short"),
    "a header alone": (JPEG[:20], "unreadable-picture", "cannot be read as a picture"),
    "zero bytes": (b"", "unreadable-picture", "zero bytes"),
    "text": (b"<svg/>", "unreadable-picture", "cannot be read as a picture"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unreadable-picture", "cannot be read"),
    "animated GIF": (
        encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
        "animated-picture",
        "several frames",
    ),
    "32 bits": (
        encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        "unreadable-picture",
        "32 bits",
    ),
    "a huge header": (png_of_size(50_000, 50_000), "too-large", "50000 × 50000 pixels"),
    "a bomb": (encoded(Image.new("1", (9_000, 9_000)), "PNG"), "too-large", "more than 0.01"),
}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3)])
def test_a_picture_is_served_as_it_is_trained_with(tmp_path, kind, colour, channels):
    path = tmp_path / "face"
    path.write_bytes(GOOD[kind])
    served = to_face(decode(GOOD[kind], MOST), (20, 20, channels))
    assert (served == read_picture(path, 20, colour).reshape(served.shape)).all()


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_is_a_problem_that_says_why(kind):
    content, expected, said = BAD[kind]
    with pytest.raises(ProblemError, match=said) as caught:
        decode(content, MOST)
    assert caught.value.kind == expected


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes_are_a_picture_or_a_problem(kind, data):
    content = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProblemError):
        assert decode(bytes(content), MOST).shape[2] == 3
