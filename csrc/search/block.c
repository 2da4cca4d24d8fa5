/* For the driver (search.c): a block of rows on its way to the kernels. The rows are gathered where there is a
 * selection, decoded where codes meet a float kernel, and their terms (what each row contributes to its costs) are
 * computed. */
#include "scan.h"

/* A block that would have fewer rows than three quarters of what it may have straddles segments: copying rows takes some
 * time, too. */
#define WORTH_OTHERS(n) ((n) + (n) / 3)

static const uint8_t *row_of(const ec_search_args *args, const ec_segment *segment, int64_t row) {
    return ec_segment_value(segment, offsetof(ec_segment, rows), args->row_stride, row);
}

ec_block ec_block_at(const ec_scan *scan, const ec_segment *segment, int64_t first, int64_t end) {
    const ec_search_args *args = scan->args;
    ec_block block = {.first = first, .n = ec_min_i64(scan->block, end - first), .segment = segment, .last = segment};
    if (args->selection) return block;
    const int64_t n_here = ec_min_i64(block.n, ec_segment_end(segment) - first);
    if (scan->straddles && WORTH_OTHERS(n_here) < block.n)
        while (segment + 1 < args->segments + args->n_segments && segment[1].first < first + block.n) segment++;
    block.last = segment;
    block.n = ec_min_i64(block.n, ec_segment_end(segment) - first);
    const int64_t next = ec_segment_row(args, &segment, first + block.n);
    const int64_t n = ec_min_i64(scan->block, ec_min_i64(end, ec_segment_end(segment)) - next);
    if (n > 0 && args->row_stride == args->row_bytes) {
        block.jump = segment == block.last ? NULL : segment;
        block.ahead = row_of(args, segment, next);
        block.ahead_bytes = n * args->row_bytes;
    }
    return block;
}

/* Copies the rows of a block that straddles segments to scan->gathered, each to its position, and makes the mask of
 * those that are there and count. `bits` has room for a bit a row. Blocks and segments begin at multiples of 64. */
static void gather_segments(const ec_scan *scan, const ec_block *block, uint8_t *bits) {
    const ec_search_args *args = scan->args;
    const int64_t end = block->first + block->n, bytes = args->row_bytes;
    memset(bits, 0, (size_t)(block->n + 7) / 8);
    for (const ec_segment *segment = block->segment; segment <= block->last; segment++) {
        const int64_t from = segment->first < block->first ? block->first : segment->first;
        const int64_t to = ec_min_i64(ec_segment_end(segment), end), n = to - from;
        const int64_t next = segment == block->last ? to : segment[1].first; /* no rows are between */
        uint8_t *out = scan->gathered + (from - block->first) * bytes, *out_bits = bits + (from - block->first) / 8;
        for (int64_t i = 0; i < n && args->row_stride != bytes; i++)
            memcpy(out + i * bytes, row_of(args, segment, from + i), (size_t)bytes);
        if (args->row_stride == bytes) memcpy(out, row_of(args, segment, from), (size_t)(n * bytes));
        memset(out + n * bytes, 0, (size_t)((next - to) * bytes));
        for (int64_t i = 0; i < (n + 7) / 8; i++)
            out_bits[i] = args->mask ? ((const uint8_t *)args->mask)[from / 8 + i] : 0xff;
        if (n % 8) out_bits[n / 8] &= (uint8_t)((1 << n % 8) - 1);
    }
}

/* Whether any of the first n bits of the mask is set. */
static int any_bit(const uint8_t *mask, int64_t n) {
    for (int64_t i = 0; i < n / 8; i++)
        if (mask[i]) return 1;
    return n % 8 != 0 && (mask[n / 8] & ((1 << n % 8) - 1)) != 0;
}

/* The row at a position of the selection; for a negative row number, which the mask leaves out, row 0. */
static const uint8_t *selected(const ec_search_args *args, const int64_t *selection, int64_t position) {
    const int64_t row = selection[position] < 0 ? 0 : selection[position];
    return row_of(args, ec_segment_at(args, row), row);
}

/* Copies the selected rows of the block, without gaps, to scan->gathered. */
static void gather(const ec_scan *scan, const int64_t *selection, const ec_block *block) {
    /* Asked for, because a processor foresees lines, but not where a row lies; and piece by piece between what is copied,
     * because a core has some tens of reads under way, and whoever asks for a row of more at once stands still. */
    enum { AHEAD_BYTES = 8192, AHEAD_MOST = 64, PIECE = 512 };
    const ec_search_args *args = scan->args;
    const int64_t ahead = ec_clamp_i64(AHEAD_BYTES / args->row_bytes, 1, AHEAD_MOST), end = block->first + block->n;
    uint8_t *out = scan->gathered;
    for (int64_t i = block->first; i < end; i++, out += args->row_bytes) {
        const uint8_t *row = selected(args, selection, i);
        const uint8_t *soon = i + ahead < args->n_selected ? selected(args, selection, i + ahead) : row;
        for (int64_t at = 0, n; at < args->row_bytes; at += n) {
            n = ec_min_i64(args->row_bytes - at, PIECE);
            ec_prefetch(soon + at, n);
            memcpy(out + at, row + at, (size_t)n);
        }
        ec_prefetch(soon + args->row_bytes - 1, 1); /* rows seldom begin with a line, and so end in one more */
    }
}

/* Makes the mask of a block of a selection: it leaves out negative row numbers and repeated ones. `bits` has room for a
 * bit a row of the block. */
static void mask_selection(const int64_t *selection, const ec_block *block, uint8_t *bits) {
    memset(bits, 0, (size_t)(block->n + 7) / 8);
    for (int64_t i = 0; i < block->n; i++) {
        int64_t at = block->first + i, row = selection[at];
        if (row >= 0 && (at == 0 || row != selection[at - 1])) bits[i / 8] |= (uint8_t)(1 << i % 8);
    }
}

void ec_block_squares(const ec_search_args *args, const uint8_t *rows, int64_t stride, int64_t n, int counted,
                      int32_t *sums, int32_t *sumsq, double *squares) {
    uint8_t flip = (uint8_t)args->flip;
    int64_t width = args->width;
    if (args->lengths == EC_LENGTH_F32 && !counted) ec_active.sumsq_f32(rows, stride, n, width, squares);
    if (args->lengths == EC_LENGTH_RANGES)
        ec_active.square_ranges(rows, stride, n, width, flip, args->steps, args->offsets, squares);
    if (args->lengths == EC_LENGTH_I8) {
        if (!counted) {
            ec_active.sumsq_i8(rows, stride, n, width, flip, sumsq);
            if (args->centre != 0) ec_active.sum_i8(rows, stride, n, width, flip, sums);
        }
        ec_active.square_sums(sumsq, sums, n, width, args->step, args->centre, squares);
    }
}

/* The element for row r of the block in an array of its segment, `bytes` each, whose address is at the offset `member`;
 * for a row number that the mask leaves out, that of another row. NULL where there is no array. */
static const void *value_of(const ec_search_args *args, size_t member, int64_t bytes, const int64_t *selection,
                            const ec_block *block, int64_t r) {
    int64_t row = selection ? selection[block->first + r] : block->first + r;
    if (row < 0) row = 0;
    return ec_segment_value(selection ? ec_segment_at(args, row) : block->segment, member, bytes, row);
}

/* Sets scan->squares to the squared lengths of the block's rows: from the caller's row_squares, or counted now. */
static void fill_squares(const ec_scan *scan, const int64_t *selection, const ec_block *block) {
    const size_t member = offsetof(ec_segment, row_squares);
    const void *known = value_of(scan->args, member, 8, selection, block, 0);
    if (known == NULL)
        ec_block_squares(scan->args, block->codes, block->codes_stride, block->n, block->counted, scan->sums,
                         scan->sumsq, scan->squares);
    else if (selection == NULL)
        memcpy(scan->squares, known, (size_t)block->n * sizeof *scan->squares);
    else
        for (int64_t r = 0; r < block->n; r++)
            memcpy(&scan->squares[r], value_of(scan->args, member, 8, selection, block, r), sizeof *scan->squares);
}

/* One float a row of the block: a pointer into the array of its segment, whose address is at the offset `member`, where
 * the rows are neighbours there; else `out`, filled with the selected elements, or with `other` where there is no
 * array. */
static const float *known_of(const ec_search_args *args, size_t member, float other, const int64_t *selection,
                             const ec_block *block, float *out) {
    const void *known = value_of(args, member, 4, selection, block, 0);
    if (known != NULL && selection == NULL) return known;
    for (int64_t r = 0; r < block->n; r++) {
        out[r] = other;
        if (known) memcpy(&out[r], value_of(args, member, 4, selection, block, r), sizeof *out);
    }
    return out;
}

static const float *scales_of(const ec_scan *scan, const int64_t *selection, const ec_block *block) {
    return known_of(scan->args, offsetof(ec_segment, row_scales), 1.0f, selection, block, scan->scales);
}

/* Sets block->scales, and block->biases, which may be zeros, where kernels may read them as far as they read terms. */
static int take_stored(const ec_scan *scan, const int64_t *selection, ec_block *block) {
    const ec_search_args *args = scan->args;
    if (selection || block->n % EC_WHOLE_ROWS) return 0;
    const void *scales = value_of(args, offsetof(ec_segment, row_scales), 4, selection, block, 0);
    const void *biases = value_of(args, offsetof(ec_segment, row_biases), 4, selection, block, 0);
    if (!scales || (!biases && args->sum_weight != 0)) return 0;
    block->scales = scales;
    block->biases = biases ? biases : scan->add; /* zeros, where no sums are added to scores */
    return 1;
}

void ec_block_terms(const ec_scan *scan, const int64_t *selection, ec_block *block, int wanted) {
    const ec_search_args *args = scan->args;
    int64_t n = block->n;
    if (args->metric == EC_COST_JACCARD) {
        ec_active.hamming_u1_rows(scan->zeros, block->codes, block->codes_stride, n, args->width, scan->sums);
        for (int64_t r = 0; r < n; r++) scan->add[r] = (float)scan->sums[r];
        return;
    }
    if (args->sum_weight != 0) {
        if (!block->counted)
            ec_active.sum_i8(block->codes, block->codes_stride, n, args->width, (uint8_t)args->flip, scan->sums);
        for (int64_t r = 0; r < n; r++) scan->add[r] = args->sum_weight * (float)scan->sums[r];
    }
    if (args->metric == EC_COST_COSINE) {
        fill_squares(scan, selection, block);
        ec_active.inverse_lengths(scan->squares, n, scan->mul);
    } else if (args->metric == EC_COST_L2) {
        fill_squares(scan, selection, block);
        ec_active.l2_terms(scales_of(scan, selection, block), scan->squares, n, scan->mul, scan->bias);
    } else if (args->metric == EC_COST_DOT && !ec_segments_are_plain(args) &&
               (wanted || !take_stored(scan, selection, block))) {
        const float *scales = scales_of(scan, selection, block);
        for (int64_t r = 0; r < n; r++) scan->mul[r] = -scales[r];
        const size_t member = offsetof(ec_segment, row_biases);
        const float *biases = known_of(args, member, 0.0f, selection, block, scan->scales);
        for (int64_t r = 0; r < n; r++) scan->bias[r] = -biases[r];
    }
}

int ec_block_fetch(const ec_scan *scan, const int64_t *selection, ec_block *block) {
    const ec_search_args *args = scan->args;
    block->rows = selection ? NULL : row_of(args, block->segment, block->first);
    block->stride = args->row_stride;
    block->mask = args->mask ? (const uint8_t *)args->mask + block->first / 8 : NULL;
    if (selection) {
        gather(scan, selection, block);
        mask_selection(selection, block, scan->zeros + args->width);
        block->rows = scan->gathered;
        block->stride = args->row_bytes;
        block->mask = scan->zeros + args->width;
    }
    if (block->last != block->segment) {
        gather_segments(scan, block, scan->zeros + args->width);
        block->rows = scan->gathered;
        block->stride = args->row_bytes;
        block->mask = scan->zeros + args->width;
    }
    if (block->mask && !any_bit(block->mask, block->n)) return 0;
    if (args->family == EC_USER_TILE && block->stride != args->row_bytes) {
        for (int64_t r = 0; r < block->n; r++)
            memcpy(scan->gathered + r * args->row_bytes, block->rows + r * block->stride, (size_t)args->row_bytes);
        block->rows = scan->gathered;
        block->stride = args->row_bytes;
    }
    block->codes = block->rows;
    block->codes_stride = block->stride;
    return 1;
}

void ec_block_decode(const ec_scan *scan, ec_block *block) {
    const ec_search_args *args = scan->args;
    if (args->decode == EC_DECODE_NONE) return;
    if (args->decode == EC_DECODE_I8)
        ec_active.decode_i8(block->codes, block->codes_stride, block->n, args->width, (uint8_t)args->flip,
                            scan->decoded);
    else
        ec_active.decode_u1(block->codes, block->codes_stride, block->n, args->width, scan->decoded);
    block->rows = (const uint8_t *)scan->decoded;
    block->stride = scan->dimension * 4;
}
