/*
 * Text: UTF-8, as code points and as columns on a terminal.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const char *s, size_t len);
/* One code point; returns its bytes, 0 if broken or at the end. */
size_t utf8_next(const char *s, size_t len, uint32_t *ret);
void utf8_put(struct buf *out, uint32_t code_point);
size_t utf8_length(const char *s, size_t len); /* code points */
/* Columns on a terminal: East Asian wide characters take two. No locale. */
size_t text_columns(const char *s, size_t len);
/* Pads with blanks, or cuts with "…", to exactly @columns. */
void text_fit(struct buf *out, const char *s, size_t len, size_t columns);
/* Levenshtein distance in code points; at most @limit, else limit + 1. */
size_t text_distance(const char *a, size_t a_len, const char *b, size_t b_len,
		     size_t limit);
