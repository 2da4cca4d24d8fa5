/* The size of scratch that is enough for the tier in force. */
#include "dot_u1.h"

int64_t ec_dot_u1_panel_bytes(int64_t n_rows, int64_t width) {
    return ec_round_up(n_rows, EC_DOT_U1_LANES) * ec_quads_u1(width) * 4 +
           ec_spread_bytes(n_rows, ec_quads_u1(width) * 2, ec_active.dot_u1_spread);
}
