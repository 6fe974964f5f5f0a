"""Makes `vega.js`, the charts' library as the dashboard ships it: `python -m deputies_lake_tests.serving.vega`.

The package that has it weighs 84 MB, for it has a browser's engine inside, and takes five seconds to bundle it. So it
is a developer's tool, and what it makes is a file of the project: no cluster, and nobody's laptop, installs it.
"""

from importlib.metadata import version
from pathlib import Path

import vl_convert

from deputies_lake.serving import dashboard

FILE = Path(dashboard.__file__).parent / "vega.js"

_NOTICE = """\
/* Vega {vega}, Vega-Lite and Vega-Embed {embed}, bundled by vl-convert-python {bundler}.
   BSD 3-Clause License. Copyright (c) 2015-2025, University of Washington Interactive Data Lab. All rights reserved.
   Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
   following conditions are met: 1. Redistributions of source code must retain the above copyright notice, this list of
   conditions and the following disclaimer. 2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation and/or other materials provided with the
   distribution. 3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or
   promote products derived from this software without specific prior written permission.
   THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
   INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
   DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
   SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
   SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
   WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
   OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
   D3, in it: ISC License. Copyright 2010-2023 Mike Bostock. Permission to use, copy, modify, and/or distribute this
   software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this
   permission notice appear in all copies. THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES. */
"""


def notice() -> str:
    """What the file begins with: the versions in it, and their licences."""
    return _NOTICE.format(
        vega=vl_convert.get_vega_version(),
        embed=vl_convert.get_vega_embed_version(),
        bundler=version("vl-convert-python"),
    )


if __name__ == "__main__":
    # A function of its own keeps the bundle's hundreds of names from meeting the page's.
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    FILE.write_text(f"{notice()}(() => {{{bundle}}})();\n", encoding="utf-8")
