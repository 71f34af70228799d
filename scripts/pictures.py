#!/usr/bin/env python3
"""Takes the pictures of docs/images anew: views as a headless browser shows them.

usage: pictures.py [--bin build/cinseq] [NAME...]
Needs chromium, and of PyPI pillow, which makes the files small, and numpy for the random scores of the large map.
"""
import argparse
import io
import os
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("tests/cli", "bench", "python/src")]
import devtools  # noqa: E402

TEXT = ["attribute", "-m", "zh-en-mini", "-i", "今天学到了很多，我很开心。"]
# name: (width, theme, command, what is done before the picture)
PICTURES = {
    "tokens": (1000, "light", [*TEXT, "--attribute_target", "--step_scores", "probability", "--view", "tokens"],
               "document.querySelectorAll('.ci-live button')[6].focus()"),
    "granular": (1300, "dark", [*TEXT, "-a", "attention", "--view", "granular"], "0"),
    "layers": (1300, "light", [*TEXT, "-a", "attention", "--view", "layers"], "0"),
    "contrast": (700, "light", ["attribute", "-m", "zh-en-mini", "-i", "我很开心。", "-g", "I'm very happy.", "-a", "input_x_gradient", "--attributed_fn",
                                "contrast_prob_diff", "--attribution_kwargs", '{"contrast_targets": "I am glad."}', "--view", "contrast"], "0"),
    "grid": (1300, "light", None, "document.querySelector('.ci-grid').scrollTo(0, 300)"),
}


def take(browser, name, binary, folder):
    width, theme, command, act = PICTURES[name]
    page, saved = os.path.join(folder, name + ".html"), os.path.join(folder, "random.json")
    if not command:
        import views

        views.save_random(saved, 2000, 500)
        command = ["view", saved, "--view", "grid"]
    subprocess.run([binary, *command, "--hide", "--quiet", "--viz_path", page], check=True)
    with browser.page(width, 900, theme) as tab:
        tab.go("file://" + page)
        tab.run(act)
        tab.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        height = min(900, tab.run("Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom) + 30"))
        picture = Image.open(io.BytesIO(tab.picture((0, 0, width, height)))).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(os.path.join(ROOT, "docs", "images", name + ".png"), optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES])
    arguments = parser.parse_args()
    os.environ.setdefault("CINSEQ_LIBRARY", os.path.join(os.path.dirname(os.path.abspath(arguments.bin)), "libcinseq.so.0"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, devtools.Browser() as browser:
        for name in arguments.names or PICTURES:
            take(browser, name, os.path.abspath(arguments.bin), folder)


if __name__ == "__main__":
    main()
