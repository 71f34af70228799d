"""MkDocs calls this for each page of the site: it fills in help and tables, so that no second copy of them is kept.

CINSEQ is the program to ask (default build/cinseq).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import readme


def on_page_markdown(markdown, page, config, files):
    if readme.FILLED_BY_SITE not in markdown:
        return markdown
    binary = os.environ.get("CINSEQ", os.path.join(readme.ROOT, "build", "cinseq"))
    return readme.fill(binary, markdown.replace(readme.FILLED_BY_SITE, ""), python=False)
