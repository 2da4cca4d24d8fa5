/* Rows are rounded as on AVX2; but byte products are so much faster that screening pays for fewer queries. */
#include "screen.h"

#if defined(EC_HAS_AVXVNNI)

EC_SLOTS(screen, avxvnni) { table->screens = 10; }
#else
typedef int ec_screen_avxvnni_is_not_built;
#endif
