#!/usr/bin/env python3
"""The HTML page in a real headless browser: what it looks like is measured there, in the light and in the dark theme.

usage: browser.py [--bin build/cinseq]
Needs chromium; without it says so and passes. Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile

import devtools

# Run in the page.
PROBE = r"""(() => {
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
  return found;
})()"""

BIN = ""
BROWSER = None


def draw(folder, *arguments):
    """The page of a command."""
    path = os.path.join(folder, "page.html")
    done = subprocess.run([BIN, *arguments, "--hide", "--viz_path", path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_policy(page):
    """The policy names the page's own script and no other."""
    if "<!DOCTYPE html>\n<html lang" not in page:  # fragments have none
        return
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">\n', page)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in re.findall("<script>(.*?)</script>", page, re.S)]
    expected = "default-src 'none'; style-src 'unsafe-inline'" + "".join(f"; script-src 'sha256-{digest}'" for digest in digests)
    assert policy and policy[1] == expected, policy


def opened(folder, text, width, theme="light"):
    """The browser's page of this text: a context."""
    check_policy(text)
    path = os.path.join(folder, "opened.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    page = BROWSER.page(width, 900, theme)
    page.go("file://" + path)
    return page


def measure(folder, arguments, width, theme="light", edit=lambda page: page):
    with opened(folder, edit(draw(folder, "attribute", *arguments)), width, theme) as page:
        return page.run(PROBE)


TRANSLATION = ("-m", "zh-en-mini", "-i", "我很开心。", "--attribute_target", "--step_scores", "probability")
STORY = ("-m", "stories260K", "-i", "Once upon a time", "--generation_kwargs", '{"max_new_tokens": 60}', "--step_scores", "probability")


def test_themes(folder):
    for theme in ("light", "dark"):
        found = measure(folder, TRANSLATION, 1600, theme)
        assert found["dark"] == (theme == "dark"), found
        assert found["contrast"] >= 4.5 and found["painted"] > 10, found
        assert found["requests"] == 0 and found["scripts"] == 0, found


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


def test_a_large_table_is_a_table_whose_headers_stay(folder):
    text = draw(folder, "attribute", *STORY[:4], "--generation_kwargs", '{"max_new_tokens": 70}', *STORY[-2:], "--view", "table")
    with opened(folder, text, 1000) as page:
        page.run("document.querySelector('.ci-scroll').scrollTo(600, 400)")
        found = page.run("""(() => {
          const scroll = document.querySelector(".ci-scroll"), box = scroll.getBoundingClientRect(), table = scroll.querySelector("table");
          const rect = selector => table.querySelector(selector).getBoundingClientRect(), rows = [...table.querySelectorAll("tbody tr")];
          return {
            large: table.className, scrolled: [scroll.scrollLeft, scroll.scrollTop], rows: rows.length,
            kept: new Set(rows.map(row => getComputedStyle(row).contentVisibility + row.getBoundingClientRect().height)).size,
            stuck: [rect("thead").top - box.top, rect("tbody tr:nth-child(20) .ci-i").left - box.left, rect("tbody tr:nth-child(20) .ci-t").left - rect("tbody tr:nth-child(20) .ci-i").right - 1],
            columns: ["thead tr+tr th:last-child", "tbody tr:nth-child(20) td:last-child", "tfoot td:last-child"].map(last => rect(last).right),
            overflow: document.documentElement.scrollWidth - innerWidth,
          };})()""")
        roles = [node["role"] for node in page.tree()]
    assert found["large"] == "ci-large" and found["scrolled"] == [600, 400] and found["overflow"] <= 0, found
    assert found["kept"] == 1, found
    assert all(abs(x) < 1.5 for x in found["stuck"]) and max(found["columns"]) - min(found["columns"]) < 1, found
    assert roles.count("table") == 1 and roles.count("row") == found["rows"] + 3 and roles.count("rowheader") > found["rows"], roles[:40]


def test_right_to_left_tokens(folder):
    found = measure(folder, STORY, 1000, edit=lambda page: page.replace("<bdi>▁Once<", "<bdi>▁שלום<"))
    assert found["right_to_left"] == 1, found


def run(tests):
    """(passed, failed): every test has a folder of its own, and all of them one browser."""
    global BROWSER
    passed = failed = 0
    with devtools.Browser() as BROWSER:
        for name, test in list(tests.items()):
            if not name.startswith("test_"):
                continue
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                try:
                    test(folder)
                    passed += 1
                except Exception as why:
                    failed += 1
                    print(f"FAIL {name}: {type(why).__name__}: {why}", flush=True)
    return passed, failed


def main(tests):
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/cinseq")
    BIN = os.path.abspath(parser.parse_args().bin)
    if not devtools.find():
        print("no chromium here: nothing was tried")
    passed, failed = run(tests) if devtools.find() else (0, 0)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(globals())
