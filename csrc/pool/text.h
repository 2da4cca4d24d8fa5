/* Text that several threads write: see text.c. */
#ifndef EC_POOL_TEXT_H
#define EC_POOL_TEXT_H

#include "../contract/text.h"
#include "pool.h"

/* Writes a block to `to`, where there is room for the longest. Returns its bytes, or -1 - (the number of a value that
 * cannot be written, within the block). */
typedef int64_t ec_pool_text(const void *context, int64_t block, uint8_t *to);

/* Writes blocks of at most `most` bytes behind each other, as long as there is room. `produced` of them are written, and
 * `consumed` bytes. EC_NOT_FINITE, for the first block that cannot be written, `consumed` is then the value's number;
 * EC_NO_CAPACITY where room is short. */
ec_result ec_pool_write(const ec_text *to, int64_t n_blocks, int64_t most, ec_pool_text *write, const void *context);

#endif
