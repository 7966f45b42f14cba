#include "rule/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "tocsin/alert.h"

#define MAX_FOLDERS 32
/* State lies in cells of at most 32 KiB; the rest is for the key's text. */
#define MAX_CELL ((size_t)28 << 10)

static const struct shape_key package_keys[] = {
	{ "apiversion", "1", "required", "of this language" },
	{ "package", "text", "required",
	  "whose rules these are; its files form one" },
	{ "streams", "{<stream>}", NULL, "what comes in, typed and closed" },
	{ "sources", "{<source>}", NULL,
	  "other topics and formats of a stream" },
	{ "tables", "{<table>}", NULL,
	  "looked up as functions: limits(region).open_tender" },
	{ "lists", "{[text] or <list>}", NULL, "asked by `x in lists.name`" },
	{ "calendars", "{<calendar>}", "UTC without holidays",
	  "days, periods and business days" },
	{ "macros", "{expression}", NULL,
	  "names for expressions, in all rules" },
	{ "rules", "[<rule>]", NULL, "what to watch for" },
	{ "override", "[<override>]", NULL,
	  "changes to rules, the last one wins" },
	{ "tests", "[<test>]", NULL, "of several rules together" },
	{ "templates", SHAPE_LATER },
	{ "derive", SHAPE_LATER },
	{ "scores", SHAPE_LATER },
	{ "inhibit", SHAPE_LATER },
	{ "routes", SHAPE_LATER },
	{ "silences", SHAPE_LATER },
};
const struct shape package_shape = { "package", package_keys,
				     ARRAY_SIZE(package_keys) };

/*** files ***/

static bool is_rule_file(const char *name) {
	size_t len = strlen(name);

	return name[0] != '.' &&
	       ((len > 5 && !strcmp(name + len - 5, ".yaml")) ||
		(len > 4 && !strcmp(name + len - 4, ".yml")));
}

static int by_name(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void find_files(struct loader *l, const char *path, bool given,
		       unsigned depth, struct pointers *files);

static int wants(const struct dirent *entry) {
	return entry->d_name[0] != '.';
}

static void find_in_folder(struct loader *l, const char *path, unsigned depth,
			   struct pointers *files) {
	struct dirent **entries;
	struct pointers paths = { 0 };
	int n = scandir(path, &entries, wants, NULL);

	if (n < 0) {
		diag_at(l->diag, (struct place){ 0 }, "E103", "%s: %s", path,
			strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *end = path[strlen(path) - 1] == '/' ? "" : "/";

		pointers_add(&paths, l->arena,
			     arena_printf(l->arena, "%s%s%s", path, end,
					  entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	if (paths.n)
		qsort(paths.items, paths.n, sizeof(void *), by_name);
	for (size_t i = 0; i < paths.n; i++)
		find_files(l, paths.items[i], false, depth + 1, files);
}

static void find_files(struct loader *l, const char *path, bool given,
		       unsigned depth, struct pointers *files) {
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) < 0) {
		if (given)
			diag_at(l->diag, (struct place){ 0 }, "E103", "%s: %s",
				path, strerror(errno));
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		if (depth < MAX_FOLDERS)
			find_in_folder(l, path, depth, files);
		return;
	}
	if (!given && !is_rule_file(slash ? slash + 1 : path))
		return;
	for (size_t i = 0; i < files->n; i++)
		if (!strcmp(files->items[i], path))
			return;
	pointers_add(files, l->arena, arena_strdup(l->arena, path));
}

/*** packages ***/

static void check_version(struct loader *l, const struct yaml_node *root) {
	const struct yaml_node *version = yaml_get(root, "apiversion");

	if (!version)
		diag_at(l->diag, root->place, "E112",
			"the file lacks `apiversion: 1`");
	else if (!yaml_is_text(version, "1"))
		diag_at(l->diag, version->place, "E301",
			"`apiversion` is 1, not `%s`",
			version->kind == YAML_SCALAR ? version->text : "?");
}

static void take_file(struct loader *l, const char *path) {
	struct yaml_node *root;
	const struct yaml_node *node;
	struct package *p;
	const char *name = NULL;

	yaml_read(&root, l->arena, path, l->diag);
	if (!root)
		return;
	if (root->kind != YAML_MAP) {
		diag_at(l->diag, root->place, "E104",
			"a file of rules is a map, this is %s",
			yaml_kind_name(root));
		return;
	}
	check_version(l, root);
	shape_keys(l->diag, root, "a package", package_keys,
		   ARRAY_SIZE(package_keys));
	node = yaml_get(root, "package");
	if (!node)
		diag_at(l->diag, root->place, "E112",
			"the file lacks `package`: whose rules are these");
	if (shape_text(l->diag, node, "package", &name) < 0 || !name)
		return;
	p = map_get(&l->packages, name, node->len);
	if (!p) {
		p = arena_new(l->arena, struct package);
		p->name = name;
		map_put(&l->packages, l->arena, name, node->len, p);
	}
	pointers_add(&p->files, l->arena, root);
}

static bool is_slug(const char *s) {
	if (!*s)
		return false;
	for (; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			    *s))
			return false;
	return true;
}

static void declare_rule(struct loader *l, struct package *p,
			 struct yaml_node *node) {
	struct rule_source *source = arena_new(l->arena, struct rule_source);
	const struct yaml_node *name = yaml_get(node, "rule");
	const struct rule_source *first;

	if (shape_is(l->diag, node, YAML_MAP, "rules") < 0)
		return;
	if (!name) {
		diag_at(l->diag, node->place, "E112",
			"a rule lacks `rule`: its name");
		return;
	}
	if (shape_text(l->diag, name, "rule", &source->name) < 0)
		return;
	if (!is_slug(source->name)) {
		diag_at(l->diag, name->place, "E232",
			"`%s` cannot be the name of a rule: letters, digits, "
			"- _ and . only",
			source->name);
		return;
	}
	first = map_get(&p->rules, source->name, name->len);
	if (!declare_new(l, &p->rules, "rule", name,
			 first ? first->place : node->place))
		return;
	source->node = node;
	source->place = name->place;
	map_put(&p->rules, l->arena, source->name, name->len, source);
}

static void declare_rules(struct loader *l, struct package *p,
			  const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_LIST, "rules") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		declare_rule(l, p, node->items[i]);
}

/*** overrides ***/

static const struct shape_key override_keys[] = {
	{ "rule", "text", "required", "which" },
	{ "status", "draft|test|live|deprecated", NULL,
	  "instead of the rule's; so are all below" },
	{ "params", "{any}", NULL, "other values of its params" },
	{ "cooldown", "duration", NULL, "see rule" },
	{ "refresh", "duration", NULL, "see rule" },
	{ "review_within", "duration", NULL, "see rule" },
	{ "max_entries", "1..1048576", NULL, "see rule" },
	{ "open_max", "1..1048576", NULL, "see rule" },
	{ "evidence", "0..1000 or <evidence>", NULL, "see rule" },
	{ "exceptions", "[<exception>]", NULL, "see rule" },
	{ "owner", "text", NULL, "see rule" },
	{ "runbook", "text", NULL, "see rule" },
	{ "tags", "[text]", NULL, "see rule" },
	{ "on_missing", "skip|inconclusive|alert", NULL, "see rule" },
	{ "late", "amend|drop", NULL, "see rule" },
	{ "where_key", "{any}", NULL,
	  "`params` for these keys alone: fields and their values" },
};
const struct shape override_shape = { "override", override_keys,
				      ARRAY_SIZE(override_keys) };

/* A copy of @map with @key set; the maps of files stay as written. */
static struct yaml_node *with_pair(struct loader *l,
				   const struct yaml_node *map,
				   struct yaml_pair pair) {
	struct yaml_node *mine = arena_new(l->arena, struct yaml_node);

	*mine = *map;
	mine->pairs = arena_array(l->arena, struct yaml_pair, map->n + 1);
	for (size_t i = 0; i < map->n; i++)
		mine->pairs[i] = map->pairs[i];
	for (size_t i = 0; i < map->n; i++)
		if (yaml_is_text(map->pairs[i].key, pair.key->text)) {
			mine->pairs[i].value = pair.value;
			return mine;
		}
	mine->pairs[mine->n++] = pair;
	return mine;
}

static void note(struct loader *l, struct rule_source *source, const char *what,
		 const struct yaml_node *value) {
	pointers_add(
		&source->notes, l->arena,
		arena_printf(l->arena, "%s: %s from %s:%u", what,
			     value->kind == YAML_SCALAR ? value->text
							: yaml_kind_name(value),
			     value->place.source->path, value->place.line));
}

static void unknown_param(struct loader *l, const struct rule_source *source,
			  const struct yaml_node *params,
			  const struct yaml_node *key) {
	const char *names[64];
	size_t n = 0;

	while (params && n < params->n && n < ARRAY_SIZE(names)) {
		names[n] = params->pairs[n].key->text;
		n++;
	}
	shape_unknown(
		l->diag, key->place,
		arena_printf(l->arena, "rule `%s` has no param", source->name),
		key->text, names, n);
}

static void override_params(struct loader *l, struct rule_source *source,
			    const struct yaml_pair *params) {
	struct yaml_node *mine = yaml_get(source->node, "params");

	if (shape_is(l->diag, params->value, YAML_MAP, "params") < 0)
		return;
	for (size_t i = 0; i < params->value->n; i++) {
		const struct yaml_pair *pair = &params->value->pairs[i];

		if (!mine || !yaml_get(mine, pair->key->text)) {
			unknown_param(l, source, mine, pair->key);
			continue;
		}
		mine = with_pair(l, mine, *pair);
		note(l, source,
		     arena_printf(l->arena, "params.%s", pair->key->text),
		     pair->value);
	}
	if (mine)
		source->node =
			with_pair(l, source->node,
				  (struct yaml_pair){ params->key, mine });
}

/* Params that hold for some keys only: applied when the rule is compiled. */
static void override_keyed(struct loader *l, struct rule_source *source,
			   struct yaml_node *node) {
	const struct yaml_node *params = yaml_get(source->node, "params");
	const struct yaml_node *mine = yaml_get(node, "params");

	if (shape_is(l->diag, yaml_get(node, "where_key"), YAML_MAP,
		     "where_key") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_node *key = node->pairs[i].key;

		if (!yaml_is_text(key, "rule") &&
		    !yaml_is_text(key, "params") &&
		    !yaml_is_text(key, "where_key"))
			diag_at(l->diag, key->place, "E305",
				"an override with `where_key` changes `params` "
				"only");
	}
	if (!mine || shape_is(l->diag, mine, YAML_MAP, "params") < 0)
		return;
	for (size_t i = 0; i < mine->n; i++) {
		const struct yaml_pair *pair = &mine->pairs[i];

		if (params && yaml_get(params, pair->key->text))
			note(l, source,
			     arena_printf(l->arena, "params.%s for some keys",
					  pair->key->text),
			     pair->value);
		else
			unknown_param(l, source, params, pair->key);
	}
	pointers_add(&source->keyed, l->arena, node);
}

static struct rule_source *override_target(struct loader *l, struct package *p,
					   const struct yaml_node *node) {
	const struct yaml_node *name = yaml_get(node, "rule");
	struct rule_source *source;
	const char *text;
	size_t prefix = strlen(p->name);

	if (!name) {
		diag_at(l->diag, node->place, "E112",
			"an override lacks `rule`");
		return NULL;
	}
	if (shape_text(l->diag, name, "rule", &text) < 0)
		return NULL;
	if (!strncmp(text, p->name, prefix) && text[prefix] == '/')
		text += prefix + 1;
	source = map_get(&p->rules, text, strlen(text));
	if (!source)
		shape_unknown(l->diag, name->place, "there is no rule", text,
			      p->rules.keys, p->rules.n);
	return source;
}

static void apply_override(struct loader *l, struct package *p,
			   struct yaml_node *node) {
	struct rule_source *source;

	if (shape_is(l->diag, node, YAML_MAP, "override") < 0)
		return;
	shape_keys(l->diag, node, "an override", override_keys,
		   ARRAY_SIZE(override_keys));
	source = override_target(l, p, node);
	if (source && yaml_get(node, "where_key")) {
		override_keyed(l, source, node);
		return;
	}
	for (size_t i = 0; source && i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const char *key = pair->key->text;

		if (!strcmp(key, "rule") || !strncmp(key, "x-", 2))
			continue;
		if (!strcmp(key, "params")) {
			override_params(l, source, pair);
			continue;
		}
		source->node = with_pair(l, source->node, *pair);
		note(l, source, key, pair->value);
	}
}

static void apply_overrides(struct loader *l, struct package *p,
			    const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_LIST, "override") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		apply_override(l, p, node->items[i]);
}

/*** a package ***/

static void package_tests(struct loader *l, struct package *p,
			  const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_LIST, "tests") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		struct rule_test *test = arena_new(l->arena, struct rule_test);
		const struct yaml_node *name = yaml_get(node->items[i], "name");

		if (shape_is(l->diag, node->items[i], YAML_MAP, "tests") < 0)
			continue;
		if (!name) {
			diag_at(l->diag, node->items[i]->place, "E501",
				"a test lacks `name`");
			continue;
		}
		if (shape_text(l->diag, name, "name", &test->name) < 0)
			continue;
		test->package = p->name;
		test->node = node->items[i];
		test->place = name->place;
		pointers_add(&l->tests, l->arena, test);
	}
}

static void load_package(struct loader *l, struct package *p) {
	static const struct {
		const char *key;
		void (*declare)(struct loader *l, struct package *p,
				const struct yaml_node *node);
	} steps[] = {
		/* Each needs what stands before it. */
		{ "calendars", declare_calendars },
		{ "macros", declare_macros },
		{ "lists", declare_lists },
		{ "streams", declare_streams },
		{ "sources", declare_sources },
		{ "tables", declare_tables },
		{ "rules", declare_rules },
		{ "override", apply_overrides },
		{ "tests", package_tests },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (size_t k = 0; k < p->files.n; k++)
			steps[i].declare(
				l, p,
				yaml_get(p->files.items[k], steps[i].key));
	check_replaced(l, p);
	for (size_t i = 0; i < p->rules.n; i++)
		rule_compile(l, p, p->rules.values[i]);
	lint_package(l, p);
}

/*** the ruleset ***/

static int by_full(const void *a, const void *b) {
	const struct rule *const *x = a;
	const struct rule *const *y = b;

	return strcmp((*x)->full, (*y)->full);
}

/*
 * How long ids are remembered where a stream does not say: as long as its
 * longest window, at most 90 days; 90 days where no window bounds it.
 */
static void set_id_for(struct loader *l) {
	for (size_t i = 0; i < l->streams.n; i++) {
		struct stream *stream = l->streams.items[i];
		usec_t longest = 0;

		if (stream->id_for)
			continue;
		for (size_t k = 0; k < l->plans.n; k++) {
			const struct plan_build *build = l->plans.items[k];
			const struct plan *plan = build->plan;
			usec_t width = plan->window.width;

			if (plan->window.kind == WINDOW_EVENT || plan->peers)
				continue;
			for (size_t n = 0; n < plan->n_inputs; n++)
				if (plan->inputs[n].stream == stream->base &&
				    (!width || width > longest))
					longest = width ? width
							: 90 * USEC_PER_DAY;
		}
		stream->id_for = longest && longest < 90 * USEC_PER_DAY
					 ? longest
					 : 90 * USEC_PER_DAY;
	}
}

static void check_size(struct loader *l, const struct plan *plan) {
	size_t bytes = plan_cell_bytes(plan);
	const struct rule *rule = plan->n_rules      ? plan->rules[0]
				  : plan->n_watchers ? plan->watchers[0]
						     : NULL;

	if (!rule || bytes <= MAX_CELL)
		return;
	diag_at(l->diag, rule->place, "E307",
		"what rule `%s` and those of its shape keep for one key does "
		"not fit: %zu bytes in one piece, at most %zu; take fewer "
		"measures or panes",
		rule->name, bytes, MAX_CELL);
}

static void finish_rules(struct loader *l) {
	struct ruleset *set = l->set;

	set->n_rules = l->rules.n;
	set->rules = (struct rule **)l->rules.items;
	if (set->n_rules)
		qsort(set->rules, set->n_rules, sizeof(*set->rules), by_full);
	for (size_t i = 0; i < set->n_rules; i++)
		set->rules[i]->rank = (uint16_t)i;
	finish_registries(l);
	set->n_plans = l->plans.n;
	set->plans = arena_array(l->arena, struct plan *, l->plans.n);
	for (size_t i = 0; i < l->plans.n; i++) {
		struct plan_build *build = l->plans.items[i];

		plan_finish(l, build, (uint16_t)i);
		set->plans[i] = build->plan;
		check_size(l, build->plan);
	}
	for (size_t i = 0; i < set->n_rules; i++)
		lint_cost(l, set->rules[i]);
	lint_holidays(l);
}

static void mark_read(const struct ruleset *set, const struct stream *stream) {
	set->streams[stream->index]->is_read = true;
}

/* A stream that nobody asks for is not worth its traffic. */
static void mark_read_streams(struct loader *l) {
	const struct ruleset *set = l->set;

	for (size_t i = 0; i < set->n_plans; i++)
		for (size_t k = 0; k < set->plans[i]->n_inputs; k++)
			mark_read(set, set->plans[i]->inputs[k].stream);
	for (size_t i = 0; i < set->n_rules; i++)
		for (size_t k = 0; k < set->rules[i]->n_tables; k++)
			if (set->rules[i]->tables[k]->registry)
				mark_read(set, set->rules[i]
						       ->tables[k]
						       ->registry->stream);
}

static void finish_rest(struct loader *l) {
	struct ruleset *set = l->set;

	set->streams = (struct stream **)l->streams.items;
	set->n_streams = l->streams.n;
	for (size_t i = 0; i < set->n_streams; i++)
		set->streams[i]->index = (uint16_t)i;
	mark_read_streams(l);
	for (size_t i = 0; i < set->n_streams; i++)
		source_finish(set->streams[i]);
	set->calendars = (struct calendar **)l->calendars.items;
	set->n_calendars = l->calendars.n;
	set->tables = (struct table **)l->tables.items;
	set->n_tables = l->tables.n;
	set->lists = (struct list **)l->lists.items;
	set->n_lists = l->lists.n;
	set->n_contents = l->contents.n;
	set->contents = arena_array(l->arena, struct content, l->contents.n);
	for (size_t i = 0; i < set->n_contents; i++)
		set->contents[i] = *(struct content *)l->contents.items[i];
	set->tests = arena_array(l->arena, struct rule_test, l->tests.n);
	set->n_tests = l->tests.n;
	for (size_t i = 0; i < l->tests.n; i++)
		set->tests[i] = *(const struct rule_test *)l->tests.items[i];
}

static void add_text(struct sha256_stream *sha, const char *s) {
	sha256_add(sha, s, strlen(s) + 1);
}

static void add_node(struct sha256_stream *sha, const struct yaml_node *node) {
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!node)
		return;
	yaml_write(&text, node, 0);
	sha256_add(sha, text.data, text.len);
}

/* What comes from a file of its own is no part: it may be refreshed. */
static void add_outside(struct sha256_stream *sha, const char *name,
			const char *path, const uint8_t hash[16]) {
	add_text(sha, name);
	if (!path)
		sha256_add(sha, hash, 16);
}

/* All that the alerts of a journal depend on, besides contents. */
static void hash_ruleset(struct loader *l) {
	struct ruleset *set = l->set;
	struct sha256_stream sha;
	const uint32_t engine = ENGINE_NUMBER;

	sha256_begin(&sha);
	sha256_add(&sha, &engine, sizeof(engine));
	for (size_t i = 0; i < set->n_rules; i++) {
		add_text(&sha, set->rules[i]->full);
		sha256_add(&sha, set->rules[i]->hash,
			   sizeof(set->rules[i]->hash));
	}
	for (size_t i = 0; i < set->n_tables; i++)
		add_outside(&sha, set->tables[i]->name, set->tables[i]->path,
			    set->tables[i]->hash);
	for (size_t i = 0; i < set->n_lists; i++)
		add_outside(&sha, set->lists[i]->name, set->lists[i]->path,
			    set->lists[i]->hash);
	for (size_t i = 0; i < set->n_calendars; i++) {
		add_text(&sha, set->calendars[i]->name);
		sha256_add(&sha, set->calendars[i]->hash,
			   sizeof(set->calendars[i]->hash));
	}
	for (size_t i = 0; i < CHARSET_MAX; i++) {
		if (l->charsets[i])
			sha256_add(&sha, l->charsets[i]->hash,
				   sizeof(l->charsets[i]->hash));
	}
	for (size_t i = 0; i < l->packages.n; i++) {
		const struct package *p = l->packages.values[i];

		for (size_t k = 0; k < p->files.n; k++) {
			add_node(&sha, yaml_get(p->files.items[k], "streams"));
			add_node(&sha, yaml_get(p->files.items[k], "tables"));
			add_node(&sha, yaml_get(p->files.items[k], "sources"));
		}
	}
	sha256_end(&sha, set->hash);
}

static void load_all(struct loader *l, const struct pointers *files) {
	const char *only = l->options ? l->options->only_package : NULL;

	for (size_t i = 0; i < files->n; i++)
		take_file(l, files->items[i]);
	for (size_t i = 0; i < l->packages.n; i++)
		if (!only || !strcmp(only, l->packages.keys[i]))
			load_package(l, l->packages.values[i]);
}

int ruleset_load(struct ruleset **ret, const char *const *paths, size_t n,
		 const struct ruleset_options *options, struct diag *diag) {
	CLEANUP(ruleset_freep) struct ruleset *set = calloc(1, sizeof(*set));
	struct loader l = { .diag = diag, .options = options, .set = set };
	struct pointers files = { 0 };
	size_t before = diag->n_errors;

	if (!set)
		return -ENOMEM;
	l.arena = &set->arena;
	for (size_t i = 0; i < n; i++)
		find_files(&l, paths[i], true, 0, &files);
	if (!files.n && diag->n_errors == before)
		diag_at(diag, (struct place){ 0 }, "E103",
			"no *.yaml or *.yml in what was given");
	load_all(&l, &files);
	finish_rules(&l);
	set_id_for(&l);
	finish_rest(&l);
	hash_ruleset(&l);
	for (size_t i = 0; i < diag->n; i++)
		yaml_unfold(&diag->items[i].place);
	diag_sort(diag);
	if (diag->n_errors > before)
		return -EINVAL;

	*ret = TAKE(set);
	return 0;
}

struct content *ruleset_content(const struct ruleset *set, const char *name) {
	for (size_t i = 0; i < set->n_contents; i++)
		if (!strcmp(set->contents[i].name, name))
			return &set->contents[i];
	return NULL;
}

void ruleset_free(struct ruleset *set) {
	struct arena arena;

	if (!set)
		return;
	for (size_t i = 0; i < set->n_contents; i++)
		arena_free(&set->contents[i].arena);
	arena = set->arena;
	arena_free(&arena);
	free(set);
}

void ruleset_freep(struct ruleset **set) {
	ruleset_free(*set);
}

void ruleset_expand(const struct ruleset *set, struct buf *out) {
	for (size_t i = 0; i < set->n_rules; i++) {
		buf_puts(out, i ? "\n" : "");
		buf_puts(out, set->rules[i]->expansion);
	}
}

const struct stream *ruleset_stream(const struct ruleset *set,
				    const char *name) {
	for (size_t i = 0; i < set->n_streams; i++) {
		const struct stream *stream = set->streams[i];
		size_t len = strlen(stream->package);

		if (!strcmp(stream->name, name) ||
		    (!strncmp(stream->package, name, len) && name[len] == '/' &&
		     !strcmp(stream->name, name + len + 1)))
			return stream;
	}
	return NULL;
}
