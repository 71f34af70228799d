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
show "attribute -m stories260K -i \"Once upon a time\" --generation_kwargs '{\"max_new_tokens\": 15}' --step_scores probability"
