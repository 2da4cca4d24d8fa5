/* The number of bits in which queries and rows of bits differ, in plain C: the specification of every slot of the
 * family.
 *
 * Rows are `width` bytes of packed bits at any alignment, row r at rows + r * stride_bytes; queries lie without gaps.
 * width >= 1, n_rows >= 0, n_queries >= 0. `panel` and `prepared` are scratch of the ec_hamming_u1_*_bytes() of
 * contract/scratch.h, 64-byte aligned; only the tier that has filled them can read them. */
#include "hamming.h"

/* Packs 0 .. 256 rows into a panel for the tile. */
static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    const uint8_t *row = rows;
    uint64_t *out = panel;
    int64_t words = ec_words_u1(width);
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += words)
        for (int64_t j = 0; j < words; j++) out[j] = ec_row_word(row, width, j);
}

/* Brings queries into the form that the tile takes: whole words, 0 behind the end of the query. */
void ec_hamming_u1_prepare_words(const void *queries, int64_t n_queries, int64_t width, void *prepared) {
    const uint8_t *query = queries;
    uint64_t *out = prepared;
    int64_t words = ec_words_u1(width);
    for (int64_t q = 0; q < n_queries; q++, query += width, out += words)
        for (int64_t j = 0; j < words; j++) out[j] = ec_row_word(query, width, j);
}

/* scores[q * scores_stride + r] = the number of bits in which prepared query q and packed row r differ. `prepared` and
 * n_queries are as for dot_u1_tile. Bit g of
 * near[q] is set where one of the rows 64 g .. 64 g + 63 has a score below limits[q]; the scores of groups whose bit is
 * not set need not be written. The ahead_bytes bytes from `ahead` on are asked for meanwhile, which may be any number. */
static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    int64_t words = ec_words_u1(width);
    const uint64_t *query = prepared;
    ec_prefetch(ahead, ahead_bytes);
    for (int64_t q = 0; q < n_queries; q++, query += words) {
        const uint64_t *row = panel;
        near[q] = 0;
        for (int64_t r = 0; r < n_rows; r++, row += words) {
            int32_t count = 0;
            for (int64_t j = 0; j < words; j++) count += ec_count_ones_u64(query[j] ^ row[j]);
            scores[q * scores_stride + r] = count;
            if (count < limits[q]) near[q] |= (uint8_t)(1 << r / EC_NEAR_ROWS);
        }
    }
}

/* scores[r] = the number of bits in which one plain query and plain row r differ. Each row is read once; nothing is
 * packed. */
static void hamming_u1_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores) {
    const uint8_t *row = rows;
    int64_t words = ec_words_u1(width);
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) {
        int32_t count = 0;
        for (int64_t j = 0; j < words; j++)
            count += ec_count_ones_u64(ec_row_word(query, width, j) ^ ec_row_word(row, width, j));
        scores[r] = count;
    }
}

EC_SLOTS(hamming, scalar) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_prepare = ec_hamming_u1_prepare_words;
    table->hamming_u1_tile = hamming_u1_tile;
    table->hamming_u1_rows = hamming_u1_rows;
    table->planes_u1_pack = NULL;
    table->planes_u1_tile = NULL;
    table->planes_u1_queries = table->planes_u1_width = 0;
    table->hamming_u1_spread = 1;
}

EC_INSTALL(hamming, EC_SCALAR(hamming) EC_AVX2(hamming) EC_AVX512(hamming) EC_AMX(hamming) EC_NEON(hamming))
