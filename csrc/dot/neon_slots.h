/* The int8 slots of a tier of AArch64. neon.c and dotprod.c include this within their regions, behind the definitions
 * of dot_i8_pack, add_products, add_group and GROUP (the codes of a group). */

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    ec_neon_prepare(queries, n_queries, dimension, prepared);
}

static void dot_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel, int64_t n_rows,
                        int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                        int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    ec_neon_tile(prepared, first_query, n_queries, panel, n_rows, dimension, GROUP, scores, scores_stride, add_group);
}

static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    ec_neon_rows(query, rows, stride_bytes, n_rows, dimension, flip, scores, add_products);
}

static void sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                   int32_t *sums) {
    ec_neon_sums(0, rows, stride_bytes, n_rows, dimension, flip, sums, add_products);
}

static void sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                     int32_t *sums) {
    ec_neon_sums(1, rows, stride_bytes, n_rows, dimension, flip, sums, add_products);
}

static void lay_i8(ec_kernels *table) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->dot_i8_tile = dot_i8_tile;
    table->dot_i8_rows = dot_i8_rows;
    table->sum_i8 = sum_i8;
    table->sumsq_i8 = sumsq_i8;
}
