#!/usr/bin/env python3
"""Trains models/zh-en-mini: a wider and deeper model that begins as the one of first.py and learns on from the same pairs.

usage: further.py --pairs cmn.txt --start FOLDER --out FOLDER
  cmn.txt: Tatoeba's Chinese-English pairs as manythings.org hands them out (CC-BY 2.0 FR); FOLDER: the model of first.py, whose
  vocabulary is kept. The learning rate rises, stays, and falls to 0 within the minutes that OUT/cool says, from when that file
  appears or --steps are done. OUT/checkpoint.pt is written every 200 steps and gone on from. Two threads learn from different
  batches and apply their gradients in turn, so that two runs differ a little. At the end OUT/last and OUT/average are models.
Needs a C compiler, torch, transformers, safetensors, sentencepiece, opencc-python-reimplemented and sacrebleu. AMX helps.
"""
import argparse
import json
import os
import threading
import time

import sacrebleu
import torch
from transformers import MarianMTModel

from pairs import EOS, Batches, Vocabulary, read
from step import Step
from weights import Growth, Layout

REPORT, KEEP = 200, 200  # steps


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--pairs", "--start", "--out"):
        parser.add_argument(name, required=True)
    for name, value in (("--width", 192), ("--encoder", 4), ("--decoder", 3), ("--tokens", 3600), ("--warmup", 300),
                        ("--steps", 20000), ("--evaluate", 2000), ("--workers", 2)):
        parser.add_argument(name, type=int, default=value)
    for name, value in (("--rate", 7e-4), ("--dropout", 0.2), ("--inner_dropout", 0.1), ("--smoothing", 0.1),
                        ("--average", 0.998), ("--fall", 10)):
        parser.add_argument(name, type=float, default=value)
    return parser.parse_args()


def translate(folder, vocabulary, texts, beams):
    """By transformers, from the saved model."""
    model = MarianMTModel.from_pretrained(folder, dtype=torch.float32).eval()
    names, pad = {v: k for k, v in vocabulary.entries.items()}, vocabulary.entries["<pad>"]
    rows = [vocabulary.order[row] for row in vocabulary.encode(0, texts)]
    said = [""] * len(texts)
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for group in (by_length[i:i + 100] for i in range(0, len(by_length), 100)):
        ids = torch.full((len(group), max(len(rows[i]) for i in group)), pad)
        for line, i in zip(ids, group):
            line[:len(rows[i])] = torch.from_numpy(rows[i])
        with torch.no_grad():
            out = model.generate(ids, attention_mask=(ids != pad).long(), num_beams=beams, max_new_tokens=48)
        for i, line in zip(group, out.tolist()):
            said[i] = vocabulary.target.decode([names[t] for t in line if t not in (EOS, pad)])
    return said


class Trainer:
    def __init__(self, options):
        self.options = options
        train, self.kept = read(options.pairs)
        with open(f"{options.start}/vocab.json") as file:
            self.vocabulary = Vocabulary(options.start, json.load(file))
        self.layout = Layout(options.width, options.encoder, options.decoder, self.vocabulary)
        self.step = Step(self.layout, options.dropout, options.inner_dropout, options.smoothing)
        self.batches = Batches(train, self.vocabulary, options.tokens)
        self.checkpoint = f"{options.out}/checkpoint.pt"
        self.count = self.tokens = self.passes = 0
        self.fall = None  # when it begins and ends, in seconds
        self.flat = torch.nn.Parameter(torch.zeros(self.layout.total))
        self.optimizer = torch.optim.AdamW([self.flat], lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        state = {"step": torch.tensor(0.0)} | {name: torch.zeros(self.layout.total) for name in ("exp_avg", "exp_avg_sq")}
        if os.path.exists(self.checkpoint):
            saved = torch.load(self.checkpoint)
            self.flat.data.copy_(saved["flat"])
            self.average, state = saved["average"], saved["state"]
            self.count, self.tokens, self.fall = saved["count"], saved["tokens"], saved["fall"]
        else:
            self.flat.data.copy_(Growth(self.layout, options.start).run())
            self.average = self.flat.data.clone()
        self.optimizer.state[self.flat] = state
        self.feed, self.turn, self.done, self.losses = threading.Lock(), threading.Lock(), False, []
        self.stream, self.began = iter(()), time.time()
        print(f"{len(train)} pairs, {len(self.kept)} kept; {self.layout.total / 1e6:.2f} M parameters", flush=True)

    def save(self, flat, name):
        self.layout.save(flat, self.options.start, f"{self.options.out}/{name}", dropout=self.options.dropout,
                         activation_dropout=self.options.inner_dropout)
        return f"{self.options.out}/{name}"

    def evaluate(self, flat, name, beams=1):
        texts, references = map(list, zip(*self.kept))
        bleu = sacrebleu.corpus_bleu(translate(self.save(flat, name), self.vocabulary, texts, beams), [references]).score
        print(f"{name}, {beams} beams: BLEU {bleu:.2f}", flush=True)

    def keep(self):
        torch.save({"flat": self.flat.data, "average": self.average, "state": self.optimizer.state[self.flat],
                    "count": self.count, "tokens": self.tokens, "fall": self.fall}, self.checkpoint + ".new")
        os.replace(self.checkpoint + ".new", self.checkpoint)

    def batch(self):
        with self.feed:
            while (batch := next(self.stream, None)) is None:
                self.passes += 1
                self.step.draw()
                self.stream = self.batches.one_pass()
            return batch

    def rate(self):
        cool = f"{self.options.out}/cool"
        if self.fall is None and (os.path.exists(cool) or self.count >= self.options.steps):
            minutes = self.options.fall
            if os.path.exists(cool):
                with open(cool) as file:
                    minutes = float(file.read())
            self.fall = (time.time(), time.time() + 60 * minutes)
        part = (self.fall[1] - time.time()) / (self.fall[1] - self.fall[0]) if self.fall else 1
        return self.options.rate * min(1, self.count / self.options.warmup) * max(0, part)

    def update(self, loss, tokens, gradient):
        self.count, self.tokens = self.count + 1, self.tokens + tokens
        self.losses.append(loss)
        rate = self.optimizer.param_groups[0]["lr"] = self.rate()
        self.flat.grad = gradient.mul_(torch.clamp(1 / (gradient.norm() + 1e-6), max=1.0))
        self.optimizer.step()
        if self.count % 5 == 0:
            self.average.lerp_(self.flat.data, 1 - min(self.options.average, self.count / (self.count + 100)) ** 5)
        if self.count % REPORT == 0:
            loss = sum(self.losses) / len(self.losses)
            print(f"{time.time() - self.began:.0f} s: step {self.count}, pass {self.passes}, loss {loss:.3f}, rate {rate:.5f}, "
                  f"{self.tokens} target tokens, {time.process_time():.0f} s of CPU", flush=True)
            self.losses = []
        if self.count % KEEP == 0:
            self.keep()
        if self.count % self.options.evaluate == 0:
            self.evaluate(self.average, "average")
        self.done = self.fall is not None and time.time() >= self.fall[1]

    def work(self):
        torch.set_num_threads(1)
        try:
            while not self.done:
                result = self.step.run(self.flat.data, *self.batch())
                with self.turn:
                    if not self.done:
                        self.update(*result)
        finally:
            self.done = True  # what stops one stops all

    def run(self):
        workers = [threading.Thread(target=self.work) for _ in range(self.options.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.keep()
        for flat, name in ((self.flat.data, "last"), (self.average, "average")):
            for beams in (1, 4):
                self.evaluate(flat, name, beams)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    OPTIONS = arguments()
    os.makedirs(OPTIONS.out, exist_ok=True)
    Trainer(OPTIONS).run()
