/* Shaping in plain C: the specification. What is not said to be fused is rounded by itself, so that all tiers give the
 * same bits. */
#include "shape.h"

#define EC_OF_TIER(name) name##_scalar
#include "loops.h"

static void add_products(float *to, float factor, const float *from) {
    for (int c = 0; c < EC_PANEL; c++) to[c] = ec_fma_f32(factor, from[c], to[c]);
}

/* Goes over the dimensions of a row's panel. */
static void shape_panel_f32(const ec_levels *to, const ec_shape *by, const ec_shaped *row) {
    const int count = (int)ec_min_i64(EC_PANEL, by->dimension - row->begin);
    for (int i = 0; i < count; i++) {
        const int64_t j = row->begin + i;
        const float level = row->levels[i], own = by->rest * (row->scale * level - row->factor * row->values[i]);
        const float width = row->scale * by->curvatures[j];
        int place = 0;
        for (int32_t t = 0; t < to->n_levels - 1; t++) place += level > to->edges[t];
        const int up = row->along[i] < by->above[place] * width - own;
        if (!up && !(row->along[i] > by->below[place] * width - own)) continue;
        place = ec_shaped_place(to->n_levels, to, by, row, i, place, up);
        const float by_much = row->scale * (to->levels[place] - level);
        row->levels[i] = to->levels[place];
        add_products(row->along, by_much, by->couplings + j * EC_PANEL);
        for (int64_t p = 0; p < by->directions; p += EC_PANEL)
            add_products(row->error + p, by_much, by->shaping + p * by->dimension + j * EC_PANEL);
    }
}

EC_SLOTS(shape, scalar) {
    table->shape_panel_f32 = shape_panel_f32;
    table->shape_errors_f32 = shape_errors_f32_scalar;
}

EC_INSTALL(shape, EC_SCALAR(shape) EC_AVX2(shape) EC_AVX512(shape))
