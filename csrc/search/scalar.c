/* The scan's slots in plain C, the specification: the loops of loops.h, where each has its contract. */
#include "loops.h"

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                          const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return ec_loop_filter_i32(costs, 0, n, 0, limit, first_row, mask, entries);
}

static int64_t sift_i32(const ec_finish *f, const int32_t *scores, int64_t n, float limit, int64_t k,
                        uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return ec_loop_sift(ec_cost_i32, f, scores, 0, n, 0, limit, first_row, mask, entries);
}

static int64_t sift_f32(const ec_finish *f, const float *scores, int64_t n, float limit, int64_t k, uint32_t first_row,
                        const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return ec_loop_sift(ec_cost_f32, f, scores, 0, n, 0, limit, first_row, mask, entries);
}

static int64_t entries_count(const uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_count(entries, n, bound);
}

static int64_t entries_keep(uint64_t *entries, int64_t n, uint64_t bound) {
    return ec_loop_keep(entries, 0, n, 0, bound);
}

static void entries_minima(const uint64_t *entries, int64_t n, uint64_t *minima) { ec_loop_minima(entries, n, minima); }

static void entries_sort(const uint64_t *entries, int64_t n, uint64_t *sorted) { ec_loop_sort(entries, n, sorted); }

static void decode_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip, float *out) {
    ec_loop_decode_i8(rows, stride_bytes, n_rows, width, flip, out);
}

static void decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out) {
    ec_loop_decode_u1(rows, stride_bytes, n_rows, width, out);
}

static void square_ranges(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, uint8_t flip,
                          const float *steps, const float *offsets, double *squares) {
    ec_loop_square_ranges(rows, stride_bytes, n_rows, width, flip, steps, offsets, squares);
}

static void square_sums(const int32_t *sumsq, const int32_t *sums, int64_t n, int64_t width, double step, double centre,
                        double *squares) {
    ec_loop_square_sums(sumsq, sums, n, width, step, centre, squares);
}

static void inverse_lengths(const double *squares, int64_t n, float *mul) { ec_loop_inverse_lengths(squares, n, mul); }

static void l2_terms(const float *scales, const double *squares, int64_t n, float *mul, float *bias) {
    ec_loop_l2_terms(scales, squares, n, mul, bias);
}

EC_SLOTS(search, scalar) {
    table->filter_i32 = filter_i32;
    table->sift_i32 = sift_i32;
    table->sift_f32 = sift_f32;
    table->entries_count = entries_count;
    table->entries_keep = entries_keep;
    table->entries_minima = entries_minima;
    table->entries_sort = entries_sort;
    table->decode_i8 = decode_i8;
    table->decode_u1 = decode_u1;
    table->square_ranges = square_ranges;
    table->square_sums = square_sums;
    table->inverse_lengths = inverse_lengths;
    table->l2_terms = l2_terms;
}

EC_INSTALL(search, EC_SCALAR(search) EC_AVX2(search) EC_AVX512(search) EC_NEON(search))
