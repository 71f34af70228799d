#!/bin/sh
# The two tables of `make demo`: a translation, and a continuation. Everything shown is computed now, by the engine.
# usage: scripts/demo.sh build/cinseq
set -eu
cinseq=$1
show() {
  echo
  echo "\$ cinseq $1"
  eval "\"\$cinseq\" $1"
}
show 'attribute -m zh-en-mini -i "今天学到了很多，我很开心。" -a saliency --step_scores probability'
show 'attribute -m zh-en-mini -i "今天学到了很多，我很开心。" -a attention --step_scores probability'
# 20 tokens with the prompt, as in the notebook; this model's own file asks for 64 new ones, which null takes back
show "attribute -m stories260K -i \"Once upon a time\" --generation_kwargs '{\"max_length\": 20, \"max_new_tokens\": null}' --step_scores probability"
