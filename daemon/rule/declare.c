/*
 * Declarations: types, calendars and macros of a package.
 */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "rule/load.h"

const char *beside(struct loader *l, const struct yaml_node *node,
		   const char *path) {
	const char *from = node->place.source->path;
	const char *slash = strrchr(from, '/');

	if (path[0] == '/' || !slash)
		return path;
	return arena_printf(l->arena, "%.*s/%s", (int)(slash - from), from,
			    path);
}

bool declare_new(struct loader *l, struct map *map, const char *what,
		 const struct yaml_node *key, struct place first) {
	if (!map_get(map, key->text, key->len))
		return true;
	if (first.source == key->place.source)
		diag_at(l->diag, key->place, "E231",
			"%s `%s` is declared already (first at line %u)", what,
			key->text, first.line);
	else
		diag_at(l->diag, key->place, "E231",
			"%s `%s` is declared already (%s:%u)", what, key->text,
			first.source ? first.source->path : "", first.line);
	return false;
}

/*** types ***/

static const struct {
	const char *name;
	enum kind kind;
} plain_types[] = {
	{ "string", KIND_STRING }, { "int", KIND_INT },
	{ "double", KIND_DOUBLE }, { "bool", KIND_BOOL },
	{ "date", KIND_DATE },     { "timestamp", KIND_TIMESTAMP },
};

static int bad_type(struct loader *l, const struct yaml_node *node) {
	return diag_at(l->diag, node->place, "E232",
		       "`%s` is not a type: string int double bool date "
		       "timestamp money(CUR) enum[a, b] list(T), each with "
		       "`optional` behind it where it may be absent",
		       node->text);
}

static int parse_enum(struct loader *l, const struct yaml_node *node,
		      const char *s, size_t len, struct type *ret) {
	struct pointers names = { 0 };

	while (len) {
		const char *comma = memchr(s, ',', len);
		size_t n = comma ? (size_t)(comma - s) : len;
		size_t from = 0;
		size_t to = n;

		while (from < to && s[from] == ' ')
			from++;
		while (to > from && s[to - 1] == ' ')
			to--;
		if (from == to)
			return bad_type(l, node);
		pointers_add(&names, l->arena,
			     arena_strndup(l->arena, s + from, to - from));
		n = comma ? n + 1 : n;
		s += n;
		len -= n;
	}
	if (!names.n)
		return bad_type(l, node);
	ret->kind = KIND_STRING;
	ret->n_names = (uint32_t)names.n;
	pointers_add(&names, l->arena, NULL);
	ret->names = (const char *const *)names.items;
	return 0;
}

static int parse_plain(struct loader *l, const struct yaml_node *node,
		       const char *s, size_t len, struct type *ret) {
	for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
		if (strlen(plain_types[i].name) == len &&
		    !memcmp(plain_types[i].name, s, len)) {
			ret->kind = (uint8_t)plain_types[i].kind;
			return 0;
		}
	if (len > 7 && !memcmp(s, "money(", 6) && s[len - 1] == ')') {
		int currency = currency_find(s + 6, len - 7);

		if (currency < 0)
			return diag_at(l->diag, node->place, "E232",
				       "`%.*s` is not a currency of ISO 4217",
				       (int)len - 7, s + 6);
		ret->kind = KIND_MONEY;
		ret->unit = (uint16_t)currency;
		return 0;
	}
	return bad_type(l, node);
}

int parse_type(struct loader *l, const struct yaml_node *node,
	       struct type *ret) {
	struct type type = { 0 };
	struct type item = { 0 };
	const char *s = NULL;
	size_t len;
	int r = shape_text(l->diag, node, "type", &s);

	if (r < 0)
		return r;
	len = node->len;
	if (len > 9 && !memcmp(s + len - 9, " optional", 9)) {
		type.optional = true;
		len -= 9;
		while (len && s[len - 1] == ' ')
			len--;
	}
	if (len > 6 && !memcmp(s, "enum[", 5) && s[len - 1] == ']') {
		r = parse_enum(l, node, s + 5, len - 6, &type);
	} else if (len > 6 && !memcmp(s, "list(", 5) && s[len - 1] == ')') {
		r = parse_plain(l, node, s + 5, len - 6, &item);
		type.kind = KIND_LIST;
		type.elem = item.kind;
		type.unit = item.unit;
	} else {
		r = parse_plain(l, node, s, len, &type);
	}
	if (r < 0)
		return r;
	*ret = type;
	return 0;
}

/*** calendars ***/

static const struct shape_key calendar_keys[] = {
	{ "holidays", "text", NULL,
	  "CSV of days off and of days that are worked instead" },
	{ "fiscal_year", "text", "01-01", "its first day: MM-DD" },
	{ "tz", "text", "required",
	  "time zone of its days, such as Asia/Shanghai" },
};
const struct shape calendar_shape = { "calendar", calendar_keys,
				      ARRAY_SIZE(calendar_keys) };

static void fiscal_year(struct loader *l, struct calendar *calendar,
			const struct yaml_node *node) {
	const char *text = NULL;

	if (shape_text(l->diag, node, "fiscal_year", &text) < 0 || !text)
		return;
	if (calendar_fiscal_year(calendar, text, strlen(text)) < 0)
		diag_at(l->diag, node->place, "E304",
			"`fiscal_year` is its first day, such as 04-06, not "
			"`%s`",
			text);
}

static void note_holidays(struct loader *l, const struct calendar *calendar,
			  struct place place) {
	struct holidays *mine = arena_new(l->arena, struct holidays);

	mine->calendar = calendar;
	mine->place = place;
	pointers_add(&l->holidays, l->arena, mine);
}

static void read_holidays(struct loader *l, struct calendar *calendar,
			  const struct yaml_node *node) {
	const struct source *csv;
	const char *path = NULL;
	int r;

	if (shape_text(l->diag, node, "holidays", &path) < 0 || !path)
		return;
	path = beside(l, node, path);
	r = diag_source(l->diag, path, &csv);
	if (r < 0)
		diag_at(l->diag, node->place, "E103", "%s: %s", path,
			strerror(-r));
	else if (calendar_holidays(calendar, csv, l->arena, l->diag) == 0)
		note_holidays(l, calendar, node->place);
}

static void declare_calendar(struct loader *l, struct package *p,
			     const struct yaml_pair *pair) {
	struct calendar *calendar = arena_new(l->arena, struct calendar);
	const struct yaml_node *node = pair->value;
	const struct yaml_node *tz = yaml_get(node, "tz");
	const char *zone = "UTC";
	int r;

	if (shape_is(l->diag, node, YAML_MAP, pair->key->text) < 0)
		return;
	shape_keys(l->diag, node, "a calendar", calendar_keys,
		   ARRAY_SIZE(calendar_keys));
	if (!tz)
		diag_at(l->diag, pair->key->place, "E112",
			"calendar `%s` lacks `tz`", pair->key->text);
	shape_text(l->diag, tz, "tz", &zone);
	r = calendar_init(calendar, pair->key->text, zone, l->arena);
	if (r < 0) {
		diag_at(l->diag, tz ? tz->place : pair->key->place, "E301",
			"there is no time zone `%s`", zone);
		if (calendar_init(calendar, pair->key->text, "UTC", l->arena) <
		    0)
			return;
	}
	calendar->name = pair->key->text;
	fiscal_year(l, calendar, yaml_get(node, "fiscal_year"));
	read_holidays(l, calendar, yaml_get(node, "holidays"));
	map_put(&p->calendars, l->arena, pair->key->text, pair->key->len,
		calendar);
	pointers_add(&l->calendars, l->arena, calendar);
}

void declare_calendars(struct loader *l, struct package *p,
		       const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "calendars") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		if (declare_new(l, &p->calendars, "calendar",
				node->pairs[i].key, node->place))
			declare_calendar(l, p, &node->pairs[i]);
}

/* Where a package declares none, its days are those of UTC. */
static const struct calendar *default_calendar(struct loader *l,
					       struct package *p) {
	const struct calendar *named = map_get(&p->calendars, "default", 7);
	struct calendar *utc;

	if (named)
		return named;
	if (p->calendars.n == 1)
		return p->calendars.values[0];
	if (p->calendars.n)
		return NULL;
	utc = arena_new(l->arena, struct calendar);
	if (calendar_init(utc, "default", "UTC", l->arena) < 0)
		return NULL;
	pointers_add(&l->calendars, l->arena, utc);
	map_put(&p->calendars, l->arena, "default", 7, utc);
	return utc;
}

const struct calendar *find_calendar(struct loader *l, struct package *p,
				     const struct yaml_node *node,
				     struct place place, const char *who) {
	const struct calendar *calendar;
	const char *name = NULL;

	if (shape_text(l->diag, node, "calendar", &name) < 0)
		return NULL;
	calendar = name ? map_get(&p->calendars, name, strlen(name))
			: default_calendar(l, p);
	if (calendar)
		return calendar;
	if (name)
		shape_unknown(l->diag, node->place, "there is no calendar",
			      name, p->calendars.keys, p->calendars.n);
	else
		diag_at(l->diag, place, "E112",
			"this %s must name its `calendar`: there are several "
			"and none is called `default`",
			who);
	return NULL;
}

/*** macros ***/

void declare_macros(struct loader *l, struct package *p,
		    const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "macros") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		const struct yaml_pair *pair = &node->pairs[i];
		const struct macro *first =
			map_get(&p->macros, pair->key->text, pair->key->len);
		struct macro *macro;
		struct expr_ast *tree;

		if (!declare_new(l, &p->macros, "macro", pair->key,
				 first ? first->place : node->place))
			continue;
		if (shape_is(l->diag, pair->value, YAML_SCALAR,
			     pair->key->text) < 0)
			continue;
		if (expr_parse(&tree, l->arena, pair->value->text,
			       pair->value->len, pair->value->inside,
			       l->diag) < 0)
			continue;
		expr_print(&text, tree);
		macro = arena_new(l->arena, struct macro);
		macro->name = pair->key->text;
		macro->tree = tree;
		macro->text = arena_strdup(l->arena, buf_cstr(&text));
		macro->place = pair->key->place;
		map_put(&p->macros, l->arena, macro->name, pair->key->len,
			macro);
	}
}
