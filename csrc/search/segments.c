/* Positions in segments, and the ids of the rows there. */
#include "segments.h"

static int64_t whole_at(const void *values, int64_t i) { return (int64_t)ec_load_u64((const uint8_t *)values + 8 * i); }

static void put_whole(void *values, int64_t i, int64_t value) {
    memcpy((uint8_t *)values + 8 * i, &value, sizeof value);
}

void ec_segments_ids(const void *segments, int64_t n_segments, const void *positions, int64_t n, void *ids) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t position = whole_at(positions, i);
        const ec_segment *at = ec_segment_among(segments, n_segments, position);
        put_whole(ids, i, position < 0 ? -1 : whole_at(at->ids, position - at->first));
    }
}

/* The position of an id in a segment, or -1. */
static int64_t position_in(const ec_segment *segment, int64_t id) {
    int64_t low = 0, high = segment->count; /* ids before `low` are not above this one, those from `high` on are */
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (whole_at(segment->ids, middle) <= id)
            low = middle;
        else
            high = middle;
    }
    return whole_at(segment->ids, low) == id ? segment->first + low : -1;
}

/* The last segment whose least id is not above this one, where segments ascend. */
static const ec_segment *segment_of(const ec_segment *segments, int64_t n, int64_t id) {
    while (n > 1) {
        const int64_t half = n / 2;
        if (whole_at(segments[half].ids, 0) <= id) {
            segments += half;
            n -= half;
        } else {
            n = half;
        }
    }
    return segments;
}

void ec_segments_positions(const void *segments, int64_t n_segments, int32_t ascending, const void *ids, int64_t n,
                           void *positions) {
    const ec_segment *all = segments;
    for (int64_t i = 0; i < n; i++) {
        const int64_t id = whole_at(ids, i);
        int64_t found = -1;
        if (ascending)
            found = position_in(segment_of(all, n_segments, id), id);
        else
            for (int64_t s = 0; s < n_segments && found < 0; s++) found = position_in(&all[s], id);
        put_whole(positions, i, found);
    }
}
