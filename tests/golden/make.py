#!/usr/bin/env python3
"""Makes reference cases of further encoder-decoders: tiny random models of transformers 4.57.6, and what Inseq 0.7.1 says of them.

usage: make.py OUT [NAME ...]        then: pack.py OUT NAME ...
Needs inseq 0.7.1, transformers 4.57.6 and torch. Float32, eager attention. Where Inseq does not compute the true model, the model is
wrapped so that it does (see `true_model`): docs/differences.md says why.
"""
import glob
import json
import os
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")
import inseq
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEXT, FORCED = "What is the attention of a model.", "The weights of a token."
SIZES = dict(encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
             decoder_ffn_dim=48, max_position_embeddings=128)
# a start equal to pad would not count in the positions of fairseq's models
IDS = dict(pad_token_id=0, eos_token_id=1, bos_token_id=2, decoder_start_token_id=1)
SUMMARY = dict(num_beams=4, early_stopping=True, no_repeat_ngram_size=3, min_length=6, length_penalty=2.0, forced_bos_token_id=2,
               forced_eos_token_id=1)  # as bart-large-cnn has them
T5 = dict(d_model=32, d_kv=12, d_ff=48, num_layers=2, num_decoder_layers=3, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=12)  # heads wider than the model, sides of their own depth, distances past the last bucket
NLLB = dict(src_lang="deu_Latn", tgt_lang="fra_Latn")
LANGUAGES = dict(text_decoder_lang_to_code_id=dict(fra=9, eng=8))
# name: (configuration class, model class, configuration, generation options)
MODELS = {
    "t5_wide": ("T5", "T5ForConditionalGeneration", dict(T5, feed_forward_proj="gated-silu"), {}),
    "mt5_tied": ("MT5", "MT5ForConditionalGeneration", dict(T5, feed_forward_proj="relu", tie_word_embeddings=True), {}),
    "umt5_untied": ("UMT5", "UMT5ForConditionalGeneration", dict(T5, tie_word_embeddings=False), {}),
    "m2m_100_pad": ("M2M100", "M2M100ForConditionalGeneration", dict(SIZES, d_model=32, pad_token_id=3, encoder_layers=1, decoder_layers=3),
                    dict(num_beams=5, early_stopping=True, forced_bos_token_id=9, max_length=200)),
    "nllb": ("M2M100", "M2M100ForConditionalGeneration", dict(SIZES, d_model=32, bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2), {}),
    "marian_apart": ("Marian", "MarianMTModel", dict(SIZES, d_model=32, share_encoder_decoder_embeddings=False, scale_embedding=True), {}),
    "blenderbot": ("Blenderbot", "BlenderbotForConditionalGeneration", dict(SIZES, d_model=32, scale_embedding=True), {}),
    "blenderbot-small": ("BlenderbotSmall", "BlenderbotSmallForConditionalGeneration", dict(SIZES, d_model=32), {}),
    "plbart": ("PLBart", "PLBartForConditionalGeneration", dict(SIZES, d_model=32), SUMMARY),
    "fsmt": ("FSMT", "FSMTForConditionalGeneration", dict(SIZES, d_model=32, langs=["en", "de"]), dict(num_beams=5)),
    "seamless_m4t": ("SeamlessM4T", "SeamlessM4TForTextToText", dict(SIZES, hidden_size=32, num_hidden_layers=2), LANGUAGES),
    "seamless_m4t_v2": ("SeamlessM4Tv2", "SeamlessM4Tv2ForTextToText", dict(SIZES, hidden_size=32, num_hidden_layers=2), {}),
}
CASES = [dict(case="saliency", method="saliency", step_scores=["logit", "probability", "entropy"]),
         dict(case="input_x_gradient", method="input_x_gradient"), dict(case="attention", method="attention"),
         dict(case="integrated_gradients", method="integrated_gradients", n_steps=20),
         dict(case="saliency_target", method="saliency", attribute_target=True)]


def make_nllb_tokenizer(folder):
    """German to French; the folder says English to German, tokenizer_kwargs the rest."""
    codes = ["eng_Latn", "deu_Latn", "fra_Latn"]
    train(["<s>", "<pad>", "</s>", "<unk>"]).save(os.path.join(folder, "tokenizer.json"))
    transformers.NllbTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"), src_lang="eng_Latn", tgt_lang="deu_Latn",
                                   additional_special_tokens=codes).save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder, **NLLB)


def make_tokenizer(folder):
    t = train(["<pad>", "</s>", "<s>", "<unk>"])
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    fast.save_pretrained(folder)
    return fast


def train(specials):
    lines = [line for path in sorted(glob.glob(os.path.join(ROOT, "docs", "*.md"))) for line in open(path)]
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer, t.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=300, special_tokens=specials, unk_token="<unk>"))
    return t


def make_model(name, folder, vocabulary):
    config_class, model_class, config, generation = MODELS[name]
    sizes = dict(src_vocab_size=vocabulary, tgt_vocab_size=vocabulary) if name == "fsmt" else dict(vocab_size=vocabulary)
    config = getattr(transformers, config_class + "Config")(**{**IDS, **config, **sizes, "forced_eos_token_id": None})
    torch.manual_seed(7)
    model = getattr(transformers, model_class)(config).eval().float()
    with torch.no_grad():
        for key, p in model.named_parameters():  # far from uniform probabilities and gradients
            if p.dim() > 1 and "position" not in key:
                p.mul_((1.0 if "shared" in key else 1.5) if "t5" in name else 12.0 if "embed" in key or "shared" in key else 6.0)
            elif p.dim() == 1 and "bias" in key:
                p.normal_(0, 0.1)
    for key, value in {"num_beams": 1, "max_length": 20, **generation}.items():
        setattr(model.generation_config, key, value)
    model.generation_config._from_model_config = False
    model.save_pretrained(folder)


def true_model(name, folder):
    model = getattr(transformers, MODELS[name][1]).from_pretrained(folder, attn_implementation="eager").eval()
    if name == "fsmt":
        as_if_from_ids(model.model.encoder, causal=False)
        as_if_from_ids(model.model.decoder, causal=True)
    elif name == "marian_apart":
        as_if_from_ids(model.model.decoder, causal=False)
    return model


def as_if_from_ids(side, causal):
    """Embeddings that Inseq hands over are scaled already and scaled again; FSMT's decoder gets no causal mask with them."""
    inner = side.forward

    def forward(*args, inputs_embeds=None, **kwargs):
        if inputs_embeds is not None:
            inputs_embeds = inputs_embeds / side.embed_scale
            if causal:
                length = inputs_embeds.shape[1]
                kwargs["decoder_causal_mask"] = torch.full((length, length), -torch.inf).triu(1)
        return inner(*args, inputs_embeds=inputs_embeds, **kwargs)

    side.forward = forward


def load_attributor(name, folder, method, tokenizer):
    """Inseq embeds the target with the encoder's matrix: these have one for each side."""
    attributor = inseq.load_model(true_model(name, folder), method, tokenizer=tokenizer)
    if name in ("fsmt", "marian_apart"):
        sides = attributor.model.model
        attributor.embed_ids = lambda ids, as_targets=False: \
            (sides.decoder if as_targets else sides.encoder).embed_tokens(ids) * attributor.embed_scale
    return attributor


def generate(model, tokenizer, name):
    """Without cache: with it FSMT takes every token for the first, and models with more decoder layers than encoder layers fail."""
    generation = MODELS[name][3]
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    options = {"greedy": dict(num_beams=1), "beam4": dict(num_beams=4, length_penalty=1.0), "greedy_min": dict(num_beams=1, min_new_tokens=12)}
    if name == "nllb":  # what Inseq's command line makes of tgt_lang
        options = {k: dict(v, forced_bos_token_id=tokenizer.convert_tokens_to_ids("fra_Latn")) for k, v in options.items()}
    elif generation and generation is not LANGUAGES:
        options["default"] = {}
    if generation is LANGUAGES:
        options["tgt_lang"] = dict(tgt_lang="fra")
    runs = {k: model.generate(ids, max_new_tokens=12, do_sample=False, use_cache=False, **v)[0].tolist() for k, v in options.items()}
    return dict(text=TEXT, input_ids=ids[0].tolist(), max_new_tokens=12, runs=runs)


def make(out, name):
    folder, cases = os.path.join(out, "models", name), os.path.join(out, "cases", name)
    os.makedirs(cases, exist_ok=True)
    os.makedirs(folder, exist_ok=True)
    tokenizer = make_nllb_tokenizer(folder) if name == "nllb" else make_tokenizer(folder)
    more = dict(tokenizer_kwargs=NLLB) if name == "nllb" else {}
    make_model(name, folder, len(tokenizer))
    done = []
    for case in CASES:
        options = {k: v for k, v in case.items() if k not in ("case", "method")}
        attributor = load_attributor(name, folder, case["method"], tokenizer)
        result = attributor.attribute(TEXT, FORCED, show_progress=False, **options)
        result.save(os.path.join(cases, case["case"] + ".json"), overwrite=True)
        done.append({**case, "input_texts": TEXT, "generated_texts": FORCED, **more})
    generation = more | generate(true_model(name, folder), tokenizer, name)
    for file, value in (("cases.json", done), ("generation.json", generation)):
        with open(os.path.join(cases, file), "w") as f:
            json.dump(value, f, indent=1)
    print(name, {k: len(v) for k, v in generation["runs"].items()}, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[2:] or MODELS:
        make(sys.argv[1], chosen)
