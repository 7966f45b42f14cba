/*
 * CSV as RFC 4180 has it: cells between commas, quotes around what holds a
 * comma, a quote (doubled) or a line's end. A header names the columns. An
 * empty cell is an absent field.
 */
#include <errno.h>
#include <string.h>

#include "event/decoder.h"

/*
 * Takes one cell; @at is moved behind it and its comma. 1: more follow, 0: it
 * was the last, -EINVAL: a quote where none may stand.
 */
static int next_cell(const char **at, const char *end, struct arena *arena,
		     struct raw *ret) {
	const char *s = *at, *close;
	char *plain, *out;

	ret->kind = RAW_CELL;
	if (s == end || *s != '"') {
		close = memchr(s, ',', (size_t)(end - s));
		if (!close)
			close = end;
		if (memchr(s, '"', (size_t)(close - s)))
			return -EINVAL;
		ret->s = s;
		ret->len = (uint32_t)(close - s);
		*at = close + 1;
		return close < end;
	}
	out = plain = arena_alloc_raw(arena, (size_t)(end - s), 1);
	for (s++;; s++) {
		if (s == end)
			return -EINVAL;
		if (*s == '"' && (++s == end || *s != '"'))
			break;
		*out++ = *s;
	}
	if (s < end && *s != ',')
		return -EINVAL;
	ret->s = plain;
	ret->len = (uint32_t)(out - plain);
	*at = s + 1;
	return s < end;
}

/* The end of the row: a line's end at the end of the text is none of it. */
static const char *row_end(const char *text, size_t len) {
	if (len && text[len - 1] == '\n')
		len--;
	if (len && text[len - 1] == '\r')
		len--;
	return text + len;
}

/*
 * A column is a field by the field's path ("amt", also written "/amt", and
 * "pay/amt" for a nested one), else by its name.
 */
static bool is_column(const struct field *field, struct raw cell, bool path) {
	const char *name = path ? field->path : field->name;

	if (path && *name == '/' && cell.len && *cell.s != '/')
		name++;
	return strlen(name) == cell.len && !memcmp(name, cell.s, cell.len);
}

static int32_t column_of(const struct decoder *decoder, struct raw cell) {
	for (int path = 1; path >= 0; path--) {
		for (size_t i = 0; i < decoder->n_wanted; i++) {
			if (is_column(decoder->wanted[i].field, cell, path))
				return (int32_t)decoder->wanted[i].raw;
		}
	}
	return -1;
}

static int place_columns(struct decoder *decoder, const char *at,
			 const char *end, struct buf *why) {
	int more = 1;

	for (size_t i = 0; more; i++) {
		struct raw cell;

		more = next_cell(&at, end, &decoder->arena, &cell);
		if (more < 0) {
			buf_puts(why, "a quote in the header is out of place");
			return -EINVAL;
		}
		decoder->columns[i] = column_of(decoder, cell);
		decoder->n_columns = i + 1;
		for (size_t k = 0; k < i; k++) {
			if (decoder->columns[i] < 0 ||
			    decoder->columns[k] != decoder->columns[i])
				continue;
			buf_puts(why, "two columns are the field `");
			buf_add(why, cell.s, cell.len);
			buf_putc(why, '`');
			return -EINVAL;
		}
	}
	return 0;
}

static int find_required(const struct decoder *decoder, struct buf *why) {
	int r = 0;

	for (size_t i = 0; i < decoder->n_wanted; i++) {
		const struct wanted *wanted = &decoder->wanted[i];
		bool found = wanted->field->type.optional;

		for (size_t k = 0; k < decoder->n_columns && !found; k++)
			found = decoder->columns[k] == (int32_t)wanted->raw;
		if (found)
			continue;
		buf_puts(why, r ? ", `" : "no column for the field `");
		buf_puts(why, wanted->field->name);
		buf_putc(why, '`');
		r = -EINVAL;
	}
	return r;
}

/* The header in UTF-8, where the stream has another encoding. */
static int header_text(struct decoder *decoder, const char **line, size_t *len,
		       struct buf *why) {
	const struct charset *charset = decoder->stream->charset;
	char *text;

	if (!charset)
		return 0;
	text = arena_alloc_raw(&decoder->arena, CHARSET_GROWTH * *len + 1, 1);
	*len = charset_decode(charset, text, *line, *len);
	*line = text;
	if (*len != SIZE_MAX)
		return 0;
	buf_puts(why, "the header is not in the encoding of the stream");
	return -EINVAL;
}

int decoder_csv_header(struct decoder *decoder, const char *line, size_t len,
		       struct buf *why) {
	const char *end;
	int r;

	r = header_text(decoder, &line, &len, why);
	if (r < 0)
		return r;
	if (len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		len -= 3;
	}
	end = row_end(line, len);
	decoder->n_columns = 0;
	decoder->columns =
		arena_array(&decoder->arena, int32_t, end - line + 1);
	r = place_columns(decoder, line, end, why);
	if (r == 0)
		r = find_required(decoder, why);
	if (r < 0)
		decoder->columns = NULL;
	return r;
}

enum refusal csv_row(struct decoder *decoder, const char *text, size_t len,
		     struct arena *scratch) {
	const char *at = text, *end = row_end(text, len);
	size_t n = 0;
	int more = 1;

	if (memchr(text, '\0', len))
		return REFUSED_BAD_ROW;
	if (!json_is_utf8(text, len))
		return REFUSED_NOT_UTF8;
	memset(decoder->raws, 0, decoder->n_raws * sizeof(struct raw));
	while (more) {
		struct raw cell;

		more = next_cell(&at, end, scratch, &cell);
		if (more < 0 || n == decoder->n_columns)
			return REFUSED_BAD_ROW;
		if (cell.len && decoder->columns[n] >= 0)
			decoder->raws[decoder->columns[n]] = cell;
		n++;
	}
	return n == decoder->n_columns ? REFUSED_NOT : REFUSED_BAD_ROW;
}
