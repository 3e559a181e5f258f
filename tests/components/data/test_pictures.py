import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from components.data import blocks
from components.data.pictures import UnusableError, inside, read_picture
from components.preprocess import to_face

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header says that size, with the pixels of another."""
    whole = encoded(Image.new("L", (1, 1)), "PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


def fault_of(path: Path) -> UnusableError:
    with pytest.raises(UnusableError) as caught:
        read_picture(path, 8, "grey")
    assert caught.value.reason in blocks.REASONS
    return caught.value


# --- what is converted -------------------------------------------------------------------


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_is_read_as_serving_reads_it(tmp_path, mode, colour, channels):
    path = tmp_path / "face.png"
    Image.fromarray(NOISE).convert(mode).save(path)
    served = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    served = to_face(served, (20, 20, channels))
    assert (read_picture(path, 20, colour).reshape(served.shape) == served).all()


def test_a_picture_of_the_right_size_keeps_its_pixels(tmp_path):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "face.png")
    assert (read_picture(tmp_path / "face.png", 32, "grey") == NOISE[..., 0]).all()
    Image.fromarray(NOISE).save(tmp_path / "face.png")
    assert (read_picture(tmp_path / "face.png", 32, "rgb") == NOISE).all()


def test_a_picture_that_is_not_square_is_stretched(tmp_path):
    wide = np.repeat([[0, 0, 200, 200]], 2, axis=0).astype(np.uint8)
    Image.fromarray(wide).save(tmp_path / "face.png")
    assert read_picture(tmp_path / "face.png", 2, "grey").tolist() == [[0, 200], [0, 200]]


def test_exif_turns_a_picture_upright(tmp_path):
    lying = np.zeros((32, 32), np.uint8)
    lying[:, :16] = 255  # the camera lay on its side: bright left is bright top
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(lying).save(tmp_path / "face.jpg", exif=exif)
    upright = read_picture(tmp_path / "face.jpg", 32, "grey")
    assert upright[:12].min() > 240
    assert upright[20:].max() < 15


def test_cmyk_becomes_colour(tmp_path):
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "face.jpg", quality=95)
    red, green, blue = read_picture(tmp_path / "face.jpg", 8, "rgb")[4, 4]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_16_bits_become_the_high_byte(tmp_path, ending):
    deep = np.random.default_rng(1).integers(0, 2**16, (8, 8), np.uint16)
    Image.fromarray(deep).save(tmp_path / f"face.{ending}")
    assert (read_picture(tmp_path / f"face.{ending}", 8, "grey") == deep >> 8).all()


def test_16_bit_pgm_is_no_32_bit_picture(tmp_path):
    deep = np.full((8, 8), 0x8081, ">u2")
    (tmp_path / "face.pgm").write_bytes(b"P5 8 8 65535\n" + deep.tobytes())
    assert (read_picture(tmp_path / "face.pgm", 8, "grey") == 0x80).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1"])
def test_transparency_palettes_and_bits_are_resolved(tmp_path, mode):
    colour = (255, 255, 255, 0) if mode == "RGBA" else (255, 0) if mode == "LA" else 1
    picture = Image.new(mode, (8, 8), colour)
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "face.png")
    assert (read_picture(tmp_path / "face.png", 8, "grey") == 255).all()


def test_of_a_stereo_picture_the_first_is_read(tmp_path):
    left, right = Image.new("L", (8, 8), 255), Image.new("L", (8, 8), 0)
    left.save(tmp_path / "face.mpo", save_all=True, append_images=[right])
    assert read_picture(tmp_path / "face.mpo", 8, "grey").min() > 250


# --- what is not ---------------------------------------------------------------------------

JPEG = encoded(Image.fromarray(NOISE), "JPEG")
FRAMES = [Image.fromarray(NOISE), Image.fromarray(NOISE[::-1])]
BAD_FILES = {
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "unreadable", "damaged or cut short (image file"),
    "truncated PNG": (encoded(FRAMES[0], "PNG")[:500], "unreadable", "damaged or cut short ("),
    "zero bytes": (b"", "empty", "has zero bytes"),
    "text": (b"not a face", "unreadable", "is no picture in a known format"),
    "EPS": (encoded(FRAMES[0], "EPS"), "unreadable", "is no picture in a known format"),
    "animated GIF": (
        encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
        "animated",
        "has several frames; save the one to use",
    ),
    "pages": (
        encoded(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]),
        "animated",
        "has several frames",
    ),
    "32 bits": (
        encoded(Image.fromarray(NOISE[..., 0].astype(np.float32)), "TIFF"),
        "range",
        "has 32 bits a pixel, whose white is unknown",
    ),
    "large": (png_of_size(9000, 9000), "huge", "has 9000 × 9000 pixels, more than 64 million"),
    "bomb": (png_of_size(60_000, 60_000), "huge", "more than 64 million"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_picture_is_told_from_the_others(tmp_path, case):
    content, reason, words = BAD_FILES[case]
    (tmp_path / "face.jpg").write_bytes(content)
    fault = fault_of(tmp_path / "face.jpg")
    assert fault.reason == reason
    assert words in fault.detail


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "file").touch()
    assert fault_of(tmp_path / "folder.jpg").reason == "folder"
    assert fault_of(tmp_path / "pipe.jpg").reason == "folder"
    assert fault_of(tmp_path / "loop.jpg").reason == "link_loop"
    assert fault_of(tmp_path / "nowhere.jpg").reason == "missing"
    assert fault_of(tmp_path / "file" / "face.jpg").reason == "missing"
    assert fault_of(tmp_path / ("x" * 300)).reason == "path"
    assert fault_of(tmp_path / "null\0.jpg").reason == "path"


@pytest.mark.parametrize("name", ["", "/etc/hostname", "../face.jpg", "a/../../face.jpg", ".."])
def test_a_name_may_not_lead_out_of_its_folder(tmp_path, name):
    with pytest.raises(UnusableError) as caught:
        inside(tmp_path, name)
    assert caught.value.reason == "path"


def test_other_names_may_be_what_they_like(tmp_path):
    for name in ("a b/Mäßig 😀.jpg", "a..b.jpg", "~/x", "./x"):
        assert inside(tmp_path, name) == tmp_path / name


# --- anything at all -----------------------------------------------------------------------

KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]
WHOLE = [encoded(Image.fromarray(NOISE[:9, :7]), kind) for kind in KINDS]
WHOLE += [content for content, *_ in BAD_FILES.values()]
CHANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.filterwarnings("ignore")  # Pillow's, about odd files
@given(start=st.sampled_from(WHOLE) | st.binary(), changes=CHANGES, cut=st.integers(0, 3000))
def test_any_bytes_are_a_face_or_a_fault(tmp_path, start, changes, cut):
    content = bytearray(start)
    for place, value in changes:
        if place < len(content):
            content[place] = value
    (tmp_path / "face.jpg").write_bytes(content[:cut])
    with contextlib.suppress(UnusableError):
        face = read_picture(tmp_path / "face.jpg", 8, "rgb")
        assert (face.shape, face.dtype) == ((8, 8, 3), np.uint8)
