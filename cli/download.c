/* cinseq download: a model of the Hugging Face hub into the cache. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {CLI_QUIET_OPTION, {0}};

static const cli_request requests[] = {{"download", "Download", NULL}, {0}};

static const char *const examples[] = {"cinseq download Helsinki-NLP/opus-mt-zh-en",
                                       "cinseq download gpt2 --revision main config.json",
                                       "cinseq download owner/name-GGUF:Q4_K_M", NULL};

/* What the command names without a flag: the model, then files. The request that is made of them: free. */
static char *make_request(const json_t *values, const char **name) {
  const json_t *arguments = json_object_get(values, "arguments"), *given = json_object_get(values, "download");
  json_t *request = given ? json_deep_copy(given) : json_object(), *files = json_object_get(request, "files"), *word;
  if (!files) json_object_set_new(request, "files", files = json_array());
  size_t i;
  *name = NULL;
  json_array_foreach(arguments, i, word) {
    if (*name)
      json_array_append(files, word);
    else
      *name = json_string_value(word);
  }
  char *text = json_dumps(request, 0);
  json_decref(request);
  return text;
}

static int print_report(const cli_command *command, const json_t *values, const char *text, double seconds) {
  json_t *report = json_loads(text, 0, NULL);
  const json_t *path = json_object_get(report, "path");
  long long files = json_integer_value(json_object_get(report, "files"));
  cli_put_text(stdout, json_string_value(path), json_string_length(path), false);
  fputc('\n', stdout);
  int code = cli_finish_output(command);
  if (!code && !cli_get_flag(values, "quiet"))
    fprintf(stderr, "%lld file%s downloaded, %.1f MB in %.1f s\n", files, files == 1 ? "" : "s",
            (double)json_integer_value(json_object_get(report, "bytes")) / 1e6, seconds);
  json_decref(report);
  return code;
}

static int run(const cli_command *command, const json_t *values) {
  const char *name;
  char *request = make_request(values, &name), *report = NULL;
  if (!name) {
    free(request);
    return cli_usage_error(command, "expected the name of a model");
  }
  cli_progress progress;
  cinseq_error error = {0};
  double start = cli_seconds();
  cli_progress_start(&progress, cli_get_flag(values, "quiet"));
  int status = cinseq_model_download(name, request, &progress.hooks, &report, &error);
  cli_progress_end(&progress);
  free(request);
  int code = status ? cli_report(command, &error) : print_report(command, values, report, cli_seconds() - start);
  cinseq_free(report);
  return code;
}

const cli_command cli_download_command = {
    .id = "download",
    .help = "Downloads a model of the Hugging Face hub into its cache, and prints where it lies.",
    .argument = "NAME [FILE]...",
    .options = options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
