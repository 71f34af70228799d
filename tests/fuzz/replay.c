/* Runs a fuzz target over the inputs of its corpus folder, as a test of builds that have no libFuzzer.
 * usage: replay_NAME FOLDER */
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *read_whole(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  fuzz_check(file && fseek(file, 0, SEEK_END) == 0, "an input cannot be opened");
  *length = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*length ? *length : 1); /* of its own: a sanitizer sees a byte too many */
  fuzz_check(bytes && fread(bytes, 1, *length, file) == *length, "an input cannot be read");
  fclose(file);
  return bytes;
}

int main(int argc, char **argv) {
  DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
  if (!folder) return fprintf(stderr, "usage: replay FOLDER\n"), 2;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
    fprintf(stderr, "%s\n", path); /* which one it was when it does not return */
    size_t length;
    uint8_t *bytes = read_whole(path, &length);
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
    count++;
  }
  closedir(folder);
  printf("%d passed, %d failed\n", count, count == 0);
  return count == 0;
}
