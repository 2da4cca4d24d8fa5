/* The slots of the scan in plain C: the specification. */
#include "loops.h"

static void finish_i32(const ec_finish *f, const int32_t *scores, int64_t n, float *costs) {
    ec_loop_finish_i32(f, scores, n, costs);
}

static void finish_f32(const ec_finish *f, const float *scores, int64_t n, float *costs) {
    ec_loop_finish_f32(f, scores, n, costs);
}

/* Append an entry for every cost below the limit whose row the mask (NULL: all; bit 0 is the first row) has, in order of
 * rows; return how many. Costs are not negative. entries has room for n. */
static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (costs[i] < limit && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_i32(costs[i], first_row + (uint32_t)i);
    return count;
}

/* The same of float costs. NaN passes, so that the caller sees it; a limit of NaN lets everything pass. */
static int64_t filter_f32(const float *costs, int64_t n, float limit, uint32_t first_row, const uint8_t *mask,
                          uint64_t *entries) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(costs[i] >= limit) && ec_mask_bit(mask, i))
            entries[count++] = ec_entry_f32(costs[i], first_row + (uint32_t)i);
    return count;
}

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

void ec_search_install_scalar(ec_kernels *table) {
    table->finish_i32 = finish_i32;
    table->finish_f32 = finish_f32;
    table->filter_i32 = filter_i32;
    table->filter_f32 = filter_f32;
    table->decode_i8 = decode_i8;
    table->decode_u1 = decode_u1;
    table->square_ranges = square_ranges;
}
