#!/bin/sh
# Runs a command with Python packages that are not installed with the system: in a virtual environment of their own, made once and kept while
# the list is the same. Where they cannot be had (no network, no venv) it says that it skips the command, and succeeds.
# usage: scripts/with_packages.sh FOLDER "PACKAGE..." COMMAND...     the environment's python is first in the command's PATH
# A list may begin with --no-deps: it is whole. Nothing is compiled before it is imported: most never is.
# PYTHON (default python3) is what the environment is made with.
set -u
folder=$1
packages=$2
shift 2
python=${PYTHON:-python3}
wanted="$("$python" --version 2>&1): $packages"
if [ "$(cat "$folder/made-of" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  # shellcheck disable=SC2086  the packages are words
  if ! log=$({ "$python" -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --retries 1 $packages; } 2>&1); then
    rm -rf "$folder"
    echo "$log" | tail -n 3
    echo "SKIPPED: these packages are not to be had: $packages"
    echo "0 passed, 0 failed"
    exit 0
  fi
  echo "$wanted" >"$folder/made-of"
fi
PATH="$(cd "$folder" && pwd)/bin:$PATH" exec "$@"
