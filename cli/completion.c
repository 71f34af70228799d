/* cinseq completion: what a shell shows after TAB. The scripts of the three shells only hand the line so far to
 * `cinseq completion words` and show what it prints, so they know all that the descriptors say and never grow old. */
#include "cli.h"
#include <string.h>

static const cli_option options[] = {{0}};

static const char *const examples[] = {"source <(cinseq completion bash)", "cinseq completion fish | source",
                                       "cinseq completion words -- attribute -a sal", NULL};

/* ---- words ---- */

typedef struct {
  const char *word;   /* what is completed; candidates start with it */
  const char *prefix; /* "--color=" before a candidate, or "" */
} cursor;

/* "candidate TAB help" in one line. */
static void offer(const cursor *at, const char *candidate, const char *help) {
  if (strncmp(candidate, at->word, strlen(at->word)) == 0) printf("%s%s\t%s\n", at->prefix, candidate, help);
}

static void offer_all(const cursor *at, const json_t *words) {
  size_t i;
  const json_t *word;
  json_array_foreach(words, i, word) offer(at, json_string_value(word), "");
}

/* The ids of a kind. Where there are models, a folder may stand as well. */
static void offer_kind(const cursor *at, const char *kind) {
  if (strcmp(kind, "files") == 0) puts(":files");
  if (strcmp(kind, "installed") == 0) puts(":folders");
  char *text = cinseq_describe(kind);
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
  size_t i;
  const json_t *row;
  cinseq_free(text);
  json_array_foreach(rows, i, row)
      offer(at, json_string_value(json_object_get(row, "id")), json_string_value(json_object_get(row, "help")));
  json_decref(rows);
}

static void offer_values(const cursor *at, const json_t *option) {
  const char *kind = json_string_value(json_object_get(option, "kind")),
             *type = json_string_value(json_object_get(option, "type"));
  if (kind) offer_kind(at, kind);
  offer_all(at, json_object_get(option, "choices"));
  if (strcmp(type, "bool") == 0) offer(at, "true", ""), offer(at, "false", "");
}

static void offer_flags(const cursor *at, const json_t *listed) {
  size_t i, k;
  const json_t *option, *flag;
  char name[128];
  json_array_foreach(listed, i, option) {
    const char *help = json_string_value(json_object_get(option, "help"));
    snprintf(name, sizeof name, "--%s%s", json_is_true(json_object_get(option, "default")) ? "no_" : "",
             json_string_value(json_object_get(option, "name")));
    offer(at, name, help);
    json_array_foreach(json_object_get(option, "flags"), k, flag) offer(at, json_string_value(flag), help);
  }
  offer(at, "--help", "Flags and examples.");
}

static void offer_commands(const cursor *at) {
  for (size_t i = 0; cli_command_at(i); i++) offer(at, cli_command_at(i)->id, cli_command_at(i)->help);
  offer(at, "--help", "The commands.");
  offer(at, "--version", "Version, CPU features in use, libraries.");
}

/* "a|b" are the words that may stand there; what is of no kind is the name of a file. */
static void offer_argument(const cursor *at, const cli_command *command) {
  if (command->argument_kind) return offer_kind(at, command->argument_kind);
  json_t *words = cli_split(command->argument, "|");
  if (json_array_size(words) > 1)
    offer_all(at, words);
  else
    offer_kind(at, "files");
  json_decref(words);
}

static bool takes_many(const json_t *option) {
  const char *type = json_string_value(json_object_get(option, "type"));
  return strcmp(type, "words") == 0 || strcmp(type, "texts") == 0 || strcmp(type, "ints") == 0;
}

/* The option whose value stands next after these words; NULL: none. */
static const json_t *open_option(const json_t *listed, const json_t *words, size_t count) {
  const json_t *open = NULL;
  for (size_t i = 1; i < count; i++) {
    const char *word = json_string_value(json_array_get(words, i));
    int sign = 0;
    if (cli_is_flag(word) && word[strcspn(word, "=")] == 0) {
      open = cli_find_option(listed, word, strlen(word), &sign);
      if (open && strcmp(json_string_value(json_object_get(open, "type")), "bool") == 0) open = NULL;
    } else if (!open || !takes_many(open) || cli_is_flag(word))
      open = NULL;
  }
  return open;
}

/* words: the command and what follows it, the last being the one at the cursor. */
static void complete(const json_t *words) {
  size_t last = json_array_size(words) - 1;
  const char *word = json_string_value(json_array_get(words, last)), *id = json_string_value(json_array_get(words, 0));
  cursor at = {word, ""};
  const cli_command *command = NULL;
  if (last == 0) return offer_commands(&at);
  for (size_t i = 0; cli_command_at(i); i++)
    if (strcmp(cli_command_at(i)->id, id) == 0) command = cli_command_at(i);
  if (!command) return;
  json_t *listed = cli_options(command);
  const json_t *open = open_option(listed, words, last);
  size_t name = strcspn(word, "=");
  int sign = 0;
  const json_t *attached = cli_is_flag(word) && word[name] ? cli_find_option(listed, word, name, &sign) : NULL;
  char prefix[128];
  if (attached && name + 2 <= sizeof prefix) {
    snprintf(prefix, sizeof prefix, "%.*s=", (int)name, word);
    at = (cursor){word + name + 1, prefix};
    offer_values(&at, attached);
  } else if (*word == '-' && (!open || takes_many(open)))
    offer_flags(&at, listed);
  else if (open)
    offer_values(&at, open);
  else if (command->argument)
    offer_argument(&at, command);
  else
    offer_flags(&at, listed);
  json_decref(listed);
}

/* ---- scripts ---- */

/* readline cuts words at "=" too, and replaces only what follows it. */
static const char bash_script[] =
    "# bash completion of cinseq: made by `cinseq completion bash`. The program itself says what may follow.\n"
    "_cinseq() {\n"
    "  local program=${COMP_WORDS[0]/#\\~/$HOME} words=() word glue='' line current\n"
    "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
    "    if [[ $word == '=' && ${#words[@]} -gt 0 && ${words[-1]} == -* ]]; then\n"
    "      words[-1]+== glue=yes\n"
    "    elif [[ $glue ]]; then\n"
    "      words[-1]+=$word glue=''\n"
    "    else\n"
    "      words+=(\"$word\")\n"
    "    fi\n"
    "  done\n"
    "  current=${words[-1]}\n"
    "  [[ $current == -*=* ]] && current=${current#*=}\n"
    "  COMPREPLY=()\n"
    "  while IFS= read -r line; do\n"
    "    case $line in\n"
    "      :files | :folders)\n"
    "        local kind=-f\n"
    "        [[ $line == :folders ]] && kind=-d\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        while IFS= read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen $kind -- \"$current\")\n"
    "        ;;\n"
    "      *)\n"
    "        line=${line%%$'\\t'*}\n"
    "        [[ $line == -*=* ]] && line=${line#*=}\n"
    "        COMPREPLY+=(\"$line\")\n"
    "        ;;\n"
    "    esac\n"
    "  done < <(\"$program\" completion words -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _cinseq cinseq\n";

static const char zsh_script[] =
    "#compdef cinseq\n"
    "# zsh completion of cinseq: made by `cinseq completion zsh`. The program itself says what may follow.\n"
    "_cinseq() {\n"
    "  local -a lines candidates\n"
    "  local line program=${~${(Q)words[1]}}\n"
    "  lines=(\"${(@f)$(\"$program\" completion words -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "  for line in $lines; do\n"
    "    case $line in\n"
    "      :files) compset -P '--*='; _files ;;\n"
    "      :folders) compset -P '--*='; _files -/ ;;\n"
    "      *) candidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "    esac\n"
    "  done\n"
    "  (( $#candidates )) && _describe -V cinseq candidates\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
    "  _cinseq \"$@\"\n"
    "else\n"
    "  compdef _cinseq cinseq\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of cinseq: made by `cinseq completion fish`. The program itself says what may follow.\n"
    "function __cinseq_words\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l program (string replace -r '^~' \"$HOME\" -- $words[1])\n"
    "    set -l current (string replace -r '^--[^=]*=' '' -- $words[-1])\n"
    "    set -l attached (string match -r '^--[^=]*=' -- $words[-1])\n"
    "    for line in ($program completion words -- $words[2..] 2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                for path in (__fish_complete_path $current)\n"
    "                    printf '%s\\n' \"$attached\"$path\n"
    "                end\n"
    "            case :folders\n"
    "                for path in (__fish_complete_directories $current)\n"
    "                    printf '%s\\n' \"$attached\"$path\n"
    "                end\n"
    "            case '*'\n"
    "                printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c cinseq -f -k -a '(__cinseq_words)'\n";

static const struct {
  const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static int run(const cli_command *command, const json_t *values) {
  json_t *words = json_object_get(values, "arguments");
  const char *shell = json_string_value(json_array_get(words, 0));
  if (shell && strcmp(shell, "words") == 0) {
    json_array_remove(words, 0);
    if (json_array_size(words) > 0) complete(words);
    return cli_finish_output(command);
  }
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts && json_array_size(words) == 1; i++)
    if (strcmp(scripts[i].shell, shell) == 0) {
      fputs(scripts[i].script, stdout);
      return cli_finish_output(command);
    }
  return cli_usage_error(command, "expected one of %s", command->argument);
}

const cli_command cli_completion_command = {
    .id = "completion",
    .help = "Prints the script that lets a shell complete cinseq's command line.",
    .argument = "bash|zsh|fish|words",
    .options = options,
    .examples = examples,
    .run = run,
};
