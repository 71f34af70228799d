#!/usr/bin/env python3
"""Installs into a new prefix and uses what is there as others would: examples by pkg-config, header, man page, completions.

usage: run.py [--build build] [--cc cc] [--cxx c++] [--flags "-fsanitize=..."] [--only WORD]
Every function test_... is a test. What a test needs besides (clang, zsh, fish, mandoc, groff) and is not here is said and passed
over. Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import csv
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = CC = CXX = ""
FLAGS = []
FOLDER = ""  # for everything that is made here
PREFIX = ""  # where it was moved after it was installed


class Skipped(Exception):
    pass


def need(program):
    if not shutil.which(program):
        raise Skipped(f"needs {program}, which is not here")
    return program


def run(*command, code=0, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "DESTDIR")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=FOLDER, env={**env, **environment})
    assert done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def path(*parts):
    return os.path.join(PREFIX, *parts)


def files(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def library_folder():
    return os.path.dirname(next(os.path.join(PREFIX, f) for f in files(PREFIX) if f.endswith("libcinseq.so")))


def pkg_config(*arguments):
    return shlex.split(run("pkg-config", *arguments, "cinseq", PKG_CONFIG_PATH=os.path.join(library_folder(), "pkgconfig")).stdout)


def compile_example(name, *more):
    program = os.path.join(FOLDER, name)
    run(*CC, "-Wall", "-Wextra", "-Werror", "-pthread", *FLAGS, os.path.join(path(*EXAMPLES), name + ".c"), "-o", program,
        *pkg_config("--cflags", "--libs"), *more)
    return program


def call(program, *arguments, **keywords):
    return run(program, *arguments, LD_LIBRARY_PATH=library_folder(), **keywords)


EXAMPLES = ("share", "doc", "cinseq", "examples")


def install():
    """Under a DESTDIR, as packagers do, then moved elsewhere: nothing may know where it was meant to be."""
    global PREFIX
    stage, meant = os.path.join(FOLDER, "stage"), os.path.join(FOLDER, "meant")
    run(os.path.join(ROOT, "scripts", "install.sh"), "install", BUILD, meant, DESTDIR=stage)
    assert not os.path.exists(meant)
    PREFIX = os.path.join(FOLDER, "moved")
    os.rename(stage + meant, PREFIX)


# ---- what is there ----

def test_everything_is_there():
    here = files(PREFIX)
    for wanted in (r"bin/cinseq", r"include/cinseq\.h", r"lib/.*libcinseq\.so\.\d+\.\d+\.\d+", r"lib/.*libcinseq\.a",
                   r"lib/.*pkgconfig/cinseq\.pc", r"share/man/man1/cinseq\.1", r"share/bash-completion/completions/cinseq",
                   r"share/zsh/site-functions/_cinseq", r"share/fish/vendor_completions\.d/cinseq\.fish",
                   r"share/cinseq/models/zh-en-mini/config\.json", r"share/doc/cinseq/README\.md",
                   r"share/doc/cinseq/examples/batch_threads\.c"):
        assert any(re.fullmatch(wanted, f) for f in here), f"no {wanted} among {here}"
    assert not any(f.endswith(".new") for f in here)


def test_links_of_the_library():
    name = os.path.join(library_folder(), "libcinseq.so")
    version = run(path("bin", "cinseq"), "--version").stdout.split()[1]
    assert os.readlink(name) == f"libcinseq.so.{version.split('.')[0]}"
    assert os.path.basename(os.path.realpath(name)) == f"libcinseq.so.{version}"
    assert f"[libcinseq.so.{version.split('.')[0]}]" in run("readelf", "-d", name).stdout
    assert pkg_config("--modversion") == [version]
    header = open(path("include", "cinseq.h")).read()
    assert f'#define CINSEQ_VERSION "{version}"' in header


def test_only_what_the_header_declares_is_exported():
    listed = run("nm", "-D", "--defined-only", os.path.join(library_folder(), "libcinseq.so")).stdout
    exported = {line.split()[2].split("@")[0] for line in listed.splitlines() if line.split()[1] != "A"}
    declared = set(re.findall(r"^CINSEQ_API [^;(]*?\b(cinseq_\w+)\(", open(path("include", "cinseq.h")).read(), re.M))
    assert len(declared) > 15
    assert exported == declared, f"only exported: {exported - declared}, only declared: {declared - exported}"


def test_no_path_of_the_source_tree():
    """A debug or sanitizer build may name source files; the models of the tree may never be what is found."""
    for name in (path("bin", "cinseq"), os.path.join(library_folder(), "libcinseq.so")):
        with open(name, "rb") as file:
            assert os.path.join(ROOT, "models").encode() not in file.read(), name


# ---- models ----

def test_installed_models_are_found():
    rows = json.loads(run(path("bin", "cinseq"), "list", "installed", "--json").stdout)
    assert {row["id"]: row["help"] for row in rows}["zh-en-mini"] == path("share", "cinseq", "models", "zh-en-mini"), rows
    info = json.loads(run(path("bin", "cinseq"), "info", "-m", "zh-en-mini", "--json").stdout)
    assert info["path"] == path("share", "cinseq", "models", "zh-en-mini")


def test_installed_models_are_found_through_a_link():
    link = os.path.join(FOLDER, "link-to-cinseq")
    os.symlink(path("bin", "cinseq"), link)
    info = json.loads(run(link, "info", "-m", "zh-en-mini", "--json").stdout)
    assert info["path"] == path("share", "cinseq", "models", "zh-en-mini")


# ---- the library ----

def test_example_translate_heatmap():
    program = compile_example("translate_heatmap")
    page = os.path.join(FOLDER, "page.html")
    done = call(program, "zh-en-mini", 'Er sagte "\\今天".', page)
    assert "Source attributions" in done.stdout and "probability" in done.stdout
    assert "attributing: " in done.stderr
    assert open(page).read().startswith("<!DOCTYPE html>")
    assert "no such model" in call(program, "no such model", "x", code=1).stderr


def test_example_scores_to_csv():
    program = compile_example("scores_to_csv")
    saved = os.path.join(FOLDER, "result.json")
    run(path("bin", "cinseq"), "attribute", "-m", "zh-en-mini", "-i", "我很开心。", "--attribute_target", "--step_scores", "probability",
        "entropy", "--hide", "-o", saved)
    rows = list(csv.DictReader(call(program, saved).stdout.splitlines()))
    columns = {}
    for row in rows:
        if row["kind"] in ("source", "target"):
            columns.setdefault(row["generated_index"], []).append(float(row["score"]))
    assert len(columns) > 3
    for scores in columns.values():  # each column was divided by its sum
        assert abs(sum(scores) - 1) < 1e-4, scores
    probabilities = [float(row["score"]) for row in rows if row["kind"] == "probability"]
    assert len(probabilities) == len(columns) and all(0 < p <= 1 for p in probabilities)
    assert "no such file" in call(program, "no such file", code=1).stderr.lower()


def test_example_custom_score():
    program = compile_example("custom_score")
    lines = call(program, "Once upon a time").stdout.splitlines()
    assert len(lines) == 8 and all(re.search(r": margin \d+\.\d+, most from ", line) for line in lines), lines  # greedy: the largest logit
    assert "quotes" in call(program, '"', code=2).stderr


def test_example_batch_threads():
    program = compile_example("batch_threads")
    once = call(program).stdout
    assert len(once.splitlines()) == 4 and all(" because of " in line for line in once.splitlines()), once
    assert call(program).stdout == once


def test_static_library():
    arguments = [a for a in pkg_config("--static", "--cflags", "--libs") if a != "-lcinseq"]
    program = os.path.join(FOLDER, "static")
    run(*CC, *FLAGS, os.path.join(path(*EXAMPLES), "batch_threads.c"), "-o", program, "-pthread", os.path.join(library_folder(), "libcinseq.a"),
        *arguments)
    assert "libcinseq" not in run("ldd", program).stdout
    model = path("share", "cinseq", "models", "stories260K")  # the program lies outside of the prefix
    assert len(run(program, model).stdout.splitlines()) == 4


def test_header_in_every_language():
    names = re.findall(r"^CINSEQ_API [^;(]*?\b(cinseq_\w+)\(", open(path("include", "cinseq.h")).read(), re.M)
    source = os.path.join(FOLDER, "header")
    for ending in (".c", ".cc"):
        with open(source + ending, "w") as file:  # uses all of it
            file.write("#include <cinseq.h>\n#include <cinseq.h>\nint main(void) {\n"
                       "  cinseq_array a; cinseq_hooks h; cinseq_error e; cinseq_side s = CINSEQ_TARGET;\n"
                       "  void (*const all[])(void) = {" + ", ".join(f"(void (*)(void)){n}" for n in names) + "};\n"
                       "  (void)a, (void)h, (void)e, (void)s;\n  return all[0] == 0;\n}\n")
    checked = []
    for compilers, ending, standards in ((("gcc", "clang", "clang-14", *CC[:1]), ".c", ("c99", "c11", "c17")),
                                         (("g++", "clang++", "clang++-14", *CXX[:1]), ".cc", ("c++11", "c++17", "c++20"))):
        for compiler in sorted({c for c in compilers if shutil.which(c)}):
            for standard in standards:
                run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I", path("include"),
                    source + ending)
                checked.append(f"{compiler} {standard}")
    assert any("c99" in c for c in checked) and any("c++11" in c for c in checked), checked


# ---- the man page ----

def page():
    return path("share", "man", "man1", "cinseq.1")


def test_man_page_without_warnings():
    complaints = run(need("groff"), "-ww", "-Tutf8", "-man", page()).stderr
    assert not complaints, complaints


def test_man_page_mandoc():
    complaints = run(need("mandoc"), "-Tlint", "-Wwarning", page()).stdout
    assert not complaints, complaints


def test_man_page_says_all():
    text = run(need("man"), "-l", page(), MANPAGER="cat", PAGER="cat", MANWIDTH="100", LC_ALL="C.UTF-8").stdout
    text = re.sub(r".\x08", "", text)
    for kind in ("methods", "scores", "models"):
        for row in json.loads(run(path("bin", "cinseq"), "list", kind, "--json").stdout):
            assert row["id"] in text, row["id"]
    for command in re.findall(r"^  (\w[\w-]*) +\S", run(path("bin", "cinseq"), "--help").stdout.split("Commands")[1].split("Flags")[0], re.M):
        assert f"cinseq {command}" in text, command
        for flag in re.findall(r"^  .*(--\w+)", run(path("bin", "cinseq"), command, "--help").stdout, re.M):
            assert flag in text, f"{command} {flag}"
    assert "我很开心" in text or "今天" in text


# ---- completions, in the shells themselves ----

def in_bash(line):
    words = line.split(" ")
    script = path("share", "bash-completion", "completions", "cinseq")
    pieces = re.findall(r"=|[^=]+", words[-1]) or [""]  # readline cuts at "=" as well
    words = words[:-1] + pieces
    done = run("bash", "-c", f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cinseq; printf "%s\\n" "${{COMPREPLY[@]}}"',
               "bash", script, path("bin", "cinseq"), *words[1:])
    return [line for line in done.stdout.split("\n") if line]


def in_fish(line):
    script = path("share", "fish", "vendor_completions.d", "cinseq.fish")
    done = run(need("fish"), "--no-config", "-c", f"source {script}; complete -C {shlex.quote(line)}",
               PATH=path("bin") + ":" + os.environ["PATH"], HOME=FOLDER)
    return [line.split("\t")[0] for line in done.stdout.split("\n") if line]


# Instead of showing what is added to the completions, says it, and "<end>" when all is said.
ZSHRC = r"""
PS1= RPS1= fpath=(FUNCTIONS $fpath) path=(BIN $path)
unset zle_bracketed_paste
autoload -U compinit && compinit -u -D
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  local hit
  builtin compadd -A hits "$@"
  for hit in $hits; do print -r -- "<$hit>"; done
}
say() { _main_complete; print "<end>"; compstate[insert]= compstate[list]= }
zle -C say complete-word say
bindkey '^I' say
precmd() { print "<ready>" }
"""


class Zsh:
    """An interactive one in a terminal."""

    def __init__(self):
        need("zsh")
        with open(os.path.join(FOLDER, ".zshrc"), "w") as file:
            file.write(ZSHRC.replace("FUNCTIONS", path("share", "zsh", "site-functions")).replace("BIN", path("bin")))
        self.process, self.terminal = pty.fork()
        if not self.process:
            os.chdir(FOLDER)
            os.execvpe("zsh", ["zsh", "-i"], {**os.environ, "ZDOTDIR": FOLDER, "HOME": FOLDER, "TERM": "dumb"})
        self.read_until("<ready>")

    def read_until(self, word):
        text = ""
        while word not in text:
            assert select.select([self.terminal], [], [], 60)[0], f"no {word} in {text!r}"
            text += os.read(self.terminal, 65536).decode("utf-8", "replace")
        return text

    def complete(self, line):
        os.write(self.terminal, (line + "\t").encode())
        shown = re.findall(r"<([^<>\r\n]+)>", self.read_until("<end>"))
        os.write(self.terminal, b"\x15")  # an empty line again
        return shown[:-1]

    def close(self):
        os.close(self.terminal)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


CASES = (  # the line so far, some of what follows, what does not
    ("cinseq at", ["attribute"], ["generate"]),
    ("cinseq attribute --attribution_method ", ["saliency", "integrated_gradients", "attention"], ["entropy"]),
    ("cinseq attribute --step_scores probability ent", ["entropy"], ["probability"]),
    ("cinseq attribute -m z", ["zh-en-mini"], ["stories260K"]),
    ("cinseq attribute -m zh-en-mini --attr", ["--attribution_method", "--attributed_fn", "--attribute_target"], ["--color"]),
    ("cinseq view --color ", ["auto", "always", "never"], ["--color"]),
    ("cinseq list me", ["methods"], ["models"]),
    ("cinseq view given", ["given.json"], ["other.json"]),
    ("cinseq view --save_path given", ["given.json"], ["other.json"]),
)


def check_completion(complete):
    for name in ("given.json", "other.json"):
        open(os.path.join(FOLDER, name), "w").close()
    for line, wanted, unwanted in CASES:
        shown = complete(line)
        for word in wanted:
            assert word in shown, f"{line!r}: no {word} in {shown}"
        for word in unwanted:
            assert word not in shown, f"{line!r}: {word} in {shown}"


def test_bash_completion():
    check_completion(in_bash)
    assert in_bash("cinseq attribute --color=al") == ["always"]
    assert in_bash("cinseq view --save_path=given") == ["given.json"]
    assert in_bash("cinseq nonsense ") == []


def test_fish_completion():
    check_completion(in_fish)
    assert in_fish("cinseq attribute --color=al") == ["--color=always"]
    assert in_fish("cinseq view --save_path=given") == ["--save_path=given.json"]


def test_zsh_completion():
    zsh = Zsh()
    try:
        check_completion(zsh.complete)
        assert zsh.complete("cinseq attribute --color=al") == ["--color=always"]
        assert zsh.complete("cinseq view --save_path=given") == ["given.json"]
    finally:
        zsh.close()


# ---- the end ----

def test_zz_uninstall():  # last: names are in order
    script = os.path.join(ROOT, "scripts", "install.sh")
    open(path("share", "cinseq", "models", "mine"), "w").close()
    run(script, "uninstall", PREFIX)
    assert files(PREFIX) == ["share/cinseq/models/mine"], files(PREFIX)
    assert "no cinseq is installed" in run(script, "uninstall", PREFIX, code=1).stderr


def main():
    global BUILD, CC, CXX, FLAGS, FOLDER
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--flags", default="")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    BUILD, CC, CXX, FLAGS = os.path.abspath(arguments.build), [arguments.cc], [arguments.cxx], shlex.split(arguments.flags)
    good = bad = 0
    with tempfile.TemporaryDirectory() as FOLDER:
        FOLDER = os.path.realpath(FOLDER)
        install()
        for name, test in sorted(globals().items()):
            if not name.startswith("test_") or arguments.only not in name:
                continue
            try:
                test()
                good += 1
            except Skipped as reason:
                print(f"NOT TESTED: {name}: {reason}")
            except Exception:
                bad += 1
                print(f"FAILED {name}")
                traceback.print_exc(file=sys.stdout)
    print(f"{good} passed, {bad} failed")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
