#include "tool/withheld.h"

#include <stdlib.h>
#include <string.h>

#include "alert/record.h"
#include "base/map.h"
#include "base/text.h"
#include "base/util.h"
#include "event/json.h"
#include "tool/show.h"

#define RULE_MOST 48u /* columns; what is longer is cut */
#define KEY_MOST 40u
#define REF_SHOWN 8 /* hexadecimal digits that tell masked keys apart */

/* All verdicts of one rule and key that one reason withheld. */
struct line {
	const char *rule, *key, *members, *reason, *detail, *detail_json;
	const char *first_text, *last_text;
	const struct zone *zone; /* NULL: the texts say what the times say */
	enum level level;        /* the greatest */
	usec_t first, last;
	uint64_t times;
	bool is_wanted, is_test;
};

struct withheld_list {
	const char *rule, *key;
	const uint8_t *mask_key; /* of the journal at hand */
	struct arena arena;
	struct map lines;
	struct buf name; /* scratch: what a line goes by */
	uint64_t silent;
	bool has_rule;
};

struct withheld_list *withheld_list_new(const char *rule, const char *key) {
	struct withheld_list *list = calloc(1, sizeof(*list));

	if (!list)
		abort();
	list->rule = rule;
	list->key = key;
	return list;
}

void withheld_list_free(struct withheld_list *list) {
	if (!list)
		return;
	buf_free(&list->name);
	arena_free(&list->arena);
	free(list);
}

/* --- what a line says --- */

static const char *keep(struct withheld_list *list, const struct buf *text) {
	return arena_strndup(&list->arena, text->len ? text->data : "",
			     text->len);
}

static const struct json *refs_of(struct arena *arena, const char *members) {
	const char *text = arena_printf(arena, "{%s}", members);
	const struct json *tree;

	if (json_parse(&tree, arena, text, strlen(text)) < 0)
		return NULL;
	return json_get(tree, "key_ref");
}

/*
 * Masked keys may look alike, so the beginnings of their references stand
 * behind them.
 */
static void put_refs(struct buf *out, const char *members) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	const struct json *refs = refs_of(&arena, members), *at;

	for (at = refs ? refs->first : NULL; at; at = at->next)
		buf_printf(out, " [%.*s]", REF_SHOWN, at->text);
}

static bool has_ref(const char *members, const char *ref) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	const struct json *refs = refs_of(&arena, members), *at;

	for (at = refs ? refs->first : NULL; at; at = at->next)
		if (!strcmp(at->text, ref))
			return true;
	return false;
}

static void name_key(struct withheld_list *list, struct line *line,
		     const struct withheld *what) {
	CLEANUP(buf_free) struct buf plain = { 0 }, members = { 0 };

	record_key_members(&members, what->rule, what->key, list->mask_key);
	line->members = keep(list, &members);
	record_key(&plain, what->rule, what->key);
	line->is_wanted = !list->key || !strcmp(buf_cstr(&plain), list->key) ||
			  has_ref(line->members, list->key);
	put_refs(&plain, line->members);
	if (!plain.len)
		buf_putc(&plain, '-');
	line->key = keep(list, &plain);
}

static void put_member(struct buf *out, const char *key, const char *text) {
	buf_comma(out);
	buf_json_key(out, key);
	if (text)
		buf_json_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void say_exception(struct buf *text, struct buf *json,
			  const struct exception *exception) {
	CLEANUP(buf_free) struct buf until = { 0 };
	bool ends = exception->until != INT64_MAX;

	if (ends)
		date_format(&until, exception->until);
	buf_printf(text, "%s (%s%s%s)", exception->reason,
		   exception->approved_by, ends ? ", until " : "",
		   buf_cstr(&until));
	buf_puts(json, "\"exception\":{");
	put_member(json, "reason", exception->reason);
	put_member(json, "approved_by", exception->approved_by);
	put_member(json, "until", ends ? buf_cstr(&until) : NULL);
	buf_putc(json, '}');
}

static void say_detail(struct withheld_list *list, struct line *line,
		       const struct withheld *what) {
	static const char *const reasons[] = {
		[WITHHELD_COOLDOWN] = "cooldown",
		[WITHHELD_EXCEPTION] = "exception",
		[WITHHELD_OPEN_MAX] = "open_max",
		[WITHHELD_MISSING] = "missing",
	};
	CLEANUP(buf_free) struct buf text = { 0 }, json = { 0 };

	line->reason = reasons[what->reason];
	switch (what->reason) {
	case WITHHELD_COOLDOWN:
		break;
	case WITHHELD_EXCEPTION:
		say_exception(&text, &json, what->exception);
		break;
	case WITHHELD_OPEN_MAX:
		/* Of windows that events open and close, or of coarser keys. */
		buf_puts(&text, window_is_stretch(&what->rule->plan->window)
					? "further windows of the key"
					: "changes of a coarser key");
		put_member(&json, "of", buf_cstr(&text));
		break;
	case WITHHELD_MISSING:
		buf_printf(&text, "%s%s", missing_name(what->missing),
			   what->rule->on_missing == ON_MISSING_INCONCLUSIVE
				   ? ", listed as inconclusive"
				   : "");
		put_member(&json, "missing", missing_name(what->missing));
		break;
	}
	line->detail = keep(list, &text);
	line->detail_json = keep(list, &json);
}

/* --- gathering --- */

/* What is written here stays here: it is not masked. */
static void name_line(struct buf *out, const struct withheld *what) {
	const struct exception *exception = what->exception;

	buf_reset(out);
	buf_printf(out, "%s %d %d %d ", what->rule->full,
		   (int)what->rule->status, (int)what->reason,
		   (int)what->missing);
	for (size_t i = 0; i < what->rule->plan->n_by; i++) {
		value_json(out, what->key[i], NULL);
		buf_putc(out, ',');
	}
	if (exception)
		buf_printf(out, "%lld %zu %s %s", (long long)exception->until,
			   strlen(exception->reason), exception->reason,
			   exception->approved_by);
}

static struct line *line_of(struct withheld_list *list,
			    const struct withheld *what) {
	struct line *line;

	name_line(&list->name, what);
	line = map_get(&list->lines, list->name.data, list->name.len);
	if (line)
		return line;
	line = arena_new(&list->arena, struct line);
	line->first = line->last = what->at;
	line->rule = arena_strdup(&list->arena, what->rule->full);
	line->is_test = what->rule->status == STATUS_TEST;
	name_key(list, line, what);
	say_detail(list, line, what);
	map_put(&list->lines, &list->arena, list->name.data, list->name.len,
		line);
	return line;
}

static void on_withheld(void *context, const struct withheld *what) {
	struct withheld_list *list = context;
	struct line *line;

	if (list->rule && strcmp(what->rule->full, list->rule) != 0)
		return;
	/* A missing verdict rang, if the rule says that it shall. */
	if (what->reason == WITHHELD_MISSING &&
	    what->rule->on_missing == ON_MISSING_ALERT)
		return;
	if (what->silent) {
		list->silent++;
		return;
	}
	line = line_of(list, what);
	if (what->at < line->first)
		line->first = what->at;
	if (what->at > line->last)
		line->last = what->at;
	if (what->level > line->level)
		line->level = what->level;
	line->zone = &what->rule->plan->calendar->zone;
	line->times++;
}

static const char *time_text(struct withheld_list *list, usec_t at,
			     const struct zone *zone) {
	CLEANUP(buf_free) struct buf text = { 0 };

	time_format_rfc3339(&text, at, zone);
	return keep(list, &text);
}

/* The zones go with the rules, so times become texts before that. */
static void on_end(void *context, const struct ruleset *rules) {
	struct withheld_list *list = context;

	for (size_t i = 0; i < list->lines.n; i++) {
		struct line *line = list->lines.values[i];

		if (!line->zone)
			continue;
		line->first_text = time_text(list, line->first, line->zone);
		line->last_text = time_text(list, line->last, line->zone);
		line->zone = NULL;
	}
	for (size_t i = 0; list->rule && i < rules->n_rules; i++)
		list->has_rule |= !strcmp(rules->rules[i]->full, list->rule);
}

void withheld_list_ask(struct withheld_list *list, struct recompute *what) {
	list->mask_key = what->mask_key;
	what->withheld = on_withheld;
	what->ends = on_end;
	what->context = list;
}

bool withheld_list_lacks_rule(const struct withheld_list *list) {
	return list->rule && !list->has_rule;
}

uint64_t withheld_list_silent(const struct withheld_list *list) {
	return list->silent;
}

/* --- printing --- */

static int by_rule_and_key(const void *a, const void *b) {
	const struct line *x = *(struct line *const *)a;
	const struct line *y = *(struct line *const *)b;
	int order = strcmp(x->rule, y->rule);

	if (!order)
		order = strcmp(x->key, y->key);
	if (!order)
		order = strcmp(x->reason, y->reason);
	if (order)
		return order;
	return x->first < y->first ? -1 : x->first > y->first;
}

static size_t pick(struct withheld_list *list, struct line **lines) {
	size_t n = 0;

	for (size_t i = 0; i < list->lines.n; i++) {
		struct line *line = list->lines.values[i];

		if (line->is_wanted)
			lines[n++] = line;
	}
	qsort(lines, n, sizeof(*lines), by_rule_and_key);
	return n;
}

static void put_json(struct buf *out, const struct line *line) {
	buf_putc(out, '{');
	put_member(out, "rule", line->rule);
	buf_printf(out, ",\"test\":%s,%s", line->is_test ? "true" : "false",
		   line->members);
	put_member(out, "reason", line->reason);
	if (*line->detail_json)
		buf_printf(out, ",%s", line->detail_json);
	put_member(out, "level", line->level ? level_name(line->level) : NULL);
	put_member(out, "first", line->first_text);
	put_member(out, "last", line->last_text);
	buf_printf(out, ",\"times\":%llu}\n", (unsigned long long)line->times);
}

enum { COLUMNS = 8 };

static void cells_of(const struct line *line, struct arena *arena,
		     const char *cells[COLUMNS]) {
	cells[0] = arena_printf(arena, "%s%s", line->rule,
				line->is_test ? " (test)" : "");
	cells[1] = line->key;
	cells[2] = line->reason;
	cells[3] = line->level ? level_name(line->level) : "-";
	cells[4] = arena_printf(arena, "%llu", (unsigned long long)line->times);
	cells[5] = line->first_text;
	cells[6] = line->last_text;
	cells[7] = line->detail;
}

static void put_row(struct buf *out, const char *const cells[COLUMNS],
		    const size_t widths[COLUMNS]) {
	size_t begin = out->len;

	for (size_t i = 0; i + 1 < COLUMNS; i++)
		show_cell(out, cells[i], widths[i]);
	buf_puts(out, cells[COLUMNS - 1]);
	while (out->data[out->len - 1] == ' ')
		out->len--;
	/* A key is whatever an event said. */
	for (size_t i = begin; i < out->len; i++)
		if ((unsigned char)out->data[i] < ' ')
			out->data[i] = ' ';
	buf_putc(out, '\n');
}

static void widen(size_t widths[COLUMNS], const char *const cells[COLUMNS]) {
	static const size_t most[COLUMNS] = { RULE_MOST, KEY_MOST };

	for (size_t i = 0; i < COLUMNS; i++) {
		size_t n = text_columns(cells[i], strlen(cells[i]));

		if (most[i] && n > most[i])
			n = most[i];
		if (n > widths[i])
			widths[i] = n;
	}
}

static void put_table(struct buf *out, struct line *const *lines, size_t n) {
	static const char *const head[COLUMNS] = { "rule",  "key",   "reason",
						   "level", "times", "first",
						   "last",  "detail" };
	CLEANUP(arena_free) struct arena arena = { 0 };
	const char *cells[COLUMNS];
	size_t widths[COLUMNS] = { 0 };

	widen(widths, head);
	for (size_t i = 0; i < n; i++) {
		cells_of(lines[i], &arena, cells);
		widen(widths, cells);
	}
	put_row(out, head, widths);
	for (size_t i = 0; i < n; i++) {
		cells_of(lines[i], &arena, cells);
		put_row(out, cells, widths);
	}
}

void withheld_list_print(struct withheld_list *list, bool json, FILE *to) {
	CLEANUP(buf_free) struct buf out = { 0 };
	struct line **lines = calloc(list->lines.n + 1, sizeof(*lines));
	size_t n;

	if (!lines)
		abort();
	n = pick(list, lines);
	if (!json)
		put_table(&out, lines, n);
	for (size_t i = 0; json && i < n; i++)
		put_json(&out, lines[i]);
	fwrite(out.data ? out.data : "", 1, out.len, to);
	free(lines);
}
