#!/usr/bin/env python3
"""Makes tests/data/generate/*.json with transformers 4.57.6: what generate() gives for a toy model whose logits both
sides compute exactly, and what generation configs become of files and keyword arguments.

Run from the project's root:  python tests/generate/make_fixtures.py
"""
import json, random, tempfile, warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoConfig, GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput, Seq2SeqLMOutput

assert transformers.__version__ == "4.57.6"
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
OUT = Path("tests/data/generate")
M32 = 0xFFFFFFFF


def mix(x):
    """A 32-bit hash (the finaliser of MurmurHash3); test_generate.c has the same."""
    x &= M32
    x ^= x >> 16
    x = x * 0x85EBCA6B & M32
    x ^= x >> 13
    x = x * 0xC2B2AE35 & M32
    return x ^ x >> 16


def entry(seed, table, row, column):
    return np.float32((mix(mix(seed * 2 + table) + row * 4096 + column) >> 8) * 2.0**-21 - 4)


class Toy(PreTrainedModel, GenerationMixin):
    """logits(ids) = A[last] + B[last but one] + C[length], and `bias` on one token. Without C the same steps in another
    order would be ties, which rounding decides."""

    config_class = PretrainedConfig
    main_input_name = "input_ids"

    def __init__(self, config, seed=0, bias=(0, 0.0)):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        n = config.vocab_size
        self.a = torch.tensor([[entry(seed, 0, r, c) for c in range(n)] for r in range(n)])
        self.b = torch.tensor([[entry(seed, 1, r, c) for c in range(n)] for r in range(n)])
        self.c = torch.tensor([[entry(seed, 2, r, c) for c in range(n)] for r in range(256)])
        self.bias_token, self.bias = bias

    def logits(self, ids):
        x = self.a[ids[:, -1]].clone()
        if ids.shape[1] > 1:
            x = x + self.b[ids[:, -2]]
        x = x + self.c[ids.shape[1]]
        x[:, self.bias_token] += self.bias
        return x[:, None, :]

    def get_encoder(self):
        class Encoder(torch.nn.Module):
            def forward(self, input_ids=None, attention_mask=None, return_dict=None, **kwargs):
                return BaseModelOutput(torch.zeros(input_ids.shape[0], input_ids.shape[1], 1))
        return Encoder()

    def prepare_inputs_for_generation(self, input_ids, encoder_outputs=None, use_cache=None, cache_position=None, attention_mask=None, **kwargs):
        return {"input_ids": input_ids, "encoder_outputs": encoder_outputs}

    def forward(self, input_ids=None, encoder_outputs=None, attention_mask=None, decoder_input_ids=None, use_cache=None, return_dict=None, **kwargs):
        out = Seq2SeqLMOutput if self.config.is_encoder_decoder else CausalLMOutput
        return out(logits=self.logits(input_ids))


def toy(case):
    config = PretrainedConfig(is_encoder_decoder=case["encoder_decoder"])
    config.vocab_size = case["vocabulary"]
    if case.get("positions"):
        config.max_position_embeddings = case["positions"]
    model = Toy(config, case["seed"], tuple(case["bias"])).eval()
    model.generation_config = GenerationConfig.from_dict(dict(case["generation_config"]))
    return model


def run(case, **more):
    model = toy(case)
    prefix = torch.tensor([case["prefix"]])
    kwargs = dict(case["kwargs"], use_cache=False, **more)
    if case["encoder_decoder"]:
        return model.generate(torch.tensor([[3, 4, 5]]), decoder_input_ids=prefix, **kwargs)
    return model.generate(prefix, **kwargs)


def finish(case):
    case.setdefault("positions", 0)
    try:
        case["ids"] = run(case)[0].tolist()
        if case["ids"] == case["prefix"]:  # all beams scored -inf: here that is an error
            raise ValueError("nothing was generated")
    except (ValueError, IndexError, TypeError, RuntimeError) as e:
        case["ids"] = None
        case["error"] = str(e)[:100]
    return case


def base(encoder_decoder, seed, eos=1, bias=0.0, prefix=None, vocabulary=24, **kwargs):
    files = {"pad_token_id": 0, "bos_token_id": 2, "decoder_start_token_id": 0}
    if eos is not None:
        files["eos_token_id"] = eos
    first = eos[0] if isinstance(eos, list) else eos
    return dict(encoder_decoder=encoder_decoder, seed=seed, vocabulary=vocabulary, bias=[first or 0, bias],
                prefix=prefix or ([0] if encoder_decoder else [5, 7, 9]), generation_config=files, kwargs=kwargs)


def deliberate():
    cases = []
    for ed in (False, True):
        for seed in range(3):
            for beams in (1, 2, 4, 7):
                for stop in (False, True, "never"):
                    for penalty in (0.0, 1.0, 2.0, -1.0, 0.6):
                        if beams == 1 and (stop or penalty != 1.0):
                            continue
                        cases.append(base(ed, seed, bias=1.5, max_new_tokens=14, num_beams=beams, early_stopping=stop, length_penalty=penalty))
        for beams in (1, 4):
            k = dict(num_beams=beams)
            cases += [
                base(ed, 10, **k), base(ed, 10, eos=None, max_length=9, **k), base(ed, 10, eos=None, **k),
                base(ed, 11, eos=[1, 3, 8], bias=1.0, max_new_tokens=12, **k), base(ed, 11, eos=[1, 3, 8, 9, 10, 11], max_new_tokens=12, **k),
                base(ed, 12, bias=30.0, max_new_tokens=12, **k), base(ed, 12, bias=30.0, min_length=6, max_length=12, **k),
                base(ed, 12, bias=30.0, min_new_tokens=6, max_length=12, **k), base(ed, 12, bias=30.0, min_new_tokens=6, min_length=2, max_length=12, **k),
                base(ed, 12, bias=30.0, min_length=60, max_length=12, **k), base(ed, 13, max_new_tokens=3, max_length=12, **k),
                base(ed, 13, max_length=2, prefix=[0, 4, 5], **k), base(ed, 13, max_length=3, prefix=[0, 4, 5], **k), base(ed, 13, max_length=4, prefix=[0, 4, 5], **k),
                base(ed, 14, max_length=20, **k), base(ed, 14, forced_bos_token_id=6, max_new_tokens=8, prefix=[0], **k),
                base(ed, 14, forced_bos_token_id=6, begin_suppress_tokens=[4, 5, 6, 20], max_new_tokens=8, prefix=[0], **k),
                base(ed, 14, begin_suppress_tokens=[4, 5, 6, 20, 16, 13, 11, 9], max_new_tokens=8, prefix=[0], **k),
                base(ed, 14, forced_bos_token_id=6, max_new_tokens=8, prefix=[0, 3], **k),
                base(ed, 15, bias=-4.0, forced_eos_token_id=1, max_new_tokens=8, **k), base(ed, 15, bias=-4.0, forced_eos_token_id=[1], max_length=11, **k),
                base(ed, 15, suppress_tokens=list(range(3, 20)), max_new_tokens=8, **k), base(ed, 15, suppress_tokens=[1, 40], max_new_tokens=8, **k),
                base(ed, 16, bad_words_ids=[[i] for i in range(12, 24)], max_new_tokens=10, **k), base(ed, 16, bad_words_ids=[[1], [4]], max_new_tokens=10, **k),
                base(ed, 16, bad_words_ids=[[a, b] for a in range(24) for b in range(24) if (a + b) % 3], max_new_tokens=10, **k),
                base(ed, 16, bad_words_ids=[[0, b] for b in range(24) if b % 3], max_new_tokens=10, prefix=[0], **k),
                base(ed, 16, bad_words_ids=[[5, 7, b] for b in range(24) if b % 3], max_new_tokens=10, prefix=[0, 5, 7], **k),
                base(ed, 16, bad_words_ids=[], max_new_tokens=10, **k), base(ed, 16, bad_words_ids=[[24]], max_new_tokens=10, **k), base(ed, 16, bad_words_ids=[[]], max_new_tokens=10, **k),
                base(ed, 17, repetition_penalty=1.3, max_new_tokens=10, **k), base(ed, 17, repetition_penalty=0.5, max_new_tokens=10, **k), base(ed, 17, repetition_penalty=100.0, max_new_tokens=18, **k),
                base(ed, 17, repetition_penalty=0.0, max_new_tokens=10, **k),
                *[base(ed, 18, no_repeat_ngram_size=n, repetition_penalty=0.3, max_new_tokens=16, **k) for n in (1, 2, 3, 4, 50)],
                base(ed, 19, eos=-3, max_new_tokens=5, **k), dict(base(ed, 19, eos=99, max_new_tokens=5, min_length=9, **k), bias=[0, 0.0]),
                base(ed, 19, forced_eos_token_id=24, suppress_tokens=[1], max_new_tokens=5, **k), base(ed, 20, max_new_tokens=0, **k),
                base(ed, 20, vocabulary=4, eos=1, prefix=[0, 2], max_new_tokens=9, **k), base(ed, 21, max_new_tokens=9, bias=2.0, eos=[1, 1], **k),
                dict(base(ed, 22, **k), positions=12), dict(base(ed, 22, prefix=[0] * 12, **k), positions=12), dict(base(ed, 22, max_length=11, **k), positions=12),
            ]
        for beams in (1, 4):
            k = dict(num_beams=beams, max_new_tokens=14)
            cases += [base(ed, 24, encoder_repetition_penalty=p, **k) for p in (1.5, 4.0, 0.6, 0.0)]
            cases += [base(ed, 25, encoder_no_repeat_ngram_size=n, encoder_repetition_penalty=8.0, **k) for n in (0, 1, 2, 3, 9)]
        cases.append(base(ed, 23, vocabulary=5, prefix=[0], num_beams=9, max_new_tokens=6))
        cases.append(base(ed, 23, vocabulary=5, prefix=[0], num_beams=2, max_new_tokens=6, eos=[1, 2, 3], bias=1.0))
        cases += [base(ed, 30 + i, do_sample=True, top_k=1, max_new_tokens=12, temperature=0.7, top_p=0.9, bias=1.0) for i in range(3)]
        cases.append(base(ed, 33, do_sample=True, top_k=0, top_p=0.0, max_new_tokens=12))
        cases.append(base(ed, 33, do_sample=True, temperature=0.0, max_new_tokens=12))
    for case in cases:
        case["group"] = "deliberate"
    return cases


def drawn(count):
    rng = random.Random(2026)
    cases = []
    for i in range(count):
        ed = rng.random() < 0.5
        vocabulary = rng.choice([8, 24, 60])
        eos = rng.choice([1, 1, 1, [1, 3], [1, 3, 5], None])
        prefix = [rng.randrange(vocabulary) for _ in range(rng.choice([1, 1, 2, 4, 7]))]
        if ed:
            prefix[0] = 0
        kwargs = {"num_beams": rng.choice([1, 2, 3, 4, 6])}
        some = lambda p: rng.random() < p
        token = lambda: rng.randrange(vocabulary)
        if some(0.6): kwargs["max_new_tokens"] = rng.randint(1, 16)
        elif some(0.7): kwargs["max_length"] = len(prefix) + rng.randint(1, 16)
        if kwargs["num_beams"] > 1:
            kwargs["early_stopping"] = rng.choice([False, True, "never"])
            kwargs["length_penalty"] = rng.choice([0.0, 0.5, 1.0, 1.0, 2.0, -1.0, 1.7])
        if some(0.25): kwargs["min_length"] = rng.randint(0, 14)
        if some(0.2): kwargs["min_new_tokens"] = rng.randint(0, 10)
        if some(0.3): kwargs["repetition_penalty"] = rng.choice([1.1, 1.5, 2.5, 0.7, 0.3])
        if some(0.3): kwargs["no_repeat_ngram_size"] = rng.randint(0, 4)
        if some(0.3): kwargs["bad_words_ids"] = [[token() for _ in range(rng.choice([1, 1, 2, 2, 3]))] for _ in range(rng.choice([1, 4, 60]))]
        if some(0.2): kwargs["suppress_tokens"] = [token() for _ in range(4)]
        if some(0.2): kwargs["begin_suppress_tokens"] = [token() for _ in range(4)]
        if some(0.15): kwargs["forced_bos_token_id"] = token()
        if some(0.3): kwargs["forced_eos_token_id"] = rng.choice([1, 1, token()])
        case = base(ed, 100 + i, eos, rng.choice([0.0, 1.0, 2.0, 3.5]), prefix, vocabulary, **kwargs)
        case["group"] = "drawn"
        cases.append(case)
    return cases


def sampling():
    """The distribution that the first token is drawn from."""
    rows = []
    for i, options in enumerate([{}, {"top_k": 5}, {"top_k": 0, "top_p": 0.7}, {"temperature": 0.5, "top_k": 0}, {"temperature": 2.5, "top_k": 8, "top_p": 0.8},
                                 {"top_p": 0.01}, {"top_k": 3, "repetition_penalty": 3.0}, {"temperature": 1.5, "min_length": 9, "suppress_tokens": [4, 6], "top_p": 0.9}]):
        case = base(False, 200 + i, max_new_tokens=1, do_sample=True, **options)
        torch.manual_seed(0)
        scores = run(case, return_dict_in_generate=True, output_scores=True).scores[0][0]
        case["probabilities"] = [round(p, 7) for p in torch.softmax(scores.double(), -1).tolist()]
        case["kept"] = torch.isfinite(scores).nonzero()[:, 0].tolist()
        rows.append(case)
    return rows


FIELDS = ["encoder_repetition_penalty", "encoder_no_repeat_ngram_size", "do_sample", "num_beams", "length_penalty", "early_stopping", "repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "suppress_tokens",
          "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "eos_token_id", "pad_token_id", "bos_token_id", "temperature", "top_p", "top_k"]


def resolved(files, config, kwargs):
    """What the options of a repository with these files are; lengths for a prefix of 4 tokens."""
    model_config = AutoConfig.for_model(**dict(config))
    model = Toy.__new__(Toy)
    torch.nn.Module.__init__(model)
    model.config = model_config
    if files is None:
        model.generation_config = GenerationConfig.from_model_config(model_config)
    else:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "generation_config.json").write_text(json.dumps(files))
            model.generation_config = GenerationConfig.from_pretrained(folder)
    g, unused = model._prepare_generation_config(None, None, **kwargs)
    assert not unused, unused
    g = model._prepare_generated_length(g, kwargs.get("max_length") is None, kwargs.get("min_length") is None, "input_ids", 4, None)
    values = {name: getattr(g, name) for name in FIELDS}
    values["max_length"], values["min_length"] = g.max_length, g.min_length or 0
    return dict(generation_config=files, config=config, kwargs=kwargs, values=values)


def configs():
    old = dict(model_type="marian", vocab_size=54688, decoder_start_token_id=54687, pad_token_id=54687, eos_token_id=0, bos_token_id=0, max_length=512, num_beams=4, bad_words_ids=[[54687]])
    gpt2 = dict(model_type="gpt2")
    llama = dict(model_type="llama", num_hidden_layers=1, max_position_embeddings=4096)
    new = {"max_length": 128, "num_beams": 4, "eos_token_id": [0, 7], "forced_eos_token_id": 0, "unknown_to_all": 5}
    copied = dict(_from_model_config=True, max_length=99, num_beams=2, eos_token_id=0)
    rows = [(None, old, {}), (None, old, {"num_beams": 2}), (None, dict(old, forced_eos_token_id=None), {}), (None, dict(old, forced_eos_token_id=3), {}),
            (None, old, {"max_new_tokens": 5}), (None, old, {"max_length": 20}), (None, old, {"forced_eos_token_id": None, "bad_words_ids": None}),
            (None, gpt2, {}), (None, dict(gpt2, max_length=50, do_sample=True, top_k=7), {}), (None, dict(gpt2, top_k=None), {}), (None, dict(gpt2, max_length=20), {}),
            (None, gpt2, {"max_length": 20}), (None, llama, {}), (None, dict(llama, eos_token_id=[2, 5]), {}), (None, dict(gpt2, n_positions=10), {}),
            (new, old, {}), (new, old, {"max_length": 20, "min_length": 6}), (new, gpt2, {"min_new_tokens": 3}), ({}, old, {}), ({}, gpt2, {}),
            ({"max_length": 20}, gpt2, {}), ({"max_new_tokens": 7}, gpt2, {"max_length": 30}), ({"top_k": None, "do_sample": True, "temperature": 0.5, "top_p": 0.25}, gpt2, {}),
            ({"do_sample": True, "top_k": 9}, gpt2, {"top_k": None}), ({"do_sample": True}, gpt2, {"do_sample": False}), ({"suppress_tokens": [3], "begin_suppress_tokens": [4, 5]}, gpt2, {}),
            (copied, old, {}), (copied, gpt2, {}), (copied, dict(gpt2, num_beams=1), {}), (copied, dict(gpt2, num_beams=3), {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2}),
            (None, dict(model_type="bart", force_bos_token_to_be_generated=True), {}), (None, dict(model_type="bart", force_bos_token_to_be_generated=True, forced_bos_token_id=5), {}),
            (copied, dict(model_type="marian", forced_eos_token_id=0), {}), (copied, dict(model_type="marian", forced_eos_token_id=5), {}),
            ({"early_stopping": "never", "length_penalty": 0.5, "num_beams": 3}, gpt2, {}), ({"early_stopping": True}, gpt2, {"early_stopping": False})]
    return [resolved(*row) for row in rows]


def check_class_defaults():
    """The rows of config_defaults.def against the configuration classes."""
    keys = list(PretrainedConfig._get_global_generation_defaults()) + ["max_new_tokens", "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"]
    plain = PretrainedConfig()
    for line in Path("src/generate/config_defaults.def").read_text().splitlines():
        if not line.startswith("CI_CONFIG_DEFAULTS"):
            continue
        name, text = json.loads("[" + line[len("CI_CONFIG_DEFAULTS("):-1] + "]")
        config = AutoConfig.for_model(name)
        differ = {k: getattr(config, k, None) for k in keys if getattr(config, k, None) != getattr(plain, k, None)}
        assert json.loads(text) == differ, (name, text, differ)


def write(name, rows):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
    print(name, len(rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    check_class_defaults()
    write("configs.json", configs())
    write("sampling.json", sampling())
    cases = [finish(c) for c in deliberate() + drawn(300)]
    print("errors:", sorted({c["error"] for c in cases if c["ids"] is None}))
    write("cases.json", cases)
