/* Arrays of floats with AVX2 whose numbers differ in their digits and signs alone, as "%.8e" and "%.6f" print those below
 * ten: where a number begins says where the next one does, and what may stand at each place of it. So nothing is looked for:
 * numbers are loaded where they are thought to be, and compared with the form of the first one of their chunk.
 *
 *     byte     0 1 2 3 4 5 6 7 8 9 ..
 *     text     - 1 . 2 5 e - 0 5 , 3 . 7 5 e - 0 6 ,
 *     form       d . d d         ,                      the exponent is looked up: see avx2_alike.h
 */
#include "avx2_alike.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

enum {
    MOST_BEHIND = 13,  /* digits behind the point: all of them are among the bytes that are loaded */
    LOADED = 15,       /* bytes that are, from a first digit on */
    SHORT = 4 * BLOCK, /* a chunk that goes the other ways */
    WAIT = 16,         /* chunks that are not tried behind one that did not keep its form */
    LEAST_SHARE = 4,   /* what part of a chunk, or less, is not worth having been read */
    SHORTEST = 4,      /* bytes of a number with its comma, as 0.5, */
    MOST_OF_ROW = CHUNK / 2 / SHORTEST + 4
};

/* Whether a number that begins here has its comma where the form says; what is next begins at *next. */
EC_INLINE int is_like(const uint8_t *text, const ec_number_form *form, const uint8_t **next) {
    const uint8_t *first = text + (*text == '-');
    *next = first + form->step;
    return first[form->step - form->gap] == ',';
}

int ec_learn_form_avx2(const uint8_t *chunk, int64_t length, ec_number_form *form) {
    if (length < SHORT) return 0;
    form->before = *chunk == ' ';
    const uint8_t *start = chunk + form->before, *first = start + (*start == '-'), *p = first + 1;
    const int with_point = *p == '.';
    p += with_point;
    while (p - first < 2 + MOST_BEHIND && ec_is_digit(*p)) p++;
    form->from_e = (*p | 0x20) == 'e' ? (int32_t)(p - first) : 0;
    form->digits = with_point ? (int32_t)(p - first) - 2 : 0;
    p += form->from_e ? EC_MOST_FROM_E : 0;
    form->gap = 1 + (p[1] == ' ');
    form->step = (int32_t)(p - first) + form->gap;
    if (with_point ? form->digits == 0 : form->from_e != 1) return 0;
    return is_like(start, form, &p) && is_like(p, form, &p) && is_like(p, form, &p);
}

/* What may stand at each place of a number: what is beyond `range` more than `least` may not. */
typedef struct {
    __m256i least_u8x32, range_u8x32, digits_u8x32; /* the last are 15 where there are digits */
} places;

EC_INLINE places places_of(const ec_number_form *form) {
    const __m256i place_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m256i behind = _mm256_cmpgt_epi8(place_u8x32, _mm256_set1_epi8((char)(2 + form->digits)));
    const __m256i fraction = _mm256_andnot_si256(behind, _mm256_cmpgt_epi8(place_u8x32, _mm256_set1_epi8(2)));
    const __m256i digit = _mm256_or_si256(fraction, _mm256_cmpeq_epi8(place_u8x32, _mm256_set1_epi8(1)));
    const __m256i point = _mm256_cmpeq_epi8(place_u8x32, _mm256_set1_epi8(form->digits ? 2 : -1));
    const __m256i comma = _mm256_cmpeq_epi8(place_u8x32, _mm256_set1_epi8((char)(1 + form->step - form->gap)));
    const __m256i fixed = _mm256_or_si256(point, comma);
    __m256i least_u8x32 = _mm256_and_si256(digit, _mm256_set1_epi8('0'));
    least_u8x32 = _mm256_or_si256(least_u8x32, _mm256_and_si256(point, _mm256_set1_epi8('.')));
    least_u8x32 = _mm256_or_si256(least_u8x32, _mm256_and_si256(comma, _mm256_set1_epi8(',')));
    const __m256i any_u8x32 = _mm256_andnot_si256(_mm256_or_si256(digit, fixed), _mm256_set1_epi8(-1));
    const places of = {least_u8x32, _mm256_or_si256(any_u8x32, _mm256_and_si256(digit, _mm256_set1_epi8(9))),
                       _mm256_and_si256(digit, _mm256_set1_epi8(15))};
    return of;
}

/* Whether two times two numbers have the form. */
EC_INLINE int are_of_form(__m256i even_u8x32, __m256i odd_u8x32, const places *of) {
    const __m256i most_u8x32 =
        _mm256_max_epu8(_mm256_sub_epi8(even_u8x32, of->least_u8x32), _mm256_sub_epi8(odd_u8x32, of->least_u8x32));
    const __m256i beyond_u8x32 = _mm256_subs_epu8(most_u8x32, of->range_u8x32);
    return _mm256_testz_si256(beyond_u8x32, beyond_u8x32);
}

/* Bits by which two bytes from a number's end on differ from ", " or, without a gap of two, the first of them from ','. */
EC_INLINE uint32_t beside_comma(const uint8_t *end, uint32_t counted) {
    uint16_t behind;
    memcpy(&behind, end, 2);
    return (uint32_t)(behind ^ (',' | ' ' << 8)) & counted;
}

/* Numbers that follow each other, and where they are written. */
typedef struct {
    const uint8_t *start;
    float *out;
} row_of_numbers;

/* Converts those of two numbers of each row that are to be alone. Returns 0 where scalar must decide. */
static EC_NOINLINE int convert_alone(const uint8_t *chunk, const uint8_t *const first[4], int32_t length,
                                     uint32_t alone, float *const out[2]) {
    for (; alone != 0; alone &= alone - 1) {
        const int j = ec_trailing_zeros_u64(alone);
        const int64_t begin = first[j] - chunk;
        if (!ec_number_alone(chunk, begin, begin + length, out[j >> 1] + (j & 1))) return 0;
    }
    return 1;
}

/* Asks for the text a chunk ahead: both rows begin anew in each, which processors do not foresee. */
EC_INLINE void ask_ahead(const uint8_t *text) { _mm_prefetch((const char *)((uintptr_t)text + CHUNK), _MM_HINT_T0); }

/* Converts two numbers of each row at a time, until the first one has come to where the other began. What is behind their
 * ends is looked at by itself where the bytes that are loaded do not have it all. Returns 0 before some that have another form,
 * or are for scalar to decide. */
EC_INLINE int convert_rows(const uint8_t *chunk, const ec_number_form *of, row_of_numbers *a, row_of_numbers *b,
                           int has_exponent, int looks_behind) {
    const ec_number_form form = *of;
    const places at = places_of(&form);
    const int64_t step = form.step, gap = form.gap;
    const uint32_t counted = gap > 1 ? 0xffff : 0xff;
    const uint8_t *const middle = b->start;
    __m256d less_f64x4 = _mm256_set1_pd(1e-13 * (1 - 0x1p-50)), more_f64x4 = _mm256_set1_pd(1e-13 * (1 + 0x1p-50));
    while (a->start < middle) {
        const uint8_t *first[4], *next_a, *next_b;
        uint32_t others = 0;
        ask_ahead(a->start);
        ask_ahead(b->start);
        first[0] = a->start + (*a->start == '-');
        first[2] = b->start + (*b->start == '-');
        next_a = first[0] + step;
        next_b = first[2] + step;
        if (looks_behind) others |= beside_comma(next_a - gap, counted) | beside_comma(next_b - gap, counted);
        first[1] = next_a + (*next_a == '-');
        first[3] = next_b + (*next_b == '-');
        next_a = first[1] + step;
        next_b = first[3] + step;
        if (looks_behind) others |= beside_comma(next_a - gap, counted) | beside_comma(next_b - gap, counted);
        const __m256i even_u8x32 = ec_load_two_avx2(first[0] - 1, first[2] - 1);
        const __m256i odd_u8x32 = ec_load_two_avx2(first[1] - 1, first[3] - 1);
        if (has_exponent) {
            double power[4];
            for (int j = 0; j < 4; j++) power[j] = ec_power_of_key(first[j] + form.from_e, EC_KEYS_OF_TWO, &others);
            const __m256d powers_f64x4 = _mm256_setr_pd(power[0], power[1], power[2], power[3]);
            less_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 - 0x1p-50));
            more_f64x4 = _mm256_mul_pd(powers_f64x4, _mm256_set1_pd(1 + 0x1p-50));
        }
        if (EC_UNLIKELY(!are_of_form(even_u8x32, odd_u8x32, &at))) return 0;
        if ((has_exponent || looks_behind) && EC_UNLIKELY(others != 0)) return 0;
        const __m256d total_f64x4 =
            ec_join_quads_avx2(ec_single_quads_avx2(_mm256_and_si256(even_u8x32, at.digits_u8x32)),
                               ec_single_quads_avx2(_mm256_and_si256(odd_u8x32, at.digits_u8x32)));
        const __m256d sign_f64x4 = ec_signs_avx2(_mm256_unpacklo_epi64(even_u8x32, odd_u8x32));
        const __m256d low_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, less_f64x4), sign_f64x4);
        const __m256d high_f64x4 = _mm256_or_pd(_mm256_mul_pd(total_f64x4, more_f64x4), sign_f64x4);
        const __m128 value_f32x4 = _mm256_cvtpd_ps(low_f64x4);
        _mm_storel_pi((__m64 *)(void *)a->out, value_f32x4);
        _mm_storeh_pi((__m64 *)(void *)b->out, value_f32x4);
        const uint32_t alone = (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps(value_f32x4, _mm256_cvtpd_ps(high_f64x4)));
        if (EC_UNLIKELY(alone != 0)) {
            float *const out[2] = {a->out, b->out};
            if (!convert_alone(chunk, first, form.step - form.gap, alone, out)) return 0;
        }
        a->start = next_a;
        b->start = next_b;
        a->out += 2;
        b->out += 2;
    }
    return 1;
}

static int convert_form(const uint8_t *chunk, const ec_number_form *form, row_of_numbers *a, row_of_numbers *b) {
    if (form->gap > 1 || form->step - form->gap >= LOADED)
        return form->from_e ? convert_rows(chunk, form, a, b, 1, 1) : convert_rows(chunk, form, a, b, 0, 1);
    return form->from_e ? convert_rows(chunk, form, a, b, 1, 0) : convert_rows(chunk, form, a, b, 0, 0);
}

/* Where a number begins from which on there is room in the chunk for as many as before it, and two, however long these are;
 * NULL where none does. */
static const uint8_t *find_middle(const uint8_t *chunk, int64_t length, const ec_number_form *form) {
    const int64_t step = form->step, longest = step + 1;
    const int64_t from = (length - 2 * longest) * step / (step + longest) - longest;
    if (from < form->before + longest) return NULL;
    const __m256i text_u8x32 = _mm256_loadu_si256((const __m256i *)(chunk + from));
    const uint32_t commas = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text_u8x32, _mm256_set1_epi8(',')));
    const int64_t place = (int64_t)_tzcnt_u32(commas);
    return place < longest ? chunk + from + place + form->gap : NULL;
}

/* Each number's place follows from that of the one before it, which takes its time. So two rows of them are read at once, of
 * which the second begins in the middle of the chunk, and is moved behind the first when it is known where that is. */
int32_t ec_convert_fixed_avx2(const uint8_t *chunk, ec_number_index *index, float *out) {
    const ec_number_form *form = &index->form;
    float copy[MOST_OF_ROW];
    const uint8_t *const middle = find_middle(chunk, index->length, form);
    int64_t count = 0;
    if (middle && index->room >= (middle - chunk) / form->step + 2) {
        row_of_numbers a = {chunk + form->before, out}, b = {middle, copy};
        const int whole = convert_form(chunk, form, &a, &b);
        const int64_t again =
            a.start - middle; /* if it is more than 0, the other row's first number has been read, too */
        const int64_t more = (b.out - copy) - (again > 0);
        count = a.out - out;
        if (whole && more > 0 && count + more <= index->room) {
            memcpy(a.out, copy + (again > 0), (size_t)more * sizeof *copy);
            a.start = b.start;
            count += more;
        }
        index->end[0] = (uint16_t)(a.start - form->gap - chunk);
    }
    if (LEAST_SHARE * count * form->step < index->length) {
        index->form.wait = WAIT;
        return -1;
    }
    index->count = (int32_t)count;
    index->sound = 1;
    index->end[count - 1] = index->end[0];
    return index->count;
}

EC_TARGET_END

#endif
