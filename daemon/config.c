#include "config.h"

#include "base/text.h"
#include "rule/shape.h"
#include "rule/yaml.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reading {
	struct config *config;
	struct diag *diag;
	const char *folder; /* of the file; relative paths start there */
	bool broken;        /* what is missing may stand where YAML ends */
};

struct option {
	const char *section; /* NULL: the top */
	const char *name;
	const char *value; /* what it looks like, for --help */
	const char *help;
	const char *initial; /* as if it stood in the file; NULL: none */
	bool needed;
	int (*read)(struct reading *reading, const struct option *option,
		    const struct yaml_node *node);
	size_t at;                /* of the first member that it fills */
	int64_t least, most;      /* of a duration: seconds */
	const char *const *words; /* of a choice */
	size_t n_words;
};

#define MEMBER(reading, option, type)                                          \
	((type *)(void *)((char *)(reading)->config + (option)->at))

static const char *name_of(struct reading *reading,
			   const struct option *option) {
	if (!option->section)
		return option->name;
	return arena_printf(&reading->config->arena, "%s.%s", option->section,
			    option->name);
}

static int read_text(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	const char *text = NULL;
	int r = shape_text(reading->diag, node, name_of(reading, option),
			   &text);

	if (r == 0 && !*text)
		return diag_at(reading->diag, node->place, "E301",
			       "`%s` is empty", name_of(reading, option));
	if (r == 0)
		*MEMBER(reading, option, const char *) =
			arena_strdup(&reading->config->arena, text);
	return r;
}

/* A part of keys in Redis, where braces and some others mean something. */
static int read_name(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	const char **at = MEMBER(reading, option, const char *);
	int r = read_text(reading, option, node);

	if (r < 0)
		return r;
	for (const char *s = *at; *s; s++)
		if ((unsigned char)*s <= ' ' || strchr("{}*?[]\\\x7f", *s))
			return diag_at(reading->diag, node->place, "E301",
				       "`%s` is a part of keys in Redis: no "
				       "blanks, no braces and none of * ? [ ] "
				       "\\",
				       name_of(reading, option));
	return 0;
}

static const char *path_from(struct reading *reading, const char *path) {
	if (*path == '/' || !*reading->folder)
		return arena_strdup(&reading->config->arena, path);
	return arena_printf(&reading->config->arena, "%s/%s", reading->folder,
			    path);
}

static int read_path(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	const char **at = MEMBER(reading, option, const char *);
	int r = read_text(reading, option, node);

	if (r == 0)
		*at = path_from(reading, *at);
	return r;
}

static int read_number(struct reading *reading, const struct option *option,
		       const struct yaml_node *node) {
	return shape_number(reading->diag, node, name_of(reading, option),
			    option->least, option->most,
			    MEMBER(reading, option, int64_t));
}

static int read_span(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	usec_t *at = MEMBER(reading, option, usec_t);
	int r = shape_fixed(reading->diag, node, name_of(reading, option), at);

	if (r == 0 && *at < option->least * USEC_PER_SEC)
		return diag_at(reading->diag, node->place, "E303",
			       "`%s` is at least %llds",
			       name_of(reading, option),
			       (long long)option->least);
	return r;
}

static int read_choice(struct reading *reading, const struct option *option,
		       const struct yaml_node *node) {
	return shape_choice(reading->diag, node, name_of(reading, option),
			    option->words, option->n_words,
			    MEMBER(reading, option, unsigned));
}

/* "2GiB", "512MiB", "1000000". */
static int read_size(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 },     { "B", 0 },    { "KiB", 10 },
		      { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };
	const char *text = NULL;
	char *end;
	unsigned long long n;
	int r = shape_text(reading->diag, node, name_of(reading, option),
			   &text);

	if (r < 0)
		return r;
	n = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	for (size_t i = 0; n && n < (1ull << 20) << 10 && i < ARRAY_SIZE(units);
	     i++)
		if (strcmp(end, units[i].unit) == 0 &&
		    n << units[i].shift <= (unsigned long long)option->most &&
		    n << units[i].shift >= (unsigned long long)option->least) {
			*MEMBER(reading, option, int64_t) =
				(int64_t)(n << units[i].shift);
			return 0;
		}
	return diag_at(reading->diag, node->place, "E302",
		       "`%s` is a size such as 512MiB or 2GiB, not `%s`",
		       name_of(reading, option), text);
}

static int read_secret(struct reading *reading, const struct option *option,
		       const struct yaml_node *node) {
	return secret_read(MEMBER(reading, option, const char *),
			   &reading->config->arena, reading->folder,
			   name_of(reading, option), node, reading->diag);
}

static int read_paths(struct reading *reading, const struct option *option,
		      const struct yaml_node *node) {
	struct config *config = reading->config;
	const char **paths;
	int r = shape_is(reading->diag, node, YAML_LIST, option->name);

	if (r < 0)
		return r;
	if (!node->n)
		return diag_at(reading->diag, node->place, "E301",
			       "`%s` is empty", option->name);
	paths = arena_array(&config->arena, const char *, node->n + 1);
	for (size_t i = 0; i < node->n; i++) {
		const char *text = "";

		r = shape_text(reading->diag, node->items[i], option->name,
			       &text);
		if (r < 0)
			return r;
		paths[i] = path_from(reading, text);
	}
	config->rules = paths;
	config->n_rules = node->n;
	return 0;
}

/* "probe" looks for the system's certificates. */
static bool is_path(const char *name, const char *value) {
	size_t len = strlen(name), end = strlen(".location");

	return len > end && strcmp(name + len - end, ".location") == 0 &&
	       strcmp(value, "probe") != 0;
}

/* librdkafka would say of the file that it failed, and not which or why. */
static int take_path(struct reading *reading, const struct yaml_node *node,
		     const char **path) {
	*path = path_from(reading, *path);
	if (access(*path, R_OK) == 0)
		return 0;
	return diag_at(reading->diag, node->place, "E103",
		       "%s cannot be read: %s", *path, strerror(errno));
}

static int read_property(struct reading *reading, const struct yaml_pair *pair,
			 struct kafka_property *property) {
	CLEANUP(buf_free) struct buf why = { 0 };
	const char *name = pair->key->text;
	bool secret = pair->value->kind == YAML_MAP || secret_is_property(name);
	int r;

	*property = (struct kafka_property){
		.name = arena_strdup(&reading->config->arena, name)
	};
	if (secret) {
		r = secret_read(&property->value, &reading->config->arena,
				reading->folder, name, pair->value,
				reading->diag);
		if (r < 0)
			return r;
	} else {
		const char *text = "";

		r = shape_text(reading->diag, pair->value, name, &text);
		if (r < 0)
			return r;
		property->value = arena_strdup(&reading->config->arena, text);
		if (is_path(name, text) &&
		    take_path(reading, pair->value, &property->value) < 0)
			return -EINVAL;
	}
	r = kafka_check_property(property->name, property->value, &why);
	if (r == -ERANGE && secret) /* @why quotes the value */
		return diag_at(reading->diag, pair->key->place, "E301",
			       "kafka: %s: its value is refused", name);
	if (r < 0)
		return diag_at(reading->diag, pair->key->place, "E301",
			       "kafka: %s", buf_cstr(&why));
	return 0;
}

static int read_properties(struct reading *reading, const struct option *option,
			   const struct yaml_node *node) {
	struct config *config = reading->config;
	struct kafka_property *properties;
	int r = shape_is(reading->diag, node, YAML_MAP,
			 name_of(reading, option));

	if (r < 0)
		return r;
	properties =
		arena_array(&config->arena, struct kafka_property, node->n + 1);
	for (size_t i = 0; i < node->n; i++)
		if (read_property(reading, &node->pairs[i], &properties[i]) < 0)
			r = -EINVAL;
	config->properties = properties;
	config->n_properties = node->n;
	return r;
}

/* HOST:PORT, [HOST]:PORT; false: neither. */
static bool split_address(struct arena *arena, const char *text,
			  const char **host, int64_t *port) {
	const char *colon = strrchr(text, ':');
	size_t len;
	char *end;

	if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
		return false;
	*port = strtol(colon + 1, &end, 10);
	len = (size_t)(colon - text);
	if (*text == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	}
	*host = arena_strndup(arena, text, len);
	return !*end && *port <= 65535;
}

/* HOST, or what split_address() takes, with blanks around. */
static bool is_broker(struct reading *reading, const char *text, size_t len) {
	const char *one, *host;
	int64_t port;

	while (len && *text == ' ') {
		text++;
		len--;
	}
	while (len && text[len - 1] == ' ')
		len--;
	one = arena_strndup(&reading->config->arena, text, len);
	return len && !strchr(one, ' ') &&
	       (!strchr(one, ':') ||
		split_address(&reading->config->arena, one, &host, &port));
}

static int read_brokers(struct reading *reading, const struct option *option,
			const struct yaml_node *node) {
	const char *at;
	int r = read_text(reading, option, node);

	if (r < 0)
		return r;
	at = reading->config->brokers;
	for (size_t len; at; at = at[len] ? at + len + 1 : NULL) {
		const char *scheme = strstr(at, "://");

		len = strcspn(at, ",");
		if (scheme && scheme < at + len) {
			len -= (size_t)(scheme + 3 - at);
			at = scheme + 3;
		}
		if (!is_broker(reading, at, len))
			return diag_at(reading->diag, node->place, "E301",
				       "`%s` is HOST:PORT,…: `%.*s` is none",
				       name_of(reading, option), (int)len, at);
	}
	return 0;
}

static int read_http(struct reading *reading, const struct option *option,
		     const struct yaml_node *node) {
	struct config *config = reading->config;
	const char *text = "";
	int r = shape_text(reading->diag, node, option->name, &text);

	if (r < 0)
		return r;
	if (strcmp(text, "none") == 0) {
		config->http_host = NULL;
		return 0;
	}
	if (!split_address(&config->arena, text, &config->http_host,
			   &config->http_port))
		return diag_at(reading->diag, node->place, "E301",
			       "`http` is ADDRESS:PORT or none, not `%s`",
			       text);
	return 0;
}

/* HOST:PORT,…/MASTER, each with a port. */
static bool sentinel_url(struct link_options *ret, struct arena *arena,
			 const char *text) {
	const char *slash = strchr(text, '/'), *host;
	int64_t port;

	if (!slash || !slash[1] || strchr(slash + 1, '/'))
		return false;
	ret->sentinels = arena_strndup(arena, text, (size_t)(slash - text));
	ret->master = arena_strdup(arena, slash + 1);
	for (const char *at = ret->sentinels; at;) {
		size_t len = strcspn(at, ",");

		if (!split_address(arena, arena_strndup(arena, at, len), &host,
				   &port))
			return false;
		at = at[len] ? at + len + 1 : NULL;
	}
	return true;
}

static bool host_url(struct link_options *ret, struct arena *arena,
		     const char *host) {
	int64_t port = 6379;

	if (!*host || strchr(host, '/'))
		return false;
	if (!strchr(host, ':'))
		ret->host = arena_strdup(arena, host);
	else if (!split_address(arena, host, &ret->host, &port))
		return false;
	ret->port = (int)port;
	return true;
}

bool redis_url(struct link_options *ret, struct arena *arena, const char *url) {
	static const struct {
		const char *scheme;
		bool tls, sentinel;
	} schemes[] = { { "redis://", false, false },
			{ "rediss://", true, false },
			{ "sentinel://", false, true },
			{ "sentinels://", true, true } };

	if (strncmp(url, "unix://", 7) == 0 && url[7]) {
		ret->socket = arena_strdup(arena, url + 7);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncmp(url, schemes[i].scheme, len) != 0 ||
		    strchr(url, '@'))
			continue;
		ret->tls = schemes[i].tls;
		return schemes[i].sentinel ? sentinel_url(ret, arena, url + len)
					   : host_url(ret, arena, url + len);
	}
	return false;
}

static int read_redis_url(struct reading *reading, const struct option *option,
			  const struct yaml_node *node) {
	struct config *config = reading->config;
	const char *text = "";
	int r = shape_text(reading->diag, node, name_of(reading, option),
			   &text);

	if (r < 0 || redis_url(&config->redis, &config->arena, text))
		return r;
	return diag_at(reading->diag, node->place, "E301",
		       "`redis.url` is redis://HOST:PORT, rediss://HOST:PORT "
		       "(TLS), unix:///PATH or sentinel://HOST:PORT,…/MASTER, "
		       "without user, password and database, which have keys "
		       "of their own");
}

static const char *const languages[] = { "zh", "en" };
static const char *const clocks[] = { "wall", "events" };
static const char *const losses[] = { "rebuild", "halt" };
static const char *const archives[] = { "all", "none" };
static const char *const gaps[] = { "seam", "skip", "halt" };
static const char *const logs[] = { "text", "json" };

#define AT(member) .at = offsetof(struct config, member)
#define CHOICE(list) .words = (list), .n_words = ARRAY_SIZE(list)

static const struct option options[] = {
	{ NULL, "lane", "NAME", "whose alerts these are; one daemon per lane",
	  "0", .read = read_name, AT(lane) },
	{ NULL, "instance", "NAME",
	  "who this process is, for dashboards; else the host's name", NULL,
	  .read = read_name, AT(instance) },
	{ "kafka", "brokers", "HOST:PORT,…", "where to begin asking", NULL,
	  .needed = true, .read = read_brokers, AT(brokers) },
	{ "kafka", "properties", "{NAME: VALUE, …}",
	  "properties of librdkafka; secrets as {file: …} or {env: …}", NULL,
	  .read = read_properties },
	{ "redis", "url", "URL",
	  "redis://HOST:PORT, rediss:// (TLS), unix:///PATH, "
	  "sentinel://HOST:PORT,…/MASTER, sentinels:// (TLS)",
	  NULL, .needed = true, .read = read_redis_url },
	{ "redis", "user", "NAME", "an ACL user", NULL, .read = read_text,
	  AT(redis.user) },
	{ "redis", "password", "SECRET", "{file: PATH} or {env: NAME}", NULL,
	  .read = read_secret, AT(redis.password) },
	{ "redis", "tls_ca", "FILE",
	  "certificates that are trusted; else the system's", NULL,
	  .read = read_path, AT(redis.tls_ca) },
	{ "redis", "tls_cert", "FILE", "a certificate of our own, if asked for",
	  NULL, .read = read_path, AT(redis.tls_cert) },
	{ "redis", "tls_key", "FILE", "its key", NULL, .read = read_path,
	  AT(redis.tls_key) },
	{ "redis", "tls_name", "NAME",
	  "that Redis's certificate must have; else the host", NULL,
	  .read = read_text, AT(redis.tls_name) },
	{ "redis", "sentinel_user", "NAME", "an ACL user of the sentinels",
	  NULL, .read = read_text, AT(redis.sentinel_user) },
	{ "redis", "sentinel_password", "SECRET",
	  "of the sentinels: {file: PATH} or {env: NAME}", NULL,
	  .read = read_secret, AT(redis.sentinel_password) },
	{ "redis", "database", "NUMBER", "of Redis", "0", .read = read_number,
	  AT(redis_database), .most = 1000000 },
	{ "redis", "prefix", "NAME", "what all keys begin with", "tocsin",
	  .read = read_name, AT(redis_prefix) },
	{ "redis", "keep", "DURATION",
	  "how long an alert's hash outlives the alert", "400d",
	  .read = read_span, AT(redis_keep), .least = 60 },
	{ "redis", "history", "NUMBER",
	  "transitions that the stream keeps, about", "1000000",
	  .read = read_number, AT(redis_history), .least = 1000,
	  .most = INT64_C(1) << 40 },
	{ "redis", "dead", "NUMBER",
	  "refused events that their stream keeps, about", "100000",
	  .read = read_number, AT(redis_dead), .least = 1000,
	  .most = INT64_C(1) << 40 },
	{ "redis", "timeout", "DURATION", "how long an answer is waited for",
	  "5s", .read = read_span, AT(redis_timeout), .least = 1 },
	{ NULL, "redis_loss", "rebuild|halt",
	  "when Redis has lost what it had acknowledged", "rebuild",
	  .read = read_choice, AT(loss), CHOICE(losses) },
	{ NULL, "on_gap", "seam|skip|halt",
	  "when records that were to be read next are gone", "seam",
	  .read = read_choice, AT(gap), CHOICE(gaps) },
	{ "checkpoint", "every", "DURATION",
	  "how often the state is written down; 0s: never", "30s",
	  .read = read_span, AT(checkpoint_every) },
	{ "checkpoint", "replay_most", "NUMBER",
	  "while none can be written, no more is taken than this behind the "
	  "last; 0: any",
	  "100000000", .read = read_number, AT(replay_most),
	  .most = INT64_C(1) << 40 },
	{ "journal", "keep", "DURATION",
	  "how long the order of inputs is kept at least", "24h",
	  .read = read_span, AT(journal_keep) },
	{ "archive", "records", "all|none",
	  "keep all that is taken, so that every alert can be computed again",
	  "all", .read = read_choice, AT(archive), CHOICE(archives) },
	{ "archive", "keep", "DURATION", "how long", "3650d", .read = read_span,
	  AT(archive_keep), .least = 86400 },
	{ "sent", "keep", "DURATION",
	  "how long what Redis acknowledged is kept to be sent again", "24h",
	  .read = read_span, AT(sent_keep) },
	{ "sent", "most", "SIZE", "of that; beyond it, the oldest go", "4GiB",
	  .read = read_size, AT(sent_most), .least = 16 << 20,
	  .most = INT64_C(1) << 46 },
	{ NULL, "state", "FOLDER", "journal, checkpoints, archive, lock", NULL,
	  .needed = true, .read = read_path, AT(state) },
	{ NULL, "rules", "[PATH, …]", "files and folders of rules", NULL,
	  .needed = true, .read = read_paths },
	{ "limits", "memory", "SIZE", "of keyed state; beyond it, eviction",
	  "2GiB", .read = read_size, AT(memory), .least = 1 << 20,
	  .most = INT64_C(1) << 46 },
	{ "limits", "keys_per_rule", "NUMBER", "beyond it, eviction", "1000000",
	  .read = read_number, AT(keys_per_rule), .least = 1,
	  .most = 1000000000 },
	{ "limits", "entries_per_rule", "NUMBER",
	  "events kept one by one in windows; beyond it, eviction", "10000000",
	  .read = read_number, AT(entries_per_rule), .least = 1,
	  .most = INT64_C(1) << 40 },
	{ "limits", "ids_per_stream", "NUMBER",
	  "by which a second one is told; beyond it, the oldest are forgotten",
	  "10000000", .read = read_number, AT(ids_per_stream), .least = 1,
	  .most = 1000000000 },
	{ "limits", "outbox", "NUMBER",
	  "alerts that wait for Redis before reading pauses", "4096",
	  .read = read_number, AT(outbox), .least = 16, .most = 8192 },
	{ "limits", "queue", "SIZE",
	  "records fetched ahead, of all partitions; twice that in memory",
	  "256MiB", .read = read_size, AT(queue), .least = 1 << 20,
	  .most = INT64_C(1) << 40 },
	{ NULL, "http", "ADDRESS:PORT|none",
	  "/metrics, /health, /ready; port 0 takes any", "127.0.0.1:9180",
	  .read = read_http },
	{ NULL, "language", "zh|en",
	  "of alerts that -v logs and `tocsin tail -c` shows", "zh",
	  .read = read_choice, AT(language), CHOICE(languages) },
	{ NULL, "stop_timeout", "DURATION", "how long SIGTERM waits for Redis",
	  "10s", .read = read_span, AT(stop_timeout) },
	{ NULL, "clock", "wall|events",
	  "does time go on when nothing comes? events: no, for back-loading",
	  "wall", .read = read_choice, AT(clock), CHOICE(clocks) },
	{ NULL, "align_wait", "DURATION",
	  "how long a catch-up waits for a partition that sends nothing", "30s",
	  .read = read_span, AT(align_wait) },
	{ NULL, "log", "text|json", "how the log is written", "text",
	  .read = read_choice, AT(log), CHOICE(logs) },
	{ NULL, "mask_key", "SECRET",
	  "for references to masked keys; else one is made in the state", NULL,
	  .read = read_secret, AT(mask_key) },
};

static const char *const sections[] = { "kafka",      "redis",   "archive",
					"checkpoint", "journal", "sent",
					"limits" };

static bool in_section(const struct option *option, const char *section) {
	if (!section || !option->section)
		return section == option->section;
	return strcmp(option->section, section) == 0;
}

static void check_keys(struct diag *diag, const struct yaml_node *map,
		       const char *section) {
	struct shape_key keys[ARRAY_SIZE(options) + ARRAY_SIZE(sections)];
	char what[64] = "tocsin.yaml";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (in_section(&options[i], section))
			keys[n++] = (struct shape_key){ options[i].name,
							options[i].value };
	for (size_t i = 0; !section && i < ARRAY_SIZE(sections); i++)
		keys[n++] = (struct shape_key){ sections[i], "map" };
	if (section)
		snprintf(what, sizeof(what), "`%s`", section);
	shape_keys(diag, map, what, keys, n);
}

/* A default is read as if it stood in the file. */
static int read_initial(struct reading *reading, const struct option *option) {
	struct yaml_node node = { .kind = YAML_SCALAR,
				  .plain = true,
				  .text = option->initial,
				  .len = strlen(option->initial),
				  .weight = 1 };

	return option->read(reading, option, &node);
}

static int read_option(struct reading *reading, const struct yaml_node *root,
		       const struct option *option) {
	const struct yaml_node *map = root, *node;

	if (option->section)
		map = yaml_get(root, option->section);
	if (map && map->kind != YAML_MAP)
		return -EINVAL; /* see check_sections() */
	node = yaml_get(map, option->name);
	if (node)
		return option->read(reading, option, node);
	if (option->initial)
		return read_initial(reading, option);
	if (option->needed && !reading->broken)
		return diag_at(reading->diag, (map ? map : root)->place, "E104",
			       "`%s` is missing: %s", name_of(reading, option),
			       option->help);
	return 0;
}

static void check_sections(struct reading *reading,
			   const struct yaml_node *root) {
	struct diag *diag = reading->diag;

	check_keys(diag, root, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct yaml_node *map = yaml_get(root, sections[i]);

		if (!map)
			continue;
		if (shape_is(diag, map, YAML_MAP, sections[i]) == 0)
			check_keys(diag, map, sections[i]);
	}
}

static void name_instance(struct config *config) {
	char host[256] = "";

	if (config->instance)
		return;
	gethostname(host, sizeof(host) - 1);
	config->instance =
		arena_strdup(&config->arena, *host ? host : "tocsin");
}

static const char *folder_of(struct arena *arena, const char *path) {
	const char *slash = strrchr(path, '/');

	if (!slash)
		return "";
	return arena_strndup(arena, path,
			     slash == path ? 1 : (size_t)(slash - path));
}

int config_load(struct config *ret, const char *path, struct diag *diag) {
	CLEANUP(config_free) struct config config = { 0 };
	struct reading reading = { &config, diag,
				   folder_of(&config.arena, path) };
	size_t before = diag->n_errors;
	const struct source *source;
	struct yaml_node *root = NULL;
	int r;

	r = diag_source(diag, path, &source);
	if (r < 0)
		return diag_at(diag, (struct place){ 0 }, "E103", "%s: %s",
			       path, strerror(-r));
	secret_hide(diag, source);
	reading.broken = yaml_parse(&root, &config.arena, source, diag) < 0;
	if (!root && !reading.broken)
		return diag_at(diag, (struct place){ source, 0, 0, 0 }, "E104",
			       "the file is empty");
	if (!root)
		return -EINVAL;
	if (shape_is(diag, root, YAML_MAP, "tocsin.yaml") < 0)
		return -EINVAL;
	check_sections(&reading, root);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		read_option(&reading, root, &options[i]);
	if (diag->n_errors > before)
		return -EINVAL;
	name_instance(&config);
	*ret = config;
	config.arena = (struct arena){ 0 };
	return 0;
}

void config_free(struct config *config) {
	arena_free(&config->arena);
}

void config_help(struct buf *out) {
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];
		size_t at = out->len, columns;

		buf_printf(out, "  %s%s%s: %s",
			   option->section ? option->section : "",
			   option->section ? "." : "", option->name,
			   option->value);
		if (option->initial)
			buf_printf(out, " (%s)", option->initial);
		else if (option->needed)
			buf_puts(out, " (needed)");
		columns = text_columns(out->data + at, out->len - at);
		buf_repeat(out, ' ', columns < 44 ? 44 - columns : 1);
		buf_printf(out, "%s\n", option->help);
	}
}

static void put_size(struct buf *out, int64_t n, bool bytes) {
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (bytes && n && n % 1024 == 0 && unit + 1 < ARRAY_SIZE(units)) {
		n /= 1024;
		unit++;
	}
	buf_printf(out, "%lld%s", (long long)n, units[unit]);
}

void config_each(void (*each)(void *context, const struct config_key *key),
		 void *context) {
	struct buf name = { 0 };
	struct buf range = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];
		bool bytes = option->read == read_size;

		buf_reset(&name);
		buf_reset(&range);
		buf_printf(&name, "%s%s%s",
			   option->section ? option->section : "",
			   option->section ? "." : "", option->name);
		if (option->most) {
			put_size(&range, option->least, bytes);
			buf_puts(&range, " to ");
			put_size(&range, option->most, bytes);
		}
		each(context,
		     &(struct config_key){
			     buf_cstr(&name), option->value,
			     option->needed ? "required" : option->initial,
			     option->help,
			     range.len ? buf_cstr(&range) : NULL });
	}
	buf_free(&name);
	buf_free(&range);
}
