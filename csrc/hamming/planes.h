/* Rows as planes of bits, and queries by fours, for tiles that count differing bits with adders of single bits.
 *
 * Plane d has bit d of 256 rows, a row a bit. A full adder of three planes, some ANDs and XORs, makes of three bits of
 * each row their sum, of two bits: it brings the number of planes down by one, and a tree of adders brings the planes of
 * a set of dimensions down to the digits of a number, how many of these bits each row has set.
 *
 * Four queries share the counts. Their bits make sixteen groups of the dimensions: by the first query's bit, the `side`,
 * and by which of the other three differ from it, the `pattern`. With the number of set bits n(pattern, side) in a row,
 * the bits in which the row differs from query q are, up to a constant,
 *
 *     sum over patterns of +- (n(pattern, 0) - n(pattern, 1)), minus where q differs from the first query
 *
 * so that every plane is added once for all four, and little is left to do for each query: a few sums of eight numbers.
 *
 * The prepared form of four queries is a list of numbers of 16 bits. Of each piece of the row, of at most EC_PIECE_BYTES:
 *
 *     set bits of the four queries   number of parts   the parts
 *
 * and of each part, which has at most EC_MOST_OF_GROUP dimensions of a group:
 *
 *     of each pattern, of side 1, then 0: number of places / 4, at most 32      the places, group by group
 *
 * A place is a plane's distance in units of eight bytes from the plane of zeros that a piece's planes begin with, and
 * that fills a group's places up to a multiple of four. */
#ifndef EC_HAMMING_PLANES_H
#define EC_HAMMING_PLANES_H

#include "hamming.h"

enum {
    EC_PLANE_ROWS = 256,
    EC_PLANE_BYTES = EC_PLANE_ROWS / 8,
    EC_PLACES = EC_PLANE_BYTES / 8, /* from one plane to the next */
    EC_PIECE_BYTES = 1024,          /* of a row, whose planes a place of 16 bits tells apart */
    EC_FOUR = 4,
    EC_PATTERNS = 8,
    EC_GROUPS = 2 * EC_PATTERNS,
    EC_MOST_OF_GROUP = 127 /* sums of bits, and differences of two such sums, fit eight bits */
};

/* Pieces of a row, all about as long. */
EC_INLINE int64_t ec_n_pieces(int64_t width) { return (width + EC_PIECE_BYTES - 1) / EC_PIECE_BYTES; }

/* Bytes of the piece that begins with byte `at`. */
EC_INLINE int64_t ec_piece_width(int64_t width, int64_t at) { return (width - at) / ec_n_pieces(width - at); }

/* Bytes of the planes of a piece of `width` bytes, and of all of a row's. */
EC_INLINE int64_t ec_piece_bytes(int64_t width) { return (8 * width + 1) * EC_PLANE_BYTES; }

EC_INLINE int64_t ec_planes_bytes(int64_t width) { return (8 * width + ec_n_pieces(width)) * EC_PLANE_BYTES; }

/* The most bytes that four prepared queries take. */
int64_t ec_planes_four_bytes(int64_t width);

/* Prepares queries, the last 1 to 4 of which are a four too. */
void ec_planes_prepare(const void *queries, int64_t n_queries, int64_t width, void *prepared);

#endif
