"""How the tests of the page hand it a picture."""


def choose(page, picture: bytes, name: str = "crowd.png", kind: str = "image/png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": picture})
