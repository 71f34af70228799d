"""The sentence pairs: the same split as first.py's, subword sampling, batches of like lengths."""
import random

import numpy as np
import sentencepiece
import torch
from opencc import OpenCC

EOS, UNKNOWN = 0, 1


def read(path):
    """(training pairs, the 400 kept from training), each pair (Chinese, English)."""
    to_simplified = OpenCC("t2s").convert
    pairs = []
    with open(path, encoding="utf-8-sig") as file:
        for line in file:
            if "\t" in line:
                english, chinese = line.rstrip("\n").split("\t")[:2]
                pairs.append((chinese.strip(), english.strip()))
    random.Random(0).shuffle(pairs)
    kept = {english for _, english in pairs[:400]}
    train = [p for p in pairs[400:] if p[1] not in kept]
    train = sorted(set(train) | {(to_simplified(chinese), english) for chinese, english in train})
    return train, [(to_simplified(chinese), english) for chinese, english in pairs[:400]]


def of_speaker(pair):
    """The sentence begins with "I", and goes on: 我 but not 我们, 我的, ..."""
    chinese, english = pair
    return len(chinese) > 4 and chinese[0] == "我" and chinese[1] not in "们的，和跟家妈爸" and english.startswith(("I ", "I'"))


class Vocabulary:
    """Marian's joint vocabulary, with ids permuted while training: first the `sayable` that a translation is made of."""

    def __init__(self, folder, entries):
        self.size, self.entries = len(entries), entries
        self.source, self.target = (sentencepiece.SentencePieceProcessor(f"{folder}/{name}.spm") for name in ("source", "target"))
        tables = [np.array([entries.get(sp.id_to_piece(i), UNKNOWN) for i in range(sp.get_piece_size())])
                  for sp in (self.source, self.target)]
        sayable = sorted({EOS, UNKNOWN} | set(tables[1].tolist()))
        self.sayable = len(sayable)
        self.order = np.array(sayable + sorted(set(range(self.size)) - set(sayable)))  # the file's id of each id here
        place = np.empty(self.size, int)
        place[self.order] = np.arange(self.size)
        self.tables = [place[t] for t in tables]
        self.pad = int(place[entries["<pad>"]])

    def encode(self, side, texts, sample=False):
        """side 0: source, 1: target. Another segmentation of each text in each pass if sample."""
        options = {"enable_sampling": True, "alpha": 0.3, "nbest_size": -1} if sample else {}
        rows = (self.source, self.target)[side].encode(texts, **options)
        return [np.append(self.tables[side][row][:60], EOS) for row in rows]

    def pack(self, rows, width):
        packed = np.full((len(rows), width), self.pad)
        for i, row in enumerate(rows):
            packed[i, :len(row)] = row
        return torch.from_numpy(packed)


class Batches:
    """Passes over the pairs. In each pass half of the sources and 0.3 of the targets are segmented at random. To `join` as many, two
    pairs are put behind one another (the full stop between two Chinese ones a comma in half of the cases): clauses of one sentence.
    Chinese leaves out a subject that is plain from the context: the same happens to half of the "I" of joined clauses that both
    begin so, and to `drop` of the single sentences."""

    def __init__(self, pairs, vocabulary, tokens, sample=0.5, join=0.25, drop=0.1):
        self.pairs, self.vocabulary, self.tokens, self.sample = pairs, vocabulary, tokens, sample
        self.join, self.drop = join, drop
        self.random = np.random.default_rng(0)
        self.texts = [list(side) for side in zip(*pairs)]
        self.best = [vocabulary.encode(side, texts) for side, texts in enumerate(self.texts)]

    def mixed(self, side, share):
        sampled = self.vocabulary.encode(side, self.texts[side], sample=True)
        use = self.random.random(len(sampled)) < share
        return [s if u else b for s, b, u in zip(sampled, self.best[side], use)]

    def added(self):
        """Joined pairs and sentences without their subject."""
        plain = np.array([i for i, pair in enumerate(self.pairs) if of_speaker(pair)])
        every = np.arange(len(self.pairs))
        chinese, english = [], []
        for _ in range(int(self.join * len(self.pairs))):
            same = self.random.random() < 0.3
            i, j = self.random.choice(plain if same else every, 2)
            (first, said), (second, then) = self.pairs[i], self.pairs[j]
            if len(first) + len(second) > 40:
                continue
            if same and self.random.random() < 0.5:
                first, second = (first[1:], second) if self.random.random() < 0.5 else (first, second[1:])
            if self.random.random() < 0.5 and first.endswith("。"):
                first = first[:-1] + "，"
            chinese.append(first + second)
            english.append(said + " " + then)
        for i in plain[self.random.random(len(plain)) < self.drop]:
            chinese.append(self.pairs[i][0][1:])
            english.append(self.pairs[i][1])
        return zip(self.vocabulary.encode(0, chinese, sample=self.random.random() < 0.5), self.vocabulary.encode(1, english))

    def one_pass(self):
        """Yields (source ids, target ids), each (batch, length) and padded."""
        rows = list(zip(self.mixed(0, self.sample), self.mixed(1, 0.6 * self.sample))) + list(self.added())
        length = [(len(t) + self.random.random() * 1.5, len(s) + self.random.random()) for s, t in rows]
        groups, group, widths = [], [], (0, 0)
        for i in sorted(range(len(rows)), key=length.__getitem__):
            wider = tuple(max(w, len(r)) for w, r in zip(widths, rows[i]))
            if group and sum(wider) * (len(group) + 1) > self.tokens:
                groups.append((group, widths))
                group, wider = [], tuple(map(len, rows[i]))
            group.append(i)
            widths = wider
        groups.append((group, widths))
        random.shuffle(groups)
        for group, widths in groups:
            yield tuple(self.vocabulary.pack([rows[i][side] for i in group], widths[side]) for side in (0, 1))
