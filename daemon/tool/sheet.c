#include "tool/sheet.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAN_COLUMNS 76

/* A word of a man page: `code` in quotes, no escape and no request. */
static void man_word(struct buf *out, const char *s, size_t len, bool *quoted) {
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '`') {
			buf_puts(out, *quoted ? "\\(cq" : "\\(oq");
			*quoted = !*quoted;
		} else if (s[i] == '\\') {
			buf_puts(out, "\\e");
		} else {
			buf_putc(out, s[i]);
		}
	}
}

/* Lines of at most 80 bytes where words allow, a new one for each sentence. */
static void man_text(struct buf *out, const char *text) {
	struct buf word = { 0 };
	bool quoted = false;
	size_t line = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		buf_reset(&word);
		man_word(&word, text, len, &quoted);
		if (line && line + word.len >= MAN_COLUMNS) {
			buf_putc(out, '\n');
			line = 0;
		}
		buf_puts(out, line ? " " : strchr(".'", *text) ? "\\&" : "");
		buf_add(out, word.data, word.len);
		line += word.len + 1;
		text += len + strspn(text + len, " ");
		if (*text && strchr(".?!", word.data[word.len - 1])) {
			buf_putc(out, '\n');
			line = 0;
		}
	}
	buf_putc(out, '\n');
	buf_free(&word);
}

/* An argument of a macro, which nothing in it can be taken for. */
static void man_quoted(struct buf *out, const char *s) {
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		if (*s == '\\')
			buf_puts(out, "\\e");
		else
			buf_putc(out, *s);
	}
	buf_puts(out, "\"\n");
}

void sheet_section(struct sheet *sheet, const char *title) {
	sheet->topic = title;
	if (sheet->wanted)
		return;
	if (!sheet->man) {
		buf_printf(sheet->out, "\n## %s\n", title);
		return;
	}
	buf_puts(sheet->out, ".Sh ");
	for (const char *s = title; *s; s++)
		buf_putc(sheet->out, (char)toupper((unsigned char)*s));
	buf_putc(sheet->out, '\n');
}

void sheet_topic(struct sheet *sheet, const char *title) {
	sheet->topic = title;
	if (sheet->wanted)
		return;
	if (!sheet->man) {
		buf_printf(sheet->out, "\n### %s\n", title);
		return;
	}
	buf_puts(sheet->out, ".Ss ");
	man_quoted(sheet->out, title);
}

void sheet_text(struct sheet *sheet, const char *text) {
	struct buf *out = sheet->out;

	if (sheet->wanted)
		return;
	if (!sheet->man) {
		buf_printf(out, "\n%s\n", text);
		return;
	}
	if (out->len > 4 && !memcmp(out->data + out->len - 4, ".El\n", 4))
		buf_puts(out, ".Pp\n");
	man_text(out, text);
}

void sheet_table(struct sheet *sheet, const char *columns) {
	struct buf *out = sheet->out;

	sheet->n = 0;
	while (*columns && sheet->n < SHEET_COLUMNS) {
		sheet->columns[sheet->n++] = columns;
		columns += strcspn(columns, ",");
		columns += strspn(columns, ", ");
	}
	if (sheet->wanted)
		return;
	if (sheet->man) {
		buf_puts(out, ".Bl -tag -width indent\n");
		return;
	}
	buf_puts(out, "\n|");
	for (size_t i = 0; i < sheet->n; i++) {
		const char *s = sheet->columns[i] + (*sheet->columns[i] == '`');

		buf_printf(out, " %.*s |", (int)strcspn(s, ","), s);
	}
	buf_puts(out, "\n|");
	for (size_t i = 0; i < sheet->n; i++)
		buf_puts(out, " --- |");
	buf_putc(out, '\n');
}

static void markdown_cell(struct sheet *sheet, size_t i, const char *cell) {
	bool code = *sheet->columns[i] == '`' && *cell;

	buf_puts(sheet->out, code ? " `" : " ");
	for (; *cell; cell++) {
		if (*cell == '|' || (*cell == '<' && !code))
			buf_putc(sheet->out, '\\');
		buf_putc(sheet->out, *cell);
	}
	buf_puts(sheet->out, code ? "` |" : " |");
}

static void man_row(struct sheet *sheet, const char *const *cells) {
	struct buf text = { 0 };
	const char *comma = " (";

	buf_puts(sheet->out, ".It Ic ");
	man_quoted(sheet->out, cells[0]);
	buf_puts(&text, cells[sheet->n - 1]);
	for (size_t i = 1; i + 1 < sheet->n; i++) {
		const char *name = sheet->columns[i];

		if (!*cells[i])
			continue;
		name += *name == '`';
		buf_printf(&text, "%s%.*s: %s", comma, (int)strcspn(name, ","),
			   name, cells[i]);
		comma = "; ";
	}
	buf_puts(&text, *comma == ' ' ? "" : ")");
	man_text(sheet->out, buf_cstr(&text));
	buf_free(&text);
}

/* "cooldown" is about cooldown, sum about "sum(x): …", "string.trim()"… */
static bool is_about(const char *cell, const char *word) {
	size_t len = strlen(word);

	for (const char *at = cell; len && (at = strstr(at, word)); at++)
		if ((at == cell || at[-1] == '.' || at[-1] == ' ') &&
		    (!at[len] || at[len] == '('))
			return true;
	return false;
}

static void found_row(struct sheet *sheet, const char *const *cells) {
	buf_printf(sheet->out, "%s: %s\n", sheet->topic, cells[0]);
	for (size_t i = sheet->n - 1; i > 0; i--) {
		const char *name = sheet->columns[i];

		name += *name == '`';
		if (*cells[i])
			buf_printf(sheet->out, "  %.*s: %s\n",
				   (int)strcspn(name, ","), name, cells[i]);
	}
}

void sheet_row(struct sheet *sheet, ...) {
	const char *cells[SHEET_COLUMNS];
	va_list ap;

	va_start(ap, sheet);
	for (size_t i = 0; i < sheet->n; i++) {
		cells[i] = va_arg(ap, const char *);
		cells[i] = cells[i] ? cells[i] : "";
	}
	va_end(ap);
	if (sheet->wanted) {
		if (is_about(cells[0], sheet->wanted))
			found_row(sheet, cells);
		return;
	}
	if (sheet->man) {
		man_row(sheet, cells);
		return;
	}
	buf_putc(sheet->out, '|');
	for (size_t i = 0; i < sheet->n; i++)
		markdown_cell(sheet, i, cells[i]);
	buf_putc(sheet->out, '\n');
}

void sheet_end(struct sheet *sheet) {
	if (sheet->man && !sheet->wanted)
		buf_puts(sheet->out, ".El\n");
}
