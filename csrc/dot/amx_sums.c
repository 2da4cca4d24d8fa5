/* Sums of rows and queries by tiles: 2 x 2 tiles of sums from 2 tiles of rows and 2 of queries, so that a step of four
 * products, 64 cycles, takes four loads, 32 cycles of the two load ports.
 *
 * A chunk of 32 queries is 32 KB, which stays in the first-level cache while rows stream from the second. Sums that are
 * not complete after a chunk are stored and loaded again. */
#include "amx_tiles.h"

#if defined(EC_HAS_AMX)

enum { CHUNK_STEPS = 16 };

EC_TARGET_AVX512

/* n_steps steps of 16 x row_tiles rows with 16 x query_tiles queries, added to the sums, or to 0 if `first`. */
EC_INLINE void add_block(ec_tiles *tiles, const int row_tiles, const int query_tiles, const ec_amx_task *task,
                         int64_t first_row, int64_t step, int64_t n_steps, ec_amx_table sums) {
    const int64_t row_stride = task->row_stride, low = task->word_bytes[0], high = task->word_bytes[1];
    const uint8_t *rows = task->rows + first_row * row_stride + step * 64;
    const uint8_t *queries = task->queries[0] + step * 16 * low;
    const uint8_t *others = query_tiles > 1 ? task->queries[1] + step * 16 * high : NULL;
    int32_t *at = sums[0][first_row], *at_others = sums[1][first_row];
    if (step == 0) {
        EC_TILE_ZERO(tiles, 0);
        if (query_tiles > 1) EC_TILE_ZERO(tiles, 1);
        if (row_tiles > 1) EC_TILE_ZERO(tiles, 2);
        if (row_tiles > 1 && query_tiles > 1) EC_TILE_ZERO(tiles, 3);
    } else {
        EC_TILE_LOAD(tiles, 0, at, 64);
        if (query_tiles > 1) EC_TILE_LOAD(tiles, 1, at_others, 64);
        if (row_tiles > 1) EC_TILE_LOAD(tiles, 2, at + 16 * EC_TILE, 64);
        if (row_tiles > 1 && query_tiles > 1) EC_TILE_LOAD(tiles, 3, at_others + 16 * EC_TILE, 64);
    }
    for (int64_t s = 0; s < n_steps; s++, rows += 64, queries += 16 * low) {
        EC_TILE_LOAD(tiles, 4, rows, row_stride);
        EC_TILE_LOAD(tiles, 6, queries, low);
        EC_TILE_ADD(tiles, 0, 4, 6);
        if (query_tiles > 1) {
            EC_TILE_LOAD(tiles, 7, others, high);
            EC_TILE_ADD(tiles, 1, 4, 7);
            others += 16 * high;
        }
        if (row_tiles > 1) {
            EC_TILE_LOAD(tiles, 5, rows + 16 * row_stride, row_stride);
            EC_TILE_ADD(tiles, 2, 5, 6);
        }
        if (row_tiles > 1 && query_tiles > 1) EC_TILE_ADD(tiles, 3, 5, 7);
    }
    EC_TILE_STORE(tiles, 0, at, 64);
    if (query_tiles > 1) EC_TILE_STORE(tiles, 1, at_others, 64);
    if (row_tiles > 1) EC_TILE_STORE(tiles, 2, at + 16 * EC_TILE, 64);
    if (row_tiles > 1 && query_tiles > 1) EC_TILE_STORE(tiles, 3, at_others + 16 * EC_TILE, 64);
}

int64_t ec_amx_shares(int64_t n_rows, int64_t n_steps) {
    return (n_rows + 2 * EC_TILE - 1) / (2 * EC_TILE) * ((n_steps + CHUNK_STEPS - 1) / CHUNK_STEPS);
}

void ec_amx_sums(ec_tiles *tiles, const ec_amx_task *task, ec_amx_table sums) {
    for (int64_t step = 0; step < task->n_steps; step += CHUNK_STEPS) {
        const int64_t n = ec_min_i64(task->n_steps - step, CHUNK_STEPS);
        for (int64_t r = 0; r < task->n_rows; r += 2 * EC_TILE) {
            const int two = task->n_rows - r > EC_TILE;
            if (task->ahead) ec_ahead_step(task->ahead);
            if (two && task->n_groups > 1)
                add_block(tiles, 2, 2, task, r, step, n, sums);
            else if (task->n_groups > 1)
                add_block(tiles, 1, 2, task, r, step, n, sums);
            else if (two)
                add_block(tiles, 2, 1, task, r, step, n, sums);
            else
                add_block(tiles, 1, 1, task, r, step, n, sums);
        }
    }
}

EC_TARGET_END
#else
typedef int ec_dot_amx_sums_is_not_built;
#endif
