/* For NEON, which looks nibbles up in registers of sixteen bytes: byte i of 32 rows lies side by side in a column, so
 * that a lane is a row. The tier has its own way to make columns and to add look-ups.
 *
 *     rows                     columns
 *     r0: b0 b1 b2 ...         r0 r1 ... r15 | r16 ... r31     byte 0 of all
 *     r1: b0 b1 b2 ...   ->    r0 r1 ... r15 | r16 ... r31     byte 1 */
#ifndef EC_DOT_U1_COLUMNS_H
#define EC_DOT_U1_COLUMNS_H

#include "dot_u1.h"

enum {
    EC_COLUMN = 32,
    EC_PIECE = 128 /* bytes of a row whose look-ups are added in 16 bits: 256 of at most 255 */
};

/* Makes columns of the bytes [at, at + count) of the 32 rows from r on. Behind the last row, row r is repeated. */
typedef void ec_load_columns_fn(const uint8_t *rows, int64_t stride_bytes, int64_t r, int64_t n_rows, int64_t width,
                                int64_t at, int64_t count, uint8_t *columns);

/* Adds to the totals the look-ups of `count` <= EC_PIECE columns in the tables of one or two queries, query_bytes
 * apart, less the bias of each look-up. */
typedef void ec_add_piece_fn(int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *columns,
                             int64_t count, int32_t totals[2][EC_COLUMN]);

/* Like the scalar twin. The panel has the columns of each 32 rows; it is padded to whole EC_DOT_U1_LANES rows. */
EC_INLINE void ec_pack_columns(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel,
                               ec_load_columns_fn *load_columns) {
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_DOT_U1_LANES); r += EC_COLUMN)
        load_columns(rows, stride_bytes, r < n_rows ? r : 0, n_rows, width, 0, width, (uint8_t *)panel + r * width);
}

/* Multiplies totals by what entries of the first tables count, of bytes that are met twice. */
EC_INLINE void ec_count_more(int32_t totals[2][EC_COLUMN]) {
    for (int i = 0; i < EC_COLUMN; i++) {
        totals[0][i] *= 1 << EC_DOT_U1_TWICE_SHIFT;
        totals[1][i] *= 1 << EC_DOT_U1_TWICE_SHIFT;
    }
}

EC_INLINE void ec_tile_columns(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows,
                               int64_t width, int64_t twice, int32_t *scores, int64_t scores_stride,
                               ec_add_piece_fn *add_piece) {
    const int64_t query_bytes = 64 * ec_quads_u1(twice + width);
    for (int64_t q = 0; q < n_queries; q += 2)
        for (int64_t r = 0; r < n_rows; r += EC_COLUMN) {
            const int n = (int)ec_min_i64(n_queries - q, 2);
            const uint8_t *tables = (const uint8_t *)prepared + q * query_bytes;
            const uint8_t *columns = (const uint8_t *)panel + r * width;
            int32_t totals[2][EC_COLUMN] = {{0}};
            if (twice) add_piece(n, tables, query_bytes, columns, twice, totals);
            ec_count_more(totals);
            for (int64_t at = 0; at < width; at += EC_PIECE)
                add_piece(n, tables + 32 * (twice + at), query_bytes, columns + EC_COLUMN * at,
                          ec_min_i64(width - at, EC_PIECE), totals);
            for (int i = 0; i < n; i++)
                memcpy(scores + (q + i) * scores_stride + r, totals[i],
                       (size_t)ec_min_i64(n_rows - r, EC_COLUMN) * sizeof *scores);
        }
}

EC_INLINE void ec_rows_columns(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows,
                               int64_t width, int64_t twice, int32_t *scores, ec_load_columns_fn *load_columns,
                               ec_add_piece_fn *add_piece) {
    for (int64_t r = 0; r < n_rows; r += EC_COLUMN) {
        int32_t totals[2][EC_COLUMN] = {{0}};
        for (int64_t at = 0; at < width; at += EC_PIECE) {
            const int64_t count = ec_min_i64(width - at, EC_PIECE);
            uint8_t columns[EC_COLUMN * EC_PIECE];
            load_columns(rows, stride_bytes, r, n_rows, width, at, count, columns);
            if (twice && at == 0) { /* no more than a piece */
                add_piece(1, tables, 0, columns, twice, totals);
                ec_count_more(totals);
            }
            add_piece(1, (const uint8_t *)tables + 32 * (twice + at), 0, columns, count, totals);
        }
        memcpy(scores + r, totals[0], (size_t)ec_min_i64(n_rows - r, EC_COLUMN) * sizeof *scores);
    }
}

#endif
