/* See result_info.h. */
#include "output/result_info.h"
#include <string.h>

const char *ci_info_text(const json_t *info, const char *key, size_t at) {
  return json_string_value(json_array_get(json_object_get(info, key), at));
}

const char *ci_info_model(const json_t *info) {
  const char *name = json_string_value(json_object_get(info, "model_name")),
             *slash = name && (*name == '/' || *name == '.') ? strrchr(name, '/') : NULL;
  return slash && slash[1] ? slash + 1 : name;
}

const char *ci_info_method(const json_t *info) {
  return json_string_value(json_object_get(info, "attribution_method"));
}
