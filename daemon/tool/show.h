/*
 * Show: an alert's record as a line that people read.
 */
#pragma once

#include "base/buf.h"
#include "event/json.h"
#include "rule/rule.h"

/* How wide the columns are; what is longer is cut. */
struct columns {
	size_t rule, key;
	bool colour;
	enum language language;
};

void show_head(struct buf *out, const struct columns *columns);
/* @record is a document of alerts; what it lacks is shown as "-". */
void show_record(struct buf *out, const struct json *record,
		 const struct columns *columns);
/* "U-03 / 30201 2026-03", of the record's key and period. */
void show_key(struct buf *out, const struct json *record);
/*
 * Its title, message or advice in the language that is asked for, else in any;
 * the title where there is no such part; may be NULL.
 */
const struct json *show_text(const struct json *record, enum language language,
			     const char *part);
/* Its message, or its title: in that language, else in any; "" for none. */
const char *show_message(const struct json *record, enum language language);
/* "zh" or "en"; false: another. */
bool language_find(enum language *ret, const char *name);
/* A cell of exactly @columns, with two blanks behind it. */
void show_cell(struct buf *out, const char *s, size_t columns);
