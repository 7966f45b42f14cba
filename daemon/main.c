/*
 * tocsind: reads budget, payment and procurement events from Kafka, holds them
 * against rules, and puts early warnings into Redis.
 *
 * Here it is put together and taken apart again; what runs is a lane.
 */
#include "base/hash.h"
#include "config.h"
#include "feed/kafka.h"
#include "lane/archive.h"
#include "lane/journal.h"
#include "lane/lane.h"
#include "lane/statedir.h"
#include "lane_report.h"
#include "ops/http.h"
#include "ops/log.h"
#include "ops/notify.h"
#include "ops/signals.h"
#include "sink/redis.h"
#include "tool/show.h"
#include "usage.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arguments {
	const char *config;
	bool check, verbose;
};

/* Rules as they were read, and what they were read from. */
struct reading {
	struct ruleset *rules;
	struct archive_file *files;
	size_t n_files;
	struct arena arena; /* of files */
};

struct daemon {
	const char *config_path;
	struct config config;
	struct reading now;   /* by which the lane runs */
	struct reading later; /* the same rules, with tables as they are now */
	struct reading next;  /* by which the next lane is to run */
	struct http *http;
	struct feed feed;
	struct sink sink;
	struct lane *lane;
	int stop_fd, reload_fd;
	struct report_reloads reloads;
	bool was_ready, disk_full, verbose;
};

static void print_help(void) {
	struct buf options = { 0 };
	struct buf exits = { 0 };

	config_help(&options);
	usage_exits(&exits, daemon_exits);
	printf("usage: tocsind -c FILE [-n] [-v]\n\n"
	       "Watches the events of Kafka topics by rules and puts alerts "
	       "into Redis.\n\n");
	for (const struct usage_option *it = daemon_options; it->name; it++)
		printf("  %s %-*s %s\n", it->name, 9 - (int)strlen(it->name),
		       it->value ? it->value : "", it->help);
	printf("\nRuns in the foreground, logs to standard error; SIGHUP has "
	       "it read its rules, tables and\nlists again, SIGTERM or SIGINT "
	       "ends it.\n\n"
	       "Options of FILE (YAML; kafka.brokers is `brokers` below "
	       "`kafka`):\n%s\n"
	       "Exit codes:\n%s\n"
	       "Example: tocsind -c /etc/tocsin/tocsin.yaml\n",
	       buf_cstr(&options), buf_cstr(&exits));
	buf_free(&options);
	buf_free(&exits);
}

static int usage(void) {
	fprintf(stderr, "usage: tocsind -c FILE [-n] [-v]; see --help\n");
	return EXIT_USAGE_ERROR;
}

/* -1: go on; else the exit code. */
static int parse_arguments(struct arguments *ret, int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			print_help();
			return EXIT_DONE;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("tocsind %s\n", TOCSIN_VERSION);
			return EXIT_DONE;
		} else if (strcmp(argv[i], "-n") == 0) {
			ret->check = true;
		} else if (strcmp(argv[i], "-v") == 0) {
			ret->verbose = true;
		} else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			ret->config = argv[++i];
		} else {
			return usage();
		}
	}
	return ret->config ? -1 : usage();
}

static size_t count_read(const struct ruleset *rules) {
	size_t n = 0;

	for (size_t i = 0; i < rules->n_streams; i++)
		n += rules->streams[i]->is_read;
	return n;
}

/* A record of Kafka has no header that could name its columns. */
static int check_columns(const struct ruleset *rules, struct diag *diag) {
	int r = 0;

	for (size_t i = 0; i < rules->n_streams; i++) {
		const struct stream *stream = rules->streams[i];

		if (stream->is_read && stream->format == FORMAT_CSV &&
		    !stream->n_columns)
			r = diag_at(diag, stream->place, "E112",
				    "stream `%s` is CSV and lacks `columns`: "
				    "records of Kafka have no header",
				    stream->name);
	}
	return r;
}

static void reading_free(struct reading *reading) {
	ruleset_free(reading->rules);
	arena_free(&reading->arena);
	*reading = (struct reading){ 0 };
}

/* What was read besides @path itself. */
static void remember_files(struct reading *reading, const struct diag *diag,
			   const char *path) {
	const struct source *at;
	struct arena *arena = &reading->arena;
	size_t n = diag->n_sources;

	reading->files = arena_array(arena, struct archive_file, n + 1);
	/* From the last that was opened to the first. */
	reading->files += n;
	for (at = diag->last_source; at; at = at->before) {
		char *real = realpath(at->path, NULL);

		if (real && strcmp(at->path, path) != 0) {
			*--reading->files = (struct archive_file){
				.path = arena_strdup(arena, real),
				.text = arena_strndup(arena, at->text, at->len),
				.len = at->len,
			};
			reading->n_files++;
		}
		free(real);
	}
}

static int read_rules(const struct daemon *daemon, struct reading *reading,
		      struct diag *diag) {
	const struct config *config = &daemon->config;
	int r;

	r = ruleset_load(&reading->rules, config->rules, config->n_rules,
			 &(struct ruleset_options){ 0 }, diag);
	if (r == 0 && !count_read(reading->rules))
		r = diag_at(diag, (struct place){ 0 }, "E103",
			    "no rule is in test or live: nothing to watch");
	if (r == 0)
		r = check_columns(reading->rules, diag);
	if (r == 0)
		remember_files(reading, diag, daemon->config_path);
	diag_sort(diag);
	return diag->n_errors ? -EINVAL : r;
}

/* Configuration and rules, with all complaints of both at once. */
static int load(struct daemon *daemon) {
	struct diag diag = { 0 };
	struct buf out = { 0 };
	int r;

	r = config_load(&daemon->config, daemon->config_path, &diag);
	if (r == 0)
		r = read_rules(daemon, &daemon->now, &diag);
	diag_sort(&diag);
	if (diag.n_errors || r < 0) {
		diag_print(&diag, &out, isatty(STDERR_FILENO) == 1);
		fputs(buf_cstr(&out), stderr);
	}
	buf_free(&out);
	diag_free(&diag);
	return r;
}

static bool has_masked_key(const struct ruleset *rules) {
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct plan *plan = rules->rules[i]->plan;

		for (size_t k = 0; plan->by_masks && k < plan->n_by; k++)
			if (plan->by_masks[k] != MASK_NONE)
				return true;
	}
	return false;
}

/*
 * What references to masked values are made with. Nobody can guess them from
 * the values without it, so one that everybody knows will not do: if there is
 * none, one is made and stays in the state folder.
 */
static int choose_mask_key(const struct daemon *daemon, uint8_t key[32],
			   struct buf *why) {
	const struct config *config = &daemon->config;
	bool made;
	int r;

	if (config->mask_key) {
		sha256(config->mask_key, strlen(config->mask_key), key);
		return 0;
	}
	if (!has_masked_key(daemon->now.rules))
		return 0;
	r = statedir_key(config->state, key, &made, why);
	if (r == 0 && made)
		log_info("%s/mask_key: made a key for references to masked "
			 "values; keep it with the state, or set mask_key",
			 config->state);
	return r;
}

static struct archive_rules output_depends_on(const struct daemon *daemon,
					      const uint8_t mask_key[32]) {
	const struct config *config = &daemon->config;
	struct archive_rules rules = {
		.ruleset = daemon->now.rules->hash,
		.lane = config->lane,
		.memory = config->memory,
		.keys_per_rule = config->keys_per_rule,
		.entries_per_rule = config->entries_per_rule,
		.ids_per_stream = config->ids_per_stream,
	};

	memcpy(rules.mask_key, mask_key, 32);
	return rules;
}

/*
 * The files that the rules were read from, for who computes with them later:
 * also where no record is kept, since while Kafka has those the run journal
 * leads to the same alerts. No ledger is in them.
 */
static int keep_rules(const struct daemon *daemon, const uint8_t mask_key[32],
		      const uint8_t hash[32], struct buf *why) {
	struct archive_rules rules = output_depends_on(daemon, mask_key);

	return archive_keep_rules(daemon->config.state, hash, &rules,
				  daemon->now.files, daemon->now.n_files, why);
}

static int open_http(struct daemon *daemon) {
	const struct config *config = &daemon->config;
	int r;

	if (!config->http_host)
		return 0;
	r = http_new(&daemon->http, config->http_host, (int)config->http_port);
	if (r < 0) {
		log_error("http: %s:%lld: %s", config->http_host,
			  (long long)config->http_port, strerror(-r));
		return r;
	}
	log_info("http: listening on %s:%d", config->http_host,
		 http_port(daemon->http));
	return 0;
}

static int open_sink(struct daemon *daemon) {
	const struct config *config = &daemon->config;
	struct redis_options options = {
		.link = config->redis,
		.database = (int)config->redis_database,
		.prefix = config->redis_prefix,
		.lane = config->lane,
		.instance = config->instance,
		.keep_s = config->redis_keep / USEC_PER_SEC,
		.history = (uint64_t)config->redis_history,
		.dead_history = (uint64_t)config->redis_dead,
		.timeout = config->redis_timeout,
	};
	char why[LINK_WHY];
	int r;

	r = redis_sink_new(&daemon->sink, &options, why);
	if (r < 0)
		log_error("redis: %s", why);
	return r;
}

/* With @only_check nothing is opened, and nobody connected to. */
static int open_feed(struct daemon *daemon, bool only_check) {
	const struct config *config = &daemon->config;
	const struct ruleset *rules = daemon->now.rules;
	const char **topics = calloc(rules->n_streams + 1, sizeof(*topics));
	struct kafka_options options = {
		.brokers = config->brokers,
		.lane = config->lane,
		.properties = config->properties,
		.n_properties = config->n_properties,
		.topics = topics,
		.queue_bytes = (size_t)config->queue,
	};
	struct buf why = { 0 };
	int r;

	if (!topics)
		abort();
	for (size_t i = 0; i < rules->n_streams; i++)
		if (rules->streams[i]->is_read)
			topics[options.n_topics++] = rules->streams[i]->topic;
	r = only_check ? kafka_check(&options, &why)
		       : kafka_feed_new(&daemon->feed, &options, &why);
	if (r < 0)
		log_error("kafka: %s", why.len ? buf_cstr(&why) : strerror(-r));
	buf_free(&why);
	free(topics);
	return r;
}

static void publish(void *context, const struct lane *lane) {
	struct daemon *daemon = context;
	struct buf metrics = { 0 };
	struct lane_view view;

	lane_view(lane, &view);
	if (!view.not_ready && !daemon->was_ready)
		notify("READY=1");
	daemon->was_ready |= !view.not_ready;
	if (!daemon->http)
		return;
	report_metrics(&metrics, lane, &daemon->reloads);
	http_publish(daemon->http,
		     &(struct http_page){
			     .metrics = metrics.data,
			     .metrics_len = metrics.len,
			     .not_ready = view.not_ready
						  ? strdup(view.not_ready)
						  : NULL });
}

/* What -v says of a transition: who reads it reads no JSON. */
static void tell(void *context, const struct outbox_item *item) {
	const struct daemon *daemon = context;
	const struct json *record;
	struct arena arena = { 0 };

	if (json_parse(&record, &arena, item->json, item->json_len) == 0)
		log_debug("alert %llu: %s %s: %s, %s: %s",
			  (unsigned long long)item->seq,
			  alert_change_name(item->change),
			  level_name(item->level), item->rule, item->key,
			  show_message(record,
				       (enum language)daemon->config.language));
	arena_free(&arena);
}

/* One complaint has several lines, a line of the log has one. */
static void log_complaints(const struct diag *diag) {
	struct buf out = { 0 };
	char *rest, *line;

	diag_print(diag, &out, false);
	buf_cstr(&out);
	for (line = strtok_r(out.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		log_error("reload: %s", line);
	buf_free(&out);
}

static size_t count_changed(const struct ruleset *now,
			    const struct ruleset *then) {
	size_t n = 0;

	for (size_t i = 0; i < now->n_contents; i++) {
		const struct content *content = &now->contents[i];
		const struct content *file =
			ruleset_content(then, content->name);

		n += file && memcmp(file->loaded, content->sha256, 32) != 0;
	}
	return n;
}

/*
 * Tables and lists are taken in by the lane that runs; other rules need one of
 * their own, which begins with a seam.
 */
static void take_reading(struct daemon *daemon, struct lane *lane,
			 struct reading *fresh) {
	const struct ruleset *now = daemon->now.rules;

	if (memcmp(now->hash, fresh->rules->hash, sizeof(now->hash)) != 0) {
		log_info("reload: other rules: the lane begins anew by them");
		daemon->next = *fresh;
		lane_ask_stop(lane);
		return;
	}
	log_info("reload: the rules are the same, %zu of %zu tables and lists "
		 "have changed",
		 count_changed(now, fresh->rules), now->n_contents);
	lane_use_files(lane, fresh->rules);
	reading_free(&daemon->later);
	daemon->later = *fresh;
}

static void reload(void *context, struct lane *lane) {
	struct daemon *daemon = context;
	struct reading fresh = { 0 };
	struct diag diag = { 0 };

	signals_take(daemon->reload_fd);
	if (read_rules(daemon, &fresh, &diag) == 0) {
		daemon->reloads.taken++;
		take_reading(daemon, lane, &fresh);
	} else {
		daemon->reloads.refused++;
		log_complaints(&diag);
		log_error("reload: refused, the rules before stay");
		reading_free(&fresh);
	}
	diag_free(&diag);
}

static bool stops_within(const struct daemon *daemon, int ms) {
	struct pollfd fd = { .fd = daemon->stop_fd, .events = POLLIN };

	return poll(&fd, 1, ms) == 1;
}

static int try_lane(struct daemon *daemon, struct lane_options *options,
		    struct buf *why) {
	int r = choose_mask_key(daemon, options->engine.mask_key, why);
	struct archive_rules rules;

	if (r < 0)
		return r;
	rules = output_depends_on(daemon, options->engine.mask_key);
	archive_rules_hash(&rules, options->rules_hash);
	r = lane_new(&daemon->lane, options, why);
	if (r < 0)
		return r;
	/* Behind the lock, and before anything is computed with them. */
	r = keep_rules(daemon, options->engine.mask_key, options->rules_hash,
		       why);
	if (r < 0)
		lane_free(TAKE(daemon->lane));
	return r;
}

static int open_lane(struct daemon *daemon) {
	const struct config *config = &daemon->config;
	struct lane_options options = {
		.rules = daemon->now.rules,
		.lane = config->lane,
		.state = config->state,
		.feed = daemon->feed,
		.sink = daemon->sink,
		.engine = { .max_state_bytes = (size_t)config->memory,
			    .max_keys_per_rule = (size_t)config->keys_per_rule,
			    .max_entries_per_rule =
				    (uint64_t)config->entries_per_rule,
			    .max_ids_per_stream =
				    (size_t)config->ids_per_stream,
			    .outbox = (size_t)config->outbox },
		.align_wait = config->align_wait,
		.stop_timeout = config->stop_timeout,
		.wall_clock = config->clock == CLOCK_WALL,
		.loss_halts = config->loss == LOSS_HALT,
		.on_gap = (enum gap_policy)config->gap,
		.checkpoint_every = config->checkpoint_every,
		.checkpoint_memory = (size_t)config->memory / 4,
		.replay_most = (uint64_t)config->replay_most,
		.journal_keep = config->journal_keep,
		.archives = config->archive == ARCHIVE_ALL,
		.archive_keep_s = config->archive_keep / USEC_PER_SEC,
		.sent_keep = config->sent_keep,
		.sent_most = (uint64_t)config->sent_most,
		.stop_fd = daemon->stop_fd,
		.reload_fd = daemon->reload_fd,
		.reload = reload,
		.report = publish,
		.delivered = daemon->verbose ? tell : NULL,
		.context = daemon,
	};
	struct buf why = { 0 };
	int r;

	while (is_full(r = try_lane(daemon, &options, &why))) {
		if (!daemon->disk_full)
			log_warn("%s: waiting for room", buf_cstr(&why));
		daemon->disk_full = true;
		buf_reset(&why);
		if (stops_within(daemon, 1000))
			break;
	}
	if (r < 0 && !is_full(r))
		log_error("%s", buf_cstr(&why));
	buf_free(&why);
	return r;
}

static void close_lane(struct daemon *daemon) {
	lane_free(TAKE(daemon->lane));
	if (daemon->sink.class)
		daemon->sink.class->free(daemon->sink.self);
	if (daemon->feed.class)
		daemon->feed.class->free(daemon->feed.self);
	daemon->sink = (struct sink){ 0 };
	daemon->feed = (struct feed){ 0 };
}

static void close_all(struct daemon *daemon) {
	notify("STOPPING=1");
	http_free(daemon->http);
	close_lane(daemon);
	if (daemon->stop_fd >= 0)
		close(daemon->stop_fd);
	if (daemon->reload_fd >= 0)
		close(daemon->reload_fd);
}

/* The exit code of what ended it, or why it did not begin. */
static int run_lane(struct daemon *daemon) {
	static const int codes[] = {
		[LANE_STOPPED] = EXIT_DONE,
		[LANE_INCOMPLETE] = EXIT_INCOMPLETE,
		[LANE_FENCED] = EXIT_FENCED,
		[LANE_HALTED] = EXIT_HALTED,
	};
	int r = open_sink(daemon);

	if (r == 0)
		r = open_feed(daemon, false);
	if (r == -EINVAL)
		return EXIT_CONFIG;
	if (r == 0)
		r = open_lane(daemon);
	if (r == -EWOULDBLOCK)
		return EXIT_LOCKED;
	if (is_full(r))
		return EXIT_INCOMPLETE;
	if (r == 0 && !daemon->http)
		r = open_http(daemon);
	if (r < 0)
		return EXIT_HALTED;
	log_info("tocsind %s: lane %s, %zu rules over %zu streams",
		 TOCSIN_VERSION, daemon->config.lane,
		 daemon->now.rules->n_rules, count_read(daemon->now.rules));
	return codes[lane_run(daemon->lane)];
}

/* A lane ended because it was to begin anew by other rules. */
static bool goes_on(struct daemon *daemon, int code) {
	if (!daemon->next.rules ||
	    (code != EXIT_DONE && code != EXIT_INCOMPLETE) ||
	    stops_within(daemon, 0))
		return false;
	close_lane(daemon);
	reading_free(&daemon->later);
	reading_free(&daemon->now);
	daemon->now = daemon->next;
	daemon->next = (struct reading){ 0 };
	daemon->disk_full = false;
	return true;
}

static int run(struct daemon *daemon) {
	int code = EXIT_HALTED;

	if (signals_open(&daemon->stop_fd, &daemon->reload_fd) == 0)
		do
			code = run_lane(daemon);
		while (goes_on(daemon, code));
	close_all(daemon);
	return code;
}

int main(int argc, char **argv) {
	struct arguments arguments = { 0 };
	struct daemon daemon = { .stop_fd = -1, .reload_fd = -1 };
	int code;

	code = parse_arguments(&arguments, argc, argv);
	if (code >= 0)
		return code;
	code = EXIT_CONFIG;
	daemon.config_path = arguments.config;
	if (load(&daemon) == 0) {
		log_setup(arguments.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
			  daemon.config.log == CONFIG_LOG_JSON ? LOG_JSON
							       : LOG_TEXT);
		daemon.verbose = arguments.verbose;
		if (!arguments.check)
			code = run(&daemon);
		else if (open_feed(&daemon, true) == 0)
			code = EXIT_DONE;
	}
	reading_free(&daemon.now);
	reading_free(&daemon.later);
	reading_free(&daemon.next);
	config_free(&daemon.config);
	return code;
}
