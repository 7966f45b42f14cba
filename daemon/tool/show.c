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

void show_key(struct buf *out, const struct json *record) {
	const struct json *fields = json_get(record, "key");
	const char *period = json_text(json_get(record, "period"));
	size_t begin = out->len;

	for (const struct json *it = fields ? fields->first : NULL; it;
	     it = it->next) {
		if (out->len > begin)
			buf_puts(out, " / ");
		if (json_text(it))
			buf_add(out, it->text, it->len);
		else
			buf_putc(out, '-');
	}
	if (period)
		buf_printf(out, "%s%s", out->len > begin ? " " : "", period);
	if (out->len == begin)
		buf_putc(out, '-');
}

const struct json *show_text(const struct json *record, enum language language,
			     const char *part) {
	static const char *const names[LANGUAGE_MAX] = { "zh", "en" };
	const struct json *texts = json_get(record, "text");
	const struct json *text = json_get(texts, names[language]);

	for (int i = 0; i < LANGUAGE_MAX && !text; i++)
		text = json_get(texts, names[i]);
	return json_text(json_get(text, part)) ? json_get(text, part)
					       : json_get(text, "title");
}

const char *show_message(const struct json *record, enum language language) {
	return text_or(show_text(record, language, "message"), "");
}

void show_record(struct buf *out, const struct json *record,
		 const struct columns *columns) {
	const char *level = text_or(json_get(record, "level"), "-");
	const char *rule = text_or(json_get(record, "rule"), "-");
	const struct json *seq = json_get(record, "seq");
	const char *colour = columns->colour ? colour_of(level) : "";
	struct buf name = { 0 }, key = { 0 };

	show_time(out, record);
	buf_puts(out, colour);
	show_cell(out, level, LEVEL_COLUMNS);
	buf_puts(out, *colour ? "\033[0m" : "");
	show_cell(out, text_or(json_get(record, "change"), "-"),
		  CHANGE_COLUMNS);
	buf_printf(&name, "%s%s", rule,
		   !strcmp(text_or(seq, ""), "0") ? " (test)" : "");
	show_cell(out, buf_cstr(&name), columns->rule);
	show_key(&key, record);
	show_cell(out, buf_cstr(&key), columns->key);
	for (const char *s = show_message(record, columns->language); *s; s++)
		buf_putc(out, (unsigned char)*s < ' ' ? ' ' : *s);
	buf_putc(out, '\n');
	buf_free(&name);
	buf_free(&key);
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
