/* What the fuzz targets share. A target is one file, tests/fuzz/fuzz_NAME.c, that defines LLVMFuzzerTestOneInput, and a
 * folder of small inputs, tests/fuzz/corpus/NAME: seeds, and every input that once broke something. Built with clang
 * and -DCINSEQ_FUZZ=ON it is a libFuzzer program (make fuzz); everywhere else replay.c runs it over its folder as a
 * test.
 *
 * Readers that want a model folder get one in $TMPDIR. An input for them holds several files, each after a line that
 * names it:
 *
 *   === config.json
 *   {...}
 *   === tokenizer_config.json
 *   {...}
 */
#ifndef CI_TESTS_FUZZ_H
#define CI_TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Stops the program, which is what libFuzzer and the replay take for a finding. */
void fuzz_check(int holds, const char *what);

/* This process's folder, made at the first call and removed at exit. */
const char *fuzz_folder(void);
/* Writes folder/name; bytes NULL: removes it. */
void fuzz_file(const char *name, const void *bytes, size_t length);
/* Makes folder/name a link to `path`; NULL: removes it. */
void fuzz_link(const char *name, const char *path);
/* Writes the files of an input whose names are in `names` (NULL at the end), removes the others of them, and ignores
 * sections of other names. The line break before the next section is no part of a file. */
void fuzz_sections(const uint8_t *bytes, size_t length, const char *const *names);

#endif
