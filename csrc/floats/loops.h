/* The slots of the family, made of the loops of floats.h: every_tier.h includes this once a tier. */

static void EC_OF_TIER(widen)(const void *bytes, int64_t count, int32_t payload, void *floats) {
    ec_loop_widen(bytes, count, payload, floats);
}

static int32_t EC_OF_TIER(narrow)(const void *floats, int64_t count, int32_t payload, void *bytes) {
    return ec_loop_narrow(floats, count, payload, bytes);
}

EC_SLOTS_OF_TIER(floats) {
    table->floats_widen = EC_OF_TIER(widen);
    table->floats_narrow = EC_OF_TIER(narrow);
}
