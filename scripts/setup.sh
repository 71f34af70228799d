#!/bin/sh
# Installs what building needs and is missing. Prints and does nothing when all is there.
# usage: scripts/setup.sh [ci]      ci: also the second compiler and the shells that .ci/run tests with
set -u

# What is looked for, and the Debian package that brings it. command NAME, module NAME (pkg-config), header NAME, fuzzer
# COMPILER (its libFuzzer), import NAME (of Python).
needs() {
  cat <<'ROWS'
command cc build-essential
command c++ build-essential
command make build-essential
command cmake cmake
command ninja ninja-build
command pkg-config pkg-config
command python3 python3
module jansson libjansson-dev
module libpcre2-8 libpcre2-dev
module libutf8proc libutf8proc-dev
module sentencepiece libsentencepiece-dev
module zlib zlib1g-dev
module libcurl libcurl4-openssl-dev
module libcrypto libssl-dev
module cmocka libcmocka-dev
module openblas libopenblas-dev
header oneapi/dnnl/dnnl.h libdnnl-dev
ROWS
  [ "${1:-}" = ci ] || return 0
  cat <<'ROWS'
command clang-14 clang-14
fuzzer clang-14 libclang-rt-14-dev
command groff groff-base
command man man-db
command mandoc mandoc
command zsh zsh
command fish fish
import numpy python3-numpy
import ensurepip python3-venv
ROWS
}

is_there() {
  case $1 in
    command) command -v "$2" >/dev/null 2>&1 ;;
    module) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$2" ;;
    fuzzer) ls "$("$2" -print-resource-dir 2>/dev/null)"/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ;;
    import) command -v python3 >/dev/null 2>&1 && python3 -c "import $2" 2>/dev/null ;;
    header) command -v cc >/dev/null 2>&1 && echo "#include <$2>" | cc -E - >/dev/null 2>&1 ;;
  esac
}

missing=''
names=''
while read -r kind name package; do
  is_there "$kind" "$name" && continue
  names="$names $name"
  case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
done <<ROWS
$(needs "${1:-}")
ROWS
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  {
    echo "cinseq needs these, which are not here:$names"
    echo "Install them with your system's package manager. On Debian their packages are called:$missing"
    echo "(C and C++ compilers, CMake 3.20, Ninja, pkg-config, oneDNN, SentencePiece, PCRE2, utf8proc, Jansson, OpenBLAS, libcurl, OpenSSL;"
    echo "cmocka and Python 3 for the tests.)"
  } >&2
  exit 1
fi
command="apt-get update && apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
  echo "cinseq needs packages that are not installed. Run this once, then try again:" >&2
  echo "  sudo sh -c '$command'" >&2
  exit 1
fi
echo "Installing the packages that are missing:$missing" >&2
log=$(mktemp)
if ! DEBIAN_FRONTEND=noninteractive sh -c "$command" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  rm -f "$log"
  echo "The installation failed: $command" >&2
  exit 1
fi
rm -f "$log"
