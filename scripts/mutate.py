#!/usr/bin/env python3
"""Mutation check: does the suite notice when one rule of a gradient is wrong?

Each mutation changes one place in a copy of src/, compiles that one file and links it before the library into the tests of
ops and engine, one of which must fail. A mutation whose text is no longer in the source counts as failed: it must follow
the code. Needs a build (default: build) with the tests' targets; takes two minutes or so.

  scripts/mutate.py [--build build] [--only WORD]
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = ["ops_test_op", "engine_test_gradients", "engine_test_backward", "ops_test_attention"]  # fast ones first
KERNELS = sorted(f"src/kernels/{name}" for name in os.listdir(os.path.join(ROOT, "src/kernels"))
                 if name.startswith("kernels_") and name.endswith(".c"))  # the one that this machine takes is among them

# (what is wrong, file, its text, what it becomes)
MUTATIONS = [
    ("attention: softmax term of dS dropped", "src/ops/attention.c",
     "* (d[k] - mean)", "* (d[k] - 0 * mean)"),
    ("attention: scale of dS dropped", "src/ops/attention.c",
     "d[k] = scale * p[k]", "d[k] = (scale > 0) * p[k]"),
    ("attention: dk of the first head of a group only", "src/ops/attention.c",
     "if (call->dx[1])\n    kernels->matmul", "if (call->dx[1] && w->head % (params->heads / params->kv_heads) == 0)\n    kernels->matmul"),
    ("attention: dv of the first head of a group only", "src/ops/attention.c",
     "if (call->dx[2])\n    kernels->matmul", "if (call->dx[2] && w->head % (params->heads / params->kv_heads) == 0)\n    kernels->matmul"),
    ("attention: dk dropped where it is cross", "src/ops/attention.c",
     "if (call->dx[1])\n    kernels->matmul", "if (call->dx[1] && params->causal)\n    kernels->matmul"),
    ("attention: dv dropped where it is cross", "src/ops/attention.c",
     "if (call->dx[2])\n    kernels->matmul", "if (call->dx[2] && params->causal)\n    kernels->matmul"),
    ("attention: rebuilt probabilities see the future", "src/ops/attention.c",
     "key_range own = keys_seen(params, w->keys, from + r);", "key_range own = tile;"),
    ("attention: window one key wider in backward", "src/ops/attention.c",
     "size_t n = own.high - own.low, skipped", "if (own.low) own.low -= own.low > tile.low;\n    size_t n = own.high - own.low, skipped"),
    ("attention: slope of the cap dropped", "src/ops/attention.c", "if (w->slopes) kernels->multiply", "if (0) kernels->multiply"),
    ("attention: slope of the cap", "src/ops/attention_scores.c", "slopes[k] = 1 - s[k]", "slopes[k] = 1 - 0.5f * s[k]"),
    ("attention: bias of the other end", "src/ops/attention_scores.c", "row[high - low] : 0", "row[0] : 0"),
    ("columns: the other columns keep what was there", "src/ops/columns.c", "if (!call->accumulate[0]) memset", "if (0) memset"),
    ("columns: first column forgotten", "src/ops/columns.c", "dx + params->first +", "dx +"),
    ("clip: gradient passes outside", "src/ops/clip.c", "? dy[i] : 0", "? dy[i] : dy[i]"),
    ("soft_cap: slope", "src/ops/soft_cap.c", "(1 - t[k] * t[k])", "(1 - t[k])"),
    ("layer_norm: of the whole row instead of its groups", "src/ops/layer_norm.c",
     "gradient_group(call, r, at, n)", "gradient_group(call, r, 0, n)"),
    ("add: gradient of the residual dropped", "src/ops/add.c",
     "if (!call->dx[i]) continue;",
     "if (!call->dx[i]) continue;\n    if (i == 0 && !call->accumulate[0]) memset(call->dx[0], 0, n * sizeof(float));\n    if (i == 0) continue;"),
    ("add: gradient of the second input dropped", "src/ops/add.c",
     "if (!call->dx[i]) continue;",
     "if (!call->dx[i]) continue;\n    if (i == 1 && !call->accumulate[1]) memset(call->dx[1], 0, n * sizeof(float));\n    if (i == 1) continue;"),
    ("rope: turned the wrong way", "src/ops/rope.c", ".sign = -1", ".sign = 1"),
    ("layer_norm: mean term dropped", "src/ops/layer_norm.c", "(float)(sum_h / n)", "0 * (float)(sum_h / n)"),
    ("layer_norm: variance term dropped", "src/ops/layer_norm.c", "(float)(along / n)", "0 * (float)(along / n)"),
    ("rms_norm: term along x dropped", "src/ops/rms_norm.c", "(float)(sum_hx / (double)n) * s", "0 * (float)(sum_hx / (double)n) * s"),
    ("multiply: by its own input", "src/ops/multiply.c", "inputs[1 - job->input]", "inputs[job->input]"),
    ("scale: factor forgotten", "src/ops/scale.c", "call->dy[i] * factor(call->node)", "call->dy[i]"),
    ("linear: overwrites where it should add", "src/ops/linear.c", "call->accumulate[0]", "false"),
    ("activation: slope of gelu", "src/ops/activation.c", "x[i] * 0.39894228f *", "x[i] * 0.38f *"),
    ("activation: slope of tanh", "src/ops/activation.c", "(1 - t * t)", "(1 - t)"),
    ("kernels: slope of gelu_tanh", "src/kernels/functions_body.h", "splat(3 * 0.044715f)", "splat(2 * 0.044715f)"),
    ("kernels: slope of silu", "src/kernels/functions_body.h",
     "s * (splat(1.0f) + x * (splat(1.0f) - s))", "s * (splat(1.0f) + x * splat(0.5f) * (splat(1.0f) - s))"),
    ("route: experts that were not chosen get no gradient", "src/ops/route.c", "q[e] * (gradient[e] - sum)", "gradient[e] != 0 ? q[e] * (gradient[e] - sum) : 0"),
    ("route: the norm is a constant", "src/ops/route.c", "if (p->norm == 0 ||", "if (p->norm != 3 ||"),
    ("route: the 2-norm's slope is the sum's", "src/ops/route.c", "p->norm - 1)", "0)"),
    ("route: scale forgotten", "src/ops/route.c", "dq[s] = p->scale *", "dq[s] = 1 *"),
    ("expert_linear: experts of another row", "src/ops/expert_linear.c", ".rows = call->rows", ".rows = NULL"),
    ("expert_sum: weights forgotten", "src/ops/expert_sum.c", "= w * u[i]", "= u[i]"),
    ("expert_sum: weights' gradient without the bias", "src/ops/expert_sum.c", "if (p->bias) dw +=", "if (p->bias) dw += 0 *"),
    ("pair_gate: gradient passes to what was clamped", "src/ops/pair_gate.c", "dg = 0;", "dg += 0;"),
    ("pair_gate: slope forgotten", "src/ops/pair_gate.c", "(1 + p->slope * g * (1 - s))", "(1 + g * (1 - s))"),
    ("gate: its own gradient dropped", "src/ops/gate.c", "(float)kernels->sum_products(dy, x, width)", "0 * (float)kernels->sum_products(dy, x, width)"),
    ("select: scatter of the top rows dropped", "src/engine/backward.c", "kernels->axpy(1, top +", "kernels->axpy(0, top +"),
    ("interventions: gradient passes", "src/engine/backward.c", "? v->alpha : 0;", "? v->alpha : 1;"),
    ("interventions: interpolation passes whole", "src/engine/backward.c", "? v->alpha : 0;", "? 1 : 0;"),
    ("adjoint rows: predictor's row one too low", "src/engine/adjoint.c",
     "sets[CI_SET_TOP][g] = decoder->rows[group->predictor];",
     "sets[CI_SET_TOP][g] = decoder->rows[group->predictor - (group->predictor > group->first)];"),
    ("paths: weights forgotten", "src/engine/gradients.c", "? j->path->points[g->point].weight", "? 1.0"),
    ("paths: another target's weight", "src/engine/gradients.c", "weights[g->point * targets + g->target]", "weights[g->point * targets]"),
    ("paths: weights of 0 wanted, others not", "src/engine/gradients.c", "* j->subject->target_count + target] != 0", "* j->subject->target_count + target] == 0"),
]


class Build:
    """The build's commands, turned to a copy of the sources."""

    def __init__(self, folder, copy):
        self.folder, self.copy = os.path.abspath(folder), copy
        subprocess.run(["ninja", "-C", self.folder, "--quiet", *TESTS], check=True)
        with open(os.path.join(self.folder, "compile_commands.json")) as file:
            self.compile = {os.path.relpath(e["file"], ROOT): e for e in json.load(file)}
        self.link = {test: self.link_command(test) for test in TESTS}

    def link_command(self, test):
        out = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", test], check=True, capture_output=True, text=True)
        line = out.stdout.strip().splitlines()[-1]
        return shlex.split(re.sub(r"^: && (.*) && :$", r"\1", line))

    def object_of(self, source):
        """Compiles the copy of a source file; the object's path."""
        entry = self.compile[source]
        words, out = shlex.split(entry["command"]), os.path.join(self.copy, os.path.basename(source) + ".o")
        words[words.index("-o") + 1] = out
        words = [w.replace(ROOT + "/src", self.copy + "/src").replace(ROOT + "/include", self.copy + "/include") for w in words]
        done = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("does not compile: " + done.stderr.strip().splitlines()[0])
        return out

    def program(self, test, objects):
        """Links a test with these objects before the library, which then has nothing to add for them."""
        words, out = list(self.link[test]), os.path.join(self.copy, test)
        words[words.index("-o") + 1] = out
        library = next(i for i, w in enumerate(words) if w.endswith("libcinseq_core.a"))
        done = subprocess.run(words[:library] + objects + words[library:], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("does not link: " + done.stderr.strip().splitlines()[0])
        return out


def first_failure(program):
    """The name of the first failing test, "" when all pass."""
    try:
        done = subprocess.run([program], capture_output=True, text=True, errors="replace", timeout=120)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    found = re.search(r"\[  FAILED  \] (.+)", done.stdout + done.stderr)
    return found.group(1) if found else "it crashes"


def run_tests(build, objects, about=""):
    """Which test notices; None: none does. The one about the file comes first."""
    for test in sorted(TESTS, key=lambda name: not (about and name.endswith("_" + about))):
        failure = first_failure(build.program(test, objects))
        if failure:
            return f"{test}: {failure}"
    return None


def mutate(build, copy, path, old, new):
    with open(os.path.join(ROOT, path)) as file:
        text = file.read()
    places = re.findall(r"\s+".join(map(re.escape, old.split())), text)  # however the lines are broken
    if len(places) != 1:
        raise RuntimeError(f"{path} has its text {len(places)} times")
    with open(os.path.join(copy, path), "w") as file:
        file.write(text.replace(places[0], new))
    sources = KERNELS if path.endswith(".h") else [path]
    try:
        return run_tests(build, [build.object_of(s) for s in sources], os.path.splitext(os.path.basename(path))[0])
    finally:
        shutil.copyfile(os.path.join(ROOT, path), os.path.join(copy, path))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--build", default=os.path.join(ROOT, "build"))
    arguments.add_argument("--only", default="", help="mutations whose line has this word")
    options = arguments.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="cinseq-mutate-") as copy:
        for folder in ("src", "include"):
            shutil.copytree(os.path.join(ROOT, folder), os.path.join(copy, folder))
        build = Build(options.build, copy)
        wrong = run_tests(build, [])
        if wrong:
            print(f"FAIL  nothing changed, and yet {wrong}")
            failed += 1
        for what, path, old, new in MUTATIONS:
            if options.only not in what:
                continue
            try:
                seen = mutate(build, copy, path, old, new)
            except RuntimeError as error:
                print(f"FAIL  {what}: {error}", flush=True)
                failed += 1
                continue
            passed, failed = (passed + 1, failed) if seen else (passed, failed + 1)
            print(f"ok    {what}: {seen}" if seen else f"FAIL  {what}: no test notices", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
