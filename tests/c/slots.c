/* Every slot of the kernel table with the family of subjects that compares it with scalar, and the proof that it does: the
 * slot is replaced by a trap, and an input of the family must spring it. A slot that is not named here does not compile. */
#include <setjmp.h>
#include <stdio.h>

#include "kernels.h"
#include "subjects.h"

#define SLOT(slot, of) {.name = #slot, .family = of, .offset = offsetof(ec_kernels, slot)}
#define SLOT_OF_TWO(slot, of, too) {.name = #slot, .family = of, .also = too, .offset = offsetof(ec_kernels, slot)}

static const struct {
    const char *name, *family; /* no family: a number, nothing to call */
    const char *also;          /* another family that reaches it, or NULL */
    size_t offset;
} SLOTS[] = {
    SLOT(base64_encode, "base64"),
    SLOT(base64_decode, "base64"),
    SLOT(floats_parse, "numbers"),
    SLOT(integers_parse, "numbers"),
    SLOT(floats_format, "numbers"),
    SLOT(integers_format, "numbers"),
    SLOT(pack_bits_f32, "bits"),
    SLOT(unpack_bits_u8, "bits"),
    SLOT(unpack_bits_f32, "bits"),
    SLOT(quantize_affine_f32, "quantize"),
    SLOT(quantize_ranges_f32, "quantize"),
    SLOT(quantize_scaled_f32, "quantize"),
    SLOT(max_abs_bits_f32, "quantize"),
    SLOT(dequantize_scaled_f32, "quantize"),
    SLOT(dequantize_unit_f32, "quantize"),
    SLOT(dequantize_ranges_f32, "quantize"),
    SLOT(crc32, "crc32"),
    SLOT(hadamard_f32, "hadamard"),
    SLOT(lowbit_panel_f32, "lowbit"),
    SLOT(lowbit_code_f32, "lowbit"),
    SLOT(principal_steps_f32, "lowbit"),
    SLOT(principal_weigh_f32, "lowbit"),
    SLOT(chain_code_f32, "lowbit"),
    SLOT(shape_panel_f32, "lowbit"),
    SLOT(shape_errors_f32, "lowbit"),
    SLOT(hamming_u1_pack, "hamming"),
    SLOT(hamming_u1_prepare, "hamming"),
    SLOT(hamming_u1_tile, "hamming"),
    SLOT(hamming_u1_rows, "hamming"),
    SLOT_OF_TWO(planes_u1_pack, "slots", "planes"),
    SLOT_OF_TWO(planes_u1_tile, "slots", "planes"),
    SLOT(planes_u1_queries, NULL),
    SLOT(planes_u1_width, NULL),
    SLOT(hamming_u1_spread, NULL),
    SLOT(dot_u1_spread, NULL),
    SLOT(dot_u1_wide, NULL),
    SLOT(dot_u1_tables, "hamming"),
    SLOT(dot_u1_pack, "hamming"),
    SLOT(dot_u1_prepare, "hamming"),
    SLOT(dot_u1_tile, "hamming"),
    SLOT(dot_u1_rows, "hamming"),
    SLOT(dot_i8_pack, "dot"),
    SLOT(dot_i8_prepare, "dot"),
    SLOT(dot_i8_tile, "dot"),
    SLOT(dot_i8_rows, "dot"),
    SLOT(rough_queries, NULL),
    SLOT(rough_i8_pack, "slots"),
    SLOT(rough_i8_prepare, "slots"),
    SLOT(rough_i8_tile, "slots"),
    SLOT(tile_queries, NULL),
    SLOT(most_few_i8, NULL),
    SLOT(most_few_f32, NULL),
    SLOT(most_few_short_i8, NULL),
    SLOT(dot_i8_few, "slots"),
    SLOT(dot_i8_chosen, "slots"),
    SLOT(sum_i8, "dot"),
    SLOT(sumsq_i8, "dot"),
    SLOT(dot_f32_pack, "dot"),
    SLOT(dot_f32_prepare, "dot"),
    SLOT(dot_f32_tile, "dot"),
    SLOT(dot_f32_rows, "dot"),
    SLOT(dot_f32_few, "slots"),
    SLOT(dot_f32_chosen, "slots"),
    SLOT(sumsq_f32, "dot"),
    SLOT(floats_widen, "floats"),
    SLOT(floats_narrow, "floats"),
    SLOT(string_end, "response"),
    SLOT(list_end, "response"),
    SLOT(filter_i32, "slots"),
    SLOT(sift_i32, "slots"),
    SLOT(sift_f32, "slots"),
    SLOT(entries_count, "slots"),
    SLOT(entries_keep, "slots"),
    SLOT(entries_minima, "slots"),
    SLOT(entries_sort, "slots"),
    SLOT(decode_i8, "slots"),
    SLOT(decode_u1, "slots"),
    SLOT(square_ranges, "slots"),
    SLOT(screens, NULL),
    SLOT(screen_rows, "slots"),
    SLOT(most_screen_few, NULL),
    SLOT(screen_few_prepare, "slots"),
    SLOT(screen_few, "slots"),
    SLOT(square_sums, "slots"),
    SLOT(inverse_lengths, "slots"),
    SLOT(l2_terms, "slots"),
    SLOT(extremes_f32, "slots"),
    SLOT(fold_f32, "slots"),
    SLOT(weigh_f32, "slots"),
    SLOT(round_f32, "slots"),
};

enum { N_SLOTS = sizeof SLOTS / sizeof SLOTS[0], TRIALS = 3000 };

_Static_assert(N_SLOTS * sizeof(void (*)(void)) == sizeof(ec_kernels), "a slot has no line here");

static jmp_buf back;

static void trap(void) { longjmp(back, 1); }

static bool springs(const ec_kernels *trapped, subject *run, void (*make)(void), const uint8_t *input,
                    const int64_t *used) {
    for (volatile int i = 0; i < TRIALS; i++) {
        make();
        if (setjmp(back) != 0) return true;
        run_with(trapped, run, input, *used);
    }
    return false;
}

static bool is_of(int s, const char *family) {
    if (SLOTS[s].also && strcmp(SLOTS[s].also, family) == 0) return true;
    return SLOTS[s].family && strcmp(SLOTS[s].family, family) == 0;
}

bool reach_slots(const char *family, subject *run, void (*make)(void), const uint8_t *input, const int64_t *used) {
    void (*const to_trap)(void) = trap;
    const ec_kernels plain = ec_active;
    bool all = true;
    for (int s = 0; s < N_SLOTS; s++) {
        if (!is_of(s, family)) continue;
        void (*filled)(void);
        memcpy(&filled, (const char *)&plain + SLOTS[s].offset, sizeof filled);
        if (filled == NULL) continue; /* not every tier has it */
        ec_kernels trapped = plain;
        memcpy((char *)&trapped + SLOTS[s].offset, &to_trap, sizeof to_trap);
        bool sprung = springs(&trapped, run, make, input, used);
        ec_active = plain; /* the generators encode too */
        if (sprung) continue;
        fprintf(stderr, "slot %s is not reached by the subject of %s\n", SLOTS[s].name, family);
        all = false;
    }
    return all;
}
