/*
 * Which column of a CSV is which field of its stream. Nothing is guessed: a
 * column is the field whose path it is, or whose name; the order is free. What
 * looks like a slip of the pen is told, and left.
 */
#include <errno.h>
#include <string.h>

#include "event/decoder.h"

/*
 * "amt" of a path "amt" or "/amt", "pay/amt" of "/pay/amt", and as a pointer
 * has them: "a/b" of "/a~1b".
 */
static bool is_path(const struct field *field, const char *column) {
	const char *path = field->path ? field->path : field->name;
	size_t len = strlen(column);
	char plain[256];

	if (*path == '/' && *column != '/')
		path++;
	if (!strcmp(path, column))
		return true;
	if (!strchr(path, '~') || strlen(path) > sizeof(plain))
		return false;
	return pointer_unescape(plain, path, strlen(path)) == len &&
	       !memcmp(plain, column, len);
}

static bool is_path_of_any(const struct stream *stream, const char *column) {
	for (size_t i = 0; i < stream->n_fields; i++) {
		if (is_path(&stream->fields[i], column))
			return true;
	}
	return false;
}

int32_t header_find(const struct stream *stream, const struct field *field,
		    const char *const *columns, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (is_path(field, columns[i]))
			return (int32_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(field->name, columns[i]) &&
		    !is_path_of_any(stream, columns[i]))
			return (int32_t)i;
	}
	return -1;
}

/* A header while it is held against the stream. */
struct header {
	struct decoder *decoder;
	const char *const *columns;
	size_t n;
	const char **left; /* columns that are no field */
	size_t n_left;
};

static bool is_read(const struct decoder *decoder, const struct field *field) {
	for (size_t i = 0; i < decoder->n_wanted; i++) {
		if (decoder->wanted[i].field == field)
			return true;
	}
	return false;
}

/* Of fields without a column. */
enum absent {
	ABSENT_FATAL, /* required, and some rule reads it */
	ABSENT_READ,  /* optional: missing in each row */
	ABSENT_UNREAD
};

static enum absent absence_of(const struct decoder *decoder,
			      const struct field *field) {
	if (!is_read(decoder, field))
		return ABSENT_UNREAD;
	return field->type.optional ? ABSENT_READ : ABSENT_FATAL;
}

/* "`amount`", "`gross` (`original_gross`)": where its column has that name. */
static void put_field(struct buf *out, const struct field *field) {
	const char *path = field->path ? field->path : field->name;

	buf_printf(out, "`%s`", field->name);
	if (*path == '/')
		path++;
	if (strcmp(path, field->name) != 0)
		buf_printf(out, " (`%s`)", path);
}

static const char *nearest(const struct header *header,
			   const struct field *field) {
	const char *path = field->path ? field->path : field->name;
	const char *near;

	if (*path == '/')
		path++;
	near = diag_nearest(path, header->left, header->n_left);
	return near ? near
		    : diag_nearest(field->name, header->left, header->n_left);
}

/* True: there was one. */
static bool put_absent(struct buf *out, const struct header *header,
		       enum absent absent, const char *lead) {
	const struct stream *stream = header->decoder->stream;
	bool any = false;

	for (size_t i = 0; i < stream->n_fields; i++) {
		const struct field *field = &stream->fields[i];
		const char *near;

		if (absence_of(header->decoder, field) != absent ||
		    header_find(stream, field, header->columns, header->n) >= 0)
			continue;
		buf_puts(out, any ? ", " : lead);
		any = true;
		put_field(out, field);
		near = nearest(header, field);
		if (near)
			buf_printf(out, " (did you mean `%s`?)", near);
	}
	return any;
}

static void find_left(struct header *header) {
	struct decoder *decoder = header->decoder;
	const struct stream *stream = decoder->stream;
	bool *used = arena_array(&decoder->arena, bool, header->n + 1);

	header->left =
		arena_array(&decoder->arena, const char *, header->n + 1);
	for (size_t i = 0; i < stream->n_fields; i++) {
		int32_t at = header_find(stream, &stream->fields[i],
					 header->columns, header->n);

		if (at >= 0)
			used[at] = true;
	}
	for (size_t i = 0; i < header->n; i++) {
		if (!used[i])
			header->left[header->n_left++] = header->columns[i];
	}
}

static void put_notes(const struct header *header, struct buf *notes) {
	size_t n = header->n_left;

	if (put_absent(notes, header, ABSENT_READ,
		       "no column for what may be absent: "))
		buf_putc(notes, '\n');
	if (put_absent(notes, header, ABSENT_UNREAD,
		       "no column for what no rule reads: "))
		buf_putc(notes, '\n');
	for (size_t i = 0; i < n; i++)
		buf_printf(notes, "%s`%s`",
			   i ? ", " : "columns that are no field: ",
			   header->left[i]);
	if (n)
		buf_putc(notes, '\n');
}

/* A second column of the same name would be the field as well. */
static int refuse_double(const struct header *header, int32_t at,
			 struct buf *why) {
	for (size_t i = (size_t)at + 1; i < header->n; i++) {
		if (strcmp(header->columns[i], header->columns[at]) != 0)
			continue;
		buf_printf(why, "two columns are called `%s`",
			   header->columns[at]);
		return -EINVAL;
	}
	return 0;
}

int header_place(struct decoder *decoder, const char *const *columns, size_t n,
		 struct buf *notes, struct buf *why) {
	struct header header = { .decoder = decoder,
				 .columns = columns,
				 .n = n };
	int32_t *raws = arena_array(&decoder->arena, int32_t, n + 1);

	for (size_t i = 0; i < n; i++)
		raws[i] = -1;
	for (size_t i = 0; i < decoder->n_wanted; i++) {
		const struct wanted *wanted = &decoder->wanted[i];
		int32_t at =
			header_find(decoder->stream, wanted->field, columns, n);

		if (at < 0)
			continue;
		if (refuse_double(&header, at, why) < 0)
			return -EINVAL;
		raws[at] = (int32_t)wanted->raw;
	}
	find_left(&header);
	if (put_absent(why, &header, ABSENT_FATAL, "no column for the field "))
		return -EINVAL;
	put_notes(&header, notes);
	decoder->columns = raws;
	decoder->n_columns = n;
	return 0;
}

/* The header in UTF-8, where the stream has another encoding. */
static int header_text(struct decoder *decoder, const char **line, size_t *len,
		       struct buf *why) {
	const struct charset *charset = decoder->stream->charset;
	char *text;

	if (charset) {
		text = arena_alloc_raw(&decoder->arena,
				       CHARSET_GROWTH * *len + 1, 1);
		*len = charset_decode(charset, text, *line, *len);
		*line = text;
	}
	if (*len != SIZE_MAX && json_is_utf8(*line, *len))
		return 0;
	buf_puts(why, "the header is not in the encoding of the stream");
	return -EINVAL;
}

int decoder_csv_header(struct decoder *decoder, const char *line, size_t len,
		       struct buf *notes, struct buf *why) {
	const char **columns;
	const char *end;
	size_t n = 0;
	int more = 1;

	decoder->columns = NULL;
	decoder->format = FORMAT_CSV;
	if (header_text(decoder, &line, &len, why) < 0)
		return -EINVAL;
	if (len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		len -= 3;
	}
	end = csv_row_end(line, len);
	columns = arena_array(&decoder->arena, const char *, end - line + 1);
	while (more) {
		struct raw cell;

		more = csv_cell(&line, end, decoder->delimiter, &decoder->arena,
				&cell);
		if (more < 0) {
			buf_puts(why, "a quote in the header is out of place");
			return -EINVAL;
		}
		columns[n++] = arena_strndup(&decoder->arena, cell.s, cell.len);
	}
	return header_place(decoder, columns, n, notes, why);
}
