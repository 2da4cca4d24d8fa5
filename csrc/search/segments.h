/* Where the row at a position lies. */
#ifndef EC_SEARCH_SEGMENTS_H
#define EC_SEARCH_SEGMENTS_H

#include "../kernels.h"

/* The last of some segments that begins at `position` or before it. */
EC_INLINE const ec_segment *ec_segment_among(const ec_segment *segments, int64_t n, int64_t position) {
    while (n > 1) {
        const int64_t half = n / 2;
        if (segments[half].first <= position) {
            segments += half;
            n -= half;
        } else {
            n = half;
        }
    }
    return segments;
}

EC_INLINE const ec_segment *ec_segment_at(const ec_search_args *args, int64_t position) {
    return args->segments ? ec_segment_among(args->segments, args->n_segments, position) : &args->whole;
}

EC_INLINE int64_t ec_segment_end(const ec_segment *segment) { return segment->first + segment->count; }

/* The first position from this one on that a row has, or n_rows where there is none. *segment is the last one that
 * begins at the position or before it, and then the one of the row. */
EC_INLINE int64_t ec_segment_row(const ec_search_args *args, const ec_segment **segment, int64_t position) {
    if (position < ec_segment_end(*segment)) return position;
    if (args->segments == NULL || *segment + 1 == args->segments + args->n_segments) return args->n_rows;
    return (++*segment)->first;
}

/* The element for the row at a position of a segment, `bytes` each, in one of its arrays: `member` is the offset of the
 * array's address. NULL where there is no array. */
EC_INLINE const void *ec_segment_value(const ec_segment *segment, size_t member, int64_t bytes, int64_t position) {
    const uint8_t *values;
    memcpy(&values, (const uint8_t *)segment + member, sizeof values);
    return values ? values + (position - segment->first) * bytes : NULL;
}

/* Whether no row has a scale or a bias of its own. */
EC_INLINE int ec_segments_are_plain(const ec_search_args *args) {
    const ec_segment *segment = args->segments ? args->segments : &args->whole;
    return segment->row_scales == NULL && segment->row_biases == NULL;
}

#endif
