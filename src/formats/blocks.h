/* Numbering of the block types of blocks.def, for tables that have one entry for each. */
#ifndef CI_FORMATS_BLOCKS_H
#define CI_FORMATS_BLOCKS_H
#include <stddef.h>
#include <stdint.h>

enum {
#define CI_BLOCK(member, type, name, id, elements, bytes) CI_BLOCK_##member,
#include "formats/blocks.def"
#undef CI_BLOCK
  CI_BLOCKS
};
enum { CI_LARGEST_BLOCK = 256 /* numbers */ };

/* float32 of `count` blocks, which lie at any byte. */
typedef void ci_widen_blocks(const uint8_t *blocks, size_t count, float *out);
/* Numbers [first, first + count) of a row of blocks of `elements` numbers in `bytes` bytes; both ends may lie within a
 * block, and such a block is widened whole. */
void ci_widen_part(const uint8_t *data, size_t elements, size_t bytes, ci_widen_blocks *widen, size_t first,
                   size_t count, float *out);

#endif
