#!/usr/bin/env python3
"""The program as a user meets it: exit codes, messages, what goes where.

usage: run.py [--bin build/cinseq] [--only WORD] [-v]        The last line is "N passed, N failed".
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

import program
from program import MODELS, SHORT, TINY, ZH, fails, main, run, save, works


def test_alone_prints_help_and_fails_as_inseq_does():
    done = run()
    assert done.returncode == 1 and b"attribute" in done.stdout


def test_help():
    assert works("--help").stdout == run().stdout == works("help").stdout
    assert works("help", "view").stdout == works("view", "--help").stdout
    assert b"--no_normalize" in works("view", "--help").stdout
    for command in ("attribute", "generate", "view", "download", "info", "list"):
        text = works(command, "--help").stdout.decode()
        assert text.startswith(f"usage: cinseq {command}") and "Examples" in text
        assert all(len(line) <= 100 for line in text.split("Examples")[0].splitlines())
    text = works("attribute", "-h").stdout.decode()
    for flag in ("-m, --model_name_or_path", "-a, --attribution_method", "-fn, --attributed_fn", "-i, --input_texts",
                 "-g, --generated_texts", "-bs, --batch_size", "-s, --start_pos", "-e, --end_pos", "-o, --save_path", "--viz_path",
                 "--hide, --hide_attributions", "--eos, --include_eos_baseline", "-v, --verbose", "-vv, --very_verbose",
                 "--step_scores", "--attribute_target", "--model_kwargs", "--tokenizer_kwargs", "--generation_kwargs",
                 "--attribution_kwargs", "--dev, --device"):
        assert flag in text, flag
    assert "(default: saliency)" in text and "(default: 8)" in text


def test_examples_of_the_help_run():
    env = {"PATH": os.path.dirname(program.BIN) + os.pathsep + os.environ["PATH"]}
    for command in ("attribute", "attribute-dataset", "generate", "view", "info", "list"):
        examples = works(command, "--help").stdout.decode().split("Examples\n")[1].split("\n\n")[0].splitlines()
        assert len(examples) >= 2
        for example in examples:
            done = subprocess.run(["sh", "-c", example], capture_output=True, cwd=program.FOLDER, env={**os.environ, **env}, timeout=120)
            assert done.returncode == 0, f"{example}: {done.stderr.decode()[-300:]}"
            assert done.stdout or "--hide" in example, example


def test_version():
    text = works("--version").stdout.decode()
    assert re.match(r"cinseq \d+\.\d+\.\d+\nCPU features used:.*\nmatrix products: .*\nlibraries: .*oneDNN \d", text), text


def test_lists():
    for kind, member in (("methods", "integrated_gradients"), ("scores", "probability"), ("models", "marian"),
                         ("aggregators", "scores"), ("formats", "safetensors"), ("tokenizers", ""), ("outputs", "html"),
                         ("functions", "vnorm"), ("kinds", "methods"), ("installed", "zh-en-mini")):
        assert member in works("list", kind).stdout.decode()
        rows = json.loads(works("list", kind, "--json").stdout)
        assert kind != "outputs" or b"Files: .html, .htm" in works("list", kind).stdout
        assert rows and all(row["id"] and row["help"] for row in rows)


# ---- wrong use: exit code 2 and one line ----


def test_wrong_use():
    fails(2, 'no command "atribute": did you mean "attribute"', "atribute")
    fails(2, 'no command "veiw": did you mean "view"', "veiw", "x.json")
    fails(2, "-m stands where a command is expected", "-m", "zh-en-mini")
    fails(2, 'no command "atribute": did you mean', "help", "atribute")
    fails(2, "did you mean --step_scores", "attribute", "--step_score", "x")
    fails(2, "did you mean --save_path", *ZH, "--save-pth", "x")
    fails(2, "--model_name_or_path", "attribute", "-i", "a")
    fails(2, "--input_texts", "attribute", "-m", "zh-en-mini")
    fails(2, "-m needs a value: MODEL", "attribute", "-i", "a", "-m")
    fails(2, "--viz_path needs a value: FILE", *ZH, "--viz_path")
    fails(2, "-i needs one or more values", "attribute", "-m", "zh-en-mini", "-i")
    fails(2, "-bs: 0 is out of range", *ZH, "-bs", "0")
    fails(2, "-s: \"1.5\" is not an integer", *ZH, "-s", "1.5")
    fails(2, "--attribution_kwargs: .* is not a JSON object", *ZH, "--attribution_kwargs", "[1]")
    fails(2, "--color: \"red\" is none of auto, always, never", *ZH, "--color", "red")
    fails(2, "\"perhaps\" stands without a flag", *ZH, "--hide", "perhaps")
    fails(2, "--hide: \"perhaps\" is not true or false", *ZH, "--hide=perhaps")
    fails(2, "--device: .*only cpu", *ZH, "--device", "cuda")
    fails(2, "--gemm: .*naive", *ZH, "--gemm", "magic")
    fails(2, "--memory_budget: .*256M", *ZH, "--memory_budget", "lots")
    fails(2, "list: expected one of methods", "list")
    fails(2, "did you mean \"methods\"", "list", "metods")
    fails(2, "--generated_texts: 1 for 2", *ZH[:3], "-i", "a", "b", "-g", "c")
    fails(2, "--generated_ids: .*token id", *ZH[:5], "--generated_ids", "[[-1]]")


def test_planned_commands():
    fails(2, "attribute-context: is planned", "attribute-context", "-m", "zh-en-mini", "--anything")
    assert b"Planned" in works("attribute-context", "--help").stdout and b"attribute-context" in works("--help").stdout
    fails(2, 'did you mean "attribute-context"', "atribute-context")


def test_what_a_model_or_result_lacks():
    fails(2, 'did you mean "model.encoder.layers.0.fc1"', *ZH, "-a", "layer_deeplift", "--attribution_kwargs", '{"target_layer": "model.encoder.layers[0].fc"}')
    fails(2, "--weight_by: this result has no step scores", *ZH, "--attribution_aggregators", "scores", "weight")


def test_wrong_names_are_found_before_a_model_is_opened():
    def wrong(pattern, *flags, command="attribute"):
        fails(2, pattern, command, "-m", "no-such-model", "-i", "a", *flags)
    wrong('--attribution_method: .*did you mean "saliency"', "-a", "salency")
    wrong('--attributed_fn: .*did you mean "entropy"', "-fn", "entrpy")
    wrong('--step_scores: .*did you mean "probability"', "--step_scores", "entropy", "probabilty")
    wrong('did you mean "n_steps"', "-a", "integrated_gradients", "--attribution_kwargs", '{"n_step": 3}')
    wrong('did you mean "max_new_tokens"', "--generation_kwargs", '{"max_new_token": 3}')
    wrong('did you mean "max_new_tokens"', "--generation_kwargs", '{"max_new_token": 3}', command="generate")
    wrong('--attribution_aggregators: .*did you mean "vnorm"', "--attribution_aggregators", "vnrm")
    wrong('no flag --n_steps: give it as --attribution_kwargs', "--n_steps", "5")
    wrong('no flag --max_new_tokens: give it as --generation_kwargs', "--max_new_tokens", "5")
    wrong('"n_steps" is an option of integrated_gradients, .*: neither saliency', "--attribution_kwargs", '{"n_steps": 5}')
    wrong("--aggregate_fn: is given without attribution_aggregators", "--aggregate_fn", "sum")
    wrong('--color: .*did you mean "always"', "--color", "alwys")
    wrong("--viz_path: .*pictures .* save_figure", "--viz_path", "x.png")
    wrong("--generated_texts: 2 for 1", "-g", "b", "c")
    wrong("--device: ", "--device", "cuda")


def test_mistyped_models():
    fails(2, 'zh-en-mni: is no model folder and no installed model, and is not in the cache .*: did you mean "zh-en-mini"', "info", "-m",
          "zh-en-mni")
    fails(2, "is no model folder and no installed model, and .* .see: cinseq list installed", "generate", "-m", "no-such-model", "-i", "a")
    fails(2, "is no model folder and no installed model .see: cinseq list installed", "generate", "-m", "no such model", "-i", "a")


def test_texts_of_files():
    files = {"unix.txt": b"\xe6\x88\x91\xe5\xbe\x88\xe5\xbc\x80\xe5\xbf\x83\xe3\x80\x82\n@here\n\n\n", "windows.txt": b"\xef\xbb\xbf\xe6\x88\x91\r\n@here",
             "empty.txt": b"\n\n", "binary.txt": b"a\0b\n", "gap.txt": "我\n\n我\n".encode(), "gbk.txt": "a\n我\n".encode("gbk"), "out.txt": b"I'm very happy.\n"}
    for name, content in files.items():
        with open(os.path.join(program.FOLDER, name), "wb") as file:
            file.write(content)
    def ids(*words, **more):
        return [json.loads(line)["input_ids"] for line in works("generate", "-m", "zh-en-mini", "--json", "-i", *words, **more).stdout.splitlines()]
    happy, here, me = ids("我很开心。", "@@here", "我")
    assert ids("@unix.txt") == [happy, here] and ids("@windows.txt") == [me, here]
    assert ids("-", stdin=files["unix.txt"]) == ids("@-", stdin=files["unix.txt"]) == [happy, here]
    assert ids("我", "@unix.txt", "我") == [me, happy, here, me] and ids("--", "@here") == [here]
    assert ids("我", "-i", "@unix.txt", "--input_texts=我") == [me, happy, here, me]
    assert works(*ZH[:3], "-i", "-", "-g", "@out.txt", stdin="我很开心。\n".encode()).stdout == works(*ZH).stdout
    generate = ("generate", "-m", "zh-en-mini", "-i")
    fails(1, "-i: cannot read nowhere.txt: No such file.*@@", *generate, "@nowhere.txt")
    fails(1, "-i: cannot read .: Is a directory", *generate, "@.")
    fails(1, "-i: binary.txt is no text", *generate, "@binary.txt")
    fails(1, "-i: line 2 of gbk.txt is not UTF-8", *generate, "@gbk.txt")
    fails(2, "-i: empty.txt holds no text", *generate, "@empty.txt")
    fails(2, "-i: stdin holds no text", *generate, "-")
    fails(2, "--input_texts: text 2 is empty", *generate, "@gap.txt")
    fails(2, "-g: stdin was read already", *ZH[:3], "-i", "-", "-g", "-", stdin="我\n".encode())


def test_wrong_names_get_the_nearest():
    fails(2, "saliency", *ZH, "-a", "salency")
    fails(2, "probability", *ZH, "--step_scores", "probabilty")
    fails(2, "entropy", *ZH, "--attributed_fn", "entrpy")
    fails(2, "n_steps", *ZH, "-a", "integrated_gradients", "--attribution_kwargs", '{"n_step": 3}')
    fails(2, "max_new_tokens", *ZH[:5], "--generation_kwargs", '{"max_new_token": 3}')


def test_wrong_requests():
    fails(2, "prompt|start", *TINY, "-g", "She is going")  # a forced text of a decoder-only model starts with the prompt
    fails(2, "position|start", *ZH, "-s", "5", "-e", "2")
    fails(2, "position|start", *ZH, "-s", "500")
    fails(2, "id", *ZH[:5], "--generated_ids", "[8432, 99999999]")
    fails(2, "empty", "attribute", "-m", "zh-en-mini", "-i", "")


# ---- flags ----


def test_forms_of_flags():
    plain = works(*ZH).stdout
    for flags in (["--step_scores", "probability", "entropy"], ["--step_scores=probability"], ["--attribute_target"],
                  ["--attribute_target", "true"], ["--attribute-target=yes"]):
        assert works(*ZH, *flags).stdout != plain, flags
    for flags in (["--attribute_target", "no"], ["--attribute_target=0"], ["-a", "saliency"], ["--attribution_method=saliency"],
                  ["-bs", "2"], ["--device", "cpu"], ["--threads", "1"], ["-fn", "probability"]):
        assert works(*ZH, *flags).stdout == plain, flags
    assert works(*ZH, "--hide").stdout == works(*ZH, "--hide_attributions", "true").stdout == b""
    assert works(*ZH[:3], "-g", "I'm very happy.", "-i", "--", "我很开心。").stdout == plain
    assert works(*ZH, "-e", "-1").stdout != plain


def test_methods_without_a_function_say_what_they_go_by():
    for method in ("attention", "attention_rollout", "value_zeroing", "reagent"):
        assert re.search(rf'warning: {method} goes by .*, not by "logit"', works(*ZH, "-a", method, "-fn", "logit").stderr.decode()), method
        assert b"goes by" not in works(*ZH, "-a", method).stderr
    assert b"goes by" not in works(*ZH, "-a", "occlusion", "-fn", "logit").stderr


def test_forced_ids_are_what_is_attributed():
    line = json.loads(works("generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json").stdout)
    free, forced = (json.loads(save(*ZH[:5], *flags)) for flags in ([], ["--generated_ids", json.dumps(line["output_ids"])]))
    tables = [d["attributes"]["sequence_attributions"][0]["attributes"]["source_attributions"] for d in (free, forced)]
    assert tables[0] == tables[1]


# ---- what goes where ----


def test_generate():
    done = works("generate", "-m", "zh-en-mini", "-i", "我很开心。", "今天学到了很多，我很开心。", "--json")
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(lines) == 2 and all(set(line) == {"input_ids", "output_ids", "text"} for line in lines)
    assert re.search(r"tokens generated in", done.stderr.decode())
    assert works("generate", "-m", "zh-en-mini", "-i", "我很开心。").stdout.decode() == lines[0]["text"] + "\n"
    made = json.loads(works("generate", "-m", "stories260K", "--json", "--input_ids", "[1,403,407]", "--generation_kwargs",
                            '{"max_new_tokens": 2}').stdout)
    assert made["output_ids"][:3] == [1, 403, 407] and made["text"].startswith("Once upon"), made


def with_template(template):
    """stories260K with a chat template."""
    folder = os.path.join(program.FOLDER, "chat")
    shutil.copytree(os.path.join(MODELS, "..", "..", "..", "..", "models", "stories260K"), folder, dirs_exist_ok=True)
    with open(os.path.join(folder, "chat_template.jinja"), "w") as out:
        out.write(template)
    return folder


def test_chat():
    model = with_template("{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}One{% endif %}\n")
    done = works("generate", "-m", model, "--chat", "--json", *SHORT, "-i", "Once upon a time",
                 '[{"role": "system", "content": "Lily."}, {"role": "user", "content": "Hi"}]')
    ids = [json.loads(line)["input_ids"] for line in done.stdout.decode().splitlines()]
    assert ids == [[1, 403, 407, 261, 378, 385], [1, 317, 426, 320, 417, 385]], ids  # transformers' apply_chat_template
    bare = [json.loads(works("generate", "-m", "stories260K", "--json", *SHORT, "--input_ids", json.dumps(i)).stdout)["text"] for i in ids]
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]  # what is answered, without the template
    assert all(text and whole.endswith(text) and "Once upon a time" not in text for text, whole in zip(texts, bare)), (texts, bare)
    works("attribute", "-m", model, "--chat", "-i", "Hi", "-g", " day, there was", "--hide", "-o", "chat.json")
    with open(os.path.join(program.FOLDER, "chat.json")) as file:
        saved = json.load(file)["attributes"]
    assert saved["info"]["generated_texts"] == ["<s>Hi One day, there was"], saved["info"]
    free = json.loads(save("attribute", "-m", model, "--chat", "-i", "Hi", *SHORT))["attributes"]["info"]
    assert free["generated_texts"][0].startswith(free["input_texts"][0]), free
    assert free["generated_texts"][0] != free["input_texts"][0] == "<s>Hi One", free
    target = [t["attributes"]["token"] for t in saved["sequence_attributions"][0]["attributes"]["target"]]
    assert target[:4] == ["<s>", "▁H", "i", "▁One"] and target[-1] == "▁was", target
    fails(2, "no chat template", "generate", "-m", "stories260K", "--chat", "-i", "Hi")
    fails(2, "--chat", "generate", "-m", model, "--chat", "--skip_special_tokens", "-i", "Hi")
    fails(2, "chat_template.jinja.*line 2.*only cats", "generate", "-m", with_template("\n{{ raise_exception('only cats') }}"), "--chat", "-i", "Hi")
    fails(2, "for ever|more than", "generate", "-m", with_template("{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}"),
          "--chat", "-i", "Hi")
    works("generate", "-m", with_template("{% unknown %}"), "-i", "Hi", *SHORT)  # not used: not read


def test_a_target_language_comes_first():
    flags = ["generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json"]
    language = ["--tokenizer_kwargs", '{"tgt_lang": "▁today"}']
    free, forced, own = (json.loads(works(*flags, *more).stdout)["output_ids"] for more in
                         ([], language, [*language, "--generation_kwargs", '{"forced_bos_token_id": 5}']))
    assert forced[0] == free[0] and forced[1] != free[1] and own[1] == 5
    fails(2, "tgt_lang", *flags, "--tokenizer_kwargs", '{"tgt_lang": "nowhere"}')


def seed_table(method):
    """A table such as tests/data/seed has, read off the terminal."""
    text = works("attribute", "-m", "zh-en-mini", "-i", "我很开心。", "-a", method, "--step_scores", "probability", "--clean_tokens",
                 "--width", "0").stdout.decode()
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith(("Source", "─"))]
    rows = [line for line in lines if re.fullmatch(r"\d+", line[0]) and len(line) == len(lines[0]) + 2]
    return {"method": method, "input_text": "我很开心。", "attributed": [row[1] for row in rows], "generated": lines[1],
            "scores": [[float(cell) for cell in row[2:]] for row in rows], "probability": [float(cell) for cell in lines[-1][1:]]}


def test_check_seed():
    folder, script = os.path.join(program.FOLDER, "seed"), os.path.join(MODELS, "..", "..", "..", "..", "scripts", "check_seed.py")
    os.mkdir(folder)
    table = seed_table("attention")
    assert len(table["scores"]) == len(table["attributed"]) == 4 and len(table["probability"]) == len(table["generated"]) == 7, table

    def check():
        with open(os.path.join(folder, "opus-mt-x_attention.json"), "w") as out:
            json.dump(table, out)
        model = os.path.join(MODELS, "..", "..", "..", "..", "models", "zh-en-mini")
        return subprocess.run([sys.executable, script, model, "--bin", program.BIN, "--tables", folder], capture_output=True, text=True, timeout=60)
    done = check()
    assert done.returncode == 0 and done.stdout.endswith("1 passed, 0 failed\n"), done
    table["scores"][2][1] += 0.002
    done = check()
    assert done.returncode == 1 and "scores[2][1]" in done.stdout, done
    table["generated"][0] = "He"
    assert "generated" in check().stdout


def test_generation_has_a_start_of_its_own():
    flags = ["generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json", "--generation_kwargs"]
    ids = [json.loads(works(*flags, json.dumps(kwargs)).stdout)["output_ids"] for kwargs in
           ({"num_beams": 1}, {"num_beams": 1, "decoder_start_token_id": 5006}, {"num_beams": 1, "decoder_start_token_id": 8432})]
    assert ids[1][0] == 5006 and ids[0] == ids[2] and ids[0][1:] != ids[1][1:], ids
    fails(2, "99999", *flags, '{"decoder_start_token_id": 99999}')
    attributed = [json.loads(save(*ZH[:5], *more)) for more in
                  (["--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}'],
                   ["--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}', "--generated_ids", json.dumps(ids[1])],
                   ["--generated_texts", "I'm", "--generate_from_target_prefix", "--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}'])]
    tokens = [[t["attributes"]["id"] for t in a["attributes"]["sequence_attributions"][0]["attributes"]["target"]] for a in attributed]
    assert tokens[0] == tokens[1] and tokens[0][0] == 5006 and tokens[2][:2] == [5006, 8432], tokens


LONG = ("attribute", "-m", "stories260K", "-i", "Once upon a time", "-a", "integrated_gradients", "--attribution_kwargs",
        '{"attribution_args": {"n_steps": 100000, "method": "riemann_middle"}}', "--generation_kwargs", '{"max_new_tokens": 100}')


def test_interrupt():
    process = subprocess.Popen([program.BIN, *LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=program.FOLDER)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, process.returncode
    assert out == b"" and err.decode().strip() == "cinseq attribute: interrupted", err  # and no bar: stderr is no terminal


def test_progress_bar():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([program.BIN, *LONG], stdout=subprocess.DEVNULL, stderr=theirs, cwd=program.FOLDER)
    os.close(theirs)
    drawn = b""
    bar = rb"attributing \[[# ]{30}\] \d+/100 tokens, \d+ s"
    while not re.search(bar, drawn):  # ends with an error when the program ends without one; may come in pieces, generating's before it
        drawn += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=60)
    assert code == 130, f"exit code {code} after {drawn[-200:]}"
    os.close(ours)


def test_interrupted_runs_keep_finished_texts():
    """The bar says that a text is generated after another one was attributed: that one is done."""
    ours, theirs = pty.openpty()
    texts = os.path.join(program.FOLDER, "many.txt")
    with open(texts, "w") as out:
        out.write("Once upon a time\n" * 20000)
    result = os.path.join(program.FOLDER, "kept.json")
    process = subprocess.Popen([program.BIN, "attribute", "-m", "stories260K", "-i", "@" + texts, "--hide", "-o", result, "--threads", "1",
                                "--generation_kwargs", '{"max_new_tokens": 20}'], stdout=subprocess.DEVNULL, stderr=theirs, cwd=program.FOLDER)
    os.close(theirs)
    drawn = b""
    while not re.search(rb"attributing(.|\n|\r)*generating", drawn):
        drawn += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            drawn += os.read(ours, 4096)
        except OSError:  # the program has ended
            break
    code = process.wait(timeout=60)
    os.close(ours)
    said = re.search(rb"cinseq attribute: interrupted: (\d+) of 20000 texts are done and saved", drawn)
    assert code == 130 and said, f"exit code {code} after {drawn[-300:]}"
    with open(result) as saved:
        attributes = json.load(saved)["attributes"]
    assert len(attributes["sequence_attributions"]) == len(attributes["info"]["input_texts"]) == int(said[1]) > 0
    os.remove(result)


def test_invalid_utf8_is_replaced():
    done = works("generate", "-m", os.path.join(MODELS, "gpt2"), "-i", b"a\xff\xe4\xb8b", "--json", *SHORT)
    replaced = works("generate", "-m", os.path.join(MODELS, "gpt2"), "-i", "a\ufffd\ufffdb", "--json", *SHORT)
    assert done.stdout == replaced.stdout


# ---- bad models: a failure and one line that names the place ----


if __name__ == "__main__":
    main(globals())
