"""Make `dvc plots show` work without a network; `make setup` runs it.

DVC's own page loads Vega from a content delivery network. This writes a page template with
the scripts inlined and names it in `.dvc/config.local`.
"""

import subprocess
import sys
from pathlib import Path

import vl_convert

TEMPLATE = Path(".dvc/tmp/plots.html")
EXPOSED = "window.vegaEmbed = vegaEmbed; window.vega = vega;"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>mien: plots</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; }}
body > div {{ display: inline-block; vertical-align: top; margin: 0 2rem 2rem 0; }}
</style>
<script>{scripts}</script>
</head>
<body>
<h1>mien: plots</h1>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    """Writes the template and points DVC to it."""
    TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
    scripts = vl_convert.javascript_bundle(EXPOSED, vl_version="5.20").replace(
        "</script", "<\\/script"
    )
    TEMPLATE.write_text(PAGE.format(scripts=scripts), encoding="utf-8")
    option = ["config", "--local", "plots.html_template", str(TEMPLATE.resolve())]
    subprocess.run([sys.executable, "-m", "dvc", *option], check=True)


if __name__ == "__main__":
    main()
