/* The slot lowbit_panel_f32, in tiles of six rows by as many sums as the `vectors` of a tier hold. Each tier includes
 * this within its region, behind TILE_SUMS, `vectors` and the verbs zeros, load, store and add_products. */

enum { TILE_ROWS = 6 };
/* One tile: the products of `inner` values of n_rows rows with the panel, added to `out` or, unless `add`, stored
 * there. */

EC_INLINE void tile(const int n_rows, const char *row, int64_t stride, int64_t inner, const char *panel, char *out,
                    int64_t out_stride, int32_t add) {
    vectors r0 = zeros(), r1 = r0, r2 = r0, r3 = r0, r4 = r0, r5 = r0;
    if (add) {
        r0 = load(out);
        if (n_rows > 1) r1 = load(out + out_stride);
        if (n_rows > 2) r2 = load(out + 2 * out_stride);
        if (n_rows > 3) r3 = load(out + 3 * out_stride);
        if (n_rows > 4) r4 = load(out + 4 * out_stride);
        if (n_rows > 5) r5 = load(out + 5 * out_stride);
    }
    for (int64_t i = 0; i < inner; i++, row += 4, panel += 4 * EC_PANEL) {
        const vectors weights = load(panel);
        r0 = add_products(r0, row, weights);
        if (n_rows > 1) r1 = add_products(r1, row + stride, weights);
        if (n_rows > 2) r2 = add_products(r2, row + 2 * stride, weights);
        if (n_rows > 3) r3 = add_products(r3, row + 3 * stride, weights);
        if (n_rows > 4) r4 = add_products(r4, row + 4 * stride, weights);
        if (n_rows > 5) r5 = add_products(r5, row + 5 * stride, weights);
    }
    store(out, r0);
    if (n_rows > 1) store(out + out_stride, r1);
    if (n_rows > 2) store(out + 2 * out_stride, r2);
    if (n_rows > 3) store(out + 3 * out_stride, r3);
    if (n_rows > 4) store(out + 4 * out_stride, r4);
    if (n_rows > 5) store(out + 5 * out_stride, r5);
}

static void all_tiles(const char *row, int64_t stride, int64_t n_rows, int64_t inner, const char *weights, char *out,
                      int64_t out_stride, int32_t add, ec_ahead *soon) {
    for (; n_rows >= TILE_ROWS; n_rows -= TILE_ROWS, row += TILE_ROWS * stride, out += TILE_ROWS * out_stride) {
        if (TILE_SUMS < (int)EC_PANEL) ec_ahead_step(soon);
        tile(TILE_ROWS, row, stride, inner, weights, out, out_stride, add);
    }
    switch (n_rows) {
    case 5: tile(5, row, stride, inner, weights, out, out_stride, add); break;
    case 4: tile(4, row, stride, inner, weights, out, out_stride, add); break;
    case 3: tile(3, row, stride, inner, weights, out, out_stride, add); break;
    case 2: tile(2, row, stride, inner, weights, out, out_stride, add); break;
    case 1: tile(1, row, stride, inner, weights, out, out_stride, add); break;
    default: break;
    }
}

/* Tiles that are narrower than a panel read it with gaps, which the hardware does not foresee. What follows a piece is
 * mostly the next that is wanted: it is asked for while the tiles of this one are computed. */
static void lowbit_panel_f32(const void *rows, int64_t stride, int64_t n_rows, int64_t inner, const void *panel,
                             int64_t columns, void *out, int64_t out_stride, int32_t add) {
    const int64_t n_tiles = n_rows / TILE_ROWS * ((columns + TILE_SUMS - 1) / TILE_SUMS);
    const int64_t ahead = TILE_SUMS < (int)EC_PANEL ? 4 * EC_PANEL * EC_PANEL_PIECE : 0;
    for (int64_t begin = 0; begin == 0 || begin < inner; begin += EC_PANEL_PIECE) {
        const int64_t count = ec_min_i64(EC_PANEL_PIECE, inner - begin);
        const char *piece = (const char *)panel + 4 * EC_PANEL * begin;
        const void *next = (const void *)((uintptr_t)piece + 4 * EC_PANEL * (uintptr_t)count);
        ec_ahead soon = ec_ahead_of(next, ahead, n_tiles);
        for (int64_t c = 0; c < columns; c += TILE_SUMS)
            all_tiles((const char *)rows + 4 * begin, stride, n_rows, count, piece + 4 * c, (char *)out + 4 * c,
                      out_stride, add || begin > 0, &soon);
    }
}
