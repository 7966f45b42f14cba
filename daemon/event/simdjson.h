/*
 * Simdjson, behind three functions: where the tokens of a JSON text begin.
 *
 * We take the library's first stage only: it finds brackets, commas, colons
 * and the starts of strings and scalars at gigabytes a second, and checks
 * UTF-8, quotes and control characters. Its second stages either turn numbers
 * into doubles (money must stay exact) or do not look at what nobody asks for
 * (a broken document must be refused whole), so grammar and values are ours:
 * see token.h. Nothing is thrown across this boundary.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_index;

/* For texts of at most @max_bytes. 0 or -ENOMEM. */
int json_index_new(struct json_index **ret, size_t max_bytes);
void json_index_free(struct json_index *index);
/*
 * Offsets of the tokens, ascending, valid until the next call; one more that
 * holds @len stands behind them. 0; -EILSEQ: not UTF-8; -EBADMSG: an open
 * string, a control character in a string, or nothing at all; -E2BIG: longer
 * than max_bytes. Reads not a byte beyond @len.
 */
int json_index_build(struct json_index *index, const char *text, size_t len,
		     const uint32_t **ret, size_t *n);
bool json_is_utf8(const char *text, size_t len);

#ifdef __cplusplus
}
#endif
