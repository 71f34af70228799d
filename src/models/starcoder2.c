/* StarCoder 2 (Lozhkov et al. 2024): Llama's attention with layer norms, a plain feed-forward and biases everywhere if use_bias,
 * a window if the configuration has one.
 *   x += attn(input_layernorm(x));  x += c_proj(act(c_fc(post_attention_layernorm(x))))
 * Nemotron (Parmar et al. 2024): the same shape with squared relu, layer norms whose weights are stored less one, and rotary
 * positions in a part of each head.
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"

/* Layer norms and a plain feed-forward. */
static ci_decoder plainer(ci_builder *b, double epsilon, const char *up, const char *down) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = epsilon};
  d.block.mlp = (ci_mlp_shape){.inner = d.block.mlp.inner, .activation = d.block.mlp.activation, .up = up, .down = down};
  return d;
}

static void build_starcoder2(ci_builder *b) {
  ci_decoder d = plainer(b, ci_config_real(b, "norm_epsilon", 1e-5), "mlp.c_fc", "mlp.c_proj");
  bool biased = ci_config_bool(b, "use_bias", true);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.mlp.biased = d.block.attention.biased = d.block.attention.output_biased = biased;
  d.block.attention.window = ci_config_size(b, "sliding_window", 0, 1);
  ci_build_decoder(b, &d);
}

static void build_nemotron(ci_builder *b) {
  ci_decoder d = plainer(b, ci_config_real(b, "norm_eps", 1e-5), "mlp.up_proj", "mlp.down_proj");
  d.block.norm.plus_one = true;
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

static const ci_dropout_keys dropout = {.embedding = {"embedding_dropout", 0},
                                        .attention = {"attention_dropout", 0},
                                        .attended = {"residual_dropout", 0},
                                        .fed = {"residual_dropout", 0}};

extern const ci_architecture ci_architecture_starcoder2, ci_architecture_nemotron;
const ci_architecture ci_architecture_starcoder2 = {
    .id = "starcoder2",
    .class_name = "Starcoder2ForCausalLM",
    .help = "StarCoder 2",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256, \"num_key_value_heads\": 2, "
                "\"hidden_act\": \"gelu_pytorch_tanh\", \"max_position_embeddings\": 4096}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build_starcoder2};
const ci_architecture ci_architecture_nemotron = {
    .id = "nemotron",
    .class_name = "NemotronForCausalLM",
    .help = "Nemotron 4, Minitron",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 2, \"eos_token_id\": 3, \"hidden_act\": \"relu2\", \"partial_rotary_factor\": 0.5, "
                "\"max_position_embeddings\": 4096}",
    .ignored = ignored,
    .build = build_nemotron};
