/*
 * Registries: tables that a stream fills.
 *
 *   suppliers: {stream: parties, key: party_id, where: "kind == 'signed'"}
 *
 * What a row holds is what rules ask of it, so its columns are only known when
 * all rules are compiled; until then a column is a number that was handed out.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "rule/compile.h"

#define LEAST_KEEP (90 * USEC_PER_DAY)

/*** declaration ***/

static struct field *registry_field(struct loader *l,
				    const struct stream *stream,
				    const struct yaml_node *node) {
	const char **names;
	struct field *field;

	if (shape_is(l->diag, node, YAML_SCALAR, "a field") < 0)
		return NULL;
	field = stream_field(stream, node->text);
	if (field)
		return field;
	names = arena_array(l->arena, const char *, stream->n_fields);
	for (size_t i = 0; i < stream->n_fields; i++)
		names[i] = stream->fields[i].name;
	shape_unknown(l->diag, node->place,
		      arena_printf(l->arena, "stream `%s` has no field",
				   stream->name),
		      node->text, names, stream->n_fields);
	return NULL;
}

static int key_field(struct loader *l, struct stream *stream,
		     const struct yaml_node *node, uint16_t *slot,
		     struct type *type) {
	struct field *field = registry_field(l, stream, node);

	if (!field)
		return -EINVAL;
	if (field->type.kind == KIND_LIST || field->type.kind == KIND_DOUBLE)
		return diag_at(
			l->diag, node->place, "E206", "a key cannot be %s",
			field->type.kind == KIND_LIST ? "a list" : "a double");
	*slot = field_slot(stream, field);
	*type = field->type;
	type->optional = false;
	return 0;
}

static int registry_key(struct loader *l, struct stream *stream,
			struct registry *registry,
			const struct yaml_node *node) {
	bool one = node->kind == YAML_SCALAR;
	size_t n = one ? 1 : node->n;
	uint16_t *slots;
	struct type *types;
	int r = 0;

	if (!one && shape_is(l->diag, node, YAML_LIST, "key") < 0)
		return -EINVAL;
	if (!n || n > TABLE_MAX_KEYS)
		return diag_at(l->diag, node->place, "E302",
			       "`key` names 1 to %d fields", TABLE_MAX_KEYS);
	slots = arena_array(l->arena, uint16_t, n);
	types = arena_array(l->arena, struct type, n);
	for (size_t i = 0; i < n; i++)
		r |= key_field(l, stream, one ? node : node->items[i],
			       &slots[i], &types[i]);
	registry->keys = slots;
	registry->key_types = types;
	registry->n_keys = n;
	return r ? -EINVAL : 0;
}

static int registry_fields(struct loader *l, const struct stream *stream,
			   struct declared_table *declared,
			   const struct yaml_node *node) {
	int r = 0;

	if (!node)
		return 0;
	if (shape_is(l->diag, node, YAML_LIST, "fields") < 0)
		return -EINVAL;
	for (size_t i = 0; i < node->n; i++)
		if (!registry_field(l, stream, node->items[i]))
			r = -EINVAL;
	declared->fields = node;
	return r;
}

/*
 * Compiled as the `where` of a rule is that has nothing else. What comes by
 * other registries would depend on which of them takes a record first.
 */
static int registry_where(struct loader *l, struct package *p,
			  struct declared_table *declared,
			  struct stream *stream, const struct yaml_node *node,
			  struct buf *text) {
	static const struct type boolean = { .kind = KIND_BOOL };
	struct rule rule = { .name = declared->table.name };
	struct input_build input = { .stream = stream, .alias = stream->name };
	struct rule_build b = { .l = l,
				.p = p,
				.rule = &rule,
				.inputs = &input,
				.n_inputs = 1,
				.calendar = stream->calendar,
				.event_part = "`where`" };
	struct expr_ast *tree;
	struct expr *where;

	if (!node)
		return 0;
	if (shape_is(l->diag, node, YAML_SCALAR, "where") < 0)
		return -EINVAL;
	if (expr_parse(&tree, l->arena, node->text, node->len, node->inside,
		       l->diag) < 0 ||
	    expr_compile(&where, l->arena, tree, event_env(&b, 0), &boolean,
			 l->diag) < 0)
		return -EINVAL;
	if (expr_deps(where) & DEP_ROWS)
		return diag_at(
			l->diag, node->place, "E235",
			"`where` of a table sees one event alone, and no "
			"table that a stream fills");
	buf_puts(text, canonical(&b, node, EXPAND_MACROS));
	declared->table.registry->where = where;
	declared->tables = b.tables;
	declared->lists = b.lists;
	return 0;
}

static int registry_bounds(struct loader *l, struct declared_table *declared,
			   const struct yaml_node *node) {
	struct registry *registry = declared->table.registry;
	const struct yaml_node *keep = yaml_get(node, "keep");
	int64_t rows = 64, keys = 1000000;
	int r;

	declared->has_keep = keep;
	r = shape_fixed(l->diag, keep, "keep", &registry->keep);
	r |= shape_number(l->diag, yaml_get(node, "max_rows"), "max_rows", 1,
			  4096, &rows);
	r |= shape_number(l->diag, yaml_get(node, "max_keys"), "max_keys", 1,
			  100000000, &keys);
	registry->max_rows = (uint32_t)rows;
	registry->max_keys = (size_t)keys;
	return r ? -EINVAL : 0;
}

/* A registry has no content yet; its hash is that of what it is. */
static void registry_hash(struct table *table, const struct yaml_node *node,
			  const char *where) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct hash128 hash;

	yaml_write(&text, node, 0);
	buf_puts(&text, where);
	hash = hash128(text.data, text.len, 0);
	memcpy(table->hash, &hash, sizeof(hash));
}

static int no_file(struct loader *l, const struct yaml_node *node) {
	static const char *const files[] = { "file", "valid", "calendar" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (yaml_get(node, files[i]))
			r = diag_at(l->diag, yaml_get(node, files[i])->place,
				    "E305",
				    "a table that a stream fills has no `%s`",
				    files[i]);
	return r;
}

void declare_registry(struct loader *l, struct package *p,
		      struct declared_table *declared,
		      const struct yaml_node *node) {
	struct registry *registry = arena_new(l->arena, struct registry);
	const struct yaml_node *name = yaml_get(node, "stream");
	const struct yaml_node *key = yaml_get(node, "key");
	CLEANUP(buf_free) struct buf where = { 0 };
	struct stream *stream = NULL;
	int r = no_file(l, node);

	declared->table.registry = registry;
	registry->name = declared->table.name;
	registry->full =
		arena_printf(l->arena, "%s/%s", p->name, registry->name);
	map_put(&p->tables, l->arena, registry->name, strlen(registry->name),
		declared);
	if (shape_is(l->diag, name, YAML_SCALAR, "stream") == 0) {
		stream = map_get(&p->streams, name->text, name->len);
		if (!stream)
			shape_unknown(l->diag, name->place,
				      "there is no stream", name->text,
				      p->streams.keys, p->streams.n);
	}
	if (!key)
		r = diag_at(l->diag, declared->place, "E112",
			    "table `%s` lacks `key`", registry->name);
	if (!stream || !stream->calendar || !key)
		return;
	registry->stream = declared->stream = stream;
	r |= registry_fields(l, stream, declared, yaml_get(node, "fields"));
	r |= registry_bounds(l, declared, node);
	r |= registry_where(l, p, declared, stream, yaml_get(node, "where"),
			    &where);
	r |= registry_key(l, stream, registry, key);
	registry_hash(&declared->table, node, buf_cstr(&where));
	if (r)
		registry->keys = NULL; /* complained about */
	pointers_add(&l->tables, l->arena, declared);
}

/*** look-up ***/

/* What a call of a rule asks. */
struct asking {
	const struct registry *registry;
	size_t column; /* REGISTRY_ROW: whether there is a row */
	bool as_of_event;
};

static struct value ask_registry(const void *self,
				 const struct expr_context *context,
				 const struct value *args, unsigned n) {
	const struct asking *asking = self;
	const struct registry *registry = asking->registry;

	for (unsigned i = 0; i < n; i++) {
		if (value_is_missing(args[i]))
			return args[i];
		if (args[i].kind != registry->key_types[i].kind ||
		    args[i].unit != registry->key_types[i].unit)
			return value_missing(MISSING_ERROR);
	}
	if (!context->state)
		return value_missing(MISSING_ROW);
	return context->state->row(context->state, registry, args,
				   asking->as_of_event ? context->event_time
						       : context->now,
				   asking->column, context->scratch);
}

static int check_arg(struct rule_build *b, const struct registry *registry,
		     size_t i, struct type type, struct place place) {
	CLEANUP(buf_free) struct buf want = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct type key = registry->key_types[i];

	if (type.kind == KIND_DYN ||
	    (type.kind == key.kind && type.unit == key.unit))
		return 0;
	type.optional = false;
	type_format(&want, key);
	type_format(&got, type);
	return diag_at(b->l->diag, place, "E206",
		       "table `%s` is looked up by %s, not %s", registry->name,
		       buf_cstr(&want), buf_cstr(&got));
}

static bool may_read(const struct declared_table *declared, const char *field) {
	const struct yaml_node *fields = declared->fields;

	for (size_t i = 0; fields && i < fields->n; i++)
		if (yaml_is_text(fields->items[i], field))
			return true;
	return !fields;
}

static int column_of(struct rule_build *b, struct declared_table *declared,
		     const char *name, struct place place,
		     struct expr_call *ret, size_t *column) {
	struct stream *stream = declared->stream;
	const char **names =
		arena_array(b->l->arena, const char *, stream->n_fields);
	struct field *field = stream_field(stream, name);
	size_t n = 0;

	if (!field || !may_read(declared, name)) {
		for (size_t i = 0; i < stream->n_fields; i++)
			if (may_read(declared, stream->fields[i].name))
				names[n++] = stream->fields[i].name;
		return shape_unknown(b->l->diag, place,
				     arena_printf(b->l->arena,
						  "table `%s` has no field",
						  declared->table.name),
				     name, names, n);
	}
	field_slot(stream, field);
	add_once(&declared->columns, b->l->arena, field);
	for (*column = 0; declared->columns.items[*column] != field;)
		++*column;
	ret->type = field->type;
	ret->mask = field->mask;
	return 0;
}

int registry_call(struct rule_build *b, struct declared_table *declared,
		  const char *field, const struct type *args, size_t n_args,
		  struct place place, struct expr_call *ret) {
	const struct registry *registry = declared->table.registry;
	struct asking *asking = arena_new(b->l->arena, struct asking);

	if (!registry->keys)
		return -EINVAL;
	if (n_args != registry->n_keys)
		return diag_at(b->l->diag, place, "E205",
			       "table `%s` is looked up by %zu value%s, not "
			       "%zu",
			       registry->name, registry->n_keys,
			       registry->n_keys == 1 ? "" : "s", n_args);
	for (size_t i = 0; i < n_args; i++)
		if (check_arg(b, registry, i, args[i], place) < 0)
			return -EINVAL;
	asking->registry = registry;
	asking->as_of_event = is_of_event(ret->deps);
	asking->column = REGISTRY_ROW;
	ret->type = (struct type){ .kind = KIND_BOOL };
	if (field &&
	    column_of(b, declared, field, place, ret, &asking->column) < 0)
		return -EINVAL;
	/* The record names what its `where` stands on as well. */
	for (size_t i = 0; i < declared->tables.n; i++)
		add_once(&b->tables, b->l->arena, declared->tables.items[i]);
	for (size_t i = 0; i < declared->lists.n; i++)
		add_once(&b->lists, b->l->arena, declared->lists.items[i]);
	ret->type.optional = true;
	ret->deps |= DEP_TABLE | DEP_ROWS;
	ret->fn = ask_registry;
	ret->self = asking;
	return 1;
}

/*** the end ***/

/* How long what is in a window may be asked about; 0: no end is known. */
static usec_t window_length(const struct window *window) {
	static const unsigned days[UNIT_MAX] = {
		[UNIT_DAY] = 1,
		[UNIT_WEEK] = 7,
		[UNIT_MONTH] = 31,
		[UNIT_QUARTER] = 92,
		[UNIT_YEAR] = 366,
		[UNIT_FISCAL_YEAR] = 366,
		[UNIT_FISCAL_QUARTER] = 92,
	};

	if (window->kind == WINDOW_CALENDAR)
		return days[window->unit] * USEC_PER_DAY;
	return window->width;
}

static bool reads(const struct rule *rule, const struct table *table) {
	for (size_t i = 0; i < rule->n_tables; i++)
		if (rule->tables[i] == table)
			return true;
	return false;
}

static void finish_registry(struct loader *l, struct declared_table *declared) {
	struct registry *registry = declared->table.registry;
	size_t n = declared->columns.n;
	uint16_t *columns = arena_array(l->arena, uint16_t, n);
	struct type *types = arena_array(l->arena, struct type, n);
	struct ruleset *set = l->set;
	usec_t longest = LEAST_KEEP, length;
	bool used = false;

	for (size_t i = 0; i < set->n_rules; i++) {
		if (!reads(set->rules[i], &declared->table))
			continue;
		used = true;
		length = window_length(&set->rules[i]->plan->window);
		longest = length > longest ? length : longest;
	}
	if (!declared->has_keep)
		registry->keep = longest;
	for (size_t i = 0; i < n; i++) {
		const struct field *field = declared->columns.items[i];

		columns[i] = field->slot;
		types[i] = field->type;
	}
	registry->columns = columns;
	registry->types = types;
	registry->n_columns = n;
	if (!used)
		return;
	registry->index = (uint16_t)set->n_registries;
	set->registries[set->n_registries++] = registry;
}

void finish_registries(struct loader *l) {
	l->set->registries =
		arena_array(l->arena, struct registry *, l->tables.n);
	for (size_t i = 0; i < l->tables.n; i++) {
		struct declared_table *declared = l->tables.items[i];

		if (declared->table.registry)
			finish_registry(l, declared);
	}
}
