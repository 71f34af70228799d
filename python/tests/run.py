#!/usr/bin/env python3
"""All tests of the Python package against a built library. Ends with "N passed, N failed".

usage: run.py --library build/libcinseq.so.0
"""
import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    os.environ["CINSEQ_LIBRARY"] = os.path.abspath(parser.parse_args().library)
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("SKIPPED: numpy is not installed (apt-get install python3-numpy)\n0 passed, 0 failed")
        return 0
    sys.path.insert(0, os.path.join(HERE, "..", "src"))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(unittest.defaultTestLoader.discover(HERE))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
