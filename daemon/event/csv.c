/*
 * CSV as RFC 4180 has it: cells between commas, or what the stream says instead
 * of a comma, quotes around what holds one, a quote (doubled) or a line's end.
 * An empty cell is an absent field.
 */
#include <errno.h>
#include <string.h>

#include "event/decoder.h"

/* The quote that closes a cell, NULL: none does. @doubled counts the others. */
static const char *closing_quote(const char *s, const char *end,
				 size_t *doubled) {
	*doubled = 0;
	while ((s = memchr(s, '"', (size_t)(end - s)))) {
		if (s + 1 == end || s[1] != '"')
			return s;
		++*doubled;
		s += 2;
	}
	return NULL;
}

static const char *without_doubles(const char *s, size_t len,
				   struct arena *arena) {
	char *plain = arena_alloc_raw(arena, len, 1);
	char *out = plain;

	for (size_t i = 0; i < len; i++) {
		*out++ = s[i];
		i += s[i] == '"';
	}
	return plain;
}

int csv_cell(const char **at, const char *end, char delimiter,
	     struct arena *arena, struct raw *ret) {
	const char *s = *at, *close;
	size_t doubled = 0;

	ret->kind = RAW_CELL;
	if (s == end || *s != '"') {
		close = memchr(s, delimiter, (size_t)(end - s));
		if (!close)
			close = end;
		if (memchr(s, '"', (size_t)(close - s)))
			return -EINVAL;
		ret->s = s;
		ret->len = (uint32_t)(close - s);
		*at = close + 1;
		return close < end;
	}
	s++;
	close = closing_quote(s, end, &doubled);
	if (!close || (close + 1 < end && close[1] != delimiter))
		return -EINVAL;
	ret->s = s;
	ret->len = (uint32_t)((size_t)(close - s) - doubled);
	if (doubled)
		ret->s = without_doubles(s, (size_t)(close - s), arena);
	*at = close + 2;
	return close + 1 < end;
}

const char *csv_row_end(const char *text, size_t len) {
	if (len && text[len - 1] == '\n')
		len--;
	if (len && text[len - 1] == '\r')
		len--;
	return text + len;
}

enum refusal csv_row(struct decoder *decoder, const char *text, size_t len,
		     struct arena *scratch) {
	const char *at = text, *end = csv_row_end(text, len);
	size_t n = 0;
	int more = 1;

	if (memchr(text, '\0', len))
		return REFUSED_BAD_ROW;
	if (!json_is_utf8(text, len))
		return REFUSED_NOT_UTF8;
	memset(decoder->raws, 0, decoder->n_raws * sizeof(struct raw));
	while (more) {
		struct raw cell;

		more = csv_cell(&at, end, decoder->delimiter, scratch, &cell);
		if (more < 0 || n == decoder->n_columns)
			return REFUSED_BAD_ROW;
		if (cell.len && decoder->columns[n] >= 0)
			decoder->raws[decoder->columns[n]] = cell;
		n++;
	}
	return n == decoder->n_columns ? REFUSED_NOT : REFUSED_BAD_ROW;
}
