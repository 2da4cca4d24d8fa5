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

/* The segment that the row at a position is in. */
EC_INLINE const ec_segment *ec_segment_at(const ec_search_args *args, int64_t position) {
    return args->segments ? ec_segment_among(args->segments, args->n_segments, position) : &args->whole;
}

/* The position behind the last row of the segment at a position. */
EC_INLINE int64_t ec_segment_end(const ec_search_args *args, int64_t position) {
    const ec_segment *segment = ec_segment_at(args, position);
    return args->segments ? segment->first + segment->count : args->n_rows;
}

/* The first position from this one on that a row has, or n_rows where there is none. */
EC_INLINE int64_t ec_segment_row(const ec_search_args *args, int64_t position) {
    const int64_t end = ec_segment_end(args, position);
    if (position < end || end >= args->n_rows) return position < end ? position : args->n_rows;
    return ec_segment_at(args, position)[1].first;
}

/* The element for the row at a position, `bytes` each, of an array of its segment: `member` is the offset of the array's
 * address. NULL where there is no array. */
EC_INLINE const void *ec_segment_value(const ec_search_args *args, size_t member, int64_t bytes, int64_t position) {
    const ec_segment *segment = ec_segment_at(args, position);
    const uint8_t *values;
    memcpy(&values, (const uint8_t *)segment + member, sizeof values);
    return values ? values + (position - (args->segments ? segment->first : 0)) * bytes : NULL;
}

/* Whether no row has a scale or a bias of its own. */
EC_INLINE int ec_segments_are_plain(const ec_search_args *args) {
    const ec_segment *segment = ec_segment_at(args, 0);
    return segment->row_scales == NULL && segment->row_biases == NULL;
}

#endif
