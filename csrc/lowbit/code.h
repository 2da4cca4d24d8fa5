/* The slot lowbit_code_f32, with a loop for each number of bits: each tier includes this within its region, behind its
 * code(). */

static double lowbit_code_f32(const ec_levels *to, void *values, int64_t count, float factor, uint8_t *packed,
                              int64_t width) {
    switch (to->bits) {
    case 1: return code(1, to, values, count, factor, packed, width);
    case 2: return code(2, to, values, count, factor, packed, width);
    case 3: return code(3, to, values, count, factor, packed, width);
    default: return code(4, to, values, count, factor, packed, width);
    }
}
