"""Makes the files of this folder with bitsandbytes, the oracle of LLM.int8() (docs/differences.md says where cinseq differs).

usage: make.py [ARCHITECTURES]     in an environment with torch, transformers, accelerate, safetensors and bitsandbytes (no GPU)

rows.safetensors   a matrix with its codes (CB), scales (SCB) and the dequantised weight; rows of activations, those of each row alone
                   multiplied with it
gpt2.safetensors   tests/data/golden/models/gpt2 as transformers saves it in 8 bits
modules.json       for each model of tests/data/golden/architectures (unpacked in the folder ARCHITECTURES) what transformers
                   quantises: module -> CRC-32 of its codes and of its scales, with the settings of a case
"""
import json, logging, os, sys, tempfile, warnings, zlib

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
import bitsandbytes
from bitsandbytes.functional import int8_vectorwise_dequant, int8_vectorwise_quant
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, BitsAndBytesConfig

logging.disable(logging.WARNING)
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")


def rows():
    torch.manual_seed(1)
    outputs, inputs = 37, 150
    w = torch.randn(outputs, inputs) * torch.logspace(-6, 3, outputs)[:, None]
    w[3] = 0
    w[4] = torch.arange(inputs) - 75.0      # |w| 127 / scale is often a whole number and a half
    w[5] = torch.linspace(-1, 1, inputs) * 127
    w[6] = torch.full((inputs,), 60000.0)
    w[7] *= 1e-4                             # subnormal halves, many zeros
    w[8, 1:] = 0
    cb, scb, _ = int8_vectorwise_quant(w.half())
    x = (torch.randn(9, inputs) * 2).half().float()
    x[1] = 0
    x[2, [0, 7, 149]] = torch.tensor([6.0, -6.0, 5.996])
    x[3, ::3] += 8                           # a third of the row
    x[4] += 20                               # nothing but outliers
    x[5, 64] = 30000
    x = x.half().float()                     # what bitsandbytes makes of activations
    state = bitsandbytes.MatmulLtState()
    state.CB, state.SCB, state.threshold, state.has_fp16_weights, state.is_training = cb, scb, 6.0, False, False
    y = torch.cat([bitsandbytes.matmul(r[None].half().float(), w, state=state) for r in x])
    plain = bitsandbytes.MatmulLtState()
    plain.CB, plain.SCB, plain.has_fp16_weights, plain.is_training = cb, scb, False, False
    z = bitsandbytes.matmul(x, w, state=plain)
    save_file({"weight": w, "CB": cb, "SCB": scb, "dequantized": int8_vectorwise_dequant(cb, scb), "x": x, "y": y, "y_without_threshold": z},
              os.path.join(HERE, "rows.safetensors"))


def in_8_bits(folder, **settings):
    config = AutoConfig.from_pretrained(folder)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_pretrained(folder, quantization_config=BitsAndBytesConfig(load_in_8bit=True, **settings), device_map={"": "cpu"})


def checkpoint():
    with tempfile.TemporaryDirectory() as folder:
        in_8_bits(os.path.join(GOLDEN, "models", "gpt2")).save_pretrained(folder)
        save_file(load_file(os.path.join(folder, "model.safetensors")), os.path.join(HERE, "gpt2.safetensors"), {"format": "pt"})
        with open(os.path.join(folder, "config.json")) as f:
            print("gpt2's config.json:", json.load(f)["quantization_config"])


def crc(tensor):
    return zlib.crc32(tensor.contiguous().numpy().tobytes())


def modules(folder, **settings):
    found = {}
    for name, module in in_8_bits(folder, **settings).named_modules():
        if isinstance(module, bitsandbytes.nn.Linear8bitLt):
            codes, scales = module.weight.CB, module.weight.SCB
            found[name] = [crc(codes), crc(scales)]
    return found


def all_modules(architectures):
    cases = {}
    skipped = {"gpt2": ["lm_head", "c_fc"], "llama": ["model.layers.0"]}  # a tied head that is not listed makes transformers fail
    for name in sorted(os.listdir(architectures)):
        folder = os.path.join(architectures, name, "model")
        try:
            cases[name] = {"settings": {}, "modules": modules(folder)}
        except Exception as e:
            print(f"{name}: left out: {type(e).__name__}: {str(e)[:150]}")
    for name, skip in skipped.items():
        cases[f"{name} without {skip[-1]}"] = {"model": name, "settings": {"llm_int8_skip_modules": skip},
                                              "modules": modules(os.path.join(GOLDEN, "models", name), llm_int8_skip_modules=skip)}
    with open(os.path.join(HERE, "modules.json"), "w") as f:
        text = ",\n".join(f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in cases.items())
        f.write("{\n" + text + "\n}\n")


rows()
checkpoint()
if len(sys.argv) > 1:
    all_modules(sys.argv[1])
