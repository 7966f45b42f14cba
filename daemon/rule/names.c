/*
 * Names: what a path means where an event stands alone, and where a key is
 * judged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "rule/compile.h"

struct event_names {
	struct rule_build *b;
	size_t input;
};

/*** what both share ***/

static int take_tree(struct expr_name *ret, const struct expr_ast *tree,
		     int taken) {
	*ret = (struct expr_name){ .how = NAME_TREE, .tree = tree };
	return taken;
}

static int param_name(struct rule_build *b, const char *const *path, size_t n,
		      struct place place, struct expr_name *ret) {
	struct param *param;

	if (n < 2)
		return diag_at(b->l->diag, place, "E235",
			       "`params` has parts: params.floor");
	param = map_get(&b->params, path[1], strlen(path[1]));
	if (!param)
		return shape_unknown(b->l->diag, place,
				     arena_printf(b->l->arena,
						  "rule `%s` has no param",
						  b->rule->name),
				     path[1], b->params.keys, b->params.n);
	param->used = true;
	return take_tree(ret, param->tree, 2);
}

static int macro_name(struct rule_build *b, const char *name,
		      struct expr_name *ret) {
	struct macro *macro = map_get(&b->p->macros, name, strlen(name));

	if (!macro)
		return 0;
	macro->used = true;
	return take_tree(ret, macro->tree, 1);
}

void add_once(struct pointers *pointers, struct arena *arena, void *item) {
	for (size_t i = 0; i < pointers->n; i++)
		if (pointers->items[i] == item)
			return;
	pointers_add(pointers, arena, item);
}

static int list_name(struct rule_build *b, const char *const *path, size_t n,
		     const struct type *args, size_t n_args, struct place place,
		     struct expr_call *ret) {
	struct declared_list *list;

	if (n != 3)
		return 0;
	list = map_get(&b->p->lists, path[1], strlen(path[1]));
	if (!list)
		return shape_unknown(b->l->diag, place, "there is no list",
				     path[1], b->p->lists.keys, b->p->lists.n);
	if (strcmp(path[2], "contains") != 0)
		return shape_later(b->l->diag, place,
				   arena_printf(b->l->arena, "lists.%s.%s",
						path[1], path[2]));
	list->used = true;
	add_once(&b->lists, b->l->arena, &list->list);
	return list_call(ret, &list->list, args, n_args, place, b->l->diag);
}

/* Tables and lists: the same wherever they are looked up. */
static int outside_call(struct rule_build *b, const char *const *path, size_t n,
			const char *field, const struct type *args,
			size_t n_args, struct place place,
			struct expr_call *ret) {
	struct declared_table *table;

	if (!strcmp(path[0], "lists"))
		return list_name(b, path, n, args, n_args, place, ret);
	if (n != 1)
		return 0;
	table = map_get(&b->p->tables, path[0], strlen(path[0]));
	if (!table)
		return 0;
	table->used = true;
	add_once(&b->tables, b->l->arena, &table->table);
	if (table->table.registry)
		return registry_call(b, table, field, args, n_args, place, ret);
	return table_call(ret, b->l->arena, &table->table, field, args, n_args,
			  place, b->l->diag);
}

static size_t input_of_alias(const struct rule_build *b, const char *alias) {
	size_t i = 0;

	while (i < b->n_inputs && strcmp(b->inputs[i].alias, alias) != 0)
		i++;
	return i;
}

void note_read(struct rule_build *b, const char *field) {
	for (size_t i = 0; i < b->reads.n; i++)
		if (!strcmp(b->reads.items[i], field))
			return;
	pointers_add(&b->reads, b->l->arena, arena_strdup(b->l->arena, field));
}

struct field *input_field(const struct rule_build *b, size_t input,
			  const char *name) {
	const struct input_build *in = &b->inputs[input];

	if (in->element && !strcmp(name, b->each))
		return (struct field *)(uintptr_t)in->element;
	return stream_field(in->stream, name);
}

/*** an event alone ***/

static int event_slot(struct rule_build *b, size_t input, const char *name,
		      int taken, struct expr_name *ret) {
	struct field *field = input_field(b, input, name);
	struct stream *stream = b->inputs[input].stream;

	if (!field)
		return 0;
	note_read(b, name);
	*ret = (struct expr_name){
		.how = NAME_SLOT,
		.type = field->type,
		.slot = field_slot(stream, field),
		.deps = DEP_EVENT,
	};
	return taken;
}

static int not_of_event(struct rule_build *b, const char *name,
			struct place place, const char *what) {
	return diag_at(b->l->diag, place, "E235",
		       "`%s` is %s, and %s sees one event alone", name, what,
		       b->event_part);
}

static int event_name(void *ctx, const char *const *path, size_t n,
		      struct place place, struct expr_name *ret) {
	const struct event_names *names = ctx;
	struct rule_build *b = names->b;
	const struct input_build *input = &b->inputs[names->input];
	size_t len = strlen(path[0]);
	size_t other = input_of_alias(b, path[0]);
	const struct let *let;
	int r;

	if (n >= 2 && other == names->input)
		return event_slot(b, names->input, path[1], 2, ret);
	if (n >= 2 && other < b->n_inputs)
		return diag_at(b->l->diag, place, "E235",
			       "`%s.%s` is of another stream than the event "
			       "of `%s`",
			       path[0], path[1], input->alias);
	if (!strcmp(path[0], "params"))
		return param_name(b, path, n, place, ret);
	let = map_get(&b->lets, path[0], len);
	if (let)
		return let->broken ? -EINVAL : take_tree(ret, let->tree, 1);
	r = event_slot(b, names->input, path[0], 1, ret);
	if (r)
		return r;
	r = macro_name(b, path[0], ret);
	if (r)
		return r;
	if (!strcmp(path[0], "now"))
		return not_of_event(b, "now", place, "the key's clock");
	if (!strcmp(path[0], "prev"))
		return not_of_event(b, "prev", place, "the key's event before");
	if (yaml_get(yaml_get(b->node, "measure"), path[0]))
		return not_of_event(b, path[0], place, "a measure");
	if (yaml_get(yaml_get(b->node, "baseline"), path[0]))
		return not_of_event(b, path[0], place, "a baseline");
	return 0;
}

static int event_call(void *ctx, const char *const *path, size_t n,
		      const char *field, const struct type *args, size_t n_args,
		      struct place place, struct expr_call *ret) {
	const struct event_names *names = ctx;
	struct rule_build *b = names->b;

	if (n == 2 && yaml_get(yaml_get(b->node, "baseline"), path[0]))
		return not_of_event(b, path[0], place, "a baseline");
	return outside_call(b, path, n, field, args, n_args, place, ret);
}

static void add_keys(struct rule_build *b, struct pointers *all,
		     const struct map *map) {
	for (size_t i = 0; i < map->n; i++)
		pointers_add(all, b->l->arena,
			     arena_strdup(b->l->arena, map->keys[i]));
}

static void add_fields(struct rule_build *b, struct pointers *all,
		       const struct stream *stream) {
	for (size_t i = 0; i < stream->n_fields; i++)
		pointers_add(all, b->l->arena,
			     arena_strdup(b->l->arena, stream->fields[i].name));
}

static const char *const *end_candidates(struct rule_build *b,
					 struct pointers *all) {
	if (b->each)
		pointers_add(all, b->l->arena,
			     arena_strdup(b->l->arena, b->each));
	add_keys(b, all, &b->lets);
	add_keys(b, all, &b->p->macros);
	add_keys(b, all, &b->p->tables);
	for (size_t i = 0; i < b->params.n; i++)
		pointers_add(all, b->l->arena,
			     arena_printf(b->l->arena, "params.%s",
					  b->params.keys[i]));
	pointers_add(all, b->l->arena, NULL);
	return (const char *const *)all->items;
}

static const char *const *event_candidates(void *ctx) {
	const struct event_names *names = ctx;
	struct pointers all = { 0 };

	add_fields(names->b, &all, names->b->inputs[names->input].stream);
	return end_candidates(names->b, &all);
}

struct expr_env *event_env(struct rule_build *b, size_t input) {
	struct event_names *names = arena_new(b->l->arena, struct event_names);
	struct expr_env *env = arena_new(b->l->arena, struct expr_env);

	names->b = b;
	names->input = input;
	*env = (struct expr_env){
		.ctx = names,
		.name = event_name,
		.call = event_call,
		.candidates = event_candidates,
		.unknown = arena_printf(b->l->arena, "stream `%s` has no field",
					b->inputs[input].stream->name),
		.calendar = b->calendar,
		.counts_workdays = &b->counts_workdays,
	};
	return env;
}

/*** a key judged ***/

static uint16_t add_bind(struct rule_build *b, const struct bind *bind) {
	struct bind *mine;

	for (size_t i = 0; i < b->binds.n; i++) {
		const struct bind *old = b->binds.items[i];

		if (old->from == bind->from && old->index == bind->index &&
		    old->part == bind->part && old->plan == bind->plan &&
		    old->quantile == bind->quantile && bind->from != BIND_LET)
			return (uint16_t)i;
	}
	mine = arena_new(b->l->arena, struct bind);
	*mine = *bind;
	pointers_add(&b->binds, b->l->arena, mine);
	return (uint16_t)(b->binds.n - 1);
}

static int take_bind(struct rule_build *b, const struct bind *bind, int taken,
		     struct expr_name *ret) {
	*ret = (struct expr_name){
		.how = NAME_SLOT,
		.type = bind->type,
		.slot = add_bind(b, bind),
		.deps = bind->deps,
	};
	return taken;
}

/* A field that `where` asks has() of is there when the key is judged. */
static bool is_asserted(const struct rule_build *b, const char *name) {
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_printf(&text, "has(%s)", name);
	for (size_t i = 0; i < b->n_from; i++) {
		bool found = false;

		for (size_t k = 0; k < b->n_where_clauses[i]; k++) {
			const struct expr_clause *clause =
				&b->where_clauses[i][k];

			found = found ||
				(clause->conjunct &&
				 !strcmp(clause->text, buf_cstr(&text)));
		}
		if (!found)
			return false;
	}
	return true;
}

/* A field of the key's last event: `memo`, `pay.memo`, `prev.memo`. */
static int kept_name(struct rule_build *b, const char *const *path, size_t n,
		     bool prev, struct expr_name *ret) {
	size_t input = n >= 2 ? input_of_alias(b, path[0]) : b->n_inputs;
	bool dotted = input < b->n_inputs;
	const char *field = dotted ? path[1] : path[0];
	const char *name =
		dotted && b->n_inputs > 1
			? arena_printf(b->l->arena, "%s.%s", path[0], path[1])
			: arena_strdup(b->l->arena, field);
	const struct kept *kept;
	struct bind bind = { .from = prev ? BIND_PREV : BIND_FIELD };
	int index = keep_field(b, name, field,
			       dotted ? b->inputs[input].alias : NULL);

	if (index < 0)
		return index == -ENOENT ? 0 : index;
	kept = b->plan->kept.items[index];
	bind.index = (uint16_t)index;
	bind.type = kept->type;
	bind.name = prev ? arena_printf(b->l->arena, "prev.%s", name) : name;
	bind.deps = prev ? DEP_PREV : DEP_EVENT;
	if (prev) {
		bind.type.optional = true;
		b->plan->plan->keeps_prev = true;
	} else if (bind.type.optional && !dotted && is_asserted(b, name)) {
		bind.type.optional = false;
	}
	return take_bind(b, &bind, dotted ? 2 : 1, ret);
}

static int prev_name(struct rule_build *b, const char *const *path, size_t n,
		     struct place place, struct expr_name *ret) {
	int r;

	if (n < 2)
		return diag_at(b->l->diag, place, "E235",
			       "`prev` has parts: prev.amount");
	if (n > 2 && b->n_from < b->n_inputs &&
	    !strcmp(path[1], b->inputs[b->n_from].alias))
		return diag_at(b->l->diag, place, "E235",
			       "`%s` closes the window, and `prev` is of the "
			       "events in it",
			       path[1]);
	r = kept_name(b, path + 1, n - 1, true, ret);
	return r > 0 ? r + 1 : r;
}

static int key_name(struct rule_build *b, const char *name,
		    struct expr_name *ret) {
	for (size_t i = 0; i < b->n_key; i++) {
		struct bind bind = { .from = BIND_KEY,
				     .name = b->key[i].name,
				     .type = b->key[i].type,
				     .index = (uint16_t)i,
				     .deps = DEP_EVENT };

		if (!strcmp(b->key[i].name, name))
			return take_bind(b, &bind, 1, ret);
	}
	return 0;
}

static int measure_bind(struct rule_build *b, const struct measure_ref *ref,
			int taken, struct expr_name *ret) {
	struct bind bind = { .from = BIND_MEASURE,
			     .shown = true,
			     .deps = DEP_MEASURE };

	bind.name = ref->name;
	bind.plan = ref->plan;
	bind.index = ref->measure->index;
	bind.type = ref->measure->type;
	return take_bind(b, &bind, taken, ret);
}

int several_results(struct rule_build *b, const struct measure_ref *ref,
		    struct place place) {
	CLEANUP(buf_free) struct buf names = { 0 };

	for (size_t i = 0; i < b->measures.n; i++) {
		const struct measure_ref *member = b->measures.values[i];

		if (member != ref &&
		    member->place.source == ref->place.source &&
		    member->place.line == ref->place.line &&
		    member->place.column == ref->place.column)
			buf_printf(&names, " %s", member->name);
	}
	return diag_at(b->l->diag, place, "E235",
		       "measure `%s` has several results:%s", ref->name,
		       buf_cstr(&names));
}

static int measure_name(struct rule_build *b, const char *const *path, size_t n,
			struct place place, struct expr_name *ret) {
	const struct measure_ref *ref =
		map_get(&b->measures, path[0], strlen(path[0]));
	const struct measure_ref *member = NULL;
	const char *name;

	if (!ref)
		return 0;
	if (ref->broken)
		return -EINVAL;
	if (!ref->several)
		return measure_bind(b, ref, 1, ret);
	if (n >= 2) {
		name = arena_printf(b->l->arena, "%s.%s", path[0], path[1]);
		member = map_get(&b->measures, name, strlen(name));
	}
	return member ? measure_bind(b, member, 2, ret)
		      : several_results(b, ref, place);
}

static struct bind baseline_bind(struct rule_build *b,
				 const struct baseline_ref *ref,
				 enum baseline_part part) {
	static const char *const names[] = { "mid", "spread", "n",
					     "q1",  "q3",     "q" };
	struct bind bind = {
		.from = BIND_BASELINE,
		.name = arena_printf(b->l->arena, "%s.%s", ref->name,
				     names[part]),
		.type = { .kind = KIND_DOUBLE, .optional = true },
		.index = ref->baseline->index,
		.part = part,
		.deps = DEP_BASELINE,
	};

	if (part == PART_N)
		bind.type = (struct type){ .kind = KIND_INT };
	if (part == PART_MID || part == PART_QUANTILE) {
		bind.type = ref->type;
		bind.type.optional = true;
	}
	return bind;
}

static int no_spread(struct rule_build *b, const struct baseline_ref *ref,
		     struct place place, const char *part) {
	return diag_at(b->l->diag, place, "E235",
		       "a baseline with `stat: median` has no spread, so no "
		       "`%s.%s`; take median_mad, mean_sd or iqr",
		       ref->name, part);
}

static int baseline_name(struct rule_build *b, const char *const *path,
			 size_t n, struct place place, struct expr_name *ret) {
	static const char *const parts[] = { "mid", "spread", "n" };
	const struct baseline_ref *ref =
		map_get(&b->baselines, path[0], strlen(path[0]));

	if (!ref)
		return 0;
	if (ref->broken)
		return -EINVAL;
	for (unsigned i = 0; n >= 2 && i < ARRAY_SIZE(parts); i++) {
		struct bind bind;

		if (strcmp(path[1], parts[i]) != 0)
			continue;
		if (i == PART_SPREAD && ref->baseline->stat == STAT_MEDIAN)
			return no_spread(b, ref, place, "spread");
		bind = baseline_bind(b, ref, (enum baseline_part)i);
		return take_bind(b, &bind, 2, ret);
	}
	return diag_at(b->l->diag, place, "E235",
		       "`%s` is a baseline, and has .mid .spread .n .z(x) "
		       ".lo(k) .hi(k) .q(p)",
		       ref->name);
}

static int let_name(struct rule_build *b, const char *name, struct place place,
		    struct expr_name *ret) {
	const struct let *let = map_get(&b->lets, name, strlen(name));
	struct bind bind = { .from = BIND_LET };

	if (!let)
		return 0;
	if (let->broken)
		return -EINVAL;
	if (let->keyed)
		return take_tree(ret, let->tree, 1);
	if (!let->bound)
		return diag_at(b->l->diag, place, "E238",
			       "let `%s` is used before it is defined", name);
	bind = *(const struct bind *)b->binds.items[let->slot];
	/* What in it may be absent was said where it was written. */
	bind.type.optional = false;
	*ret = (struct expr_name){
		.how = NAME_SLOT,
		.type = bind.type,
		.slot = let->slot,
		.deps = bind.deps,
	};
	return 1;
}

static int now_name(struct rule_build *b, struct expr_name *ret) {
	struct bind bind = { .from = BIND_NOW,
			     .name = "now",
			     .type = { .kind = KIND_TIMESTAMP },
			     .deps = DEP_NOW };

	return take_bind(b, &bind, 1, ret);
}

static int judging_name(void *ctx, const char *const *path, size_t n,
			struct place place, struct expr_name *ret) {
	struct rule_build *b = ctx;
	int r;

	if (!strcmp(path[0], "params"))
		return param_name(b, path, n, place, ret);
	if (!strcmp(path[0], "prev"))
		return prev_name(b, path, n, place, ret);
	if (!strcmp(path[0], "now"))
		return now_name(b, ret);
	r = key_name(b, path[0], ret);
	if (!r)
		r = let_name(b, path[0], place, ret);
	if (!r)
		r = measure_name(b, path, n, place, ret);
	if (!r)
		r = baseline_name(b, path, n, place, ret);
	if (!r)
		r = kept_name(b, path, n, false, ret);
	if (!r)
		r = macro_name(b, path[0], ret);
	return r;
}

/*** deviations ***/

static double major(struct value v) {
	double d;

	if (v.kind == KIND_DOUBLE)
		return v.d;
	d = (double)v.i;
	for (unsigned i = 0;
	     v.kind == KIND_MONEY && i < currency_digits(v.unit); i++)
		d /= 10;
	return d;
}

static struct value from_major(struct value like, double d) {
	struct value ret = like;

	if (like.kind == KIND_DOUBLE)
		return value_double(d);
	for (unsigned i = 0;
	     like.kind == KIND_MONEY && i < currency_digits(like.unit); i++)
		d *= 10;
	if (!double_to_i64_even(d, &ret.i))
		return value_missing(MISSING_OVERFLOW);
	return ret;
}

static double least_spread(const struct baseline *baseline, double mid,
			   double spread) {
	double least = baseline->min_spread * (mid < 0 ? -mid : mid);

	return spread > least ? spread : least;
}

/* args: mid, spread, x. (x - mid) / max(spread, min_spread * |mid|) */
static struct value deviation(const void *self,
			      const struct expr_context *context,
			      const struct value *args, unsigned n) {
	const struct baseline *baseline = self;
	double spread;

	(void)context;
	for (unsigned i = 0; i < n; i++)
		if (value_is_missing(args[i]))
			return args[i];
	spread = least_spread(baseline, major(args[0]), args[1].d);
	if (!(spread > 0))
		return value_missing(MISSING_SPREAD);
	return value_double((major(args[2]) - major(args[0])) / spread);
}

/* args: mid, spread, for iqr the quartile, k. */
static struct value bound_at(const struct baseline *baseline,
			     const struct value *args, unsigned n,
			     double sign) {
	double from;
	double spread;
	double k;

	for (unsigned i = 0; i < n; i++)
		if (value_is_missing(args[i]))
			return args[i];
	spread = least_spread(baseline, major(args[0]), args[1].d);
	from = n > 3 ? args[2].d : major(args[0]);
	k = args[n - 1].kind == KIND_INT ? (double)args[n - 1].i
					 : args[n - 1].d;
	return from_major(args[0], from + sign * k * spread);
}

static struct value lower_bound(const void *self,
				const struct expr_context *context,
				const struct value *args, unsigned n) {
	(void)context;
	return bound_at(self, args, n, -1);
}

static struct value upper_bound(const void *self,
				const struct expr_context *context,
				const struct value *args, unsigned n) {
	(void)context;
	return bound_at(self, args, n, 1);
}

static bool is_plain_number(struct type type) {
	return type.kind == KIND_INT || type.kind == KIND_DOUBLE;
}

static struct value first_hidden(const void *self,
				 const struct expr_context *context,
				 const struct value *args, unsigned n) {
	(void)self;
	(void)context;
	(void)n;
	return args[0];
}

/*
 * .q(p). 0.95 is no exact share in binary and would miss the rank that it
 * means, so it counts in parts of 10⁹.
 */
static int quantile_call(struct rule_build *b, const struct baseline_ref *ref,
			 size_t n_args, struct place place,
			 struct expr_call *ret) {
	struct bind bind = baseline_bind(b, ref, PART_QUANTILE);
	struct value p =
		n_args == 1 ? ret->constants[0] : value_missing(MISSING_ERROR);
	double d = p.kind == KIND_INT ? (double)p.i : p.d;

	if ((p.kind != KIND_INT && p.kind != KIND_DOUBLE) ||
	    !(d >= 0 && d <= 1) ||
	    !double_to_i64_even(d * (double)QUANTILE_PARTS, &bind.quantile))
		return diag_at(b->l->diag, place, "E206",
			       "`%s.q` takes a constant from 0 to 1",
			       ref->name);
	bind.name = arena_printf(b->l->arena, "%s.q(%g)", ref->name, d);
	for (size_t i = 0; i < ref->cohorts.n; i++) {
		struct plan_build *cohorts = ref->cohorts.items[i];

		cohorts->peers->ranked = true;
	}
	ret->hidden[0] = add_bind(b, &bind);
	ret->n_hidden = 1;
	ret->deps |= DEP_BASELINE;
	ret->fn = first_hidden;
	ret->type = bind.type;
	return 1;
}

static int baseline_call(struct rule_build *b, const struct baseline_ref *ref,
			 const char *what, const struct type *args,
			 size_t n_args, struct place place,
			 struct expr_call *ret) {
	bool z = !strcmp(what, "z");
	struct bind mid = baseline_bind(b, ref, PART_MID);
	struct bind spread = baseline_bind(b, ref, PART_SPREAD);
	struct bind quartile;
	bool fits;

	if (ref->baseline->stat == STAT_MEDIAN)
		return no_spread(b, ref, place, what);
	fits = n_args == 1 && (is_plain_number(args[0]) ||
			       (z && args[0].kind == ref->type.kind));
	if (n_args == 1 && z && ref->type.kind == KIND_MONEY)
		fits = args[0].kind == KIND_MONEY &&
		       args[0].unit == ref->type.unit;
	if (!fits)
		return diag_at(b->l->diag, place, "E206",
			       z ? "`%s.z` takes what the baseline is of"
				 : "`%s.lo` and `.hi` take one number",
			       ref->name);
	ret->hidden[0] = add_bind(b, &mid);
	ret->hidden[1] = add_bind(b, &spread);
	ret->n_hidden = 2;
	if (!z && ref->baseline->stat == STAT_IQR) {
		quartile =
			baseline_bind(b, ref, *what == 'l' ? PART_Q1 : PART_Q3);
		ret->hidden[ret->n_hidden++] = add_bind(b, &quartile);
	}
	ret->deps |= DEP_BASELINE;
	ret->self = ref->baseline;
	ret->fn = z ? deviation : *what == 'l' ? lower_bound : upper_bound;
	ret->type = z ? (struct type){ .kind = KIND_DOUBLE } : ref->type;
	ret->type.optional = true;
	return 1;
}

static int judging_call(void *ctx, const char *const *path, size_t n,
			const char *field, const struct type *args,
			size_t n_args, struct place place,
			struct expr_call *ret) {
	struct rule_build *b = ctx;
	const struct baseline_ref *ref =
		map_get(&b->baselines, path[0], strlen(path[0]));

	if (n == 2 && ref) {
		if (ref->broken)
			return -EINVAL;
		if (!strcmp(path[1], "q"))
			return quantile_call(b, ref, n_args, place, ret);
		if (!strcmp(path[1], "z") || !strcmp(path[1], "lo") ||
		    !strcmp(path[1], "hi"))
			return baseline_call(b, ref, path[1], args, n_args,
					     place, ret);
	}
	return outside_call(b, path, n, field, args, n_args, place, ret);
}

static const char *const *judging_candidates(void *ctx) {
	struct rule_build *b = ctx;
	struct pointers all = { 0 };

	add_keys(b, &all, &b->measures);
	for (size_t i = 0; i < b->n_key; i++)
		pointers_add(&all, b->l->arena,
			     arena_strdup(b->l->arena, b->key[i].name));
	for (size_t i = 0; i < b->baselines.n; i++)
		pointers_add(&all, b->l->arena,
			     arena_printf(b->l->arena, "%s.mid",
					  b->baselines.keys[i]));
	for (size_t i = 0; i < b->n_from; i++)
		add_fields(b, &all, b->inputs[i].stream);
	return end_candidates(b, &all);
}

struct expr_env *judging_env(struct rule_build *b) {
	struct expr_env *env = arena_new(b->l->arena, struct expr_env);

	*env = (struct expr_env){
		.ctx = b,
		.name = judging_name,
		.call = judging_call,
		.candidates = judging_candidates,
		.unknown = arena_printf(b->l->arena, "rule `%s` knows no",
					b->rule->name),
		.calendar = b->calendar,
		.counts_workdays = &b->counts_workdays,
	};
	return env;
}

/*** lets and params ***/

static const char *printed(struct rule_build *b, const struct expr_ast *tree) {
	CLEANUP(buf_free) struct buf text = { 0 };

	expr_print(&text, tree);
	return arena_strdup(b->l->arena, buf_cstr(&text));
}

void read_lets(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "let");

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "let") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct let *let = arena_new(b->l->arena, struct let);
		struct expr_ast *tree = NULL;

		let->name = pair->key->text;
		let->place = pair->key->place;
		let->text = "";
		let->broken = shape_is(b->l->diag, pair->value, YAML_SCALAR,
				       let->name) < 0 ||
			      expr_parse(&tree, b->l->arena, pair->value->text,
					 pair->value->len, pair->value->inside,
					 b->l->diag) < 0;
		if (!let->broken) {
			let->tree = tree;
			let->text = printed(b, tree);
		}
		map_put(&b->lets, b->l->arena, let->name, pair->key->len, let);
	}
}

static bool is_number_text(const char *s, size_t len) {
	double d;

	return number_parse_double(&d, s, len) == 0;
}

static bool is_word(const struct yaml_node *node) {
	return yaml_is_text(node, "true") || yaml_is_text(node, "false");
}

/* A list of literals has no literal form of its own: it is parsed. */
static const struct expr_ast *list_param(struct rule_build *b,
					 const struct yaml_node *node) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct expr_ast *tree;

	buf_putc(&text, '[');
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_node *item = node->items[i];

		if (shape_is(b->l->diag, item, YAML_SCALAR, "an item") < 0)
			return NULL;
		buf_puts(&text, i ? ", " : "");
		if (item->plain &&
		    (is_word(item) || is_number_text(item->text, item->len)))
			buf_add(&text, item->text, item->len);
		else
			buf_json_string(&text, item->text, item->len);
	}
	buf_putc(&text, ']');
	if (expr_parse(&tree, b->l->arena, buf_cstr(&text), text.len,
		       node->place, b->l->diag) < 0)
		return NULL;
	return tree;
}

static const struct expr_ast *param_tree(struct rule_build *b,
					 const struct yaml_node *node) {
	if (node->kind == YAML_LIST)
		return list_param(b, node);
	if (shape_is(b->l->diag, node, YAML_SCALAR, "a param") < 0)
		return NULL;
	return expr_literal(b->l->arena, node->text, node->len,
			    !node->plain ||
				    (!is_word(node) &&
				     !is_number_text(node->text, node->len)),
			    node->inside);
}

static bool is_text_field(const struct rule_build *b,
			  const struct yaml_node *name,
			  const struct yaml_node *value) {
	for (size_t i = 0; i < b->n_from; i++) {
		const struct field *field = input_field(b, i, name->text);

		if (field)
			return field->type.kind == KIND_STRING;
	}
	return !value->plain || !is_number_text(value->text, value->len);
}

/* `{unit: [U-17], region: 9901}` as a condition. */
static int key_condition(struct rule_build *b, struct buf *out,
			 const struct yaml_node *where) {
	for (size_t i = 0; i < where->n; i++) {
		const struct yaml_pair *pair = &where->pairs[i];
		struct yaml_node *one[] = { pair->value };
		bool many = pair->value->kind == YAML_LIST;
		struct yaml_node **items = many ? pair->value->items : one;
		size_t n = many ? pair->value->n : 1;

		buf_printf(out, "%s%s in [", i ? " && " : "", pair->key->text);
		for (size_t k = 0; k < n; k++) {
			if (shape_is(b->l->diag, items[k], YAML_SCALAR,
				     pair->key->text) < 0)
				return -EINVAL;
			buf_puts(out, k ? ", " : "");
			if (is_text_field(b, pair->key, items[k]))
				buf_json_string(out, items[k]->text,
						items[k]->len);
			else
				buf_add(out, items[k]->text, items[k]->len);
		}
		buf_putc(out, ']');
	}
	return 0;
}

/* A param that an override gives another value for some keys. */
static void key_param(struct rule_build *b, const struct yaml_node *override,
		      const struct yaml_pair *pair) {
	struct param *param =
		map_get(&b->params, pair->key->text, pair->key->len);
	const struct expr_ast *value = param_tree(b, pair->value);
	const struct yaml_node *where = yaml_get(override, "where_key");
	CLEANUP(buf_free) struct buf text = { 0 };
	struct expr_ast *tree;

	if (!param || !value || key_condition(b, &text, where) < 0)
		return;
	buf_printf(&text, " ? %s : %s", printed(b, value), param->text);
	if (expr_parse(&tree, b->l->arena, buf_cstr(&text), text.len,
		       where->place, b->l->diag) < 0)
		return;
	param->tree = tree;
	param->text = printed(b, tree);
}

static void read_keyed_params(struct rule_build *b) {
	for (size_t i = 0; i < b->source->keyed.n; i++) {
		const struct yaml_node *override = b->source->keyed.items[i];
		const struct yaml_node *params = yaml_get(override, "params");

		for (size_t k = 0; k < params->n; k++)
			key_param(b, override, &params->pairs[k]);
	}
}

void read_params(struct rule_build *b) {
	const struct yaml_node *node = yaml_get(b->node, "params");

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "params") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct expr_ast *tree = param_tree(b, pair->value);
		struct param *param;

		if (!tree)
			continue;
		param = arena_new(b->l->arena, struct param);
		param->name = pair->key->text;
		param->place = pair->key->place;
		param->tree = tree;
		param->text = printed(b, tree);
		map_put(&b->params, b->l->arena, param->name, pair->key->len,
			param);
	}
	read_keyed_params(b);
}

static bool is_key(const struct rule_build *b, const char *name) {
	for (size_t i = 0; i < b->n_key; i++)
		if (!strcmp(b->key[i].name, name))
			return true;
	return false;
}

/* Every measure stands in an alert's values, whether a condition asks or not.
 */
void bind_measures(struct rule_build *b) {
	struct expr_name ignored;

	for (size_t i = 0; i < b->measures.n; i++) {
		const struct measure_ref *ref = b->measures.values[i];

		if (!ref->broken && !ref->several)
			measure_bind(b, ref, 1, &ignored);
	}
}

void bind_lets(struct rule_build *b) {
	for (size_t i = 0; i < b->lets.n; i++) {
		struct let *let = b->lets.values[i];
		struct bind bind = { .from = BIND_LET, .shown = true };

		/* One stream's part of the key has no meaning in another. */
		if (let->broken || let->keyed || is_key(b, let->name))
			continue;
		if (expr_compile(&let->expr, b->l->arena, let->tree, b->judging,
				 NULL, b->l->diag) < 0) {
			let->broken = true;
			continue;
		}
		bind.name = let->name;
		bind.let = let->expr;
		bind.type = expr_type(let->expr);
		bind.deps = expr_deps(let->expr);
		let->slot = add_bind(b, &bind);
		let->bound = true;
	}
}

/*** compiling for judging ***/

struct expr *compile_judging_text(struct rule_build *b, const char *text,
				  size_t len, struct place place,
				  const struct type *want) {
	struct expr_ast *tree;
	struct expr *expr;

	if (expr_parse(&tree, b->l->arena, text, len, place, b->l->diag) < 0)
		return NULL;
	if (expr_compile(&expr, b->l->arena, tree, b->judging, want,
			 b->l->diag) < 0)
		return NULL;
	return expr;
}

struct expr *compile_judging(struct rule_build *b, const struct yaml_node *node,
			     const struct type *want) {
	return compile_judging_text(b, node->text, node->len, node->inside,
				    want);
}

int compile_condition(struct rule_build *b, const struct yaml_node *node,
		      struct condition *ret) {
	static const struct type condition = { .kind = KIND_BOOL };
	struct condition mine = { 0 };
	struct expr_clause *clauses;
	struct expr_ast *tree;
	struct expr *test;

	if (expr_parse(&tree, b->l->arena, node->text, node->len, node->inside,
		       b->l->diag) < 0 ||
	    expr_compile(&test, b->l->arena, tree, b->judging, &condition,
			 b->l->diag) < 0 ||
	    expr_clauses(&clauses, &mine.n_clauses, b->l->arena, tree,
			 b->judging, b->l->diag) < 0)
		return -EINVAL;
	mine.test = test;
	mine.clauses = clauses;
	*ret = mine;
	return 0;
}
