/* tokenizer.json as a file: jansson's tree of it without the insides of the two long members of "model", and where
 * these lie. */
#ifndef CI_TOKENIZERS_DOCUMENT_H
#define CI_TOKENIZERS_DOCUMENT_H
#include "base/file.h"
#include "base/json.h"
#include "tokenizers/scan.h"

typedef struct {
  const char *path; /* borrowed */
  ci_mapping file;
  bool borrowed; /* file is memory of the caller's */
  ci_extent vocab, merges; /* with their brackets */
  json_t *rest;            /* there they are empty */
} ci_document;

/* document: zeroed. Close it whatever the status. */
ci_status ci_document_open(ci_document *document, const char *path, ci_error *err);
/* The same of a text in memory, which must live as long as the document. */
ci_status ci_document_read(ci_document *document, const char *path, const char *bytes, size_t length, ci_error *err);
void ci_document_close(ci_document *document);
/* A scan that stands at the beginning of a long member. */
ci_scan ci_document_scan(const ci_document *document, ci_extent member);
/* The object "model"; NULL: the file has none. Borrowed. */
const json_t *ci_document_model(const ci_document *document);

#endif
