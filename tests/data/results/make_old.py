"""Writes a small result with the save() of an older Inseq, plain and as lists in gzip.

usage: make_old.py FOLDER OUT   FOLDER: where a wheel of inseq 0.5.0 or 0.6.0 is unpacked; needs torch and that Inseq's requirements
"""
import sys

sys.path.insert(0, sys.argv[1])
import torch  # noqa: E402
from inseq.data.attribution import (  # noqa: E402
    FeatureAttributionOutput,
    FeatureAttributionSequenceOutput,
    GranularFeatureAttributionSequenceOutput,
    GranularFeatureAttributionStepOutput,
)
from inseq.utils.typing import TokenWithId  # noqa: E402

NAN = float("nan")


def tokens(words, first):
    return [TokenWithId(word, first + i) for i, word in enumerate(words)]


torch.manual_seed(0)
source, target = tokens(["▁x", "y", "</s>"], 10), tokens(["<pad>", "▁a", "b", "</s>"], 0)
of_source, of_target = torch.randn(3, 3, 2), torch.randn(4, 3, 2)
for column in range(3):
    of_target[column + 1:, column] = NAN
first = GranularFeatureAttributionSequenceOutput(
    source=source, target=target, source_attributions=of_source, target_attributions=of_target,
    step_scores={"probability": torch.tensor([0.5, 0.25, 0.125]), "top_p_size": torch.tensor([3, 1, 2])}, sequence_scores={},
    attr_pos_start=1, attr_pos_end=4)
second = FeatureAttributionSequenceOutput(
    source=tokens(["a"], 5), target=tokens(["a", "b", "c"], 5), target_attributions=torch.tensor([[0.5, 0.25], [NAN, 0.75], [NAN, NAN]]),
    step_scores={}, sequence_scores={"decoder_self_attentions": torch.rand(2, 2, 1, 2)}, attr_pos_start=1, attr_pos_end=3)
step = GranularFeatureAttributionStepOutput(
    source_attributions=torch.randn(1, 3, 2), target_attributions=torch.randn(1, 1, 2), step_scores={"probability": torch.tensor([0.5])},
    sequence_scores={}, source=[source], prefix=[target[:1]], target=[[target[1]]])
info = {"attribution_method": "saliency", "input_texts": ["xy", "a"], "generated_texts": ["ab", "a b c"], "model_name": "tiny",
        "attribution_args": {"n": NAN}}
out = FeatureAttributionOutput(sequence_attributions=[first, second], step_attributions=[step], info=info)
out.save(sys.argv[2] + ".json", overwrite=True)
out.save(sys.argv[2] + "_lists.json.gz", overwrite=True, compress=True, ndarray_compact=False)
