"""Pages that a person reads: one HTML file each, pictures inside, nothing from the network."""

import base64

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>mien: {title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: right }}
th:first-child, td:first-child {{ text-align: left }}
th[colspan] {{ text-align: center }}
div {{ display: flex; flex-wrap: wrap; gap: 0 1rem }}
div p {{ flex: 1 1 28rem; margin: .5rem 0 }}
img {{ max-width: 100%; border: 1px solid #ccc }}
summary {{ cursor: pointer; font-size: 1.2rem; margin-top: 1.5rem }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(title: str, body: str) -> str:
    """Returns a whole page; `body` is HTML."""
    return _PAGE.format(title=title, body=body)


def picture(png: bytes, alternative: str) -> str:
    """Returns a PNG as HTML, with the text for who cannot see it."""
    data = base64.b64encode(png).decode("ascii")
    return f'<p><img alt="{alternative}" src="data:image/png;base64,{data}"></p>'
