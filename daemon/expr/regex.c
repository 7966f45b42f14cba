/*
 * Regex: patterns that were compiled at load, matched without malloc.
 *
 * PCRE2 wants memory for a match; it gets a piece of the stack, so two lanes
 * may run one program at once. A pattern that needs more than that, or more
 * steps than the limit, is an attack on somebody's rule: the result is missing.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "expr/term.h"

#include <pcre2.h>
#include <string.h>

#define REGEX_STEPS 100000
#define REGEX_STACK 65536

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
};

static void *take_arena(size_t size, void *arena) {
	return arena_alloc_raw(arena, size, 16);
}

struct piece {
	char *next, *end;
};

static void *take_piece(size_t size, void *data) {
	struct piece *piece = data;
	char *ret = piece->next;

	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(piece->end - piece->next))
		return NULL;
	piece->next += size;
	return ret;
}

static void give_nothing(void *bytes, void *data) {
	(void)bytes;
	(void)data;
}

struct regex *regex_compile(struct arena *arena, const char *pattern,
			    size_t len, char *error, size_t error_size) {
	pcre2_general_context *general =
		pcre2_general_context_create(take_arena, give_nothing, arena);
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	struct regex *regex = arena_new(arena, struct regex);
	PCRE2_SIZE at;
	int number;

	pcre2_set_max_pattern_length(context, 4096);
	pcre2_set_parens_nest_limit(context, 100);
	regex->code = pcre2_compile((PCRE2_SPTR)pattern, len,
				    PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
					    PCRE2_NEVER_BACKSLASH_C,
				    &number, &at, context);
	if (!regex->code) {
		pcre2_get_error_message(number, (PCRE2_UCHAR *)error,
					error_size);
		return NULL;
	}
	regex->limits = pcre2_match_context_create(general);
	pcre2_set_match_limit(regex->limits, REGEX_STEPS);
	pcre2_set_depth_limit(regex->limits, 1000);
	pcre2_set_heap_limit(regex->limits, REGEX_STACK / 1024);
	return regex;
}

struct value regex_match(const struct regex *regex, struct value s) {
	_Alignas(16) char bytes[REGEX_STACK];
	struct piece piece = { bytes, bytes + sizeof(bytes) };
	pcre2_general_context *general =
		pcre2_general_context_create(take_piece, give_nothing, &piece);
	pcre2_match_data *data = pcre2_match_data_create(1, general);
	int r;

	if (!data)
		return value_missing(MISSING_ERROR);
	r = pcre2_match(regex->code, (PCRE2_SPTR)(s.len > 0 ? s.s : ""), s.len,
			0, 0, data, regex->limits);
	if (r == PCRE2_ERROR_NOMATCH)
		return value_bool(false);
	return r >= 0 ? value_bool(true) : value_missing(MISSING_ERROR);
}
