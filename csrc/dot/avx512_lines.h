/* Plain rows read as whole cache lines, for the kernels that do not pack: avx512_rows.c and avx512_few_*.c. */
#ifndef EC_DOT_AVX512_LINES_H
#define EC_DOT_AVX512_LINES_H

#include "avx512_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* NumPy's large arrays begin 16 bytes behind the start of a cache line, and a vector that crosses two lines costs two
 * reads. So rows that all begin at the same offset in a line, the lead, are read line by line, and queries are shifted
 * to match:
 *
 *     memory     |....aaaaaaaaaaaa|aaaaaaaaaaaaaaaa|aaaabbbbbbbbbbbb|        lead 4
 *     query      |0000qqqqqqqqqqqq|qqqqqqqqqqqqqqqq|qqqq000000000000|
 *
 * Bytes of other rows are masked off. Rows that begin at different offsets are read from their own beginnings (lead
 * 0). */
typedef struct {
    int64_t lead, n_lines;
    int64_t whole, end_whole; /* lines that the row fills: whole .. end_whole - 1 */
    __mmask64 first, last;    /* bytes of the row in the first line and, if there are several, in the last */
} ec_lines;

EC_INLINE ec_lines ec_lines_of(const void *rows, int64_t stride_bytes, int64_t row_bytes, int64_t element_bytes) {
    ec_lines lines;
    const int64_t lead = (int64_t)((uintptr_t)rows % 64);
    lines.lead = stride_bytes % 64 == 0 && lead % element_bytes == 0 ? lead : 0;
    lines.n_lines = (lines.lead + row_bytes + 63) / 64;
    lines.first = ~(__mmask64)0 << lines.lead;
    lines.last = ec_bytes_below(lines.lead + row_bytes - (lines.n_lines - 1) * 64);
    if (lines.n_lines == 1) lines.first &= lines.last;
    lines.whole = ~lines.first ? 1 : 0;
    lines.end_whole = lines.n_lines > 1 && ~lines.last ? lines.n_lines - 1 : lines.n_lines;
    return lines;
}

/* Line i of a row or query that begins at p, shifted by the lead; bytes outside it are 0. */
EC_INLINE __m512i ec_load_line(const ec_lines *lines, const uint8_t *p, int64_t i) {
    const __mmask64 inner = i + 1 < lines->n_lines ? ~(__mmask64)0 : lines->last;
    return _mm512_maskz_loadu_epi8(i == 0 ? lines->first : inner, p + (i * 64 - lines->lead));
}

/* Prepares queries in groups of EC_LINE_GROUP: line 0 of each query of the group, line 1 of each, ... The last group is
 * smaller. */
enum { EC_LINE_GROUP = 4 };

EC_INLINE void ec_lines_prepare(const ec_lines *lines, const void *queries, int64_t n_queries, int64_t query_bytes,
                                void *prepared) {
    __m512i *out = prepared;
    for (int64_t q = 0; q < n_queries; q += EC_LINE_GROUP) {
        const int64_t n = ec_min_i64(n_queries - q, EC_LINE_GROUP);
        for (int64_t i = 0; i < lines->n_lines; i++)
            for (int64_t j = 0; j < n; j++)
                *out++ = ec_load_line(lines, (const uint8_t *)queries + (q + j) * query_bytes, i);
    }
}

/* Prefetches evenly while arithmetic goes on, `bytes` a step, because only few lines can be under way at a time. The
 * number of lines a step is constant, so that no branch is mispredicted; some lines are asked for twice. */
typedef struct {
    const char *next;
    int64_t bytes, lines;
} ec_touch;

/* Prefetching of n_bytes from p on in n_steps. None where rows are so far apart that less than half of these bytes are
 * used. */
EC_INLINE ec_touch ec_touch_from(const void *p, int64_t n_bytes, int64_t used_bytes, int64_t n_steps) {
    const int64_t bytes = n_bytes > 0 && n_bytes < 2 * used_bytes ? (n_bytes + n_steps - 1) / n_steps : 0;
    const ec_touch touch = {p, bytes, (bytes + 63) / 64};
    return touch;
}

EC_INLINE void ec_touch_step(ec_touch *touch) {
    for (int64_t i = 0; i < touch->lines; i++) _mm_prefetch(touch->next + i * 64, _MM_HINT_T0);
    touch->next += touch->bytes;
}

/* The lane of a line that holds class c of float32, for each c: lanes are rotated by the lead. */
EC_INLINE __m512i ec_class_lanes(const ec_lines *lines) {
    return _mm512_add_epi32(_mm512_set1_epi32((int32_t)(lines->lead / 4)),
                            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/* Adds up the partial sums of sixteen dots, class by class, in the order of the specification: sixteen vectors of
 * sixteen classes become one vector of sixteen dots. */
EC_INLINE __m512 ec_add_classes_f32x16(const __m512i *partials) {
    __m512i classes_u32x16[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) classes_u32x16[i] = partials[i];
    ec_transpose_u32x16(classes_u32x16); /* now a lane is a dot */
    __m512 sums_f32x16 = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int c = 0; c < EC_CLASSES; c++)
        sums_f32x16 = _mm512_add_ps(sums_f32x16, _mm512_castsi512_ps(classes_u32x16[c]));
    return sums_f32x16;
}

EC_TARGET_END
#endif
#endif
