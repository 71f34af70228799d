#!/usr/bin/env python3
"""The HTML page in a real headless browser: what it looks like is measured there, in the light and in the dark theme.

usage: browser.py [--bin build/cinseq]
Needs chromium; without it says so and passes. Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Put into a copy of the page: leaves what it measured in the title.
PROBE = r"""<script>
onload = () => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = color => {
    const [r, g, b] = color.match(/\d+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // What shows behind an element's text: backgrounds may be translucent.
  const paper = element => {
    const [r, g, b, a = 1] = getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number);
    if (a == 1) return `rgb(${r}, ${g}, ${b})`;
    const below = element.parentElement ? paper(element.parentElement).match(/[\d.]+/g).map(Number) : [255, 255, 255];
    return `rgb(${[r, g, b].map((x, i) => Math.round(x * a + below[i] * (1 - a))).join(", ")})`;
  };
  const contrast = element => {
    const [x, y] = [getComputedStyle(element).color, paper(element)].map(luminance).sort((a, b) => b - a);
    return (x + 0.05) / (y + 0.05);
  };
  const all = selector => [...document.querySelectorAll(selector)];
  const texts = all("td,th,h1,h2,.ci-out,dt,dd,figcaption,figcaption span,.ci-bar span,footer").filter(e => e.textContent);
  const figures = all("figure").map(f => f.getBoundingClientRect());
  const scroll = document.querySelector(".ci-scroll"), table = scroll.querySelector("table");
  getSelection().selectAllChildren(table);
  const found = {
    contrast: Math.min(...texts.map(contrast)),
    dark: luminance(paper(document.body)) < 0.1,
    cells: all("td").length,
    painted: new Set(all("tbody td[style]").map(paper)).size,
    overflow: document.documentElement.scrollWidth - innerWidth,
    beside: figures.length > 1 && figures[0].top == figures[1].top,
    pasted: getSelection().toString().split("\n").map(row => row.split("\t").length),
    requests: performance.getEntriesByType("resource").length,
    scripts: all("script").length,
    right_to_left: all("bdi").filter(e => getComputedStyle(e).direction == "rtl").length,
  };
  scroll.scrollTo(600, 400);
  const box = scroll.getBoundingClientRect(), rect = selector => scroll.querySelector(selector).getBoundingClientRect();
  found.scrolled = [scroll.scrollLeft, scroll.scrollTop];
  found.stuck = [rect("thead tr:first-child th").top - box.top, rect("tbody tr:last-child .ci-i").left - box.left,
                 rect("thead tr+tr th.ci-t").top - rect("thead tr:first-child th.ci-t").bottom,
                 rect("tbody tr:last-child .ci-t").left - rect("tbody tr:last-child .ci-i").right];
  document.title = "found" + JSON.stringify(found) + "end";
};
</script></body>"""

BIN = BROWSER = ""


def draw(folder, *arguments):
    """The page of a command."""
    path = os.path.join(folder, "page.html")
    done = subprocess.run([BIN, *arguments, "--hide", "--viz_path", path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_policy(page):
    """The page without its policy, which would let no probe in. The policy names the page's own script and no other."""
    if page.count("http-equiv") == 0:  # fragments have none
        return page
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">\n', page)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in re.findall("<script>(.*?)</script>", page, re.S)]
    expected = "default-src 'none'; style-src 'unsafe-inline'" + "".join(f"; script-src 'sha256-{digest}'" for digest in digests)
    assert policy and policy[1] == expected, policy
    return page.replace(policy[0], "")


def measure(folder, arguments, width, theme="light", edit=lambda page: page):
    return ask(folder, edit(draw(folder, "attribute", *arguments)), PROBE, width, theme)


def ask(folder, page, probe, width, theme="light"):
    """What the probe found in the page."""
    path = os.path.join(folder, "probed.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(without_policy(page).replace("</body>", probe))
    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                           f"--window-size={width},900", f"--blink-settings=preferredColorScheme={int(theme == 'light')}",
                           "--virtual-time-budget=5000", "--dump-dom", "file://" + path], capture_output=True, text=True, timeout=300)
    found = re.search(r"<title>found(\{.*?\})end</title>", done.stdout, re.S)
    assert found, done.stderr[-500:]
    return json.loads(found[1])


TRANSLATION = ("-m", "zh-en-mini", "-i", "我很开心。", "--attribute_target", "--step_scores", "probability")
STORY = ("-m", "stories260K", "-i", "Once upon a time", "--generation_kwargs", '{"max_new_tokens": 60}', "--step_scores", "probability")


def test_themes(folder):
    for theme in ("light", "dark"):
        found = measure(folder, TRANSLATION, 1600, theme)
        assert found["dark"] == (theme == "dark"), found
        assert found["contrast"] >= 4.5 and found["painted"] > 10, found
        assert found["requests"] == 0 and found["scripts"] == 1, found  # the one of this test


def test_tables_stand_side_by_side_where_there_is_room(folder):
    for width, beside in ((1600, True), (600, False)):
        found = measure(folder, TRANSLATION, width)
        assert found["beside"] == beside and found["overflow"] <= 0, found


def test_a_selection_pastes_as_rows_of_cells(folder):
    found = measure(folder, TRANSLATION, 1600)
    assert found["pasted"][:7] == 7 * [2 + 7], found  # two rows of headers, four tokens, a step score


def test_headers_stay_when_a_long_table_scrolls(folder):
    for width in (1000, 500):
        found = measure(folder, STORY, width)
        assert found["scrolled"] == [600, 400] and found["overflow"] <= 0, found
        assert all(abs(x) < 1.5 for x in found["stuck"]), found


def test_right_to_left_tokens(folder):
    found = measure(folder, STORY, 1000, edit=lambda page: page.replace("<bdi>▁Once<", "<bdi>▁שלום<"))
    assert found["right_to_left"] == 1, found


def main(tests):
    global BIN, BROWSER
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/cinseq")
    BIN = os.path.abspath(parser.parse_args().bin)
    BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    passed = failed = 0
    if not BROWSER:
        print("no chromium here: nothing was tried")
    for name, test in list(tests.items()):
        if not BROWSER or not name.startswith("test_"):
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                test(folder)
                passed += 1
            except Exception as why:
                failed += 1
                print(f"FAIL {name}: {type(why).__name__}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(globals())
