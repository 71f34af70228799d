/* Opening the model that the flags name, once nothing else is wrong with them. */
#include "cli.h"
#include <stdlib.h>

int cli_check_requests(const cli_command *command, const json_t *values) {
  int status = 0;
  cinseq_error error = {0};
  for (const cli_request *r = command->requests; r && r->id && !status; r++) {
    const json_t *given = json_object_get(values, r->id);
    char *json = given ? json_dumps(given, 0) : NULL;
    if (given) status = cinseq_request_check(r->id, json, &error);
    free(json);
  }
  return status ? cli_report(command, &error) : CLI_OK;
}

int cli_open_model(const cli_command *command, const json_t *values, const cinseq_hooks *hooks, cinseq_model **model) {
  const char *path = cli_get_text(values, "model_name_or_path");
  const json_t *given = json_object_get(values, "open");
  *model = NULL;
  if (!path) return cli_usage_error(command, "--model_name_or_path (-m) is needed");
  char *options = given ? json_dumps(given, 0) : NULL;
  cinseq_error error = {0};
  cli_watch_model(NULL, path);
  int status = cinseq_model_open(path, options, hooks, model, &error);
  free(options);
  cli_watch_model(*model, NULL);
  return status ? cli_report(command, &error) : CLI_OK;
}
