/* The kernel table: a struct of function pointers, called slots. Public functions call the kernels through ec_active,
 * the table that ec_isa_select() has filled: scalar fills every slot, and each tier that the machine has replaces those
 * that it has faster code for.
 *
 * The contract of a slot is the comment at its scalar twin, the specification. Slots do not check arguments or
 * capacities: the public functions of embcodec.h do, once a batch. */
#ifndef EC_KERNELS_H
#define EC_KERNELS_H

#include "embcodec.h"
#include "target.h"
#include "tiers.h"

#include "search/slots.h"

typedef struct ec_steps ec_steps;   /* see quantize/quantize.h */
typedef struct ec_levels ec_levels; /* see lowbit/lowbit.h */
typedef struct ec_shape ec_shape;   /* see shape/shape.h */
typedef struct ec_shaped ec_shaped;
typedef struct ec_chain ec_chain; /* see chain/chain.h */

typedef struct ec_kernels {
    /* base64: whole groups, see base64/groups.h */
    void (*base64_encode)(const uint8_t *bytes, int64_t n, uint8_t *text);
    int64_t (*base64_decode)(const uint8_t *text, int64_t n, uint8_t *bytes, int32_t flags);
    /* numbers: text[0] is '[', already checked; floats may be unaligned */
    ec_result (*floats_parse)(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags);
    ec_result (*integers_parse)(const uint8_t *text, int64_t n, uint8_t *out, int64_t capacity, int32_t type);
    int64_t (*floats_format)(const float *values, int64_t n, uint8_t *text);
    int64_t (*integers_format)(const uint8_t *values, int64_t n, int32_t type, uint8_t *text);
    /* bits: one row; flags are those of enum ec_bits; packing returns whether all values are finite */
    int (*pack_bits_f32)(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed);
    void (*unpack_bits_u8)(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values);
    void (*unpack_bits_f32)(const uint8_t *packed, int64_t count, uint32_t flags, void *values);
    /* quantize: one row or a flat matrix; `flip` is xored into every code; quantizing returns whether all values are
     * finite */
    int (*quantize_affine_f32)(const void *values, int64_t count, float factor, float addend, float low, float high,
                               uint8_t flip, uint8_t *codes);
    /* For values that are known to be finite and at most 127 in magnitude once multiplied. Returns max_abs_bits_f32()
     * of the `count` values at `next`, which it reads meanwhile. */
    uint32_t (*quantize_scaled_f32)(const void *values, int64_t count, float factor, uint8_t flip, uint8_t *codes,
                                    const void *next);
    /* codes `count` dimensions of each row; rows of values lie `stride` values apart, rows of codes `stride` codes */
    int (*quantize_ranges_f32)(const void *values, int64_t stride, int64_t rows, int64_t count, const ec_steps *steps,
                               uint8_t flip, uint8_t *codes);
    uint32_t (*max_abs_bits_f32)(const void *values, int64_t count);
    void (*dequantize_scaled_f32)(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values);
    void (*dequantize_unit_f32)(const uint8_t *codes, int64_t count, int32_t is_signed, void *values);
    void (*dequantize_ranges_f32)(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                  const void *step, void *values);
    /* crc32: the remainder of some bytes, continued over n more */
    uint32_t (*crc32)(uint32_t remainder, const uint8_t *bytes, int64_t n);
    /* hadamard: count is a power of two */
    void (*hadamard_f32)(void *values, int64_t count);
    /* lowbit: a panel is (inner, 64) float32; strides are in bytes */
    void (*lowbit_panel_f32)(const void *rows, int64_t stride, int64_t n_rows, int64_t inner, const void *panel,
                             int64_t columns, void *out, int64_t out_stride, int32_t add);
    double (*lowbit_code_f32)(const ec_levels *to, void *values, int64_t count, float factor, uint8_t *packed,
                              int64_t width);
    /* principal: counts are multiples of 8 */
    void (*principal_steps_f32)(float *values, int64_t count, float factor, int32_t bits, float step, uint8_t *packed,
                                int64_t width);
    void (*principal_weigh_f32)(const float *values, const float *weights, int64_t count, float *weighted);
    /* chain: some rows, the values of each replaced by levels */
    void (*chain_code_f32)(const ec_chain *chain, const float *factors, float *values, int64_t stride, int64_t n_rows,
                           uint8_t *numbers, float *kept);
    /* shape: the levels of a row, changed so that its error is less where queries reach */
    void (*shape_panel_f32)(const ec_levels *to, const ec_shape *by, const ec_shaped *row);
    void (*shape_errors_f32)(const float *levels, float scale, const float *values, float factor, int64_t count,
                             float *errors);
    /* hamming */
    void (*hamming_u1_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel);
    void (*hamming_u1_prepare)(const void *queries, int64_t n_queries, int64_t width, void *prepared);
    void (*hamming_u1_tile)(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes);
    void (*hamming_u1_rows)(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                            int32_t *scores);
    void (*planes_u1_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel);
    void (*planes_u1_tile)(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                           const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                           const void *ahead, int64_t ahead_bytes);
    int64_t planes_u1_queries, planes_u1_width; /* from so many queries and bytes of a row on planes of bits are faster:
                                                   see hamming/planes.h; 0 where there are none */
    int64_t hamming_u1_spread; /* bytes that a byte of a long row becomes in the tile's panel: see hamming/amx_near.h */
    /* dot_u1: rows of bits, in tables that dot_u1_tables makes of a query */
    void (*dot_u1_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel);
    void (*dot_u1_prepare)(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared);
    void (*dot_u1_tile)(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes);
    void (*dot_u1_rows)(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int64_t twice, int32_t *scores);
    int64_t dot_u1_spread;
    int64_t dot_u1_wide; /* a tile takes so many times as many queries as others: it writes few scores */
    int32_t (*dot_u1_tables)(const void *query, int64_t width, void *tables, float *scale);
    /* dot */
    void (*dot_i8_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel);
    void (*dot_i8_prepare)(const void *queries, int64_t n_queries, int64_t dimension, void *prepared);
    void (*dot_i8_tile)(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes);
    void (*dot_i8_rows)(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores);
    /* dots with queries of few levels, for screening; rough_queries says of how many queries, 0 for none */
    int64_t rough_queries;
    void (*rough_i8_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                          void *panel, int32_t *sums, int32_t *sumsq);
    void (*rough_i8_prepare)(const void *queries, int64_t n_queries, int64_t dimension, void *prepared);
    void (*rough_i8_tile)(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                          int64_t n_rows, int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                          int64_t ahead_bytes);
    int64_t
        tile_queries; /* a tile takes this many queries best, or a multiple: register blocks of the tiles divide it */
    int64_t most_few_i8, most_few_f32; /* the most queries for which plain rows are faster than packed ones */
    int64_t most_few_short_i8;         /* the same of rows of less than EC_DOT_SHORT codes */
    void (*dot_i8_few)(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums,
                       int32_t *sumsq, void *prepared, const void *ahead, int64_t ahead_bytes);
    void (*dot_i8_chosen)(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                          int64_t dimension, uint8_t flip, int32_t *scores);
    void (*sum_i8)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums);
    void (*sumsq_i8)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums);
    void (*dot_f32_pack)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel);
    void (*dot_f32_prepare)(const void *queries, int64_t n_queries, int64_t dimension, void *prepared);
    void (*dot_f32_tile)(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes);
    void (*dot_f32_rows)(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores);
    void (*dot_f32_few)(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                        int64_t dimension, float *scores, int64_t scores_stride, double *sumsq, void *prepared);
    void (*dot_f32_chosen)(const void *query, const void *rows, int64_t stride_bytes, const int32_t *chosen, int64_t n,
                           int64_t dimension, float *scores);
    void (*sumsq_f32)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums);
    /* floats */
    void (*floats_widen)(const void *bytes, int64_t count, int32_t payload, void *floats);
    int32_t (*floats_narrow)(const void *floats, int64_t count, int32_t payload, void *bytes);
    /* response */
    int64_t (*string_end)(const uint8_t *text, int64_t n);
    int64_t (*list_end)(const uint8_t *text, int64_t n);
    /* search */
    ec_filter_i32_fn *filter_i32;
    ec_sift_i32_fn *sift_i32;
    ec_sift_f32_fn *sift_f32;
    ec_entries_count_fn *entries_count;
    ec_entries_keep_fn *entries_keep;
    ec_entries_minima_fn *entries_minima;
    ec_entries_sort_fn *entries_sort;
    ec_decode_i8_fn *decode_i8;
    ec_decode_u1_fn *decode_u1;
    ec_square_ranges_fn *square_ranges;
    ec_square_sums_fn *square_sums;
    ec_inverse_lengths_fn *inverse_lengths;
    ec_l2_terms_fn *l2_terms;
    /* screen: rows of floats to int8 codes, for search/screening.c */
    int64_t screens; /* the least queries for which the tier's int8 dots are so fast that screening pays; 0 for none */
    void (*screen_rows)(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths, const void *ahead,
                        int64_t ahead_bytes);
    int64_t
        most_screen_few; /* the most queries that screen_few takes; 0 where it is no faster than one after the other */
    void (*screen_few_prepare)(const void *query_codes, int64_t n_queries, int64_t width, void *prepared);
    void (*screen_few)(const void *prepared, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t width, int8_t *codes, float *steps, float *errors, float *lengths, int32_t *scores,
                       int64_t scores_stride);
    /* extremes: the ends of each dimension, widened by rows; returns the bits of the largest magnitude */
    uint32_t (*extremes_f32)(const void *rows, int64_t n_rows, int64_t dimension, float *low, float *high);
    /* fold: a float query to int8 codes, for search/queries.c */
    uint32_t (*fold_f32)(const void *values, int64_t dimension, const float *steps, float step, float *folded);
    double (*weigh_f32)(const void *values, int64_t dimension, const float *weights);
    void (*round_f32)(const float *folded, int64_t dimension, double inverse, int8_t *codes);
} ec_kernels;

/* The kernels in force. Only ec_isa_select() writes it: at import, and in tests. */
extern ec_kernels ec_active;

/* The tiers that this machine can run: a set of enum ec_isa. */
uint32_t ec_cpu_tiers(void);

/* Whether vpdpbusd has its VEX form here, on a machine with the tier avxvnni. Where not, the tier uses the EVEX
 * form. */
int ec_cpu_has_vex_dots(void);

/* Bytes of an element of a matrix; `type` of enum ec_type. */
EC_INLINE int64_t ec_type_bytes(int32_t type) { return type == EC_FLOAT32 ? 4 : 1; }

#endif
