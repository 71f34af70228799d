"""A plugin of pytest that lets Inseq's tests run against cinseq: `import inseq` and `import transformers` find it, and what the tests
themselves call of torch is numpy's.

Classes of Inseq that test files import and cinseq does not have (docs/migration.md) are empty here, so that the other tests of a file can be
collected. A test that uses one fails, and docs/inseq-tests.md says why.
"""
import importlib
import json
import os
import sys
import types

import numpy as np

import cinseq
import cinseq.transformers
from cinseq.arrays import Array

# By module: names that test files import.
ABSENT = {
    "inseq.attr.feat.internals_attribution": ["InternalsAttributionRegistry"],
    "inseq.attr.feat.feature_attribution": ["DummyAttribution"],
    "inseq.attr.step_functions": ["_get_contrast_inputs"],
    "inseq.data": ["EncoderDecoderBatch"],
    "inseq.models.model_config": ["DEFAULT_DECODER_ONLY_CONFIG", "DEFAULT_ENCODER_DECODER_CONFIG", "get_model_config"],
    "inseq.utils": ["json_advanced_load"],
    "inseq.utils.typing": ["InseqAttribution", "MultiLayerMultiUnitScoreTensor"],
    "captum._utils.typing": ["TensorOrTupleOfTensorsGeneric"],
}


def torch_of_numpy():
    """The functions that the tests call on results."""
    torch = types.ModuleType("torch")
    torch.Tensor, torch.Size = Array, tuple
    torch.float32, torch.long = np.float32, np.int64
    torch.tensor = lambda values, dtype=None: Array(values, dtype or (np.float32 if np.asarray(values).dtype == np.float64 else None))
    torch.allclose = lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: bool(np.allclose(a, b, rtol, atol, equal_nan))
    return torch


def module(path):
    """The module of that name, made when there is none, and its parents."""
    try:
        return importlib.import_module(path)
    except ImportError:
        made = sys.modules[path] = types.ModuleType(path)
        made.__path__ = []
        parent, _, name = path.rpartition(".")
        if parent:
            setattr(module(parent), name, made)
        return made


cinseq.install_as("inseq")
sys.modules["torch"] = torch_of_numpy()
sys.modules["transformers"] = cinseq.transformers
for path, names in ABSENT.items():
    for name in names:
        if not hasattr(module(path), name):
            setattr(module(path), name, type(name, (), {}))

results = {}


def pytest_runtest_logreport(report):
    """One word for each test: what went wrong first."""
    if report.outcome != "passed" or report.when == "call":
        results.setdefault(report.nodeid, {"outcome": report.outcome, "why": str(report.longrepr or "")[-400:]})


def pytest_sessionfinish():
    with open(os.environ["INSEQ_SUITE_RESULTS"], "w", encoding="utf-8") as file:
        json.dump(results, file)
