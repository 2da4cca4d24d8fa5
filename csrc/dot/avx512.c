/* Lays the slots of the AVX-512 dots, which are spread over the files avx512_*.c. */
#include "../kernels.h"

#if defined(EC_X86_64)

EC_SLOTS(dot_i8, avx512);
EC_SLOTS(dot_f32, avx512);
EC_SLOTS(dot_rows, avx512);
EC_SLOTS(dot_sums, avx512);
EC_SLOTS(dot_few_i8, avx512);
EC_SLOTS(dot_few_f32, avx512);

EC_SLOTS(dot, avx512) {
    ec_slots_dot_i8_avx512(table);
    ec_slots_dot_f32_avx512(table);
    ec_slots_dot_rows_avx512(table);
    ec_slots_dot_sums_avx512(table);
    ec_slots_dot_few_i8_avx512(table);
    ec_slots_dot_few_f32_avx512(table);
}
#endif
