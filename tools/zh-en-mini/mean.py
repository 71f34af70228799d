#!/usr/bin/env python3
"""The mean of several checkpoints of one run of further.py, as a model folder: better than each of them.

usage: mean.py START OUT CHECKPOINT...        START: the folder that further.py started from; copy checkpoint.pt away as it goes
"""
import json
import sys

import torch

from pairs import Vocabulary
from weights import Layout


def main():
    start, out, *paths = sys.argv[1:]
    with open(f"{start}/vocab.json") as file:
        layout = Layout(192, 4, 3, Vocabulary(start, json.load(file)))
    layout.save(torch.stack([torch.load(path)["flat"] for path in paths]).mean(0), start, out, dropout=0.2, activation_dropout=0.1)


if __name__ == "__main__":
    main()
