/* The slot shape_panel_f32, LANES dimensions at a time. After a change all 64 are looked at again: most panels have few.
 * Each tier includes this within its region, behind LANES and the verbs of `floats` and `integers`. */

enum { GROUPS = EC_PANEL / LANES };

EC_INLINE void panel(const int bits, const ec_levels *to, const ec_shape *by, const ec_shaped *row) {
    const int used = (int)ec_min_i64(EC_PANEL, by->dimension - row->begin);
    const floats factor = splat(row->factor), scale = splat(row->scale), rest = splat(by->rest);
    const float *couplings = by->couplings + row->begin * EC_PANEL, *shaping = by->shaping + row->begin * EC_PANEL;
    floats along[GROUPS], low[GROUPS], high[GROUPS];
    int32_t places[EC_PANEL];
#pragma GCC unroll 8
    for (int g = 0; g < GROUPS; g++) {
        const floats level = load(row->levels + LANES * g), value = load(row->values + LANES * g);
        const floats own = multiply(rest, subtract(multiply(scale, level), multiply(factor, value)));
        const floats width = multiply(scale, load(by->curvatures + row->begin + LANES * g));
        const integers place = find(bits, to, level);
        low[g] = subtract(multiply(look_up(bits, by->above, place), width), own);
        high[g] = subtract(multiply(look_up(bits, by->below, place), width), own);
        along[g] = load(row->along + LANES * g);
        store_integers(places + LANES * g, place);
    }
    for (uint64_t left = ~(uint64_t)0 >> (EC_PANEL - used);;) {
        uint64_t up = 0, down = 0;
#pragma GCC unroll 8
        for (int g = 0; g < GROUPS; g++) {
            up |= (uint64_t)less(along[g], low[g]) << LANES * g;
            down |= (uint64_t)less(high[g], along[g]) << LANES * g;
        }
        const uint64_t passed = (up | down) & left;
        if (!passed) break;
        const int first = ec_trailing_zeros_u64(passed);
        left &= ~(uint64_t)1 << first;
        const int place = ec_shaped_place(1 << bits, to, by, row, first, places[first], up >> first & 1);
        const floats by_much = splat(row->scale * (to->levels[place] - row->levels[first]));
        row->levels[first] = to->levels[place];
#pragma GCC unroll 8
        for (int g = 0; g < GROUPS; g++) {
            along[g] = add_product(along[g], by_much, load(couplings + first * EC_PANEL + LANES * g));
            if (bits > 1) store(row->along + LANES * g, along[g]);
        }
        for (int64_t p = 0; p < by->directions; p += EC_PANEL)
            for (int c = 0; c < EC_PANEL; c += LANES) {
                const floats entries = load(shaping + p * by->dimension + first * EC_PANEL + c);
                store(row->error + p + c, add_product(load(row->error + p + c), by_much, entries));
            }
    }
}

static void shape_panel_f32(const ec_levels *to, const ec_shape *by, const ec_shaped *row) {
    switch (to->bits) {
    case 1: panel(1, to, by, row); break;
    case 2: panel(2, to, by, row); break;
    case 3: panel(3, to, by, row); break;
    default: panel(4, to, by, row); break;
    }
}
