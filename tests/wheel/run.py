#!/usr/bin/env python3
"""The file that `make wheel` makes, as pip installs it: into a new environment of each Python from 3.9 to 3.13 that is here.

usage: run.py [--dist dist] [--golden build/golden --build build-wheel/build]
--golden: the unpacked models of the reference cases, which the wheel's program then runs; --build: where what else they need was built.
Every function test_... is a test, with each Python. What is not to be had (a Python, numpy for it) is said and passed over. The last line is
"N passed, N failed".
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
LARGEST = 25_000_000  # bytes
GLIBC = (2, 28)
WHEEL = ""


def run(*command, code=0, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CINSEQ"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tempfile.gettempdir(), env={**env, **environment})
    assert done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


# ---- the file ----

def test_name_and_size():
    name = re.fullmatch(r"cinseq-[0-9.]+-py3-none-manylinux_(\d+)_(\d+)_(\w+)\.whl", os.path.basename(WHEEL))
    assert name and (int(name[1]), int(name[2])) <= GLIBC and name[3] == os.uname().machine, WHEEL
    assert os.path.getsize(WHEEL) < LARGEST, os.path.getsize(WHEEL)


def test_what_is_in_it():
    with zipfile.ZipFile(WHEEL) as file:
        names = set(file.namelist())
        for wanted in ("cinseq/lib/libcinseq.so.0", "cinseq/bin/cinseq", "cinseq/py.typed", "cinseq/share/cinseq/models/zh-en-mini/config.json",
                       "cinseq/share/cinseq/models/stories260K/config.json", "cinseq/licenses/sentencepiece", "cinseq/licenses/libjansson"):
            assert wanted in names, wanted
        metadata = next(file.read(n).decode() for n in names if n.endswith(".dist-info/METADATA"))
    needed = [line for line in metadata.split("\n") if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert len(needed) == 1 and re.match(r"Requires-Dist: numpy\b", needed[0]), needed


def test_what_it_needs_of_the_system():
    """As auditwheel looks, which has also made the name: the C library alone, of a version not above the name's."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(WHEEL) as file:
        for name in ("cinseq/lib/libcinseq.so.0", "cinseq/bin/cinseq"):
            text = run("objdump", "-p", file.extract(name, folder))
            libraries = set(re.findall(r"NEEDED +(\S+)", text))
            assert libraries <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}, libraries
            versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([0-9.]+)", text)}
            assert versions and max(versions) <= GLIBC, max(versions)


# ---- with a Python ----

def readme_example():
    with open(os.path.join(ROOT, "python", "README.md"), encoding="utf-8") as file:
        return re.search(r"```python\n(.*?)```", file.read(), re.S)[1]


def check_packages(bin):
    names = {re.split("==| @ ", line)[0] for line in run(bin + "/python", "-m", "pip", "freeze", "--all").split("\n")}
    assert names - {"", "pip", "setuptools", "wheel"} == {"cinseq", "numpy"}, names


def check_example(bin):
    """The example of the package's README, which shows a table."""
    table = run(bin + "/python", "-c", readme_example(), PYTHONIOENCODING="utf-8")
    assert "▁learn" in table and "今天" in table and "probability" in table, table


def check_decoder(bin):
    text = run(bin + "/python", "-c", "import cinseq\nm = cinseq.load_model('stories260K', 'input_x_gradient')\n"
               "o = m.attribute('Once upon a time', generation_args={'max_new_tokens': 5})\n"
               "print(o.sequence_attributions[0].target_attributions.shape)")
    assert re.search(r"\(\d+, \d+, \d+\)", text), text


def check_program(bin):
    """The program is there, the package's own one, and finds the models beside it."""
    assert run(bin + "/cinseq", "--version").startswith("cinseq "), "no version"
    assert run(bin + "/cinseq", "generate", "-m", "zh-en-mini", "-i", "我很开心。") == "I'm very happy.\n"
    run(bin + "/cinseq", "attribute", code=2)  # its exit code is the script's


def check_uninstall(bin):
    run(bin + "/python", "-m", "pip", "uninstall", "--yes", "--quiet", "cinseq")
    left = glob.glob(os.path.join(os.path.dirname(bin), "lib", "python*", "site-packages", "cinseq*")) + glob.glob(bin + "/cinseq")
    assert not left, left


CHECKS = [check_packages, check_example, check_decoder, check_program, check_uninstall]


def find_python(version):
    places = [shutil.which("python" + version), *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")), reverse=True)]
    for place in filter(None, places):
        done = subprocess.run([place, "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return place
    return None


def install(python, folder):
    """A new environment with the file; None when numpy cannot be had: PyPI is asked three times."""
    run(python, "-m", "venv", folder)
    pip = [folder + "/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary", ":all:"]
    for attempt in range(3):
        done = subprocess.run(pip + [WHEEL], capture_output=True, text=True, timeout=600)
        if done.returncode == 0:
            return folder + "/bin"
        if "numpy" not in done.stderr and "onnection" not in done.stderr:
            break
        time.sleep(10 * attempt)
    run(*pip, "--no-deps", WHEEL)  # the file itself must be installable without any network
    print(done.stderr[-500:])
    return None


# ---- the reference cases with the program ----

def golden(unpacked, build):
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(WHEEL) as file:
            file.extractall(folder)
        program = os.path.join(folder, "cinseq", "bin", "cinseq")
        os.chmod(program, 0o755)
        shutil.copy(os.path.join(build, "tokenizer_lines"), os.path.dirname(program))
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "golden", "run.py"), "--bin", program, "--unpacked", unpacked],
                              capture_output=True, text=True)
    last = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
    if not last or last[2] != "0":
        print(done.stdout[-3000:] + done.stderr[-2000:])
    return (int(last[1]), int(last[2])) if last else (0, 1)


def main():
    global WHEEL
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dist", default="dist")
    parser.add_argument("--golden")
    parser.add_argument("--build", default=os.path.join(ROOT, "build-wheel", "build"))
    options = parser.parse_args()
    wheels = glob.glob(os.path.join(os.path.abspath(options.dist), "cinseq-*.whl"))
    if not wheels:
        print("SKIPPED: there is no wheel: what makes it was not to be had (see above)\n0 passed, 0 failed")
        return 0
    WHEEL = max(wheels, key=os.path.getmtime)
    passed = failed = 0

    def attempt(label, function, *arguments):
        nonlocal passed, failed
        try:
            function(*arguments)
            passed += 1
        except Exception:
            failed += 1
            print(f"FAILED {label}")
            traceback.print_exc(file=sys.stdout)

    for name, function in list(globals().items()):
        if name.startswith("test_"):
            attempt(name, function)
    for version in VERSIONS:
        python = find_python(version)
        if not python:
            print(f"SKIPPED: there is no Python {version} here")
            continue
        with tempfile.TemporaryDirectory(prefix="cinseq-wheel-") as folder:
            bin = install(python, folder)
            if not bin:
                print(f"SKIPPED: numpy for Python {version} is not to be had")
                continue
            print(f"Python {version}: {python}")
            for check in CHECKS:
                attempt(f"{check.__name__}, Python {version}", check, bin)
    if options.golden:
        good, bad = golden(os.path.abspath(options.golden), options.build)
        print(f"reference cases: {good} passed, {bad} failed".replace(" failed", " wrong"))
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
