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
/* Its message, or its title: in that language, else in any; "" for none. */
const char *show_message(const struct json *record, enum language language);
/* "zh" or "en"; false: another. */
bool language_find(enum language *ret, const char *name);
/* A cell of exactly @columns, with two blanks behind it. */
void show_cell(struct buf *out, const char *s, size_t columns);
