#!/bin/sh
# Runs all tests of a build folder; the last line counts single tests over all suites: "N passed, N failed".
# usage: scripts/test.sh BUILD [ctest arguments]
set -u
build=$1
shift
ctest --test-dir "$build" --output-on-failure "$@"
status=$?

# A suite says "[  PASSED  ] N test(s)" (cmocka) or "N passed, N failed"; one that says neither, or dies, counts as one test.
awk -v status="$status" '
  function close_suite() {
    if (!open) return
    if (!said) { if (result == "Passed") good++; else bad++ }
    else { good += p; bad += f; if (result != "Passed" && !f) bad++ }
    open = 0
  }
  /^[0-9]+\/[0-9]+ Testing: / { close_suite(); open = 1; said = p = f = 0; result = "" }
  /^\[  PASSED  \] [0-9]+ test/ { p += $4; said = 1 }
  /^\[  FAILED  \] [0-9]+ test/ { f += $4; said = 1 }
  /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; said = 1 }
  /^Test (Passed|Failed)/ { result = substr($2, 1, 6) }
  END { close_suite(); if (status && !bad) bad = 1; printf "%d passed, %d failed\n", good, bad; exit bad > 0 }
' "$build/Testing/Temporary/LastTest.log" || status=1
exit "$status"
