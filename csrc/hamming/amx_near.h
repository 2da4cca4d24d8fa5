/* Shared by the families of bits that use AMX's tiles: rows of bits become rows of bytes, and the dots of these with 16
 * queries at a time give the scores.
 *
 * Tiles pay for whole 16s of queries only. The rest of a batch, and small batches, are met as the tier avx512 meets
 * them, and a panel has room for both forms of its rows:
 *
 *     | avx512's form | a line: whether there are bytes | rows of bytes, ec_amx_stride() apart |
 *
 * The first tile of 16 queries or more makes the bytes of avx512's form. Likewise a prepared batch: whole 16s as tiles
 * take them, then the rest as avx512 does, behind as many bytes a query as the tiles need. */
#ifndef EC_HAMMING_AMX_NEAR_H
#define EC_HAMMING_AMX_NEAR_H

#include "../dot/amx_tiles.h"
#include "hamming.h"

#if defined(EC_HAS_AMX)

/* The parts of a panel: plain_bytes of avx512's form, then those above. */
typedef struct {
    int64_t *made;
    uint8_t *bytes;
    int64_t stride;
} ec_amx_panel;

/* The tile keeps the bytes that it makes; the panel is scratch, though a tile takes it as const. */
EC_INLINE ec_amx_panel ec_amx_panel_of(const void *panel, int64_t plain_bytes, int64_t row_bytes) {
    uint8_t *line = (uint8_t *)(uintptr_t)panel + plain_bytes;
    const ec_amx_panel parts = {(int64_t *)(void *)line, line + 64, ec_amx_stride(row_bytes)};
    return parts;
}

/* How scores come of dots: score = dot, near above the limit; or, where `bits` is not 0, score = (bits - dot) / 2, the
 * number of differing bits of that many, near below the limit. */
void ec_amx_near(const ec_amx_panel *panel, int64_t n_rows, int64_t row_bytes, const uint8_t *queries,
                 int64_t query_bytes, int64_t n_queries, int32_t bits, const int32_t *limits, int32_t *scores,
                 int64_t scores_stride, uint8_t *near);

#endif
#endif
