/* GPT (Radford et al. 2018): learned positions, post-norm blocks, Conv1D weights, no norm at the end.
 *   x = embed + position;  x = ln_1(x + attn(x));  x = ln_2(x + mlp(x));  logits = x embed^T
 * Attribution input: the token embedding, before positions. */
#include "models/decoder.h"
#include "models/dropout.h"
#include <string.h>

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_gpt2(b);
  d.block.attention.by_input = d.block.mlp.by_input = true;
  d.embedding = "tokens_embed";
  d.position_table = "positions_embed";
  d.norm = NULL;
  d.block.attention_norms = (ci_branch_norms){.sum = "ln_1"};
  d.block.mlp_norms = (ci_branch_norms){.sum = "ln_2"};
  d.block.mlp.inner = 4 * d.block.width;
  d.block.mlp.activation = ci_config_text(b, "afn", "gelu");
  if (!b->status && strcmp(d.block.mlp.activation, "gelu") == 0) d.block.mlp.activation = "gelu_new"; /* its name for it */
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attn.bias", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_openai_gpt;
const ci_architecture ci_architecture_openai_gpt = {.id = "openai-gpt",
                                                    .class_name = "OpenAIGPTLMHeadModel",
                                                    .help = "the first GPT",
                                                    .prefix = "transformer.",
                                                    .defaults = "{\"vocab_size\": 40478, \"n_positions\": 512}",
                                                    .ignored = ignored,
                                                    .dropout = &ci_dropout_of_gpt2,
                                                    .build = build};
