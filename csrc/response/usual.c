/* Reads the usual answer to one input in one pass, what stands around its row included:
 *
 *     {"id":"..", "object":"list", "data":[{"object":"embedding", "embedding":[...], "index":0}],
 *      "model":"..", "usage":{"prompt_tokens":5, "total_tokens":5}}
 *
 * with members in any order. Any other answer is left to the readers that know all forms: so every verb here simply
 * returns 0 where it meets something that it does not know. */
#include "members.h"

enum { DEPTH = 1 }; /* of the values of the body's members */

/* Passes a value and, where it is a string, notes its text without the quotes. */
static int pass_text(ec_json_reader *reader, int64_t *start, int64_t *end) {
    int32_t escaped;
    *start = *end = -1;
    if (ec_json_peek(reader) != '"') return ec_json_value(reader, DEPTH, 0);
    *start = reader->at + 1;
    if (!ec_json_string(reader, &escaped) || escaped) return 0;
    *end = reader->at - 1;
    return 1;
}

/* Notes one more key of the usage, of three at most, and its count; or that only Python can tell what the usage says. */
static void note_count(ec_usual_answer *answer, int32_t key, int64_t count) {
    int64_t *counts[] = {NULL, &answer->prompt, &answer->completion, &answer->total};
    const int full = answer->usage_keys >= EC_USAGE_BASE * EC_USAGE_BASE;
    if (key == 0 || count < 0 || full || answer->usage_keys < 0) {
        answer->usage_keys = EC_USAGE_OTHER;
        return;
    }
    *counts[key] = count;
    answer->usage_keys = answer->usage_keys * EC_USAGE_BASE + key;
}

static int pass_usage(ec_json_reader *reader, ec_usual_answer *answer) {
    answer->usage_keys = EC_USAGE_NONE;
    answer->prompt = answer->completion = answer->total = 0;
    answer->usage_start = answer->usage_end = -1;
    if (ec_json_peek(reader) != '{') return ec_json_value(reader, DEPTH, 0);
    answer->usage_start = reader->at++;
    answer->usage_keys = 0;
    if (ec_json_peek(reader) != '}') {
        do {
            json_key key;
            int64_t count;
            if (!pass_member_key(reader, &key) || !pass_number(reader, DEPTH + 1, &count)) return 0;
            note_count(answer,
                       is_key(key, "prompt_tokens")       ? EC_USAGE_PROMPT
                       : is_key(key, "completion_tokens") ? EC_USAGE_COMPLETION
                       : is_key(key, "total_tokens")      ? EC_USAGE_TOTAL
                                                          : 0,
                       count);
        } while (pass_member_comma(reader));
    }
    if (!ec_json_expect(reader, '}')) return 0;
    answer->usage_end = reader->at;
    return 1;
}

/* Passes the list of the one row, and decodes it. Of lists with the same key the last one counts. */
static int pass_row(ec_json_reader *reader, const char *vector, const ec_usual_form *form, ec_usual_answer *answer,
                    void *row) {
    ec_row_path path = {vector, 1, 0, DEPTH + 1, 0, 0, 0};
    ec_row_span span;
    if (!ec_json_expect(reader, '[') || !ec_response_pass_row(reader, &path, &span)) return 0;
    if ((span.index != 0 && span.index != EC_INDEX_MISSING) || !ec_json_expect(reader, ']')) return 0;
    answer->kind = span.kind;
    return ec_response_decode_rows(reader->text, &span, 1, form->format, row, form->format->width).status == EC_OK &&
           ec_row_reads_as_asked(row, form->format, span.kind, form->asked);
}

static int pass_answer(ec_json_reader *reader, const ec_usual_form *form, ec_usual_answer *answer, void *row) {
    const char *list = form->names, *vector = list + strlen(list) + 1, *apart = vector + strlen(vector) + 1;
    if (!ec_json_expect(reader, '{')) return 0;
    do {
        json_key key;
        if (!pass_member_key(reader, &key)) return 0;
        const int passed = is_key(key, list)      ? pass_row(reader, vector, form, answer, row)
                           : is_key(key, "usage") ? pass_usage(reader, answer)
                           : is_key(key, "id")    ? pass_text(reader, &answer->id_start, &answer->id_end)
                           : is_key(key, "model") ? pass_text(reader, &answer->model_start, &answer->model_end)
                           : is_apart(key, apart) ? 0
                                                  : ec_json_value(reader, DEPTH, 0);
        if (!passed) return 0;
    } while (pass_member_comma(reader));
    return ec_json_expect(reader, '}') && ec_json_peek(reader) < 0;
}

ec_usual_answer ec_response_read_usual(const void *body, int64_t n, const ec_usual_form *form, void *row) {
    ec_json_reader reader = {body, n, 0, EC_OK};
    ec_usual_answer answer = {-1, -1, -1, -1, -1, -1, 0, 0, 0, EC_USAGE_NONE, 0};
    if (!pass_answer(&reader, form, &answer, row)) answer.kind = 0;
    return answer;
}
