/* The verbs of AMX's tiles, and for tests a plain C stand-in for them, EC_AMX_STAND_IN.
 *
 * There are eight tiles of 16 rows of 64 bytes. One product adds to each of the 256 sums of a tile, int32, 64 products
 * of int8, exactly:
 *
 *     sums               rows                  queries, four codes of each of 16 queries side by side
 *     r0: q0 q1 ... q15  r0: k0 k1 ... k63     k0 k1 k2 k3 of q0 | of q1 | ... | of q15
 *     r1: q0 q1 ... q15  r1: k0 k1 ... k63     k4 k5 k6 k7 of q0 | of q1 | ...
 *     ...                ...                   ... k60 .. k63
 *
 * So rows are taken as they lie, and only queries, once a batch, are interleaved. Tiles are numbered by literal digits.
 * They are there between ec_tiles_begin() and ec_tiles_end(), which a kernel calls before it returns: a thread that keeps
 * them costs the operating system 8 KB a switch, and the processor its deeper sleep. */
#ifndef EC_DOT_AMX_TILES_H
#define EC_DOT_AMX_TILES_H

#include "avx512_verbs.h"

#if defined(EC_HAS_AMX)

enum { EC_TILE = 16, EC_TILE_BYTES = 64 }; /* rows of a tile, or queries; bytes of a row */

#if defined(EC_AMX_STAND_IN)
#include <stdlib.h>

typedef struct {
    uint8_t tile[8][EC_TILE][EC_TILE_BYTES];
    int there;
} ec_tiles;

/* What an instruction on tiles does that are not configured. */
EC_INLINE void ec_tiles_need(const ec_tiles *tiles) {
    if (!tiles->there) abort();
}

EC_INLINE void ec_tiles_begin(ec_tiles *tiles) {
    memset(tiles->tile, 0, sizeof tiles->tile);
    tiles->there = 1;
}

EC_INLINE void ec_tiles_end(ec_tiles *tiles) {
    ec_tiles_need(tiles);
    tiles->there = 0;
}

EC_INLINE void ec_tile_zero(ec_tiles *tiles, int tile) {
    ec_tiles_need(tiles);
    memset(tiles->tile[tile], 0, sizeof tiles->tile[tile]);
}

EC_INLINE void ec_tile_load(ec_tiles *tiles, int tile, const void *p, int64_t stride) {
    ec_tiles_need(tiles);
    for (int i = 0; i < EC_TILE; i++) memcpy(tiles->tile[tile][i], (const uint8_t *)p + i * stride, EC_TILE_BYTES);
}

EC_INLINE void ec_tile_store(const ec_tiles *tiles, int tile, void *p, int64_t stride) {
    ec_tiles_need(tiles);
    for (int i = 0; i < EC_TILE; i++) memcpy((uint8_t *)p + i * stride, tiles->tile[tile][i], EC_TILE_BYTES);
}

static inline void ec_tile_add(ec_tiles *tiles, int sums, int rows, int queries) {
    ec_tiles_need(tiles);
    for (int r = 0; r < EC_TILE; r++) {
        int32_t sum[EC_TILE];
        memcpy(sum, tiles->tile[sums][r], sizeof sum);
        for (int k = 0; k < EC_TILE_BYTES; k++) {
            const int32_t code = (int8_t)tiles->tile[rows][r][k];
            for (int q = 0; q < EC_TILE; q++) sum[q] += code * (int8_t)tiles->tile[queries][k / 4][4 * q + k % 4];
        }
        memcpy(tiles->tile[sums][r], sum, sizeof sum);
    }
}

#define EC_TILE_ZERO(tiles, tile) ec_tile_zero(tiles, tile)
#define EC_TILE_LOAD(tiles, tile, p, stride) ec_tile_load(tiles, tile, p, stride)
#define EC_TILE_STORE(tiles, tile, p, stride) ec_tile_store(tiles, tile, p, stride)
#define EC_TILE_ADD(tiles, sums, rows, queries) ec_tile_add(tiles, sums, rows, queries)
#else

/* The configuration as the instruction reads it. */
typedef struct {
    uint8_t palette, start_row, zeros[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} ec_tiles;

/* In the words of the assembler: some compilers' intrinsics do not say that tiles are loaded from memory and stored to
 * it, so that other accesses could move across. */
EC_INLINE void ec_tiles_begin(ec_tiles *tiles) {
    memset(tiles, 0, sizeof *tiles);
    tiles->palette = 1;
    for (int i = 0; i < 8; i++) {
        tiles->row_bytes[i] = EC_TILE_BYTES;
        tiles->rows[i] = EC_TILE;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(*tiles) : "memory");
}

EC_INLINE void ec_tiles_end(ec_tiles *tiles) {
    (void)tiles;
    __asm__ volatile("tilerelease" : : : "memory");
}

#define EC_TILE_ZERO(tiles, tile) ((void)(tiles), ec_tile_zero_##tile())
#define EC_TILE_LOAD(tiles, tile, p, stride) ((void)(tiles), ec_tile_load_##tile(p, stride))
#define EC_TILE_STORE(tiles, tile, p, stride) ((void)(tiles), ec_tile_store_##tile(p, stride))
#define EC_TILE_ADD(tiles, sums, rows, queries) ((void)(tiles), ec_tile_add_##sums##_##rows##_##queries())

#define EC_TILE_VERBS(tile)                                                                          \
    EC_INLINE void ec_tile_zero_##tile(void) { __asm__ volatile("tilezero %%tmm" #tile : :); }       \
    EC_INLINE void ec_tile_load_##tile(const void *p, int64_t stride) {                              \
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(p), "r"(stride) : "memory");     \
    }                                                                                                \
    EC_INLINE void ec_tile_store_##tile(void *p, int64_t stride) {                                   \
        __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(p), "r"(stride) : "memory"); \
    }
EC_TILE_VERBS(0)
EC_TILE_VERBS(1)
EC_TILE_VERBS(2)
EC_TILE_VERBS(3)
EC_TILE_VERBS(4)
EC_TILE_VERBS(5)
EC_TILE_VERBS(6)
EC_TILE_VERBS(7)
#undef EC_TILE_VERBS

#define EC_TILE_PRODUCT(sums, rows, queries)                                            \
    EC_INLINE void ec_tile_add_##sums##_##rows##_##queries(void) {                      \
        __asm__ volatile("tdpbssd %%tmm" #queries ", %%tmm" #rows ", %%tmm" #sums : :); \
    }
EC_TILE_PRODUCT(0, 4, 6)
EC_TILE_PRODUCT(1, 4, 7)
EC_TILE_PRODUCT(2, 5, 6)
EC_TILE_PRODUCT(3, 5, 7)
#undef EC_TILE_PRODUCT
#endif

/* ---- what the families that use tiles share: amx_sums.c ---- */

/* Rows of a panel lie an odd number of cache lines apart, so that 16 of them do not meet in a few sets of the cache.
 * Bytes behind a row are met by zeros of the queries. */
EC_INLINE int64_t ec_amx_stride(int64_t row_bytes) { return (ec_round_up(row_bytes, 64) / 64 | 1) * 64; }

/* Products of a row's bytes with a query's: whole tiles, 64 bytes each. */
EC_INLINE int64_t ec_amx_steps(int64_t row_bytes) { return (row_bytes + 63) / 64; }

enum { EC_AMX_ROWS = 128 };

/* Some rows, up to EC_AMX_ROWS of a panel that has room for whole 32s, and one or two groups of queries. A group of n
 * queries has n * 4 bytes a word; fewer than 16 are followed by at least 64 bytes that may be read. */
typedef struct {
    const uint8_t *rows;
    int64_t row_stride, n_rows;
    const uint8_t *queries[2];
    int64_t word_bytes[2];
    int n_groups;
    int64_t n_steps;
    ec_ahead *ahead; /* what to prefetch, a share with each 32 rows of a chunk; or NULL */
} ec_amx_task;

/* How many shares those are. */
int64_t ec_amx_shares(int64_t n_rows, int64_t n_steps);

/* sums[g][r][q] = the dot of row r with query q of group g. Sums behind the last row, or the last query of a group, are
 * nobody's. */
typedef int32_t ec_amx_table[2][EC_AMX_ROWS][EC_TILE];
void ec_amx_sums(ec_tiles *tiles, const ec_amx_task *task, ec_amx_table sums);

EC_TARGET_AVX512

/* Stores 64 bytes of each of 16 queries as a tile. */
EC_INLINE void ec_amx_put_queries(__m512i queries_i8x64[EC_TILE], uint8_t *out) {
    ec_transpose_u32x16(queries_i8x64);
    for (int w = 0; w < 16; w++) _mm512_storeu_si512(out + w * 64, queries_i8x64[w]);
}

EC_TARGET_END

#endif
#endif
