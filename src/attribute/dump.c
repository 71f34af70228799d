/* Values of named nodes for a text, as a safetensors file: float32 tensors [positions, width] by the nodes' names (text 2 of
 * several: "2/decoder.0.output"), those after the last block [attributed tokens, width]. See job.h. */
#include "attribute/job.h"
#include "base/file.h"
#include "models/modules.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  char *name;
  size_t rows, width;
  float *data;
} tensor;

typedef struct {
  const char *pattern;
  tensor *tensors;
  size_t count, capacity;
} dump;

static ci_status add(dump *d, const ci_job *job, const ci_node *node, size_t rows, float *data, ci_error *err) {
  char name[256];
  if (ci_reserve((void **)&d->tensors, &d->capacity, d->count + 1, sizeof *d->tensors)) {
    ci_free(data);
    return ci_fail_memory(err);
  }
  if (job->text_count > 1) snprintf(name, sizeof name, "%zu/%s", job->text_index + 1, node->name);
  else snprintf(name, sizeof name, "%s", node->name);
  d->tensors[d->count] = (tensor){ci_duplicate(name), rows, node->width, data};
  return d->tensors[d->count++].name ? CI_OK : ci_fail_memory(err);
}

/* Nodes whose names the pattern fits, or the one that it names as a module. */
static ci_status find_nodes(ci_attribution *a, const char *pattern, int *nodes, size_t *count, ci_error *err) {
  const ci_graph *graph = a->subject.graph;
  *count = 0;
  for (int i = 0; i < graph->count; i++)
    if (fnmatch(pattern, graph->nodes[i].name, 0) == 0) nodes[(*count)++] = i;
  if (*count) return CI_OK;
  ci_status status = ci_model_node(a->job->model, "nodes", pattern, false, &nodes[0], err);
  *count = !status;
  return status;
}

/* Rows of a node of CI_OUTPUT, one for each attributed token, of a forward that has kept or loaded them. */
static ci_status read_outputs(ci_attribution *a, ci_subject *again, int node, float **data, ci_error *err) {
  size_t width = a->subject.graph->nodes[node].width, count = again->target_count, floats;
  *data = __builtin_mul_overflow(count, width, &floats) ? NULL : ci_alloc(floats, sizeof **data);
  if (!*data) return ci_fail_memory(err);
  ci_status status =
      again->run->keeps[node] ? CI_OK : ci_run_load_section(again->run, a->subject.graph->nodes[node].section, true, err);
  for (size_t t = 0; t < count && !status; t++)
    memcpy(*data + t * width, ci_run_row(again->run, node, again->output_rows[t]), width * sizeof **data);
  return status;
}

static ci_status dump_nodes(ci_attribution *a, dump *d, const int *nodes, size_t count, ci_error *err) {
  const ci_graph *graph = a->subject.graph;
  ci_subject again = a->subject;
  again.run = NULL;
  again.output_rows = ci_alloc(again.target_count, sizeof *again.output_rows);
  ci_status status = again.output_rows ? ci_subject_forward(&again, CI_KEEP_BOUNDARIES, err) : ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++) {
    const ci_node *node = &graph->nodes[nodes[i]];
    float *data = NULL;
    bool output = node->space == CI_OUTPUT;
    status = output ? read_outputs(a, &again, nodes[i], &data, err) : ci_subject_node(&again, nodes[i], &data, err);
    if (status) ci_free(data);
    else status = add(d, a->job, node, output ? again.target_count : ci_subject_rows(&again, node->space), data, err);
  }
  ci_run_close(again.run);
  ci_free(again.output_rows);
  return status;
}

static ci_status dump_text(ci_job *job, size_t index, dump *d, ci_error *err) {
  ci_attribution a = {.job = job};
  size_t count;
  job->text_index = index;
  ci_status status = ci_attribution_prepare(&a, index, err);
  if (!status) status = ci_attribution_produce(&a, err);
  int *nodes = ci_alloc((size_t)job->model->graph.count, sizeof *nodes);
  if (!status && !nodes) status = ci_fail_memory(err);
  if (!status) status = find_nodes(&a, d->pattern, nodes, &count, err);
  if (!status) status = dump_nodes(&a, d, nodes, count, err);
  ci_free(nodes);
  ci_attribution_free(&a);
  return status;
}

/* The header's length, the header as JSON padded with spaces, the data in its order. */
static ci_status write(const dump *d, const char *path, ci_error *err) {
  json_t *head = json_object();
  size_t at = 0;
  bool whole = head != NULL;
  for (size_t i = 0; i < d->count && whole; i++) {
    const tensor *t = &d->tensors[i];
    size_t bytes = t->rows * t->width * sizeof *t->data;
    whole = !json_object_set_new(head, t->name,
                                 json_pack("{s:s, s:[I, I], s:[I, I]}", "dtype", "F32", "shape", (json_int_t)t->rows,
                                           (json_int_t)t->width, "data_offsets", (json_int_t)at, (json_int_t)(at + bytes)));
    at += bytes;
  }
  char *text = whole ? ci_json_text(head, JSON_COMPACT) : NULL;
  json_decref(head);
  ci_text file = {0};
  uint64_t length = text ? (strlen(text) + 7) / 8 * 8 : 0;
  ci_text_add_n(&file, (const char *)&length, sizeof length);
  if (text) ci_text_add_format(&file, "%-*s", (int)length, text);
  for (size_t i = 0; i < d->count; i++)
    ci_text_add_n(&file, (const char *)d->tensors[i].data, d->tensors[i].rows * d->tensors[i].width * sizeof(float));
  ci_status status = text && !file.failed ? ci_write_file(path, file.data, file.length, err) : ci_fail_memory(err);
  ci_free(text);
  ci_text_free(&file);
  return status;
}

ci_status ci_job_dump(ci_job *job, const char *pattern, const char *path, ci_error *err) {
  dump d = {.pattern = pattern};
  ci_status status = ci_job_check_texts(job, err);
  for (size_t i = 0; i < job->text_count && !status; i++) status = dump_text(job, i, &d, err);
  if (!status) status = write(&d, path, err);
  for (size_t i = 0; i < d.count; i++) {
    ci_free(d.tensors[i].name);
    ci_free(d.tensors[i].data);
  }
  ci_free(d.tensors);
  return status;
}
