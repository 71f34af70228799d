#!/usr/bin/env python3
"""How fast large results become pages, and how fast a browser shows and scrolls them.

usage: bench/views.py [--build build]
Needs chromium and numpy. Prints a table for docs/benchmarks.md. Random scores, rows are attributed tokens, columns generated ones.
"""
import argparse
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# Sent back: milliseconds from the start of the navigation to the first frame after everything was drawn, and, where there is a grid, between
# the frames of a scroll through it.
PROBE = """<script>
addEventListener("load", () => requestAnimationFrame(() => requestAnimationFrame(async () => {
  const shown = performance.now(), grid = document.querySelector(".ci-grid"), frames = [];
  const frame = () => new Promise(requestAnimationFrame);
  if (grid) {
    await frame();
    for (let i = 0, last = performance.now(); i < 120; i++) {
      grid.scrollTop += 211;
      grid.scrollLeft += 37;
      await frame();
      const now = performance.now();
      frames.push(now - last);
      last = now;
    }
  }
  fetch("/", {method: "POST", body: JSON.stringify({shown, frames, cells: document.querySelectorAll("td").length})});
})));
</script></body>"""


def measure(page, folder):
    """What the probe found in a page that a local server gives to the browser."""
    answers = []
    answered = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            answered.set()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = subprocess.Popen([shutil.which("chromium") or "chromium-browser", "--headless", "--no-sandbox", "--remote-debugging-port=0",
                                f"--user-data-dir={folder}/profile", "--window-size=1400,900", f"http://127.0.0.1:{server.server_port}/"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        assert answered.wait(400), "the browser did not answer"
    finally:
        os.killpg(browser.pid, 15)
        browser.wait()
        server.shutdown()
    return answers[0]


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
    FeatureAttributionOutput([sequence], None, {"attribution_method": "random"}).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    build = os.path.abspath(parser.parse_args().build)
    os.environ["CINSEQ_LIBRARY"] = os.path.join(build, "libcinseq.so.0")
    sys.path.insert(0, os.path.join(ROOT, "python", "src"))
    print("| result | view | `cinseq view` writes it in | MB | shown after | frames of a scroll: median, 95 of 100, slowest |\n|---|---|---|---|---|---|")
    for rows, columns, views in ((500, 100, ("grid", "table", "tokens")), (2000, 500, ("grid",))):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            saved, path = os.path.join(folder, "result.json"), os.path.join(folder, "page.html")
            save_random(saved, rows, columns)
            for view in views:
                command = [os.path.join(build, "cinseq"), "view", saved, "--hide", "--quiet", "--view", view, "--viz_path", path]
                took = []
                for _ in range(5):
                    started = time.perf_counter()
                    subprocess.run(command, check=True)
                    took.append(time.perf_counter() - started)
                with open(path, "rb") as file:
                    page = file.read()
                policy = page[page.index(b"<meta http-equiv"):page.index(b"<title>")]
                found = [measure(page.replace(policy, b"").replace(b"</body>", PROBE.encode()), folder) for _ in range(3)]
                shown = statistics.median(one["shown"] for one in found)
                frames = sorted(sum((one["frames"] for one in found), []))
                scrolled = ", ".join(f"{frames[int(len(frames) * part)]:.0f}" for part in (0.5, 0.95, 0.999)) + " ms" if frames else ""
                print(f"| {rows:,} x {columns} | {view} | {min(took):.3f} s | {len(page) / 1e6:.2f} | {shown / 1000:.2f} s | {scrolled} |", flush=True)


if __name__ == "__main__":
    main()
