#include "tool/show.h"

#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define TIME_COLUMNS 16
#define LEVEL_COLUMNS 6
#define CHANGE_COLUMNS 9

void show_cell(struct buf *out, const char *s, size_t columns) {
	text_fit(out, s, strlen(s), columns);
	buf_puts(out, "  ");
}

void show_head(struct buf *out, const struct columns *columns) {
	show_cell(out, "time", TIME_COLUMNS);
	show_cell(out, "level", LEVEL_COLUMNS);
	show_cell(out, "change", CHANGE_COLUMNS);
	show_cell(out, "rule", columns->rule);
	show_cell(out, "key", columns->key);
	buf_puts(out, "message\n");
}

static const char *colour_of(const char *level) {
	static const struct {
		const char *level, *code;
	} colours[] = {
		{ "red", "\033[1;31m" },
		{ "orange", "\033[38;5;208m" },
		{ "yellow", "\033[33m" },
		{ "green", "\033[32m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
		if (!strcmp(colours[i].level, level))
			return colours[i].code;
	}
	return "";
}

static const char *text_or(const struct json *json, const char *other) {
	const char *text = json_text(json);

	return text ? text : other;
}

/* "2026-03-05T00:00:00+08:00" as "2026-03-05 00:00": of its own zone. */
static void show_time(struct buf *out, const struct json *record) {
	const char *at =
		text_or(json_get(json_get(record, "times"), "event"), "-");
	char text[TIME_COLUMNS + 1] = "-";

	if (strlen(at) >= TIME_COLUMNS) {
		memcpy(text, at, TIME_COLUMNS);
		text[10] = ' ';
	}
	show_cell(out, text, TIME_COLUMNS);
}

static void show_key(struct buf *out, const struct json *record,
		     size_t columns) {
	struct buf key = { 0 };
	const struct json *fields = json_get(record, "key");

	for (const struct json *it = fields ? fields->first : NULL; it;
	     it = it->next) {
		if (key.len)
			buf_puts(&key, " / ");
		buf_puts(&key, text_or(it, "-"));
	}
	if (json_text(json_get(record, "period")))
		buf_printf(&key, "%s%s", key.len ? " " : "",
			   json_text(json_get(record, "period")));
	if (!key.len)
		buf_puts(&key, "-");
	show_cell(out, buf_cstr(&key), columns);
	buf_free(&key);
}

const char *show_message(const struct json *record, enum language language) {
	static const char *const names[LANGUAGE_MAX] = { "zh", "en" };
	const struct json *texts = json_get(record, "text");
	const struct json *text = json_get(texts, names[language]);

	for (int i = 0; i < LANGUAGE_MAX && !text; i++)
		text = json_get(texts, names[i]);
	return text_or(json_get(text, "message"),
		       text_or(json_get(text, "title"), ""));
}

void show_record(struct buf *out, const struct json *record,
		 const struct columns *columns) {
	const char *level = text_or(json_get(record, "level"), "-");
	const char *rule = text_or(json_get(record, "rule"), "-");
	const struct json *seq = json_get(record, "seq");
	const char *colour = columns->colour ? colour_of(level) : "";
	struct buf name = { 0 };

	show_time(out, record);
	buf_puts(out, colour);
	show_cell(out, level, LEVEL_COLUMNS);
	buf_puts(out, *colour ? "\033[0m" : "");
	show_cell(out, text_or(json_get(record, "change"), "-"),
		  CHANGE_COLUMNS);
	buf_printf(&name, "%s%s", rule,
		   !strcmp(text_or(seq, ""), "0") ? " (test)" : "");
	show_cell(out, buf_cstr(&name), columns->rule);
	show_key(out, record, columns->key);
	for (const char *s = show_message(record, columns->language); *s; s++)
		buf_putc(out, (unsigned char)*s < ' ' ? ' ' : *s);
	buf_putc(out, '\n');
	buf_free(&name);
}

bool language_find(enum language *ret, const char *name) {
	if (!strcmp(name, "zh"))
		*ret = LANGUAGE_ZH;
	else if (!strcmp(name, "en"))
		*ret = LANGUAGE_EN;
	else
		return false;
	return true;
}
