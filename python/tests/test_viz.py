"""What results are drawn as in Python: where it goes, what comes back, that outputs of one notebook leave each other alone."""
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import types
import unittest
import unittest.mock
import warnings
from contextlib import redirect_stdout
from html.parser import HTMLParser
from unittest import mock

import numpy as np

import cinseq

TEXT = "今天学到了很多，我很开心。"


def try_import(name, package):
    try:
        return __import__(name)
    except ImportError:
        print(f"SKIPPED: a test of cinseq with {name}, which is not installed (pip install {package})")
        return None


class Notebook:
    """IPython as far as show() asks for it: a kernel, and what was displayed."""

    def __enter__(self):
        self.shown = []
        display = types.ModuleType("IPython.display")
        display.HTML = lambda text: text
        display.display = self.shown.append
        ipython = types.ModuleType("IPython")
        ipython.get_ipython = lambda: types.SimpleNamespace(kernel=None)
        ipython.display = display
        self.patch = mock.patch.dict(sys.modules, {"IPython": ipython, "IPython.display": display})
        self.patch.start()
        return self.shown

    def __exit__(self, *_):
        self.patch.stop()


class Tables(HTMLParser):
    """The texts of all cells, table by table, row by row."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.cell = [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self.tables[-1][-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


class Drawings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = cinseq.load_model("zh-en-mini", "saliency")
        cls.out = cls.model.attribute(TEXT, step_scores=["probability"], show_progress=False)
        cls.heads = cls.model.attribute(TEXT, method="attention", show_progress=False)

    def test_a_notebook_shows_at_once_and_gives_nothing_back(self):
        with Notebook() as shown:
            for number in range(3):  # in a loop, where a value at the end of a cell would be lost
                self.assertIsNone(self.out.show())
                self.assertEqual(len(shown), number + 1)
            self.assertIsNone(self.heads.show_granular())
            self.assertIsNone(self.out[0].show_tokens())
            self.assertEqual(len(shown), 5)
            text = self.out.show(display=False, return_html=True)
            self.assertEqual(len(shown), 5)
        self.assertTrue(text.startswith("<!DOCTYPE html>"))
        for fragment in shown:
            self.assertTrue(fragment.startswith('<div class="cinseq">') and fragment.endswith("</div>\n"))

    def test_elsewhere_the_terminals_tables_are_printed(self):
        with redirect_stdout(io.StringIO()) as printed:
            self.assertIsNone(self.out.show())
        self.assertTrue(printed.getvalue().startswith("Source attributions  → generated, ↓ attributed\n"))
        self.assertEqual(printed.getvalue(), self.out.to_text() + "\n")
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        with redirect_stdout(terminal), mock.patch.dict(os.environ, {"COLORTERM": "truecolor", "COLUMNS": "80", "NO_COLOR": ""}):
            self.out.show()
        self.assertIn("\x1b[38;2;", terminal.getvalue())
        plain = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
        self.assertLessEqual(max(map(len, plain.splitlines())), 80)

    def test_outputs_of_a_notebook_leave_each_other_alone(self):
        texts = [TEXT, "我不知道。"]
        outputs = [self.model.attribute(texts[i % 2], show_progress=False) for i in range(20)]
        with Notebook() as shown:
            for number, out in enumerate(outputs):
                (out.show, out.show_tokens, out.aggregate().show_granular)[number % 3]()
        self.assertEqual(len(shown), 20)
        self.assertLess(sum(len(fragment.encode()) for fragment in shown), 2_000_000)
        for fragment in shown:
            self.assertEqual(re.findall(r"""<[^>]* (?:id|for|name|aria-labelledby)=["']""", re.sub(r"<script>.*?</script>", "", fragment, flags=re.DOTALL)), [])
            for style in re.findall(r"<style>\n(.*?)</style>", fragment, re.DOTALL):
                for rule in re.findall(r"^([^\s{][^{]*)\{", style, re.MULTILINE):
                    self.assertTrue(all(part.strip().startswith(".cinseq") for part in rule.split(",")), rule)

    def test_a_cell_shows_its_table_without_scripts_and_styles(self):
        fragment = self.out._repr_html_()
        self.assertNotIn("<script", fragment)
        bare = re.sub(r"<style>.*?</style>", "", fragment, flags=re.DOTALL)
        self.assertRegex(bare, r'<td style="background:#b2182b[0-9a-f]{2}[^"]*"')
        for view in (self.heads.show_granular(display=False, return_html=True), self.out.show_tokens(display=False, return_html=True)):
            bare = re.sub(r"<(script|style)>.*?</\1>", "", view, flags=re.DOTALL)
            self.assertGreater(len(Tables(bare).tables), 0)

    def test_the_table_gives_the_numbers_back(self):
        rows, = Tables(self.out._repr_html_()).tables
        aggregated = self.out.aggregate()[0]
        shape = aggregated.source_attributions.shape
        self.assertEqual(rows[0][2:], [str(i) for i in range(shape[1])])
        self.assertEqual(rows[1][2:], [token.token for token in aggregated.target[1:]])
        self.assertEqual([row[1] for row in rows[2:2 + shape[0]]], [token.token for token in aggregated.source])
        numbers = [[float(cell) for cell in row[2:]] for row in rows[2:2 + shape[0]]]
        np.testing.assert_allclose(numbers, aggregated.source_attributions, atol=0.00051)
        self.assertEqual(rows[-1][1], "probability")

    def test_pandas_reads_the_table(self):
        pandas = try_import("pandas", "pandas")
        parser = try_import("lxml", "lxml") or try_import("html5lib", "html5lib beautifulsoup4")
        if not pandas or not parser:
            self.skipTest("pandas and a parser of HTML are not installed")
        frame, = pandas.read_html(io.StringIO(self.out._repr_html_()))
        aggregated = self.out.aggregate()[0]
        shape = aggregated.source_attributions.shape
        scores = frame.iloc[:shape[0], 2:].to_numpy(dtype=float)
        self.assertEqual(scores.shape, shape)
        np.testing.assert_allclose(scores, aggregated.source_attributions, atol=0.00051)
        self.assertEqual(list(frame.iloc[:shape[0], 1]), [token.token for token in aggregated.source])

    def test_dimensions_are_sliced_and_chosen(self):
        page = self.heads.show(do_aggregation=False, display=False, return_html=True, show_dim="Attention Head", slice_dims={2: (0, 2)})
        data = json.loads(re.search(r'data-result="([^"]*)"', page)[1].replace("&quot;", '"').replace("&amp;", "&").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">"))
        self.assertEqual(data["axes"], [0, 3])
        self.assertEqual(data["shape"][2:], [2, 4])
        self.assertEqual(data["names"], ["Input Tokens", "Generated Tokens", "Model Layer", "Attention Head"])
        self.assertEqual(self.heads.show(aggregator="mean", display=False, return_html=True).count('data-view="granular"'), 1)
        with self.assertRaisesRegex(ValueError, "Only one"):
            self.heads.show(display=False, return_html=True, return_figure=True)
        with self.assertRaisesRegex(ValueError, "slice_dims"):
            self.heads.show_granular(display=False, return_html=True, slice_dims={"Heads": (0, 2)})

    def test_token_view(self):
        page = cinseq.show_token_attributions(self.out, display=False, return_html=True, replace_char={"happy": "glad"}, wrap_after=".",
                                              step_score_highlight="probability")
        self.assertIn("<bdi>glad</bdi></button>", page)
        self.assertEqual(page.count("</button><br>"), 2)
        self.assertIn("box-shadow", page)
        self.assertIn("▁happy", [token.token for token in self.out[0].target])  # the result stays
        with self.assertRaisesRegex(ValueError, "step_score_highlight"):
            self.out.show_tokens(display=False, return_html=True, step_score_highlight="entropy")

    def test_lists_of_sequences_are_shown(self):
        page = cinseq.show_attributions([self.out[0], self.out[0]], display=False, return_html=True)
        self.assertEqual(len(Tables(page).tables), 2)
        page = cinseq.show_granular_attributions([self.heads[0]], display=False, return_html=True)
        self.assertIn('data-view="granular"', page)

    def test_figures(self):
        if not try_import("matplotlib", "matplotlib"):
            with self.assertRaisesRegex(ImportError, "pip install matplotlib"):
                self.out.save_figure("never.png")
            self.skipTest("matplotlib is not installed")
        figure, = self.out.show(display=False, return_figure=True)
        aggregated = self.out.aggregate()[0]
        image, = figure.axes[0].images
        np.testing.assert_allclose(image.get_array(), aggregated.source_attributions)
        self.assertEqual([tick.get_text() for tick in figure.axes[0].get_xticklabels()], [token.token for token in aggregated.target[1:]])
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fonts of this machine may lack letters
            starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
            for ending, start in starts.items():
                path = pathlib.Path(folder, "map" + ending)
                self.out.save_figure(path)
                self.assertEqual(path.read_bytes()[:len(start)], start)

    def test_figures_of_views(self):
        if not try_import("matplotlib", "matplotlib"):
            self.skipTest("matplotlib is not installed")
        for row in cinseq._library.describe("views"):
            if row["id"] != "contrast":  # of this result there is none
                self.assertTrue(self.heads[0].to_figure(view=row["id"]).axes[0].images, row["id"])
        scores = np.asarray(self.heads[0].source_attributions)  # [source, generated, layers, heads]
        maps = [(axis.get_title(loc="left"), axis.images[0].get_array()) for axis in self.heads[0].to_figure(view="granular").axes if axis.images]
        self.assertEqual(len(maps), scores.shape[2] * scores.shape[3])
        self.assertEqual(maps[1][0], "Source attributions: layer 0, head 1")
        np.testing.assert_allclose(maps[1][1], scores[:, :, 0, 1], rtol=1e-6)
        layers, *_ = self.heads.show(view="layers", display=False, return_figure=True)
        maps = [(axis.get_title(loc="left"), axis.images[0].get_array()) for axis in layers.axes if axis.images]
        self.assertEqual([len(maps), maps[1][0]], [scores.shape[1], f"Source attributions: 1 {self.heads[0].target[2].token}"])
        np.testing.assert_allclose(maps[1][1], scores.mean(axis=3)[:, 1], atol=1e-6)
        with self.assertRaisesRegex(ValueError, 'did you mean "layers"'):
            self.heads[0].to_figure(view="layer")

    def test_what_the_library_writes_needs_no_matplotlib(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(sys.modules, {"matplotlib": None}):
            for name, text in (("a.html", self.heads.to_html(view="layers")), ("a.CSV", self.heads.to_csv(view="layers")), ("a.tex", self.heads.to_latex(view="layers"))):
                self.heads.save_figure(pathlib.Path(folder, name), view="layers")
                self.assertEqual(pathlib.Path(folder, name).read_bytes().decode(), text)
            with self.assertRaisesRegex(ValueError, "no token of the result has a contrast"):
                self.heads.save_figure(pathlib.Path(folder, "none.html"), view="contrast")
            self.assertFalse(os.path.exists(os.path.join(folder, "none.html")))

    def test_fonts_that_matplotlib_does_not_know_yet(self):
        if not try_import("matplotlib", "matplotlib"):
            self.skipTest("matplotlib is not installed")
        import matplotlib.font_manager

        from cinseq.data import _figure

        manager = matplotlib.font_manager
        if not any("CJK" in path for path in manager.findSystemFonts()):
            self.skipTest("there is no font for Chinese whose file is called CJK")
        known = [font for font in manager.fontManager.ttflist if "CJK" not in font.name and font.name not in _figure._CHINESE]
        _figure._add_new_fonts.cache_clear()
        with unittest.mock.patch.object(manager.fontManager, "ttflist", known):
            self.assertTrue(any("CJK" in name for name in _figure._fonts(matplotlib)))


if __name__ == "__main__":
    unittest.main()
