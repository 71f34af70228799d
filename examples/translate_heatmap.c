/* Translates a sentence and shows which source token each target token came from.
 *
 *   cc translate_heatmap.c -o translate_heatmap $(pkg-config --cflags --libs cinseq)
 *   ./translate_heatmap zh-en-mini "我很开心。" page.html
 */
#include <cinseq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request is JSON; a program with a JSON library would use that. NULL: no memory. */
static char *make_request(const char *text) {
  char *request = malloc(6 * strlen(text) + 100), *to = request;
  if (!request) return NULL;
  to += sprintf(to, "{\"step_scores\": [\"probability\"], \"input_texts\": \"");
  for (; *text; text++)
    if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
      to += sprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
    else
      *to++ = *text;
  strcpy(to, "\"}");
  return request;
}

static int on_progress(void *context, const char *stage, size_t done, size_t total) {
  (void)context;
  fprintf(stderr, "%s: %zu of %zu tokens\n", stage, done, total);
  return 0; /* anything else ends the run */
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: translate_heatmap MODEL TEXT [PAGE.html]\n"), 2;
  cinseq_model *model = NULL;
  cinseq_result *result = NULL;
  cinseq_error error;
  const cinseq_hooks hooks = {.progress = on_progress};
  char *request = make_request(argv[2]), *table = NULL, *page = NULL;
  if (!request) return 1;

  int status = cinseq_model_open(argv[1], NULL, &hooks, &model, &error);
  if (!status) status = cinseq_attribute(model, request, &hooks, &result, &error);
  if (!status)
    status = cinseq_result_render(result, "terminal", "{\"color\": \"none\", \"width\": 100}", &table, &error);
  if (!status) fputs(table, stdout);
  if (!status && argc > 3) status = cinseq_result_render(result, "html", NULL, &page, &error);
  if (!status && argc > 3) status = cinseq_file_write(argv[3], page, &error);
  if (status) fprintf(stderr, "translate_heatmap: %s: %s\n", error.where, error.message);

  cinseq_free(page);
  cinseq_free(table);
  cinseq_result_close(result);
  cinseq_model_close(model);
  free(request);
  return status != CINSEQ_OK;
}
