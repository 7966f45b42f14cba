#include "tool/labels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/record.h"
#include "base/map.h"
#include "base/util.h"
#include "tool/rules.h"

#define UNTIL (2 * USEC_PER_DAY)

static const char *const grades[GRADE_MAX] = { "plain", "near", "hidden" };

const char *grade_name(enum grade grade) {
	return grades[grade];
}

/* While they are read. */
struct reader {
	struct labels *labels;
	size_t cap;
	struct map absent; /* rules that are not here */
	struct map blind;  /* "rule.field" that no key of the rule has */
	struct buf *why, *notes;
	const char *path;
	size_t line;
};

static int wrong(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int wrong(struct reader *reader, const char *format, ...) {
	va_list ap;

	buf_printf(reader->why, "%s:%zu: ", reader->path, reader->line);
	va_start(ap, format);
	buf_vprintf(reader->why, format, ap);
	va_end(ap);
	return -EINVAL;
}

/* 0: *ret is the text or NULL, where the name is absent or null. */
static int text_of(struct reader *reader, const struct json *line,
		   const char *name, const char **ret) {
	const struct json *json = json_get(line, name);

	*ret = NULL;
	if (!json || json->kind == JSON_NULL)
		return 0;
	if (json->kind != JSON_STRING)
		return wrong(reader, "`%s` is not a text", name);
	*ret = json->text;
	return 0;
}

/* 0: *ret is which of @words it is, or @other where the name is absent. */
static int word_of(struct reader *reader, const struct json *line,
		   const char *name, const char *const *words, size_t n,
		   int other, int *ret) {
	const char *text;
	const char *near;
	int r = text_of(reader, line, name, &text);

	*ret = other;
	if (r < 0 || !text)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		*ret = (int)i;
		return 0;
	}
	near = diag_nearest(text, words, n);
	return wrong(reader, "`%s` cannot be `%s`%s%s%s", name, text,
		     near ? " (did you mean `" : "", near ? near : "",
		     near ? "`?)" : "");
}

/* A rule by its name, or by package/name; 1: it is not here. */
static int rule_of(struct reader *reader, const struct json *line,
		   const struct rule **ret) {
	const struct ruleset *set = reader->labels->set;
	const struct rule *found = NULL;
	const char *name;
	int r = text_of(reader, line, "rule", &name);

	if (r < 0)
		return r;
	if (!name)
		return wrong(reader, "a label names its `rule`");
	for (size_t i = 0; i < set->n_rules; i++) {
		const struct rule *rule = set->rules[i];

		if (strcmp(rule->full, name) && strcmp(rule->name, name))
			continue;
		if (found)
			return wrong(reader, "`%s` is `%s` or `%s`", name,
				     found->full, rule->full);
		found = rule;
	}
	if (!found)
		map_put(&reader->absent, &reader->labels->arena, name,
			strlen(name), reader);
	*ret = found;
	return !found;
}

static int time_of(struct reader *reader, const struct json *line,
		   const char *name, const struct rule *rule, bool end,
		   usec_t *ret) {
	const char *text;
	int r = text_of(reader, line, name, &text);

	if (r < 0 || !text)
		return r;
	if (instant_parse(ret, text, &rule->plan->calendar->zone, end) < 0)
		return wrong(reader,
			     "`%s` is not a date or a time with its offset: "
			     "`%s`",
			     name, text);
	return 0;
}

static int times_of(struct reader *reader, const struct json *line,
		    struct label *label) {
	int r;

	label->time = INT64_MIN;
	r = time_of(reader, line, "time", label->rule, false, &label->time);
	if (r < 0)
		return r;
	if (label->time == INT64_MIN)
		return wrong(reader, "a label says its `time`");
	label->from = label->time;
	label->until = label->time + UNTIL;
	r = time_of(reader, line, "from", label->rule, false, &label->from);
	if (r == 0)
		r = time_of(reader, line, "until", label->rule, true,
			    &label->until);
	if (r < 0)
		return r;
	if (label->from > label->until)
		return wrong(reader, "`from` is later than `until`");
	return 0;
}

static int find_by(const struct rule *rule, const char *name) {
	for (size_t i = 0; i < rule->plan->n_by; i++) {
		if (!strcmp(rule->plan->by[i], name))
			return (int)i;
	}
	return -1;
}

static void note_blind(struct reader *reader, const struct rule *rule,
		       const char *field) {
	struct arena *arena = &reader->labels->arena;
	const char *name = arena_printf(arena, "%s.%s", rule->full, field);
	size_t len = strlen(name);

	if (map_get(&reader->blind, name, len))
		return;
	map_put(&reader->blind, arena, name, len, reader);
	buf_printf(reader->notes,
		   "%s:%zu: the key of `%s` has no field `%s`, so that no "
		   "alert is of such a label\n",
		   reader->path, reader->line, rule->name, field);
}

static int key_of(struct reader *reader, const struct json *line,
		  struct label *label) {
	label->key = json_get(line, "key");
	if (!label->key)
		return 0;
	if (label->key->kind != JSON_OBJECT)
		return wrong(reader, "`key` is an object, {field: value}");
	for (const struct json *it = label->key->first; it; it = it->next) {
		if (find_by(label->rule, it->name) < 0)
			note_blind(reader, label->rule, it->name);
	}
	return 0;
}

static int words_of(struct reader *reader, const struct json *line,
		    struct label *label) {
	static const char *const expects[] = { "alert", "silence" };
	const char *levels[LEVEL_RED];
	int expect, grade, level = -1;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		levels[i] = level_name((enum level)(i + 1));
	r = word_of(reader, line, "expect", expects, ARRAY_SIZE(expects), -1,
		    &expect);
	if (r < 0)
		return r;
	if (expect < 0)
		return wrong(reader, "a label says what to `expect`: alert or "
				     "silence");
	r = word_of(reader, line, "grade", grades, GRADE_MAX, GRADE_PLAIN,
		    &grade);
	if (r == 0)
		r = word_of(reader, line, "level", levels, ARRAY_SIZE(levels),
			    -1, &level);
	if (r < 0)
		return r;
	label->silence = expect == 1;
	label->grade = (enum grade)grade;
	label->level = (enum level)(level + 1);
	return text_of(reader, line, "period", &label->period);
}

static int read_label(struct reader *reader, const char *text, size_t len,
		      struct label *label) {
	struct arena *arena = &reader->labels->arena;
	const struct json *line;
	int r;

	*label = (struct label){
		.line = reader->line,
		.text = arena_strndup(arena, text, len),
		.len = len,
	};
	if (json_parse(&line, arena, text, len) < 0 ||
	    line->kind != JSON_OBJECT)
		return wrong(reader, "not a JSON object");
	r = rule_of(reader, line, &label->rule);
	if (r == 0)
		r = words_of(reader, line, label);
	if (r == 0)
		r = times_of(reader, line, label);
	if (r == 0)
		r = key_of(reader, line, label);
	return r;
}

static void keep_label(struct reader *reader, const struct label *label) {
	struct labels *labels = reader->labels;

	if (labels->n == reader->cap) {
		reader->cap = reader->cap ? 2 * reader->cap : 64;
		labels->items = reallocarray(labels->items, reader->cap,
					     sizeof(struct label));
		if (!labels->items)
			abort();
	}
	labels->items[labels->n++] = *label;
}

static int read_lines(struct reader *reader, FILE *file) {
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int r = 0;

	while (r >= 0 && (len = getline(&text, &size, file)) >= 0) {
		struct label label;

		reader->line++;
		while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			len--;
		if (!len)
			continue;
		r = read_label(reader, text, (size_t)len, &label);
		if (r == 0)
			keep_label(reader, &label);
	}
	free(text);
	if (r < 0)
		return r;
	return ferror(file) ? -EIO : 0;
}

static int by_rank(const void *a, const void *b) {
	const struct label *x = a, *y = b;

	if (x->rule->rank != y->rule->rank)
		return x->rule->rank < y->rule->rank ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void place_labels(struct labels *labels) {
	size_t n = labels->set->n_rules;
	size_t *begins = arena_array(&labels->arena, size_t, n + 1);

	if (labels->n)
		qsort(labels->items, labels->n, sizeof(struct label), by_rank);
	for (size_t i = 0; i < labels->n; i++)
		begins[labels->items[i].rule->rank + 1] = i + 1;
	for (size_t i = 1; i <= n; i++)
		begins[i] = begins[i] ? begins[i] : begins[i - 1];
	labels->begins = begins;
	labels->fired = arena_array(&labels->arena, struct fired, n);
	labels->alerts = arena_new(&labels->arena, struct map);
}

static void note_absent(const struct reader *reader) {
	const struct map *absent = &reader->absent;

	for (size_t i = 0; i < absent->n; i++)
		buf_printf(reader->notes, "%s%s",
			   i ? ", "
			     : "labels of rules "
			       "that are not "
			       "here: ",
			   absent->keys[i]);
	if (absent->n)
		buf_putc(reader->notes, '\n');
}

int labels_read(struct labels **ret, const struct ruleset *set,
		const char *path, struct buf *notes, struct buf *why) {
	CLEANUP(labels_freep)
	struct labels *labels = calloc(1, sizeof(*labels));
	struct reader reader = {
		.labels = labels, .path = path, .why = why, .notes = notes
	};
	FILE *file;
	int r;

	if (!labels)
		return -ENOMEM;
	labels->set = set;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	r = read_lines(&reader, file);
	fclose(file);
	if (r < 0)
		return r;
	place_labels(labels);
	note_absent(&reader);

	*ret = TAKE(labels);
	return 0;
}

void labels_free(struct labels *labels) {
	if (!labels)
		return;
	free(labels->items);
	arena_free(&labels->arena);
	free(labels);
}

void labels_freep(struct labels **labels) {
	labels_free(*labels);
}

/* 12.50 in a label is "12.50" or 12.5 in a record. */
static bool same_number(const struct json *a, const struct json *b) {
	double x, y;

	return json_text(a) && json_text(b) &&
	       !number_parse_double(&x, a->text, a->len) &&
	       !number_parse_double(&y, b->text, b->len) && x == y;
}

static bool is_number(const struct type *type) {
	return type->kind == KIND_INT || type->kind == KIND_DOUBLE ||
	       type->kind == KIND_MONEY;
}

/* A masked field is shown without most of it; so is the label's, then. */
static bool same_masked(const struct json *shown, const struct json *value,
			enum mask mask) {
	CLEANUP(buf_free) struct buf text = { 0 };

	text_mask(&text, value_string(value->text, (uint32_t)value->len), mask);
	return text.len == shown->len &&
	       !memcmp(text.data, shown->text, text.len);
}

static bool same_value(const struct plan *plan, int i, const struct json *shown,
		       const struct json *value) {
	if (!shown)
		return false;
	if (!json_text(shown) || !json_text(value))
		return shown->kind == value->kind &&
		       shown->truth == value->truth;
	if (plan->by_masks && plan->by_masks[i] != MASK_NONE)
		return same_masked(shown, value, plan->by_masks[i]);
	if (shown->len == value->len &&
	    !memcmp(shown->text, value->text, value->len))
		return true;
	return is_number(&plan->by_types[i]) && same_number(shown, value);
}

static bool same_key(const struct label *label, const struct json *key) {
	const struct plan *plan = label->rule->plan;

	for (const struct json *it = label->key ? label->key->first : NULL; it;
	     it = it->next) {
		int i = find_by(label->rule, it->name);

		if (i < 0 || !same_value(plan, i, json_get(key, it->name), it))
			return false;
	}
	return true;
}

static bool is_of_label(const struct outbox_item *item,
			const struct json *record, const struct label *label) {
	const char *period = json_text(json_get(record, "period"));

	if (label->period && period) {
		if (strcmp(label->period, period) != 0)
			return false;
	} else if (item->at < label->from || item->at > label->until) {
		return false;
	}
	return same_key(label, json_get(record, "key"));
}

/* An alert of some label: how far it rose, and whose it is. */
struct alert {
	enum level greatest;
	struct mark {
		struct label *label;
		struct mark *next;
	} * marks;
};

static void mark(struct labels *labels, struct alert *alert,
		 struct label *label, usec_t at) {
	struct mark *mark = arena_new(&labels->arena, struct mark);

	*mark = (struct mark){ .label = label, .next = alert->marks };
	alert->marks = mark;
	if (!label->found || at < label->first)
		label->first = at;
	label->found = true;
}

static void take_fired(struct labels *labels, const struct outbox_item *item,
		       const struct json *record) {
	uint16_t rank = item->of->rank;
	struct fired *fired = &labels->fired[rank];
	struct alert *alert = arena_new(&labels->arena, struct alert);
	bool planted = false;

	alert->greatest = item->level;
	for (size_t i = labels->begins[rank]; i < labels->begins[rank + 1];
	     i++) {
		struct label *label = &labels->items[i];

		if (!is_of_label(item, record, label))
			continue;
		mark(labels, alert, label, item->at);
		planted = planted || !label->silence;
	}
	fired->all++;
	fired->planted += planted;
	fired->lookalikes += alert->marks && !planted;
	if (alert->marks)
		map_put(labels->alerts, &labels->arena, (const char *)item->id,
			sizeof(item->id), alert);
}

void labels_take(struct labels *labels, const struct outbox_item *item,
		 const struct json *record) {
	struct alert *alert;

	if (!item->of)
		return;
	if (item->change == CHANGE_FIRED) {
		take_fired(labels, item, record);
		return;
	}
	alert = map_get(labels->alerts, (const char *)item->id,
			sizeof(item->id));
	if (alert && item->level > alert->greatest)
		alert->greatest = item->level;
}

void labels_end(struct labels *labels) {
	for (size_t i = 0; i < labels->alerts->n; i++) {
		const struct alert *alert = labels->alerts->values[i];

		for (const struct mark *it = alert->marks; it; it = it->next) {
			enum level *reached = &it->label->reached;

			if (alert->greatest == it->label->level ||
			    (*reached != it->label->level &&
			     alert->greatest > *reached))
				*reached = alert->greatest;
		}
	}
}
