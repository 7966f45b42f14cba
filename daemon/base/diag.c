#include "base/diag.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"

/* Beyond this a line is shown around the place, not whole. */
#define LINE_COLUMNS 160
#define LINE_BEFORE 60

const struct source *diag_source_text(struct diag *diag, const char *path,
				      const char *text, size_t len) {
	struct source *source = arena_new(&diag->arena, struct source);

	source->path = arena_strdup(&diag->arena, path);
	source->text = arena_strndup(&diag->arena, text, len);
	source->len = len;
	source->number = ++diag->n_sources;
	source->before = diag->last_source;
	diag->last_source = source;
	return source;
}

static void close_file(int *fd) {
	if (*fd >= 0)
		close(*fd);
}

/* Reads to the end, so that a pipe will do as well as a file. */
static int read_whole(struct buf *ret, const char *path) {
	CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		buf_reserve(ret, 1 << 16);
		n = read(fd, ret->data + ret->len, ret->cap - ret->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			ret->len += (size_t)n;
		if (ret->len > UINT32_MAX / 2)
			return -EFBIG;
	} while (n);
	return 0;
}

int diag_source(struct diag *diag, const char *path,
		const struct source **ret) {
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t mark = 0;
	int r;

	r = read_whole(&text, path);
	if (r < 0)
		return r;

	/* A mark of byte order, as editors on Windows leave it. */
	if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		mark = 3;
	*ret = diag_source_text(diag, path, text.data + mark, text.len - mark);
	return 0;
}

static struct complaint *diag_grow(struct diag *diag) {
	if (diag->n == diag->cap) {
		struct complaint *items;

		diag->cap = diag->cap ? 2 * diag->cap : 16;
		items = arena_array(&diag->arena, struct complaint, diag->cap);
		if (diag->n)
			memcpy(items, diag->items, diag->n * sizeof(*items));
		diag->items = items;
	}
	return &diag->items[diag->n++];
}

static bool is_warning(const char *code) {
	return code[0] == 'W';
}

int diag_at(struct diag *diag, struct place place, const char *code,
	    const char *format, ...) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct complaint *item;
	va_list ap;

	if (!is_warning(code))
		diag->n_errors++;
	if (diag->n == DIAG_MOST)
		return -EINVAL;
	item = diag_grow(diag);
	if (diag->n == DIAG_MOST) {
		item->code = "W699";
		item->place = place;
		item->text = "too many complaints; more of them are not "
			     "shown";
		return -EINVAL;
	}

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);

	item->code = arena_strdup(&diag->arena, code);
	item->place = place;
	item->text = arena_strndup(&diag->arena, text.data, text.len);
	return -EINVAL;
}

void diag_hide(struct diag *diag, const struct source *source, uint32_t line,
	       size_t from) {
	if (diag->n_hidden == diag->cap_hidden) {
		struct hidden *more;

		diag->cap_hidden = diag->cap_hidden ? 2 * diag->cap_hidden : 16;
		more = arena_array(&diag->arena, struct hidden,
				   diag->cap_hidden);
		if (diag->n_hidden)
			memcpy(more, diag->hidden,
			       diag->n_hidden * sizeof(*more));
		diag->hidden = more;
	}
	diag->hidden[diag->n_hidden++] = (struct hidden){ source, line, from };
}

/* Bytes of the line at @place that may be shown. */
static size_t shown(const struct diag *diag, const struct place *place,
		    size_t len) {
	for (size_t i = 0; i < diag->n_hidden; i++) {
		const struct hidden *hidden = &diag->hidden[i];

		if (hidden->source == place->source &&
		    hidden->line == place->line && hidden->from < len)
			len = hidden->from;
	}
	return len;
}

static int order(uint32_t a, uint32_t b) {
	return (a > b) - (a < b);
}

static int place_compare(const struct place *a, const struct place *b) {
	int r = order(a->source ? 1 + a->source->number : 0,
		      b->source ? 1 + b->source->number : 0);

	if (!r)
		r = order(a->line, b->line);
	return r ? r : order(a->column, b->column);
}

/* By merging, because qsort() may turn equal ones around. */
static void merge_sort(struct complaint *items, struct complaint *scratch,
		       size_t n) {
	size_t half = n / 2;
	size_t a = 0;
	size_t b = half;

	if (n < 2)
		return;
	merge_sort(items, scratch, half);
	merge_sort(items + half, scratch, n - half);
	memcpy(scratch, items, n * sizeof(*items));
	for (size_t i = 0; i < n; i++) {
		bool left = b == n ||
			    (a < half && place_compare(&scratch[a].place,
						       &scratch[b].place) <= 0);

		items[i] = scratch[left ? a++ : b++];
	}
}

void diag_sort(struct diag *diag) {
	struct arena arena = { 0 };

	merge_sort(diag->items, arena_array(&arena, struct complaint, diag->n),
		   diag->n);
	arena_free(&arena);
}

static const char *ink(bool colour, const char *escape) {
	return colour ? escape : "";
}

/* A line of a source; false if it has none of that number. */
static bool source_line(const struct source *source, uint32_t line,
			const char **ret, size_t *len) {
	const char *at = source->text;
	const char *end = at + source->len;
	const char *stop;

	for (uint32_t i = 1; i < line; i++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	if (!stop)
		stop = end;
	if (stop > at && stop[-1] == '\r')
		stop--;
	*ret = at;
	*len = (size_t)(stop - at);
	return true;
}

/* Bytes of the first @n code points. */
static size_t skip(const char *s, size_t len, size_t n) {
	size_t i = 0;
	uint32_t c;

	for (; n && i < len; n--) {
		size_t bytes = utf8_next(s + i, len - i, &c);

		i += bytes ? bytes : 1;
	}
	return i;
}

/* What a terminal can take: an escape sequence in a file stays harmless. */
static void add_visible(struct buf *out, const char *s, size_t len) {
	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = utf8_next(s + i, len - i, &c);

		if (!n || (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0))
			buf_puts(out, "\xef\xbf\xbd");
		else
			buf_add(out, s + i, n);
		i += n ? n : 1;
	}
}

/* Blanks as wide as @s; a tab stays one, as the terminal decides its width. */
static void add_blanks(struct buf *out, const char *s, size_t len) {
	size_t from = 0;

	for (size_t i = 0; i <= len; i++) {
		CLEANUP(buf_free) struct buf seen = { 0 };

		if (i < len && s[i] != '\t')
			continue;
		add_visible(&seen, s + from, i - from);
		buf_repeat(out, ' ', text_columns(seen.data, seen.len));
		if (i < len)
			buf_putc(out, '\t');
		from = i + 1;
	}
}

static void add_mark(struct buf *out, const char *s, size_t len,
		     uint32_t width) {
	CLEANUP(buf_free) struct buf seen = { 0 };
	size_t columns;

	buf_putc(out, '^');
	if (width < 2)
		return;
	add_visible(&seen, s, skip(s, len, width));
	columns = text_columns(seen.data, seen.len);
	if (columns > 1)
		buf_repeat(out, '~', columns - 1);
}

static void print_quote(struct buf *out, const struct place *place,
			const char *line, size_t len, bool cut_back,
			bool colour) {
	size_t points = utf8_length(line, len);
	size_t before = place->column ? place->column - 1 : 0;
	bool cut_front = false;
	size_t at;

	if (before > points)
		before = points;
	if (points > LINE_COLUMNS) {
		size_t from = before > LINE_BEFORE ? before - LINE_BEFORE : 0;
		size_t bytes = skip(line, len, from);

		cut_front = from > 0;
		cut_back |= points - from > LINE_COLUMNS;
		line += bytes;
		len = skip(line, len - bytes, LINE_COLUMNS);
		before -= from;
	}
	at = skip(line, len, before);

	buf_printf(out, "%5u | %s", place->line, cut_front ? "…" : "");
	add_visible(out, line, len);
	buf_puts(out, cut_back ? "…\n" : "\n");
	if (!place->column)
		return;
	buf_puts(out, cut_front ? "      |  " : "      | ");
	add_blanks(out, line, at);
	buf_puts(out, ink(colour, "\033[1;32m"));
	add_mark(out, line + at, len - at, place->width);
	buf_puts(out, ink(colour, "\033[0m"));
	buf_putc(out, '\n');
}

static void print_place(struct buf *out, const struct place *place,
			bool colour) {
	if (!place->source)
		return;
	buf_printf(out, "%s%s", ink(colour, "\033[1m"), place->source->path);
	if (place->line)
		buf_printf(out, ":%u", place->line);
	if (place->line && place->column)
		buf_printf(out, ":%u", place->column);
	buf_printf(out, ":%s ", ink(colour, "\033[0m"));
}

static void print_complaint(const struct diag *diag, struct buf *out,
			    const struct complaint *item, bool colour) {
	bool warning = is_warning(item->code);
	const char *line;
	size_t len, most;

	print_place(out, &item->place, colour);
	buf_printf(out, "%s%s%s %s: ",
		   ink(colour, warning ? "\033[1;35m" : "\033[1;31m"),
		   warning ? "warning" : "error", ink(colour, "\033[0m"),
		   item->code);
	add_visible(out, item->text, strlen(item->text));
	buf_putc(out, '\n');
	if (item->place.source && item->place.line &&
	    source_line(item->place.source, item->place.line, &line, &len)) {
		most = shown(diag, &item->place, len);
		print_quote(out, &item->place, line, most, most < len, colour);
	}
}

void diag_print(const struct diag *diag, struct buf *out, bool colour) {
	for (size_t i = 0; i < diag->n; i++)
		print_complaint(diag, out, &diag->items[i], colour);
}

static void json_text(struct buf *out, const char *key, const char *s) {
	buf_comma(out);
	buf_json_key(out, key);
	if (s)
		buf_json_string(out, s, strlen(s));
	else
		buf_puts(out, "null");
}

static void json_number(struct buf *out, const char *key, uint32_t n) {
	buf_comma(out);
	buf_json_key(out, key);
	buf_int(out, n);
}

void diag_json(const struct diag *diag, struct buf *out) {
	buf_putc(out, '[');
	for (size_t i = 0; i < diag->n; i++) {
		const struct complaint *item = &diag->items[i];
		const struct place *place = &item->place;

		buf_puts(out, i ? ",\n{" : "\n{");
		json_text(out, "code", item->code);
		json_text(out, "severity",
			  is_warning(item->code) ? "warning" : "error");
		json_text(out, "file",
			  place->source ? place->source->path : NULL);
		json_number(out, "line", place->line);
		json_number(out, "column", place->column);
		json_number(out, "width", place->width);
		json_text(out, "message", item->text);
		buf_putc(out, '}');
	}
	buf_puts(out, diag->n ? "\n]\n" : "]\n");
}

void diag_free(struct diag *diag) {
	arena_free(&diag->arena);
	*diag = (struct diag){ 0 };
}

/* `lvie` for `live`: the commonest slip, and two edits to Levenshtein. */
static bool is_swapped(const char *a, const char *b) {
	while (*a && *a == *b) {
		a++;
		b++;
	}
	/* In this order neither is read behind its end. */
	return a[0] && a[1] && a[1] == b[0] && a[0] == b[1] &&
	       !strcmp(a + 2, b + 2);
}

/* A third of the letters may be wrong, but never all of them. */
const char *diag_nearest(const char *name, const char *const *candidates,
			 size_t n) {
	size_t len = strlen(name);
	size_t best = utf8_length(name, len) / 3;
	const char *ret = NULL;

	if (best < 1)
		best = 1;
	if (best > 3)
		best = 3;
	for (size_t i = 0; i < n; i++) {
		size_t c_len = strlen(candidates[i]);
		size_t distance =
			is_swapped(name, candidates[i])
				? 1
				: text_distance(name, len, candidates[i], c_len,
						best);

		if (distance > best ||
		    distance >= utf8_length(candidates[i], c_len))
			continue;
		ret = candidates[i];
		if (!distance)
			break;
		best = distance - 1;
	}
	return ret;
}
