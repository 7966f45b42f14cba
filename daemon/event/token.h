/*
 * Token: the grammar of JSON, one string, number or word at a time.
 *
 * Everything takes an end and never reads at or beyond it. What is not JSON by
 * RFC 8259 is refused, and lone surrogates too, as no UTF-8 stands for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How deep a document may nest. */
#define JSON_MAX_DEPTH 64

/*
 * The first quote, backslash or control byte, or @end. Bytes up to @readable
 * may be looked at, though not taken.
 */
const char *token_mark(const char *s, const char *end, const char *readable);
/*
 * @s is behind the opening quote: returns the closing quote, or NULL if there
 * is none or an escape is wrong. @escaped: there is a backslash between.
 */
const char *token_string(const char *s, const char *end, bool *escaped);
/* What stands between the quotes, plain; @out has room for @len bytes. */
size_t token_unescape(char *out, const char *s, size_t len);
/* The end of the number that begins at @s, or NULL. */
const char *token_number(const char *s, const char *end);
/* The end of true, false or null, or NULL. */
const char *token_word(const char *s, const char *end);
/* May a number or word end at @s? */
bool token_ends(const char *s, const char *end);
