/*
 * Plans: the state that rules ask for, each once.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rule/compile.h"

#define MAX_INPUTS 16
#define MAX_KEY 16
#define MAX_PERIODS 4096
#define ALL_NAMES (EXPAND_LETS | EXPAND_PARAMS | EXPAND_MACROS)

static const struct type boolean = { .kind = KIND_BOOL };

/*** from ***/

static struct stream *find_stream(struct rule_build *b,
				  const struct yaml_node *node) {
	struct stream *stream;

	if (shape_is(b->l->diag, node, YAML_SCALAR, "from") < 0)
		return NULL;
	stream = map_get(&b->p->streams, node->text, node->len);
	if (stream)
		return stream;
	if (yaml_is_text(node, "alerts"))
		shape_later(b->l->diag, node->place, "from: alerts");
	else
		shape_unknown(b->l->diag, node->place, "there is no stream",
			      node->text, b->p->streams.keys, b->p->streams.n);
	return NULL;
}

static const struct shape_key input_keys[] = {
	{ "stream", "text", "required", "a stream" },
	{ "where", "expression", "true", "of this stream's events alone" },
};
const struct shape input_shape = { "input", input_keys,
				   ARRAY_SIZE(input_keys) };

static int add_input(struct rule_build *b, const char *alias,
		     const struct yaml_node *node) {
	struct input_build *input = &b->inputs[b->n_inputs];

	if (node->kind == YAML_MAP) {
		const struct yaml_node *stream = yaml_get(node, "stream");

		shape_keys(b->l->diag, node, "an input", input_keys,
			   ARRAY_SIZE(input_keys));
		input->own_where = yaml_get(node, "where");
		if (!stream)
			return diag_at(b->l->diag, node->place, "E112",
				       "an input lacks `stream`");
		node = stream;
	}
	input->stream = find_stream(b, node);
	if (!input->stream)
		return -EINVAL;
	input->alias = alias ? alias : input->stream->name;
	for (size_t i = 0; i < b->n_inputs; i++)
		if (b->inputs[i].stream == input->stream)
			return diag_at(b->l->diag, node->place, "E231",
				       "stream `%s` is read twice",
				       input->stream->name);
	b->n_inputs++;
	return 0;
}

static const struct shape_key until_keys[] = {
	{ "as", "text", "the stream's name",
	  "what expressions call the event that closes the window" },
	{ "from", "text", "required", "the stream that closes it" },
	{ "where", "expression", "true", "which of its events do" },
};
const struct shape until_shape = { "until", until_keys,
				   ARRAY_SIZE(until_keys) };

/*
 * `until: awards`, or `{as: award, from: awards, where: …}`: an input behind
 * the others that only closes windows. It may be of a stream that `from` reads
 * as well, under another name.
 */
static int add_closing(struct rule_build *b, const struct yaml_node *until) {
	struct input_build *input = &b->inputs[b->n_inputs];
	const struct yaml_node *from = until;
	const struct yaml_node *as = NULL;

	if (until->kind == YAML_MAP) {
		shape_keys(b->l->diag, until, "`until`", until_keys,
			   ARRAY_SIZE(until_keys));
		from = yaml_get(until, "from");
		as = yaml_get(until, "as");
		input->own_where = yaml_get(until, "where");
		if (!from)
			return diag_at(b->l->diag, until->place, "E112",
				       "`until` lacks `from`: which stream "
				       "closes the window");
	}
	input->stream = find_stream(b, from);
	if (!input->stream ||
	    (as && shape_is(b->l->diag, as, YAML_SCALAR, "as") < 0))
		return -EINVAL;
	input->alias = as ? as->text : input->stream->name;
	for (size_t i = 0; i < b->n_inputs; i++)
		if (!strcmp(b->inputs[i].alias, input->alias))
			return diag_at(
				b->l->diag, until->place, "E231",
				"`%s` is a stream of `from`; name what "
				"closes the window: until: {as: …, from: "
				"%s}",
				input->alias, input->stream->name);
	b->n_inputs++;
	return 0;
}

static const struct yaml_node *closing_of(const struct rule_build *b) {
	return yaml_get(yaml_get(b->node, "window"), "until");
}

int read_inputs(struct rule_build *b) {
	const struct yaml_node *from = yaml_get(b->node, "from");
	const struct yaml_node *closing = closing_of(b);
	size_t n;
	int r = 0;

	if (!from && (yaml_get(b->node, "steps") ||
		      yaml_get(b->node, "expect") || yaml_get(b->node, "use")))
		return -EINVAL; /* complained about as of a later release */
	if (!from)
		return diag_at(b->l->diag, b->source->place, "E112",
			       "rule `%s` lacks `from`", b->rule->name);
	n = from->kind == YAML_SCALAR ? 1 : from->n;
	if (!n || n > MAX_INPUTS)
		return diag_at(b->l->diag, from->place, "E302",
			       "`from` names 1 to %d streams", MAX_INPUTS);
	b->inputs = arena_array(b->l->arena, struct input_build, n + 1);
	if (from->kind == YAML_SCALAR)
		r = add_input(b, NULL, from);
	for (size_t i = 0; from->kind == YAML_LIST && i < n; i++)
		r |= add_input(b, NULL, from->items[i]);
	for (size_t i = 0; from->kind == YAML_MAP && i < n; i++)
		r |= add_input(b, from->pairs[i].key->text,
			       from->pairs[i].value);
	b->n_from = b->n_inputs;
	if (closing)
		r |= add_closing(b, closing);
	if (r)
		return -EINVAL;
	for (size_t i = 0; i < b->n_inputs; i++)
		b->inputs[i].env = event_env(b, i);
	b->where = arena_array(b->l->arena, const struct expr *, b->n_inputs);
	b->where_clauses =
		arena_array(b->l->arena, struct expr_clause *, b->n_inputs);
	b->n_where_clauses = arena_array(b->l->arena, size_t, b->n_inputs);
	return 0;
}

/*** each ***/

bool is_identifier(const char *s) {
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static int each_of(struct rule_build *b, struct input_build *input,
		   const struct yaml_node *node, const char *list) {
	struct field *field = stream_field(input->stream, list);

	if (!field)
		return 0;
	if (field->type.kind != KIND_LIST)
		return diag_at(b->l->diag, node->place, "E206",
			       "`each` goes through a list, and `%s` of stream "
			       "`%s` is none",
			       list, input->stream->name);
	if (stream_field(input->stream, b->each))
		return diag_at(b->l->diag, node->place, "E233",
			       "stream `%s` has a field `%s`; call the element "
			       "otherwise",
			       input->stream->name, b->each);
	input->list = field;
	input->element = element_field(b->l, input->stream, field);
	return 1;
}

static int no_list(struct rule_build *b, const struct yaml_node *node,
		   const char *list) {
	const struct stream *stream = b->inputs[0].stream;
	const char **names =
		arena_array(b->l->arena, const char *, stream->n_fields);
	size_t n = 0;

	for (size_t i = 0; i < stream->n_fields; i++)
		if (stream->fields[i].type.kind == KIND_LIST)
			names[n++] = stream->fields[i].name;
	return shape_unknown(b->l->diag, node->place,
			     b->n_inputs == 1
				     ? arena_printf(b->l->arena,
						    "stream `%s` has no list",
						    stream->name)
				     : "no stream of `from` has a list",
			     list, names, n);
}

/* `supplier_ids as supplier`: of each stream that has such a list. */
int read_each(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "each");
	const char *text = NULL, *as, *list;
	int found = 0;

	if (shape_text(b->l->diag, node, "each", &text) < 0)
		return -EINVAL;
	if (!text)
		return 0;
	as = strstr(text, " as ");
	list = as ? arena_strndup(b->l->arena, text, (size_t)(as - text)) : "";
	if (!as || !is_identifier(list) || !is_identifier(as + 4))
		return diag_at(b->l->diag, node->place, "E301",
			       "`each` is a list and a name for its element, "
			       "such as `supplier_ids as supplier`, not `%s`",
			       text);
	b->each = as + 4;
	for (size_t i = 0; i < b->n_inputs; i++) {
		int r = each_of(b, &b->inputs[i], node, list);

		if (r < 0)
			return r;
		found += r;
	}
	return found ? 0 : no_list(b, node, list);
}

/*** by ***/

/*
 * A let may hold what a masked field holds. Whether it is something, and what
 * was reckoned from several, does not show it.
 */
static enum mask mask_of(const struct stream *stream,
			 const struct expr *program) {
	enum mask mask = MASK_NONE;
	enum kind kind = (enum kind)expr_type(program).kind;
	size_t n;
	const uint16_t *slots = expr_slots(program, &n);

	if (kind == KIND_BOOL)
		return MASK_NONE;
	mask = expr_mask(program);
	if (n > 1 && kind != KIND_STRING)
		return mask;
	for (size_t i = 0; i < n; i++) {
		const struct field *field = stream_slot(stream, slots[i]);

		if (field && field->mask > mask)
			mask = field->mask;
	}
	return mask;
}

static bool same_type(struct type a, struct type b) {
	return a.kind == b.kind && a.unit == b.unit && a.elem == b.elem;
}

const char *type_text(struct rule_build *b, struct type type) {
	CLEANUP(buf_free) struct buf text = { 0 };

	type.optional = false;
	type_format(&text, type);
	return arena_strdup(b->l->arena, buf_cstr(&text));
}

int part_program(struct rule_build *b, struct key_part *part, size_t input,
		 const struct yaml_node *node) {
	struct expr_ast *tree;
	struct expr *program;
	struct type type;
	enum mask mask;
	size_t first = 0;

	if (shape_is(b->l->diag, node, YAML_SCALAR, "by") < 0)
		return -EINVAL;
	if (!is_identifier(node->text))
		return diag_at(b->l->diag, node->place, "E235",
			       "%s takes fields or lets, not expressions; give "
			       "`%s` a name with `let`",
			       b->event_part, node->text);
	if (expr_parse(&tree, b->l->arena, node->text, node->len, node->inside,
		       b->l->diag) < 0 ||
	    expr_compile(&program, b->l->arena, tree, b->inputs[input].env,
			 NULL, b->l->diag) < 0)
		return -EINVAL;
	type = expr_type(program);
	while (first < input && !part->programs[first])
		first++;
	if (first < input && !same_type(type, part->type))
		return diag_at(b->l->diag, node->place, "E234",
			       "key `%s` is %s of stream `%s` and %s of `%s`",
			       part->name, type_text(b, part->type),
			       b->inputs[first].stream->name,
			       type_text(b, type),
			       b->inputs[input].stream->name);
	if (first < input && type.names != part->type.names) {
		type.names = NULL;
		type.n_names = 0;
	}
	type.optional = false;
	part->type = type;
	part->programs[input] = program;
	mask = mask_of(b->inputs[input].stream, program);
	if (mask > part->mask)
		part->mask = mask;
	return 0;
}

int part_is_key(struct rule_build *b, const struct key_part *part,
		const struct yaml_node *node) {
	if (part->type.kind != KIND_LIST && part->type.kind < KIND_MAX)
		return 0;
	return diag_at(b->l->diag, node->place, "E206", "a key cannot be %s",
		       type_text(b, part->type));
}

static void key_let(struct rule_build *b, const struct yaml_node *node) {
	struct let *let = node->kind == YAML_SCALAR
				  ? map_get(&b->lets, node->text, node->len)
				  : NULL;

	if (let)
		let->keyed = true;
}

static int key_part(struct rule_build *b, struct key_part *part,
		    const struct yaml_node *name,
		    const struct yaml_node *value) {
	CLEANUP(buf_free) struct buf text = { 0 };
	int r = 0;

	part->name = name->text;
	part->programs =
		arena_array(b->l->arena, const struct expr *, b->n_inputs);
	for (size_t i = 0; i < b->n_key; i++)
		if (!strcmp(b->key[i].name, part->name))
			return diag_at(b->l->diag, name->place, "E231",
				       "key `%s` stands twice", part->name);
	buf_puts(&text, part->name);
	for (size_t i = 0; !r && i < b->n_inputs; i++) {
		const struct yaml_node *node = value;

		if (value->kind == YAML_MAP)
			node = yaml_get(value, b->inputs[i].alias);
		if (!node)
			return diag_at(b->l->diag, value->place, "E112",
				       "key `%s` lacks `%s`", part->name,
				       b->inputs[i].alias);
		if (value->kind == YAML_MAP)
			key_let(b, node);
		r = part_program(b, part, i, node);
		if (!r)
			r = part_is_key(b, part, node);
		if (!r)
			buf_printf(&text, " = %s",
				   canonical(b, node, ALL_NAMES));
	}
	for (size_t i = 0; value->kind == YAML_MAP && i < value->n; i++) {
		const struct yaml_node *alias = value->pairs[i].key;
		bool known = false;

		for (size_t k = 0; k < b->n_inputs; k++)
			known = known ||
				yaml_is_text(alias, b->inputs[k].alias);
		if (!known)
			r = diag_at(b->l->diag, alias->place, "E203",
				    "`from` has no stream called `%s`",
				    alias->text);
	}
	part->text = arena_strdup(b->l->arena, buf_cstr(&text));
	return r;
}

int read_key(struct rule_build *b) {
	const struct yaml_node *by = yaml_get(b->node, "by");
	size_t n;
	int r = 0;

	if (!by)
		return 0;
	n = by->kind == YAML_SCALAR ? 1 : by->n;
	if (n > MAX_KEY)
		return diag_at(b->l->diag, by->place, "E302",
			       "`by` names at most %d fields", MAX_KEY);
	b->event_part = "`by`";
	b->key = arena_array(b->l->arena, struct key_part, n);
	for (size_t i = 0; i < n; i++) {
		const struct yaml_node *name = by->kind == YAML_SCALAR ? by
					       : by->kind == YAML_LIST
						       ? by->items[i]
						       : by->pairs[i].key;
		const struct yaml_node *value =
			by->kind == YAML_MAP ? by->pairs[i].value : name;

		if (name->kind != YAML_SCALAR)
			r = shape_is(b->l->diag, name, YAML_SCALAR, "by");
		else if (key_part(b, &b->key[b->n_key], name, value) < 0)
			r = -EINVAL;
		else
			b->n_key++;
	}
	return r;
}

/*** where ***/

static int where_program(struct rule_build *b, size_t input, const char *text,
			 size_t len, struct place place, struct diag *diag,
			 const struct expr **program,
			 struct expr_clause **clauses, size_t *n) {
	const struct expr_env *env = b->inputs[input].env;
	struct expr_ast *tree;
	struct expr *expr;

	if (expr_parse(&tree, b->l->arena, text, len, place, diag) < 0 ||
	    expr_compile(&expr, b->l->arena, tree, env, &boolean, diag) < 0 ||
	    expr_clauses(clauses, n, b->l->arena, tree, env, diag) < 0)
		return -EINVAL;
	*program = expr;
	return 0;
}

/* An input's own condition and the rule's, as one. */
static int where_both(struct rule_build *b, size_t input,
		      const struct yaml_node *own,
		      const struct yaml_node *rule) {
	struct diag quiet = { 0 };
	const char *text =
		arena_printf(b->l->arena, "(%s) && (%s)", canonical(b, own, 0),
			     canonical(b, rule, 0));
	int r = where_program(b, input, text, strlen(text), rule->inside,
			      &quiet, &b->where[input],
			      &b->where_clauses[input],
			      &b->n_where_clauses[input]);

	diag_free(&quiet);
	return r;
}

int read_where(struct rule_build *b) {
	const struct yaml_node *rule = yaml_get(b->node, "where");
	CLEANUP(buf_free) struct buf text = { 0 };
	int r = 0;

	b->event_part = "`where`";
	if (rule && shape_is(b->l->diag, rule, YAML_SCALAR, "where") < 0)
		return -EINVAL;
	for (size_t i = 0; i < b->n_inputs; i++) {
		const struct input_build *input = &b->inputs[i];
		const struct yaml_node *own = input->own_where;
		/* The rule's is of what is in the window, not of its end. */
		const struct yaml_node *all = i < b->n_from ? rule : NULL;
		const struct yaml_node *both[] = { own, all };
		bool good = true;

		buf_printf(&text, "%s%s%s=%s", i ? ", " : "",
			   i < b->n_from ? "" : "until ", input->alias,
			   input->stream->name);
		if (input->list)
			buf_printf(&text, " each %s as %s", input->list->name,
				   b->each);
		for (size_t k = 0; k < ARRAY_SIZE(both); k++) {
			if (!both[k])
				continue;
			if (where_program(b, i, both[k]->text, both[k]->len,
					  both[k]->inside, b->l->diag,
					  &b->where[i], &b->where_clauses[i],
					  &b->n_where_clauses[i]) < 0)
				good = false;
			else
				buf_printf(&text, " where %s",
					   canonical(b, both[k], ALL_NAMES));
		}
		if (!good)
			r = -EINVAL;
		else if (own && all)
			r |= where_both(b, i, own, all);
	}
	b->where_text = arena_strdup(b->l->arena, buf_cstr(&text));
	return r ? -EINVAL : 0;
}

/*** window ***/

static const char *const unit_names[] = {
	[UNIT_DAY] = "day",
	[UNIT_WEEK] = "week",
	[UNIT_MONTH] = "month",
	[UNIT_QUARTER] = "quarter",
	[UNIT_YEAR] = "year",
	[UNIT_FISCAL_YEAR] = "fiscal_year",
	[UNIT_FISCAL_QUARTER] = "fiscal_quarter",
};

static const struct shape_key window_keys[] = {
	{ "sliding", "fixed", NULL,
	  "the last 30d, say; `window: 30d` is the same" },
	{ "panes", "1..1000", NULL,
	  "of `sliding`: moves in so many steps, and keeps no single events" },
	{ "tumble", "fixed", NULL,
	  "one period after the other, of this length" },
	{ "calendar", "day|week|month|quarter|year|fiscal_year|fiscal_quarter",
	  NULL, "the period of the calendar, to date" },
	{ "last", "1..65536", NULL, "so many events of the key" },
	{ "max", "duration", NULL,
	  "how long a window of `last`, `session` or `until` lasts at most; "
	  "`until` needs it" },
	{ "session", "fixed", NULL, "until the key was silent for so long" },
	{ "until", "text or <until>", NULL,
	  "until an event of that stream closes it" },
	{ "judge", "close|each", NULL,
	  "at the end, which is the default of `until`; or at each event as "
	  "well, which is that of `calendar` and `tumble`" },
};
const struct shape window_shape = { "window", window_keys,
				    ARRAY_SIZE(window_keys) };

static int window_width(struct rule_build *b, const struct yaml_node *node,
			const char *name) {
	usec_t width = 0;

	if (shape_fixed(b->l->diag, node, name, &width) < 0)
		return -EINVAL;
	if (width <= 0)
		return diag_at(b->l->diag, node->place, "E303",
			       "a window cannot be empty");
	b->window.width = width;
	return 0;
}

static int window_panes(struct rule_build *b, const struct yaml_node *node) {
	int64_t panes = 0;

	if (shape_number(b->l->diag, node, "panes", 1, 1000, &panes) < 0)
		return -EINVAL;
	if (b->window.width % panes)
		return diag_at(b->l->diag, node->place, "E302",
			       "the window is not a multiple of %lld panes",
			       (long long)panes);
	b->window.kind = WINDOW_PANES;
	b->window.panes = (uint32_t)panes;
	return 0;
}

/* A bound of what is kept, so a month is at most 31 days, a year 366. */
static int window_max(struct rule_build *b, const struct yaml_node *node) {
	struct span max = { 0 };

	if (!node)
		return 0;
	if (shape_span(b->l->diag, node, "max", &max) < 0)
		return -EINVAL;
	if (max.unit == SPAN_WORKDAYS || !max.n)
		return diag_at(b->l->diag, node->place, "E303",
			       "`max` is a length such as 90d or 1y");
	b->window.width =
		max.unit == SPAN_FIXED
			? max.n
			: (max.n / 12 * 366 + max.n % 12 * 31) * USEC_PER_DAY;
	return 0;
}

static int window_session(struct rule_build *b, const struct yaml_node *node) {
	const struct yaml_node *gap = yaml_get(node, "session");

	b->window.kind = WINDOW_SESSION;
	if (shape_fixed(b->l->diag, gap, "session", &b->window.gap) < 0)
		return -EINVAL;
	if (b->window.gap <= 0)
		return diag_at(b->l->diag, gap->place, "E303",
			       "a session goes on for some time without an "
			       "event, so its pause cannot be nothing");
	return window_max(b, yaml_get(node, "max"));
}

static const char *const judge_words[] = { "close", "each" };

/* When it is over, or at each of its events as well. */
static int window_judge(struct rule_build *b, const struct yaml_node *node,
			unsigned each) {
	if (shape_choice(b->l->diag, node, "judge", judge_words,
			 ARRAY_SIZE(judge_words), &each) < 0)
		return -EINVAL;
	b->window.each = each;
	return 0;
}

static int window_until(struct rule_build *b, const struct yaml_node *node) {
	const struct yaml_node *max = yaml_get(node, "max");

	b->window.kind = WINDOW_UNTIL;
	if (!max)
		return diag_at(b->l->diag, node->place, "E112",
			       "`until` lacks `max`: how long a window waits "
			       "for an event that may never come");
	if (window_judge(b, yaml_get(node, "judge"), 0) < 0)
		return -EINVAL;
	return window_max(b, max);
}

bool is_until(const struct rule_build *b) {
	return closing_of(b) != NULL;
}

bool judges_once(const struct rule_build *b) {
	const struct yaml_node *judge =
		yaml_get(yaml_get(b->node, "window"), "judge");

	if (!judge)
		return is_until(b);
	return yaml_is_text(judge, "close");
}

static int window_map(struct rule_build *b, const struct yaml_node *node) {
	const struct yaml_node *session = yaml_get(node, "session");
	const struct yaml_node *until = yaml_get(node, "until");
	const struct yaml_node *judge = yaml_get(node, "judge");
	const struct yaml_node *sliding = yaml_get(node, "sliding");
	const struct yaml_node *panes = yaml_get(node, "panes");
	const struct yaml_node *tumble = yaml_get(node, "tumble");
	const struct yaml_node *calendar = yaml_get(node, "calendar");
	const struct yaml_node *last = yaml_get(node, "last");
	unsigned unit = UNIT_MONTH;
	int64_t n = 0;
	int kinds = !!sliding + !!tumble + !!calendar + !!last + !!session +
		    !!until;

	if (kinds != 1)
		return diag_at(b->l->diag, node->place, "E305",
			       "a window is one of sliding, tumble, calendar, "
			       "last, session and until");
	if (panes && !sliding)
		return diag_at(b->l->diag, panes->place, "E305",
			       "`panes` goes with `sliding`");
	if (yaml_get(node, "max") && !last && !session && !until)
		return diag_at(b->l->diag, node->place, "E305",
			       "`max` goes with `last`, `session` and `until`");
	if (judge && !until && !tumble && !calendar)
		return diag_at(b->l->diag, judge->place, "E305",
			       "`judge` goes with `until`, `calendar` and "
			       "`tumble`");
	if (session)
		return window_session(b, node);
	if (until)
		return window_until(b, node);
	if (sliding) {
		b->window.kind = WINDOW_SLIDING;
		if (window_width(b, sliding, "sliding") < 0)
			return -EINVAL;
		return panes ? window_panes(b, panes) : 0;
	}
	if (tumble) {
		b->window.kind = WINDOW_TUMBLE;
		if (window_judge(b, judge, 1) < 0)
			return -EINVAL;
		return window_width(b, tumble, "tumble");
	}
	if (calendar) {
		b->window.kind = WINDOW_CALENDAR;
		if (window_judge(b, judge, 1) < 0)
			return -EINVAL;
		if (shape_choice(b->l->diag, calendar, "calendar", unit_names,
				 ARRAY_SIZE(unit_names), &unit) < 0)
			return -EINVAL;
		b->window.unit = (enum calendar_unit)unit;
		return 0;
	}
	b->window.kind = WINDOW_LAST;
	if (shape_number(b->l->diag, last, "last", 1, 65536, &n) < 0)
		return -EINVAL;
	b->window.last = (uint32_t)n;
	return window_max(b, yaml_get(node, "max"));
}

static bool same_key(const struct rule_build *b, const struct yaml_node *by) {
	if (by->kind != YAML_LIST || by->n != b->n_key)
		return false;
	for (size_t i = 0; i < by->n; i++)
		if (!yaml_is_text(by->items[i], b->key[i].name))
			return false;
	return true;
}

/* A measure that is a text is of the rule's own key. */
static bool has_own_measure(const struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "measure"), *by;

	for (size_t i = 0; node && node->kind == YAML_MAP && i < node->n; i++) {
		by = yaml_get(node->pairs[i].value, "by");
		if (!by || same_key(b, by))
			return true;
	}
	return false;
}

int read_window(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "window");

	b->window.kind = has_own_measure(b) ? WINDOW_FOREVER : WINDOW_EVENT;
	if (!node)
		return 0;
	if (node->kind == YAML_SCALAR) {
		b->window.kind = WINDOW_SLIDING;
		return window_width(b, node, "window");
	}
	if (shape_is(b->l->diag, node, YAML_MAP, "window") < 0)
		return -EINVAL;
	shape_keys(b->l->diag, node, "a window", window_keys,
		   ARRAY_SIZE(window_keys));
	return window_map(b, node);
}

/*** plans ***/

static void window_text(const struct window *window, struct buf *out) {
	struct span width = { .unit = SPAN_FIXED, .n = window->width };

	switch (window->kind) {
	case WINDOW_EVENT:
		buf_puts(out, "none");
		return;
	case WINDOW_FOREVER:
		buf_puts(out, "forever");
		return;
	case WINDOW_SLIDING:
		span_format(out, width);
		return;
	case WINDOW_PANES:
		span_format(out, width);
		buf_printf(out, " in %u panes", window->panes);
		return;
	case WINDOW_TUMBLE:
		buf_puts(out, "tumble ");
		span_format(out, width);
		buf_puts(out, window->each ? "" : " judge close");
		return;
	case WINDOW_CALENDAR:
		buf_puts(out, unit_names[window->unit]);
		buf_puts(out, window->each ? "" : " judge close");
		return;
	case WINDOW_LAST:
		buf_printf(out, "last %u", window->last);
		break;
	case WINDOW_SESSION:
		buf_puts(out, "session ");
		span_format(out, (struct span){ .unit = SPAN_FIXED,
						.n = window->gap });
		break;
	case WINDOW_UNTIL:
		buf_printf(out, "until judge %s", judge_words[window->each]);
		break;
	case WINDOW_PEERS:
		buf_puts(out, "peers ");
		span_format(out, width);
		return;
	}
	if (window->width) {
		buf_puts(out, " max ");
		span_format(out, width);
	}
}

static void peers_text(const struct peers_spec *peers, struct buf *out) {
	if (!peers)
		return;
	buf_printf(out, " of %s", peers->of->text);
	for (size_t i = 0; i < peers->n_same; i++)
		buf_printf(out, "%s%s", i ? ", " : " but the same ",
			   peers->same[i]->text);
}

static const char *plan_text(struct rule_build *b,
			     const struct plan_spec *spec) {
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_printf(&text, "%s; %s; by ", b->p->name, b->where_text);
	for (size_t i = 0; i < spec->n_by; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", spec->by[i]->text);
	buf_puts(&text, "; window ");
	window_text(spec->window, &text);
	peers_text(spec->peers, &text);
	buf_printf(&text, "; calendar %s; late %s; max %u", b->calendar->name,
		   b->drop_late ? "drop" : "amend", b->max_entries);
	return arena_strdup(b->l->arena, buf_cstr(&text));
}

/* `where` is false unless a slot holds one of few constants: the fewest. */
static void find_index(const struct rule_build *b, size_t i,
		       struct plan_input *input) {
	for (size_t k = 0; k < b->n_where_clauses[i]; k++) {
		const struct expr_clause *clause = &b->where_clauses[i][k];

		/* An element is not at hand where the index is asked. */
		if (b->inputs[i].element &&
		    clause->slot == b->inputs[i].element->slot)
			continue;
		if (!clause->conjunct || !clause->n_constants ||
		    (input->n_index && input->n_index <= clause->n_constants))
			continue;
		input->index_slot = clause->slot;
		input->index_is_where = b->n_where_clauses[i] == 1;
		input->n_index = clause->n_constants;
		input->index = clause->constants;
	}
}

static bool reads_rows(const struct expr *program) {
	return program && expr_deps(program) & DEP_ROWS;
}

/* NULL: the input lacks one of them. */
static const struct expr *const *programs_of(struct rule_build *b, size_t i,
					     const struct key_part *const *all,
					     size_t n) {
	const struct expr **ret =
		arena_array(b->l->arena, const struct expr *, n + 1);

	for (size_t k = 0; k < n; k++) {
		ret[k] = all[k]->programs[i];
		if (!ret[k])
			return NULL;
	}
	return ret;
}

/* What an input without a part of the key is to a plan: nothing. */
static void plan_inputs(struct rule_build *b, const struct plan_spec *spec,
			struct plan *plan) {
	const struct peers_spec *peers = spec->peers;
	struct plan_input *inputs =
		arena_array(b->l->arena, struct plan_input, b->n_inputs);

	plan->inputs = inputs;
	for (size_t i = 0; i < b->n_inputs; i++) {
		struct plan_input *input = &inputs[plan->n_inputs];

		input->by = programs_of(b, i, spec->by, spec->n_by);
		if (!input->by || (peers && i >= b->n_from))
			continue;
		input->stream = b->inputs[i].stream;
		input->alias = b->inputs[i].alias;
		input->where = b->where[i];
		input->has_each = b->inputs[i].list;
		if (input->has_each) {
			input->each_slot = b->inputs[i].list->slot;
			input->element_slot = b->inputs[i].element->slot;
		}
		input->by_rows = reads_rows(b->where[i]);
		for (size_t k = 0; k < spec->n_by; k++)
			input->by_rows =
				input->by_rows || reads_rows(input->by[k]);
		input->closes = i >= b->n_from;
		find_index(b, i, input);
		if (peers)
			input->same =
				programs_of(b, i, peers->same, peers->n_same);
		if (peers && input->same && peers->of->programs)
			input->of = peers->of->programs[i];
		plan->n_inputs++;
	}
}

/* Names, types and masks of parts, each in an array of its own. */
static void describe(struct rule_build *b, const struct key_part *const *parts,
		     size_t n, const char *const **names,
		     const struct type **types, const enum mask **masks) {
	const char **name = arena_array(b->l->arena, const char *, n);
	struct type *type = arena_array(b->l->arena, struct type, n);
	enum mask *mask = arena_array(b->l->arena, enum mask, n);

	for (size_t i = 0; i < n; i++) {
		name[i] = parts[i]->name;
		type[i] = parts[i]->type;
		mask[i] = parts[i]->mask;
	}
	*names = name;
	*types = type;
	*masks = mask;
}

static struct peers *peers_new(struct rule_build *b,
			       const struct peers_spec *spec) {
	struct peers *peers = arena_new(b->l->arena, struct peers);

	peers->of = spec->of->name;
	peers->type = spec->of->type;
	peers->mask = spec->of->mask;
	describe(b, spec->same, spec->n_same, &peers->same, &peers->same_types,
		 &peers->same_masks);
	peers->n_same = spec->n_same;
	return peers;
}

static struct plan *plan_new(struct rule_build *b, const char *text,
			     const struct plan_spec *spec) {
	struct plan *plan = arena_new(b->l->arena, struct plan);

	plan->text = text;
	plan_inputs(b, spec, plan);
	describe(b, spec->by, spec->n_by, &plan->by, &plan->by_types,
		 &plan->by_masks);
	plan->n_by = spec->n_by;
	plan->window = *spec->window;
	plan->calendar = b->calendar;
	plan->drop_late = b->drop_late;
	plan->max_entries = b->max_entries;
	return plan;
}

struct plan_build *plan_for(struct rule_build *b,
			    const struct plan_spec *spec) {
	const char *text = plan_text(b, spec);
	struct plan_build *build =
		map_get(&b->l->plan_index, text, strlen(text));

	/* Drafts are checked, but nobody keeps state for them. */
	if (build && b->live)
		return build;
	build = arena_new(b->l->arena, struct plan_build);
	build->plan = plan_new(b, text, spec);
	if (spec->peers)
		build->plan->peers = build->peers = peers_new(b, spec->peers);
	if (b->live) {
		map_put(&b->l->plan_index, b->l->arena, text, strlen(text),
			build);
		pointers_add(&b->l->plans, b->l->arena, build);
	}
	return build;
}

/* The plan by parts of the rule's key. */
static struct plan_build *plan_by(struct rule_build *b, const uint16_t *parts,
				  size_t n, const struct window *window) {
	const struct key_part *by[MAX_KEY];
	struct plan_spec spec = { .by = by, .n_by = n, .window = window };

	for (size_t i = 0; i < n; i++)
		by[i] = &b->key[parts[i]];
	return plan_for(b, &spec);
}

void make_plan(struct rule_build *b) {
	uint16_t parts[MAX_KEY];

	for (size_t i = 0; i < b->n_key; i++)
		parts[i] = (uint16_t)i;
	b->plan = plan_by(b, parts, b->n_key, &b->window);
	pointers_add(&b->plan->rules, b->l->arena, b->rule);
	b->rule->plan = b->plan->plan;
}

/*** measures ***/

#define MAX_ARGS 4

struct call {
	const char *name;
	struct place place;
	size_t n;
	struct {
		const char *s;
		size_t len;
		struct place place;
		const char *text; /* canonical, all in place */
		bool has_names;   /* that were put in place */
		struct expr_ast *tree;
	} args[MAX_ARGS];
};

static const char *const later_aggregates[] = { "rate" };

static int bad_measure(struct rule_build *b, const struct yaml_node *node) {
	return diag_at(b->l->diag, node->place, "E236",
		       "a measure is one aggregate, such as sum(amount); "
		       "arithmetic goes into `let`");
}

static int add_arg(struct rule_build *b, const struct yaml_node *node,
		   struct call *call, size_t from, size_t to) {
	while (from < to && isspace((unsigned char)node->text[from]))
		from++;
	while (to > from && isspace((unsigned char)node->text[to - 1]))
		to--;
	if (call->n == MAX_ARGS || from == to)
		return bad_measure(b, node);
	call->args[call->n].s = node->text + from;
	call->args[call->n].len = to - from;
	call->args[call->n].place = yaml_place(node, from, to - from);
	call->n++;
	return 0;
}

/* Splits `quantile(amount, 0.9)`; the commas of nested calls stay. */
static int split_call(struct rule_build *b, const struct yaml_node *node,
		      struct call *call) {
	const char *s = node->text;
	size_t at = strcspn(s, "(");
	size_t from = at + 1;
	size_t name = at;
	char quote = 0;
	int depth = 0;

	while (name && isspace((unsigned char)s[name - 1]))
		name--;
	call->name = arena_strndup(b->l->arena, s, name);
	call->place = yaml_place(node, 0, name);
	if (!s[at] || !is_identifier(call->name))
		return bad_measure(b, node);
	for (; s[at]; at++) {
		if (quote) {
			if (s[at] == '\\' && s[at + 1])
				at++;
			else if (s[at] == quote)
				quote = 0;
		} else if (s[at] == '\'' || s[at] == '"') {
			quote = s[at];
		} else if (strchr("([{", s[at])) {
			depth++;
		} else if (strchr(")]}", s[at]) && !--depth) {
			break;
		} else if (s[at] == ',' && depth == 1) {
			if (add_arg(b, node, call, from, at) < 0)
				return -EINVAL;
			from = at + 1;
		}
	}
	if (!s[at] || s[at + 1 + strspn(s + at + 1, " \n\t")])
		return bad_measure(b, node);
	if (!call->n && from + strspn(s + from, " ") == at)
		return 0;
	return add_arg(b, node, call, from, at);
}

static const struct aggregate *find_aggregate(struct rule_build *b,
					      const struct call *call) {
	const struct aggregate *aggregate = aggregate_find(call->name);
	const char *names[64];
	size_t n = 0;

	if (aggregate)
		return aggregate;
	for (size_t i = 0; i < ARRAY_SIZE(later_aggregates); i++)
		if (!strcmp(later_aggregates[i], call->name)) {
			shape_later(b->l->diag, call->place, call->name);
			return NULL;
		}
	while (all_aggregates[n] && n < ARRAY_SIZE(names)) {
		names[n] = all_aggregates[n]->name;
		n++;
	}
	shape_unknown(b->l->diag, call->place, "there is no aggregate",
		      call->name, names, n);
	return NULL;
}

struct alias_scan {
	struct rule_build *b;
	bool seen[MAX_INPUTS];
};

static void see_alias(void *ctx, const char *name, size_t len,
		      const char *rest) {
	struct alias_scan *scan = ctx;

	for (size_t i = 0; *rest == '.' && i < scan->b->n_inputs; i++)
		if (strlen(scan->b->inputs[i].alias) == len &&
		    !memcmp(scan->b->inputs[i].alias, name, len))
			scan->seen[i] = true;
}

/* Which inputs feed a measure: those it names, or all. */
static int find_feeds(struct rule_build *b, const struct call *call,
		      bool *feeds) {
	struct alias_scan scan = { .b = b };
	size_t n = 0;

	for (size_t i = 0; i < call->n; i++)
		scan_names(call->args[i].text, see_alias, &scan);
	for (size_t i = 0; i < b->n_inputs; i++)
		n += scan.seen[i];
	if (b->n_from < b->n_inputs && scan.seen[b->n_from])
		return diag_at(b->l->diag, call->place, "E236",
			       "`%s` closes the window and is not measured in "
			       "it; its fields can be read in `let` and the "
			       "conditions",
			       b->inputs[b->n_from].alias);
	if (n > 1)
		return diag_at(b->l->diag, call->place, "E236",
			       "a measure names fields of one stream; this one "
			       "names %zu",
			       n);
	for (size_t i = 0; i < b->n_from; i++)
		feeds[i] = !n || scan.seen[i];
	return 0;
}

static int parse_args(struct rule_build *b, struct call *call) {
	for (size_t i = 0; i < call->n; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };

		if (expr_parse(&call->args[i].tree, b->l->arena,
			       call->args[i].s, call->args[i].len,
			       call->args[i].place, b->l->diag) < 0)
			return -EINVAL;
		expr_print(&text, call->args[i].tree);
		call->args[i].text = expand_text(b, buf_cstr(&text), ALL_NAMES);
	}
	return 0;
}

/*
 * Compiled twice if names stand in it: once as written, so that complaints
 * show their place, and once with all in place, so that equal texts of two
 * rules mean the same, by which the engine shares columns of entries.
 */
static const struct expr *compile_arg(struct rule_build *b, size_t input,
				      const struct call *call, size_t arg,
				      const struct type *want) {
	const struct expr_env *env = b->inputs[input].env;
	const char *text = call->args[arg].text;
	struct diag quiet = { 0 };
	struct expr_ast *tree;
	struct expr *program;
	struct expr *whole;

	if (expr_compile(&program, b->l->arena, call->args[arg].tree, env, want,
			 b->l->diag) < 0)
		return NULL;
	if (!call->args[arg].has_names)
		return program;
	if (expr_parse(&tree, b->l->arena, text, strlen(text),
		       call->args[arg].place, &quiet) == 0 &&
	    expr_compile(&whole, b->l->arena, tree, env, want, &quiet) == 0)
		program = whole;
	diag_free(&quiet);
	return program;
}

static int check_x(struct rule_build *b, const struct call *call,
		   const struct measure *measure, struct type type) {
	const struct aggregate *aggregate = measure->aggregate;

	if (type.kind >= KIND_MAX || type.kind == KIND_LIST ||
	    (aggregate->kinds && !(aggregate->kinds & 1u << type.kind)))
		return diag_at(b->l->diag, call->args[0].place, "E237",
			       "%s cannot take %s; it is %s", aggregate->name,
			       type_text(b, type), aggregate->signature);
	if (measure->x_type.kind && !same_type(measure->x_type, type))
		return diag_at(b->l->diag, call->args[0].place, "E234",
			       "`%.*s` is %s of one stream and %s of another",
			       (int)call->args[0].len, call->args[0].s,
			       type_text(b, measure->x_type),
			       type_text(b, type));
	return 0;
}

static int check_weight(struct rule_build *b, const struct call *call,
			struct measure *measure, struct type type) {
	const uint32_t kinds =
		1u << KIND_INT | 1u << KIND_DOUBLE | 1u << KIND_MONEY;

	if (!(kinds & 1u << type.kind))
		return diag_at(b->l->diag, call->args[1].place, "E237",
			       "%s cannot weigh by %s; it is %s",
			       measure->aggregate->name, type_text(b, type),
			       measure->aggregate->signature);
	if (measure->weight_type.kind && !same_type(measure->weight_type, type))
		return diag_at(b->l->diag, call->args[1].place, "E234",
			       "`%.*s` is %s of one stream and %s of another",
			       (int)call->args[1].len, call->args[1].s,
			       type_text(b, measure->weight_type),
			       type_text(b, type));
	type.optional = false;
	measure->weight_type = type;
	return 0;
}

static bool is_constant_of(const struct aggregate *aggregate,
			   struct value value) {
	double d = value.kind == KIND_INT ? (double)value.i : value.d;

	if (value.kind != KIND_INT &&
	    (aggregate->constant.whole || value.kind != KIND_DOUBLE))
		return false;
	return d >= aggregate->constant.least && d <= aggregate->constant.most;
}

static int take_constant(struct rule_build *b, const struct call *call,
			 size_t arg, struct measure *measure) {
	const struct expr *program = compile_arg(b, 0, call, arg, NULL);
	const struct aggregate *aggregate = measure->aggregate;
	struct value value;

	if (!program)
		return -EINVAL;
	if (!expr_constant(program, &value) ||
	    !is_constant_of(aggregate, value))
		return diag_at(b->l->diag, call->args[arg].place, "E236",
			       "the last argument of %s is a %snumber from %g "
			       "to %g",
			       aggregate->name,
			       aggregate->constant.whole ? "whole " : "",
			       aggregate->constant.least,
			       aggregate->constant.most);
	if (!aggregate->constant.whole && value.kind == KIND_INT)
		value = value_double((double)value.i);
	measure->constant = value;
	return 0;
}

static int measure_programs(struct rule_build *b, const struct call *call,
			    struct measure *measure, const bool *feeds) {
	const struct aggregate *aggregate = measure->aggregate;
	const struct expr **x =
		arena_array(b->l->arena, const struct expr *, b->n_inputs);
	const struct expr **condition =
		arena_array(b->l->arena, const struct expr *, b->n_inputs);
	const struct expr **weight = NULL;
	size_t last = call->n - 1;

	if (aggregate->takes_weight && call->n > 1)
		weight = arena_array(b->l->arena, const struct expr *,
				     b->n_inputs);
	for (size_t i = 0; i < b->n_inputs; i++) {
		if (!feeds[i])
			continue;
		if (aggregate->takes_x) {
			struct type type;

			x[i] = compile_arg(b, i, call, 0, NULL);
			if (!x[i])
				return -EINVAL;
			type = expr_type(x[i]);
			if (check_x(b, call, measure, type) < 0)
				return -EINVAL;
			type.optional = false;
			measure->x_type = type;
		}
		if (weight) {
			weight[i] = compile_arg(b, i, call, 1, NULL);
			if (!weight[i] ||
			    check_weight(b, call, measure,
					 expr_type(weight[i])) < 0)
				return -EINVAL;
		}
		if (aggregate->takes_condition) {
			condition[i] = compile_arg(b, i, call, last, &boolean);
			if (!condition[i])
				return -EINVAL;
		}
	}
	measure->x = x;
	measure->weight = weight;
	measure->condition = condition;
	measure->feeds = feeds;
	return 0;
}

/* count(pay): the only argument that is a stream and no expression. */
static int count_of(struct rule_build *b, const struct call *call,
		    bool *feeds) {
	bool found = false;

	for (size_t i = 0; i < b->n_from; i++) {
		feeds[i] = strlen(b->inputs[i].alias) == call->args[0].len &&
			   !memcmp(b->inputs[i].alias, call->args[0].s,
				   call->args[0].len);
		found = found || feeds[i];
	}
	if (found)
		return 0;
	return diag_at(b->l->diag, call->args[0].place, "E236",
		       "count takes nothing, or one of the streams of `from`; "
		       "for a condition take count_if");
}

static struct type measure_type(const struct measure *measure) {
	const struct aggregate *aggregate = measure->aggregate;
	struct type type = { .kind = aggregate->result_kind };

	if (aggregate->result_kind == KIND_MISSING) {
		type = measure->x_type;
		if (!strcmp(aggregate->name, "sum") ||
		    !strcmp(aggregate->name, "sum_if"))
			type.names = NULL;
	}
	type.optional = !aggregate->zero_when_empty;
	return type;
}

static const char *measure_text(struct rule_build *b, const struct call *call) {
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_printf(&text, "%s(", call->name);
	for (size_t i = 0; i < call->n; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", call->args[i].text);
	buf_putc(&text, ')');
	return arena_strdup(b->l->arena, buf_cstr(&text));
}

/*
 * How it is computed. Sliding and last windows lose entries one by one, so an
 * aggregate that cannot take them back exactly reads them all; periods and
 * panes only grow, so it is enough that it folds.
 */
static int measure_way(struct rule_build *b, const struct yaml_node *node,
		       const struct window *window, struct measure *measure) {
	const struct aggregate *aggregate = measure->aggregate;
	uint32_t kind = 1u << measure->x_type.kind;

	measure->latest = !strcmp(aggregate->name, "latest");
	if (measure->latest)
		return 0;
	switch (window->kind) {
	case WINDOW_SLIDING:
	case WINDOW_LAST:
		measure->scans = !(aggregate->retracts & kind);
		return 0;
	case WINDOW_PANES:
		if (aggregate->folds & kind)
			return 0;
		return diag_at(b->l->diag, node->place, "E306",
			       "%s of %s needs the raw entries of the window, "
			       "and panes keep none; leave `panes` out",
			       aggregate->name, type_text(b, measure->x_type));
	case WINDOW_EVENT:
	case WINDOW_FOREVER:
	case WINDOW_TUMBLE:
	case WINDOW_CALENDAR:
	case WINDOW_SESSION:
	case WINDOW_UNTIL:
	case WINDOW_PEERS:
		measure->scans = !(aggregate->folds & kind);
		return 0;
	}
	return 0;
}

static const struct measure *find_measure(const struct plan_build *plan,
					  const char *text) {
	for (size_t i = 0; i < plan->measures.n; i++) {
		const struct measure *measure = plan->measures.items[i];

		if (!strcmp(measure->text, text))
			return measure;
	}
	return NULL;
}

static const struct measure *add_measure(struct rule_build *b,
					 struct plan_build *plan,
					 const struct yaml_node *node,
					 struct measure *measure) {
	const struct measure *same = find_measure(plan, measure->text);

	if (measure_way(b, node, &plan->plan->window, measure) < 0)
		return NULL;
	if (same)
		return same;
	measure->type = measure_type(measure);
	measure->index = (uint16_t)plan->measures.n;
	if (!measure->is_member)
		measure->keeper = measure->index;
	pointers_add(&plan->measures, b->l->arena, measure);
	return measure;
}

/* One behind the other; the first of them. */
static const struct measure *add_members(struct rule_build *b,
					 struct plan_build *plan,
					 const struct yaml_node *node,
					 const struct measure *measure) {
	const struct aggregate *member =
		measure->aggregate->members(measure->constant);
	const struct measure *first = NULL;

	for (; member->name; member++) {
		struct measure *mine = arena_new(b->l->arena, struct measure);
		const struct measure *added;

		*mine = *measure;
		mine->aggregate = member;
		mine->text = arena_printf(b->l->arena, "%s.%s", measure->text,
					  member->name);
		mine->is_member = true;
		mine->keeper =
			first ? first->index : (uint16_t)plan->measures.n;
		added = add_measure(b, plan, node, mine);
		if (!added)
			return NULL;
		first = first ? first : added;
	}
	return first;
}

static void wrong_count(struct rule_build *b, const struct call *call,
			const struct aggregate *aggregate, size_t want) {
	diag_at(b->l->diag, call->place, "E236",
		"%s takes %zu%s argument%s, not %zu: it is %s", aggregate->name,
		want, aggregate->takes_weight ? " or 2" : "",
		want == 1 && !aggregate->takes_weight ? "" : "s", call->n,
		aggregate->signature);
}

static const struct measure *read_measure(struct rule_build *b,
					  struct plan_build *plan,
					  const struct yaml_node *node) {
	struct measure *measure = arena_new(b->l->arena, struct measure);
	bool *feeds = arena_array(b->l->arena, bool, b->n_inputs);
	const struct aggregate *aggregate;
	struct call call = { 0 };
	size_t want;

	if (split_call(b, node, &call) < 0)
		return NULL;
	aggregate = find_aggregate(b, &call);
	if (!aggregate)
		return NULL;
	measure->aggregate = aggregate;
	want = (size_t)aggregate->takes_x + aggregate->takes_condition +
	       aggregate->takes_constant;
	if (!want && call.n == 1) {
		call.args[0].text = arena_strndup(b->l->arena, call.args[0].s,
						  call.args[0].len);
		if (count_of(b, &call, feeds) < 0)
			return NULL;
	} else if (call.n < want || call.n > want + aggregate->takes_weight) {
		wrong_count(b, &call, aggregate, want);
		return NULL;
	} else if (parse_args(b, &call) < 0 ||
		   find_feeds(b, &call, feeds) < 0) {
		return NULL;
	}
	measure->text = measure_text(b, &call);
	if (measure_programs(b, &call, measure, feeds) < 0)
		return NULL;
	if (aggregate->takes_constant &&
	    take_constant(b, &call, call.n - 1, measure) < 0)
		return NULL;
	return aggregate->members ? add_members(b, plan, node, measure)
				  : add_measure(b, plan, node, measure);
}

static int coarse_part(struct rule_build *b, const struct yaml_node *node,
		       uint16_t *ret) {
	const char *names[MAX_KEY];

	if (shape_is(b->l->diag, node, YAML_SCALAR, "by") < 0)
		return -EINVAL;
	for (size_t i = 0; i < b->n_key; i++) {
		names[i] = b->key[i].name;
		if (yaml_is_text(node, names[i])) {
			*ret = (uint16_t)i;
			return 0;
		}
	}
	return shape_unknown(b->l->diag, node->place,
			     "a coarser key is a part of the rule's `by`, "
			     "which has no",
			     node->text, names, b->n_key);
}

/* The number of the coarse plan plus 1; 0 after a complaint. */
static uint16_t read_coarse(struct rule_build *b, const struct yaml_node *by) {
	struct coarse_build *coarse =
		arena_new(b->l->arena, struct coarse_build);
	struct window window = b->window;

	if (window_is_stretch(&window)) {
		diag_at(b->l->diag, by->place, "E111",
			"a coarser key of a session or until window is not in "
			"this release");
		return 0;
	}
	if (by->kind != YAML_LIST || by->n > b->n_key) {
		diag_at(b->l->diag, by->place, "E104",
			"`by` of a measure is a list of parts of the rule's "
			"`by`");
		return 0;
	}
	coarse->map = arena_array(b->l->arena, uint16_t, by->n);
	for (size_t i = 0; i < by->n; i++)
		if (coarse_part(b, by->items[i], &coarse->map[i]) < 0)
			return 0;
	if (window.kind == WINDOW_EVENT)
		window.kind = WINDOW_FOREVER;
	coarse->plan = plan_by(b, coarse->map, by->n, &window);
	for (size_t i = 0; i < b->coarse.n; i++) {
		const struct coarse_build *old = b->coarse.items[i];

		if (old->plan == coarse->plan)
			return (uint16_t)(i + 1);
	}
	pointers_add(&b->coarse, b->l->arena, coarse);
	pointers_add(&coarse->plan->watchers, b->l->arena, b->rule);
	return (uint16_t)b->coarse.n;
}

static const struct shape_key measure_keys[] = {
	{ "agg", "expression", "required",
	  "an aggregate, such as sum(amount)" },
	{ "by", "[text]", "the rule's `by`", "parts of it: a coarser key" },
	{ "where", SHAPE_LATER },
	{ "window", SHAPE_LATER },
};
const struct shape measure_shape = { "measure", measure_keys,
				     ARRAY_SIZE(measure_keys) };

static const struct yaml_node *measure_map(struct rule_build *b,
					   const struct yaml_node *node,
					   struct measure_ref *ref) {
	const struct yaml_node *agg = yaml_get(node, "agg");
	const struct yaml_node *by = yaml_get(node, "by");

	shape_keys(b->l->diag, node, "a measure", measure_keys,
		   ARRAY_SIZE(measure_keys));
	if (!agg) {
		diag_at(b->l->diag, node->place, "E112",
			"a measure in { } lacks `agg`");
		return NULL;
	}
	if (shape_is(b->l->diag, agg, YAML_SCALAR, "agg") < 0)
		return NULL;
	if (by && !same_key(b, by)) {
		ref->plan = read_coarse(b, by);
		if (!ref->plan)
			return NULL;
	}
	return agg;
}

static bool is_taken(struct rule_build *b, const struct yaml_node *key,
		     const char *what) {
	for (size_t i = 0; i < b->n_from; i++)
		if (input_field(b, i, key->text)) {
			diag_at(b->l->diag, key->place, "E233",
				"%s `%s` hides the field of that name; call "
				"it otherwise",
				what, key->text);
			return true;
		}
	if (map_get(&b->lets, key->text, key->len) &&
	    strcmp(what, "let") != 0) {
		diag_at(b->l->diag, key->place, "E233",
			"%s `%s` has the name of a let", what, key->text);
		return true;
	}
	if (map_get(&b->measures, key->text, key->len) &&
	    !strcmp(what, "baseline")) {
		diag_at(b->l->diag, key->place, "E233",
			"%s `%s` has the name of a measure", what, key->text);
		return true;
	}
	return false;
}

/* `b.mad`, `b.n`: each is a measure under a name of its own. */
static void name_members(struct rule_build *b, const struct plan_build *plan,
			 struct measure_ref *ref) {
	size_t i = ref->measure->index;

	ref->several = true;
	for (; i < plan->measures.n; i++) {
		const struct measure *measure = plan->measures.items[i];
		struct measure_ref *mine;

		if (!measure->is_member ||
		    measure->keeper != ref->measure->keeper)
			break;
		mine = arena_new(b->l->arena, struct measure_ref);
		*mine = *ref;
		mine->name = arena_printf(b->l->arena, "%s.%s", ref->name,
					  measure->aggregate->name);
		mine->measure = measure;
		mine->several = mine->broken = false;
		map_put(&b->measures, b->l->arena, mine->name,
			strlen(mine->name), mine);
	}
}

void read_measures(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "measure");

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "measure") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct yaml_node *text = pair->value;
		struct measure_ref *ref =
			arena_new(b->l->arena, struct measure_ref);
		const struct coarse_build *coarse;

		ref->name = pair->key->text;
		ref->place = pair->key->place;
		ref->broken = true;
		is_taken(b, pair->key, "measure");
		map_put(&b->measures, b->l->arena, ref->name, pair->key->len,
			ref);
		if (text->kind == YAML_MAP)
			text = measure_map(b, text, ref);
		else if (shape_is(b->l->diag, text, YAML_SCALAR, ref->name) < 0)
			continue;
		if (!text)
			continue;
		b->event_part =
			arena_printf(b->l->arena, "measure `%s`", ref->name);
		coarse = ref->plan ? b->coarse.items[ref->plan - 1] : NULL;
		ref->measure =
			read_measure(b, coarse ? coarse->plan : b->plan, text);
		ref->broken = !ref->measure;
		if (ref->measure && ref->measure->is_member)
			name_members(b, coarse ? coarse->plan : b->plan, ref);
	}
	for (size_t i = 0; i < b->lets.n; i++) {
		const struct let *let = b->lets.values[i];
		struct yaml_node key = { .text = let->name,
					 .len = strlen(let->name),
					 .place = let->place };

		is_taken(b, &key, "let");
	}
}

/*** baselines ***/

static const struct shape_key baseline_keys[] = {
	{ "of", "expression", "required",
	  "a measure; with `peers` also a value of the event" },
	{ "over", "1..4096 or fixed", "required",
	  "so many past periods; with `peers`, how long a value counts" },
	{ "only", "all|same_month|same_quarter", "all",
	  "which of the past periods" },
	{ "align", "workday|whole", "workday where it can be",
	  "past periods up to the same workday, or whole" },
	{ "empty", "skip|zero", "skip",
	  "a past period without events is left out, or 0" },
	{ "stat", "median_mad|median|mean_sd|iqr", "median_mad",
	  "how the middle and the spread are measured" },
	{ "min_samples", "1..65536", "1",
	  "with fewer, the baseline is missing" },
	{ "min_spread", "0.0..1000", "0.05",
	  "the spread is at least this share of the middle" },
	{ "peers", "[text]", NULL,
	  "values of others that agree in these, instead of the key's past" },
	{ "fallback", "[[text]]", NULL,
	  "coarser peers to ask in turn where those are too few" },
	{ "exclude_same", "[text]", NULL,
	  "peers that agree in these are left out" },
};
const struct shape baseline_shape = { "baseline", baseline_keys,
				      ARRAY_SIZE(baseline_keys) };

int baseline_stat(struct rule_build *b, const struct yaml_node *node,
		  struct baseline *baseline) {
	static const char *const stats[] = { "iqr", "mean_sd", "median",
					     "median_mad" };
	static const char *const later[] = { "ewma", "seasonal" };
	unsigned stat = STAT_MEDIAN_MAD;

	for (size_t i = 0; node && i < ARRAY_SIZE(later); i++)
		if (yaml_is_text(node, later[i]))
			return shape_later(b->l->diag, node->place, later[i]);
	if (shape_choice(b->l->diag, node, "stat", stats, ARRAY_SIZE(stats),
			 &stat) < 0)
		return -EINVAL;
	baseline->stat = (enum baseline_stat)stat;
	return 0;
}

static int baseline_only(struct rule_build *b, const struct yaml_node *node,
			 struct baseline *baseline) {
	static const char *const words[] = { "all", "same_month",
					     "same_quarter" };
	unsigned only = ONLY_ALL;
	enum calendar_unit unit = b->window.unit;

	if (shape_choice(b->l->diag, node, "only", words, ARRAY_SIZE(words),
			 &only) < 0)
		return -EINVAL;
	baseline->only = (enum baseline_only)only;
	if (only == ONLY_ALL ||
	    (b->window.kind == WINDOW_CALENDAR &&
	     (unit == UNIT_MONTH ||
	      (only == ONLY_SAME_QUARTER && unit == UNIT_QUARTER))))
		return 0;
	return diag_at(b->l->diag, node->place, "E305",
		       "`only: %s` needs a window of calendar %s", words[only],
		       only == ONLY_SAME_MONTH ? "months"
					       : "months or quarters");
}

static int baseline_align(struct rule_build *b, const struct yaml_node *node,
			  const struct measure *of, struct baseline *baseline) {
	static const char *const words[] = { "whole", "workday" };
	bool can = b->window.kind == WINDOW_CALENDAR && of->aggregate->aligns;
	unsigned align = can;

	if (shape_choice(b->l->diag, node, "align", words, ARRAY_SIZE(words),
			 &align) < 0)
		return -EINVAL;
	baseline->workday = align;
	if (!align || can)
		return 0;
	if (b->window.kind != WINDOW_CALENDAR)
		return diag_at(b->l->diag, node->place, "E305",
			       "`align: workday` needs a calendar window");
	return diag_at(b->l->diag, node->place, "E305",
		       "only count, count_if, sum and sum_if can be compared "
		       "at the same workday; `%s` needs `align: whole`",
		       of->text);
}

/* Past periods that must be kept so that @over of them can be picked. */
static uint64_t periods_of(const struct rule_build *b,
			   const struct baseline *baseline) {
	uint64_t over = baseline->over;

	switch (baseline->only) {
	case ONLY_SAME_MONTH:
		return over * 12;
	case ONLY_SAME_QUARTER:
		/* In December, October is 14 months away. */
		return b->window.unit == UNIT_QUARTER ? over * 4
						      : (over + 2) / 3 * 12 + 2;
	case ONLY_ALL:
		break;
	}
	return over;
}

const struct measure_ref *baseline_of(struct rule_build *b,
				      const struct yaml_node *map,
				      const struct yaml_node *node) {
	const struct measure_ref *ref;

	if (!node) {
		diag_at(b->l->diag, map->place, "E112",
			"a baseline lacks `of`");
		return NULL;
	}
	if (shape_is(b->l->diag, node, YAML_SCALAR, "of") < 0)
		return NULL;
	ref = map_get(&b->measures, node->text, node->len);
	if (!ref) {
		shape_unknown(b->l->diag, node->place,
			      "a baseline is `of` a measure, and there is no",
			      node->text, b->measures.keys, b->measures.n);
		return NULL;
	}
	if (ref->broken)
		return NULL;
	if (ref->several) {
		several_results(b, ref, node->place);
		return NULL;
	}
	if (ref->plan) {
		diag_at(b->l->diag, node->place, "E305",
			"a baseline is of the rule's own key, and `%s` is of "
			"a coarser one",
			node->text);
		return NULL;
	}
	return ref;
}

bool is_numeric(struct type type) {
	return type.kind == KIND_INT || type.kind == KIND_DOUBLE ||
	       type.kind == KIND_MONEY;
}

/* What goes only with peers. */
static int own_only(struct rule_build *b, const struct yaml_node *node) {
	static const char *const names[] = { "fallback", "exclude_same" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct yaml_node *found = yaml_get(node, names[i]);

		if (found)
			r = diag_at(b->l->diag, found->place, "E305",
				    "`%s` goes with `peers`", names[i]);
	}
	return r;
}

static int read_baseline(struct rule_build *b, const struct yaml_node *node,
			 struct baseline *baseline, struct type *type) {
	static const char *const empties[] = { "skip", "zero" };
	const struct yaml_node *over = yaml_get(node, "over");
	const struct measure_ref *of;
	unsigned empty = 0;
	int64_t n = 0;
	int64_t samples = 1;
	int r = own_only(b, node);

	of = baseline_of(b, node, yaml_get(node, "of"));
	if (!of)
		return -EINVAL;
	if (b->window.kind != WINDOW_CALENDAR &&
	    b->window.kind != WINDOW_TUMBLE)
		return diag_at(b->l->diag, node->place, "E305",
			       "a baseline looks at past periods, so the "
			       "window must be tumbling or of the calendar");
	if (!is_numeric(of->measure->type))
		return diag_at(b->l->diag, node->place, "E206",
			       "a baseline is of numbers or money, `%s` is %s",
			       of->name, type_text(b, of->measure->type));
	if (!over)
		return diag_at(b->l->diag, node->place, "E112",
			       "a baseline lacks `over`: how many periods");
	*baseline = (struct baseline){
		.of = of->measure->text,
		.type = of->measure->type,
		.measure = of->measure->index,
		.min_spread = 0.05,
	};
	r |= shape_number(b->l->diag, over, "over", 1, MAX_PERIODS, &n);
	r |= shape_number(b->l->diag, yaml_get(node, "min_samples"),
			  "min_samples", 1, MAX_PERIODS, &samples);
	r |= shape_double(b->l->diag, yaml_get(node, "min_spread"),
			  "min_spread", 0, 1000, &baseline->min_spread);
	r |= shape_choice(b->l->diag, yaml_get(node, "empty"), "empty", empties,
			  ARRAY_SIZE(empties), &empty);
	r |= baseline_stat(b, yaml_get(node, "stat"), baseline);
	r |= baseline_only(b, yaml_get(node, "only"), baseline);
	r |= baseline_align(b, yaml_get(node, "align"), of->measure, baseline);
	baseline->over = (uint32_t)n;
	baseline->min_samples = (uint32_t)samples;
	baseline->empty_zero = empty;
	*type = of->measure->type;
	if (r)
		return -EINVAL;
	if (samples > n)
		return diag_at(b->l->diag, node->place, "E302",
			       "`min_samples` is %lld, but there are only %lld "
			       "periods",
			       (long long)samples, (long long)n);
	if (periods_of(b, baseline) > MAX_PERIODS)
		return diag_at(b->l->diag, over->place, "E302",
			       "more than %d periods would have to be kept",
			       MAX_PERIODS);
	return 0;
}

/* Plans of cohorts say what of, for how long and without whom. */
static bool same_circles(const struct baseline *a, const struct baseline *b) {
	if (a->n_circles != b->n_circles)
		return false;
	for (size_t i = 0; i < a->n_circles; i++)
		if (a->circles[i].plan != b->circles[i].plan)
			return false;
	return true;
}

static bool same_baseline(const struct baseline *a, const struct baseline *b) {
	return same_circles(a, b) && a->measure == b->measure &&
	       a->over == b->over && a->only == b->only &&
	       a->workday == b->workday && a->empty_zero == b->empty_zero &&
	       a->stat == b->stat && a->min_samples == b->min_samples &&
	       !memcmp(&a->min_spread, &b->min_spread, sizeof(double));
}

static const struct baseline *share_baseline(struct rule_build *b,
					     const struct baseline *baseline) {
	struct baseline *mine;
	uint64_t periods = baseline->n_circles ? 0 : periods_of(b, baseline);

	for (size_t i = 0; i < b->plan->baselines.n; i++)
		if (same_baseline(b->plan->baselines.items[i], baseline))
			return b->plan->baselines.items[i];
	mine = arena_new(b->l->arena, struct baseline);
	*mine = *baseline;
	mine->index = (uint16_t)b->plan->baselines.n;
	pointers_add(&b->plan->baselines, b->l->arena, mine);
	if (periods > b->plan->plan->n_periods)
		b->plan->plan->n_periods = (uint32_t)periods;
	return mine;
}

void read_baselines(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "baseline");

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "baseline") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct baseline_ref *ref =
			arena_new(b->l->arena, struct baseline_ref);
		struct baseline baseline;

		ref->name = pair->key->text;
		ref->place = pair->key->place;
		ref->broken = true;
		is_taken(b, pair->key, "baseline");
		map_put(&b->baselines, b->l->arena, ref->name, pair->key->len,
			ref);
		if (shape_is(b->l->diag, pair->value, YAML_MAP, ref->name) < 0)
			continue;
		shape_keys(b->l->diag, pair->value, "a baseline", baseline_keys,
			   ARRAY_SIZE(baseline_keys));
		if (yaml_get(pair->value, "peers")
			    ? read_peers(b, pair->value, &baseline, ref) < 0
			    : read_baseline(b, pair->value, &baseline,
					    &ref->type) < 0)
			continue;
		ref->baseline = share_baseline(b, &baseline);
		ref->broken = false;
	}
}

/*** kept fields ***/

static int find_kept(const struct plan_build *plan, const char *name) {
	for (size_t i = 0; i < plan->kept.n; i++) {
		const struct kept *kept = plan->kept.items[i];

		if (!strcmp(kept->name, name))
			return (int)i;
	}
	return -ENOENT;
}

uint16_t keep_part(struct rule_build *b, const struct key_part *part) {
	const char *name =
		arena_printf(b->l->arena, "cohort by %s", part->text);
	int32_t *slots = arena_array(b->l->arena, int32_t, b->n_inputs);
	int index = find_kept(b->plan, name);
	struct kept *kept;

	if (index >= 0)
		return (uint16_t)index;
	for (size_t i = 0; i < b->n_inputs; i++)
		slots[i] = -1;
	kept = arena_new(b->l->arena, struct kept);
	kept->name = name;
	kept->type = part->type;
	kept->type.optional = true;
	kept->slot = slots;
	kept->x = part->programs;
	pointers_add(&b->plan->kept, b->l->arena, kept);
	return (uint16_t)(b->plan->kept.n - 1);
}

int keep_field(struct rule_build *b, const char *name, const char *field,
	       const char *alias) {
	int32_t *slots = arena_array(b->l->arena, int32_t, b->n_inputs);
	struct kept *kept = arena_new(b->l->arena, struct kept);
	int index = find_kept(b->plan, name);
	size_t n = 0;

	for (size_t i = 0; i < b->n_inputs; i++) {
		struct stream *stream = b->inputs[i].stream;
		struct field *found = input_field(b, i, field);

		slots[i] = -1;
		if (!found || (alias && strcmp(alias, b->inputs[i].alias)))
			continue;
		/* What closes a window is read under its alias alone. */
		if (!alias && i >= b->n_from)
			continue;
		if (n && !same_type(kept->type, found->type))
			return diag_at(b->l->diag, b->source->place, "E234",
				       "`%s` is of different types in the "
				       "streams of rule `%s`; write which one: "
				       "%s.%s",
				       field, b->rule->name, b->inputs[i].alias,
				       field);
		kept->type = found->type;
		slots[i] = field_slot(stream, found);
		n++;
	}
	if (!n)
		return -ENOENT;
	note_read(b, field);
	if (index >= 0)
		return index;
	kept->name = name;
	kept->slot = slots;
	/* At `max` nothing closed the window. */
	if (n < b->n_from || (b->n_from < b->n_inputs && slots[b->n_from] >= 0))
		kept->type.optional = true;
	pointers_add(&b->plan->kept, b->l->arena, kept);
	return (int)b->plan->kept.n - 1;
}

/*** evidence ***/

static bool is_field_of_from(const struct rule_build *b, const char *name) {
	for (size_t i = 0; i < b->n_from; i++)
		if (input_field(b, i, name))
			return true;
	return false;
}

static void add_evidence(struct rule_build *b, const char *name) {
	struct evidence_field *mine;

	if (!is_field_of_from(b, name))
		return; /* what closes a window is not in it */

	for (size_t i = 0; i < b->plan->evidence.n; i++) {
		const struct evidence_field *old = b->plan->evidence.items[i];

		if (!strcmp(old->name, name))
			return;
	}
	mine = arena_new(b->l->arena, struct evidence_field);
	mine->name = name;
	mine->slot = arena_array(b->l->arena, int32_t, b->n_inputs);
	for (size_t i = 0; i < b->n_inputs; i++) {
		struct stream *stream = b->inputs[i].stream;
		struct field *field = input_field(b, i, name);

		mine->slot[i] = -1;
		if (!field || i >= b->n_from)
			continue;
		mine->slot[i] = field_slot(stream, field);
		if (field->mask > mine->mask)
			mine->mask = field->mask;
	}
	pointers_add(&b->plan->evidence, b->l->arena, mine);
}

static void default_evidence(struct rule_build *b) {
	for (size_t i = 0; i < b->n_from; i++)
		if (b->inputs[i].stream->id)
			add_evidence(b, b->inputs[i].stream->id->name);
	for (size_t i = 0; i < b->n_from; i++)
		if (b->inputs[i].stream->time)
			add_evidence(b, b->inputs[i].stream->time->name);
	for (size_t i = 0; i < b->reads.n; i++)
		add_evidence(b, b->reads.items[i]);
}

static void named_evidence(struct rule_build *b,
			   const struct yaml_node *fields) {
	for (size_t i = 0; i < fields->n; i++) {
		const struct yaml_node *node = fields->items[i];
		const struct stream *stream = b->inputs[0].stream;
		const char *names[256];
		size_t n = 0;

		if (shape_is(b->l->diag, node, YAML_SCALAR, "fields") < 0)
			continue;
		if (is_field_of_from(b, node->text)) {
			add_evidence(b, node->text);
			continue;
		}
		while (n < stream->n_fields && n < ARRAY_SIZE(names)) {
			names[n] = stream->fields[n].name;
			n++;
		}
		shape_unknown(b->l->diag, node->place,
			      arena_printf(b->l->arena,
					   "stream `%s` has no field",
					   stream->name),
			      node->text, names, n);
	}
}

static const struct shape_key evidence_keys[] = {
	{ "count", "0..1000", "10", "how many of the events that contributed" },
	{ "fields", "[text]", "what the rule uses", "which of their fields" },
};
const struct shape evidence_shape = { "evidence", evidence_keys,
				      ARRAY_SIZE(evidence_keys) };

void read_evidence(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "evidence");
	const struct yaml_node *count = node;
	const struct yaml_node *fields = NULL;
	int64_t n = 10;

	if (node && node->kind == YAML_MAP) {
		shape_keys(b->l->diag, node, "`evidence`", evidence_keys,
			   ARRAY_SIZE(evidence_keys));
		count = yaml_get(node, "count");
		fields = yaml_get(node, "fields");
	}
	if (fields && shape_is(b->l->diag, fields, YAML_LIST, "fields") < 0)
		fields = NULL;
	shape_number(b->l->diag, count, "evidence", 0, 1000, &n);
	b->rule->evidence = (uint32_t)n;
	if (!n)
		return;
	if (n > b->plan->plan->evidence)
		b->plan->plan->evidence = (uint32_t)n;
	if (fields)
		named_evidence(b, fields);
	else
		default_evidence(b);
}

/*** the end ***/

static int by_rank(const void *a, const void *b) {
	const struct rule *const *x = a;
	const struct rule *const *y = b;

	return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

static const struct rule **sorted_rules(struct loader *l,
					const struct pointers *rules) {
	const struct rule **ret =
		arena_array(l->arena, const struct rule *, rules->n);

	for (size_t i = 0; i < rules->n; i++)
		ret[i] = rules->items[i];
	if (rules->n)
		qsort(ret, rules->n, sizeof(const struct rule *), by_rank);
	return ret;
}

static void finish_evidence(struct loader *l, struct plan *plan,
			    const struct pointers *evidence) {
	size_t n = evidence->n;
	const char **names = arena_array(l->arena, const char *, n);
	enum mask *masks = arena_array(l->arena, enum mask, n);
	int32_t *slots = arena_array(l->arena, int32_t, n * plan->n_inputs);

	for (size_t i = 0; i < n; i++) {
		const struct evidence_field *field = evidence->items[i];

		names[i] = field->name;
		masks[i] = field->mask;
		for (size_t k = 0; k < plan->n_inputs; k++)
			slots[k * n + i] = field->slot[k];
	}
	plan->evidence_fields = names;
	plan->evidence_masks = masks;
	plan->evidence_slot = slots;
	plan->n_evidence = n;
}

#define FLATTEN(l, type, pointers)                                             \
	({                                                                     \
		type *flat_ = arena_array((l)->arena, type, (pointers)->n);    \
		for (size_t i_ = 0; i_ < (pointers)->n; i_++)                  \
			flat_[i_] = *(const type *)(pointers)->items[i_];      \
		flat_;                                                         \
	})

void plan_finish(struct loader *l, struct plan_build *build, uint16_t index) {
	struct plan *plan = build->plan;

	plan->index = index;
	plan->measures = FLATTEN(l, struct measure, &build->measures);
	plan->n_measures = build->measures.n;
	plan->baselines = FLATTEN(l, struct baseline, &build->baselines);
	plan->n_baselines = build->baselines.n;
	plan->kept = FLATTEN(l, struct kept, &build->kept);
	plan->n_kept = build->kept.n;
	plan->keeps_entries = plan->window.kind == WINDOW_SLIDING ||
			      plan->window.kind == WINDOW_LAST ||
			      window_is_stretch(&plan->window);
	for (size_t i = 0; i < plan->n_measures; i++)
		plan->keeps_entries =
			plan->keeps_entries || plan->measures[i].scans;
	finish_evidence(l, plan, &build->evidence);
	plan->rules = sorted_rules(l, &build->rules);
	plan->n_rules = build->rules.n;
	plan->watchers = sorted_rules(l, &build->watchers);
	plan->n_watchers = build->watchers.n;
	plan->readers = sorted_rules(l, &build->readers);
	plan->n_readers = build->readers.n;
	plan->handovers = FLATTEN(l, struct handover, &build->handovers);
	plan->n_handovers = build->handovers.n;
}
