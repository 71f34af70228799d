"""Every import statement of Inseq 0.7.1's README, documentation, tutorials and API pages works under the alias, or is in the list of
docs/migration.md with the reason."""
import importlib
import os
import pathlib
import re
import subprocess
import sys
import unittest

import cinseq

MIGRATION = pathlib.Path(__file__).parents[2] / "docs" / "migration.md"

# Statements of the README, docs/source/**.rst and examples/*.ipynb. Other packages' (pandas, torch, petals, ...) are left out.
STATEMENTS = """
import inseq
from inseq import FeatureAttributionOutput
from inseq.attr.step_functions import probability_fn, StepFunctionArgs
from inseq.data.aggregator import AggregatorPipeline, ContiguousSpanAggregator, SequenceAttributionAggregator, PairAggregator
from inseq.data.aggregator import SubwordAggregator
from transformers import AutoModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers import AutoTokenizer
""".strip().splitlines()

# What the API pages document: module, names.
DOCUMENTED = {
    "inseq": "AttributionModel FeatureAttributionOutput explain get_version list_aggregation_functions list_aggregators "
             "list_feature_attribution_methods list_step_functions list_supported_frameworks load_model merge_attributions "
             "register_model_config register_step_function show_attributions show_granular_attributions show_token_attributions",
    "inseq.attr": "FeatureAttribution STEP_SCORES_MAP StepFunctionArgs extract_args list_feature_attribution_methods list_step_functions "
                  "register_step_function",
    "inseq.attr.feat": "AttentionWeightsAttribution DeepLiftAttribution DiscretizedIntegratedGradientsAttribution FeatureAttribution "
                       "GradientAttributionRegistry GradientShapAttribution InputXGradientAttribution IntegratedGradientsAttribution "
                       "InternalsAttributionRegistry LayerDeepLiftAttribution LayerGradientXActivationAttribution "
                       "LayerIntegratedGradientsAttribution LimeAttribution OcclusionAttribution PerturbationAttributionRegistry "
                       "ReagentAttribution SaliencyAttribution SequentialIntegratedGradientsAttribution ValueZeroingAttribution",
    "inseq.attr.step_functions": "StepFunctionArgs StepFunctionBaseArgs StepFunctionDecoderOnlyArgs StepFunctionEncoderDecoderArgs "
                                 "contrast_logits_diff_fn contrast_logits_fn contrast_prob_diff_fn contrast_prob_fn crossentropy_fn "
                                 "entropy_fn in_context_pvi_fn kl_divergence_fn logit_fn mc_dropout_prob_avg_fn pcxmi_fn perplexity_fn "
                                 "probability_fn top_p_size_fn",
    "inseq.commands.attribute.attribute_args": "AttributeExtendedArgs AttributeWithInputsArgs",
    "inseq.commands.attribute_context.attribute_context_args": "AttributeContextArgs",
    "inseq.commands.attribute_dataset.attribute_dataset_args": "LoadDatasetArgs",
    "inseq.data": "Aggregator AggregatorPipeline AggregationFunction SequenceAttributionAggregator ContiguousSpanAggregator SubwordAggregator "
                  "PairAggregator Batch DecoderOnlyBatch BatchEmbedding BatchEncoding EncoderDecoderBatch FeatureAttributionInput "
                  "FeatureAttributionStepOutput GranularFeatureAttributionStepOutput CoarseFeatureAttributionSequenceOutput "
                  "CoarseFeatureAttributionStepOutput FeatureAttributionSequenceOutput FeatureAttributionOutput show_attributions "
                  "show_granular_attributions show_token_attributions list_aggregation_functions "
                  "MultiDimensionalFeatureAttributionStepOutput get_batch_from_inputs merge_attributions list_aggregators "
                  "slice_batch_from_position",
    "inseq.data.aggregation_functions": "AggregationFunction AbsMaxAggregationFunction MaxAggregationFunction MeanAggregationFunction "
                                        "MinAggregationFunction ProdAggregationFunction SumAggregationFunction VectorNormAggregationFunction",
    "inseq.data.aggregator": "AggregableMixin Aggregator AggregatorPipeline ContiguousSpanAggregator PairAggregator "
                             "SequenceAttributionAggregator SliceAggregator SubwordAggregator",
    "inseq.data.attribution": "CoarseFeatureAttributionSequenceOutput FeatureAttributionOutput FeatureAttributionSequenceOutput "
                              "FeatureAttributionStepOutput GranularFeatureAttributionSequenceOutput GranularFeatureAttributionStepOutput "
                              "MultiDimensionalFeatureAttributionSequenceOutput",
    "inseq.data.batch": "Batch BatchEmbedding BatchEncoding DecoderOnlyBatch EncoderDecoderBatch",
    "inseq.data.data_utils": "TensorWrapper",
    "inseq.data.viz": "show_attributions show_granular_attributions show_token_attributions",
    "inseq.models": "AttributionModel DecoderOnlyAttributionModel EncoderDecoderAttributionModel HuggingfaceDecoderOnlyModel "
                    "HuggingfaceEncoderDecoderModel HuggingfaceModel InputFormatter ModelConfig list_supported_frameworks load_model "
                    "register_model_config",
    "inseq.models.attribution_model": "AttributionModel",
    "inseq.models.decoder_only": "DecoderOnlyAttributionModel",
    "inseq.models.encoder_decoder": "EncoderDecoderAttributionModel",
    "inseq.models.huggingface_model": "HuggingfaceDecoderOnlyModel HuggingfaceEncoderDecoderModel HuggingfaceModel",
    "inseq.models.model_config": "ModelConfig register_model_config",
    "inseq.utils": "LengthMismatchError MissingAlignmentsError MissingAttributionMethodError UnknownAttributionMethodError "
                   "InseqDeprecationWarning get_default_device isnotebook json_advanced_load filter_logits",
    "inseq.utils.errors": "LengthMismatchError MissingAlignmentsError MissingAttributionMethodError UnknownAttributionMethodError",
    "inseq.utils.id_utils": "explain",
    "inseq.utils.typing": "IndexSpan InseqAttribution OneOrMoreIdSequences OneOrMoreIndices OneOrMoreTokenSequences ScorePrecision TextInput "
                          "TokenWithId",
}


def missing():
    """The module paths and "module.name"s of DOCUMENTED that are not there."""
    for path, names in DOCUMENTED.items():
        try:
            module = importlib.import_module(path)
        except ImportError:
            yield path
            continue
        yield from (f"{path}.{name}" for name in names.split() if not hasattr(module, name))


def listed():
    """Names in the first column of the table "Names that there are not"."""
    section = MIGRATION.read_text(encoding="utf-8").partition("## Names that there are not")[2].partition("\n## ")[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def is_there(name):
    """Whether "package.module" can be imported, or "module.name" is in its module."""
    module, _, last = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), last) or importlib.import_module(name) is not None
    except ImportError:
        return False


def without_listed(statement):
    """A from-import without the names that docs/migration.md lists; None when all of them are."""
    module, found, names = statement.partition(" import ")
    if not found:
        return statement
    left = [name for name in names.split(", ") if f"{module.removeprefix('from ')}.{name}" not in listed()]
    return f"{module} import {', '.join(left)}" if left else None


ALIASES = """
import sys
import cinseq, cinseq.transformers
cinseq.install_as("inseq")
sys.modules["transformers"] = cinseq.transformers
"""


class Names(unittest.TestCase):
    def test_importing_is_not_using(self):
        """numpy takes most of the time of an import: it waits for the first name that needs it. All names are there all the same."""
        program = """import sys, cinseq
print("numpy" in sys.modules, set(cinseq.__all__) <= set(dir(cinseq)))
from cinseq import *
print("numpy" in sys.modules, all(name in globals() for name in cinseq.__all__), cinseq.transformers.AutoTokenizer.__name__)"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        self.assertEqual(done.stdout.split(), ["False", "True", "True", "True", "AutoTokenizer"], done.stderr)
        with self.assertRaisesRegex(AttributeError, "module 'cinseq' has no attribute 'load_modle'"):
            cinseq.load_modle  # noqa: B018

    def test_statements_run(self):
        """In a Python of its own, where nothing has been imported yet."""
        statements = [left for statement in STATEMENTS if (left := without_listed(statement))]
        done = subprocess.run([sys.executable, "-c", ALIASES + "\n".join(statements)], capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_documented_names(self):
        cinseq.install_as("inseq")
        found = set(missing())
        self.assertEqual(sorted(found - listed()), [], "neither there nor in docs/migration.md")

    def test_listed_names_are_missing(self):
        cinseq.install_as("inseq")
        self.assertTrue(listed())
        self.assertEqual([name for name in sorted(listed()) if is_there(name)], [], "there, and yet in docs/migration.md")


if __name__ == "__main__":
    unittest.main()
