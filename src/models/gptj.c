/* GPT-J (Wang & Komatsuzaki 2021) and CodeGen (Nijkamp et al. 2022): attention and feed-forward side by side under one norm,
 * rotary positions of pairs (2i, 2i + 1) in the first dimensions of a head, an own head with a bias.
 *   x += attn(n) + mlp(n), n = ln_1(x)
 * CodeGen has one matrix for query, value and key, in this order in each of four stretches (it was trained on four devices).
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"
#include "models/rope.h"

enum { DEVICES = 4 };

static ci_decoder like_gptj(ci_builder *b) {
  ci_decoder d = ci_decoder_like_gpt2(b);
  ci_attention_shape *a = &d.block.attention;
  d.position_table = NULL;
  d.head_biased = true;
  d.block.parallel = true;
  d.block.mlp_norms.before = NULL;
  d.block.mlp.up = "mlp.fc_in";
  d.block.mlp.down = "mlp.fc_out";
  a->query = (ci_projection){.weight = "attn.q_proj"};
  a->key = (ci_projection){.weight = "attn.k_proj"};
  a->value = (ci_projection){.weight = "attn.v_proj"};
  a->output = "attn.out_proj";
  a->biased = a->output_biased = false;
  a->interleaved = true;
  a->rope = ci_build_rope(b, 10000, ci_config_size(b, "rotary_dim", a->head_dim, 2), NULL);
  return d;
}

static void build_gptj(ci_builder *b) {
  ci_decoder d = like_gptj(b);
  ci_build_decoder(b, &d);
}

static void build_codegen(ci_builder *b) {
  ci_decoder d = like_gptj(b);
  ci_attention_shape *a = &d.block.attention;
  if (a->heads % DEVICES) ci_build_fail(b, "config.json", "n_head %zu is not a multiple of %d", a->heads, DEVICES);
  size_t local = d.block.width / DEVICES;
  ci_projection *const order[] = {&a->query, &a->value, &a->key};
  for (size_t i = 0; i < 3; i++) *order[i] = (ci_projection){"attn.qkv_proj", {i * local, local, 3 * local, DEVICES}};
  a->fused = 3 * d.block.width;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", ".attn.causal_mask", ".attn.embed_positions", NULL};
#define DEFAULTS                                                                                                             \
  "{\"vocab_size\": 50400, \"n_positions\": 2048, \"n_embd\": 4096, \"n_layer\": 28, \"n_head\": 16, \"rotary_dim\": 64, "   \
  "\"bos_token_id\": 50256, \"eos_token_id\": 50256, \"tie_word_embeddings\": false}"

/* GPT-2's keys, of which none is set where none is given. */
static const ci_dropout_keys dropout = {
    .embedding = {"embd_pdrop", 0}, .attention = {"attn_pdrop", 0}, .attended = {"resid_pdrop", 0}, .fed = {"resid_pdrop", 0}};

extern const ci_architecture ci_architecture_gptj, ci_architecture_codegen;
const ci_architecture ci_architecture_gptj = {.id = "gptj",
                                              .class_name = "GPTJForCausalLM",
                                              .help = "GPT-J",
                                              .prefix = "transformer.",
                                              .defaults = DEFAULTS,
                                              .ignored = ignored,
                                              .dropout = &dropout,
                                              .build = build_gptj};
const ci_architecture ci_architecture_codegen = {.id = "codegen",
                                                 .class_name = "CodeGenForCausalLM",
                                                 .help = "CodeGen",
                                                 .prefix = "transformer.",
                                                 .defaults = DEFAULTS,
                                                 .ignored = ignored,
                                                 .dropout = &dropout,
                                                 .build = build_codegen};
