/*
 * Sheet: titles, paragraphs and tables, as Markdown, as mdoc(7) for man, or
 * only the rows about one word.
 *
 * A column whose name begins with ` holds code. Man has no use for wide tables:
 * there a row is its first cell, its last one, and the others in parentheses.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define SHEET_COLUMNS 6

struct sheet {
	struct buf *out;
	bool man;
	const char *wanted; /* NULL: all of it */
	const char *topic;  /* title above the rows */
	const char *columns[SHEET_COLUMNS];
	size_t n;
};

void sheet_section(struct sheet *sheet, const char *title);
void sheet_topic(struct sheet *sheet, const char *title);
void sheet_text(struct sheet *sheet, const char *text);
/* @columns: "`key, `type, default, meaning". */
void sheet_table(struct sheet *sheet, const char *columns);
/* As many cells as columns; NULL and "" are empty. */
void sheet_row(struct sheet *sheet, ...);
void sheet_end(struct sheet *sheet);
