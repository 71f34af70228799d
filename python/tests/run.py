#!/usr/bin/env python3
"""All tests of the Python package against a built library. Ends with "N passed, N failed".

usage: run.py --library build/libcinseq.so.0 [--only test_viz...]
"""
import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--only", nargs="+", default=["test*"], help="names of files, without .py")
    options = parser.parse_args()
    os.environ["CINSEQ_LIBRARY"] = os.path.abspath(options.library)
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("SKIPPED: numpy is not installed (apt-get install python3-numpy)\n0 passed, 0 failed")
        return 0
    sys.path.insert(0, os.path.join(HERE, "..", "src"))
    suite = unittest.TestSuite(unittest.TestLoader().discover(HERE, pattern=f"{name}.py") for name in options.only)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    for test, why in result.skipped:
        print(f"SKIPPED {test}: {why}")
    failed = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - failed - len(result.skipped), 0)} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
