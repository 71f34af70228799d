#!/usr/bin/env python3
"""How fast large results become pages, and how fast a browser shows and scrolls them.

usage: bench/views.py [--build build] [--times 7]
Needs chromium and numpy. Prints a table for docs/benchmarks.md. Random scores, rows are attributed tokens, columns generated ones.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
import devtools  # noqa: E402

# Milliseconds from the start of the navigation to the second frame after everything was loaded: what the first one drew is shown by then.
SHOWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
# Milliseconds between the frames of a scroll.
SCROLL = """(async () => {
  const grid = document.querySelector(".ci-grid"), frames = [], frame = () => new Promise(requestAnimationFrame);
  await frame();
  for (let i = 0, last = performance.now(); i < 120; i++) {
    grid.scrollTop += 211;
    grid.scrollLeft += 37;
    await frame();
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames;
})()"""


def measure(browser, address, scroll):
    """(milliseconds until it is shown, processor seconds of all processes of the browser, milliseconds of frames) of a page in a new tab."""
    with browser.page(1400) as page:
        before = sum(browser.seconds().values())
        page.go(address)
        shown = page.run(SHOWN)
        seconds = sum(browser.seconds().values()) - before
        return shown, seconds, page.run(SCROLL) if scroll else []


def print_row(name, written, size, found):
    shown, seconds, frames = zip(*found)
    frames = sorted(sum(frames, []))
    scrolled = ", ".join(f"{frames[int(len(frames) * part)]:.0f}" for part in (0.5, 0.95, 0.999)) + " ms" if frames else ""
    print(f"| {name} | {written} | {size} | {min(shown) / 1000:.2f}, {statistics.median(shown) / 1000:.2f}, {max(shown) / 1000:.2f} s "
          f"| {min(seconds):.2f}, {statistics.median(seconds):.2f} s | {scrolled} |", flush=True)


def save_random(path, rows, columns):
    """A result of random scores, most of them near a diagonal."""
    import numpy as np

    from cinseq.data import CoarseFeatureAttributionSequenceOutput, FeatureAttributionOutput
    from cinseq.utils.typing import TokenWithId

    random = np.random.default_rng(0)
    words = "the of and to in a is that for it as was with be by on not he this are or his from at which but".split()
    tokens = [[TokenWithId("▁" + words[i], int(i)) for i in random.integers(len(words), size=n)] for n in (rows, columns)]
    distance = np.arange(rows)[:, None] - np.arange(columns)[None] * rows / columns
    scores = random.gamma(0.15, 1, (rows, columns)) + 3 * np.exp(-(distance / 12) ** 2)
    sequence = CoarseFeatureAttributionSequenceOutput(*tokens, (scores / scores.sum(0)).astype(np.float32), None,
                                                      {"probability": random.random(columns, dtype=np.float32)}, {}, 0, columns)
    FeatureAttributionOutput([sequence], None, {"attribution_method": "random"}).save(path, overwrite=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--times", type=int, default=7)
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    os.environ["CINSEQ_LIBRARY"] = os.path.join(build, "libcinseq.so.0")
    sys.path.insert(0, os.path.join(ROOT, "python", "src"))
    print("| result | view | `cinseq view` writes it in | MB | shown after: least, median, most | processor time: least, median "
          "| frames of a scroll: median, 95 of 100, slowest |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, devtools.Browser() as browser:
        measure(browser, "about:blank", False)  # fonts and the like are found once
        print_row("none | an empty page", "", "", [measure(browser, "about:blank", False) for _ in range(arguments.times)])
        for rows, columns, views in ((500, 100, ("grid", "table", "tokens")), (2000, 500, ("grid",))):
            saved, path = os.path.join(folder, "result.json"), os.path.join(folder, "page.html")
            save_random(saved, rows, columns)
            for view in views:
                command = [os.path.join(build, "cinseq"), "view", saved, "--hide", "--quiet", "--view", view, "--viz_path", path]
                took = []
                for _ in range(5):
                    started = time.perf_counter()
                    subprocess.run(command, check=True)
                    took.append(time.perf_counter() - started)
                found = [measure(browser, "file://" + path, view == "grid") for _ in range(arguments.times)]
                print_row(f"{rows:,} x {columns} | {view}", f"{min(took):.3f} s", f"{os.path.getsize(path) / 1e6:.2f}", found)


if __name__ == "__main__":
    main()
