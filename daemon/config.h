/*
 * Config: what tocsin.yaml says.
 *
 * Each option is described once, in a table: how it is read, its range, its
 * default and what --help says of it. All complaints of a file come at once,
 * with line and suggestion. Secrets are never in the file: a value that is one
 * is {file: PATH} or {env: NAME}, read here and shown nowhere.
 */
#pragma once

#include "base/diag.h"
#include "base/util.h"
#include "feed/kafka.h"
#include "sink/link.h"

#include <stdbool.h>

enum config_clock { CLOCK_WALL, CLOCK_EVENTS };
enum config_loss { LOSS_REBUILD, LOSS_HALT };
enum config_archive { ARCHIVE_ALL, ARCHIVE_NONE };
enum config_log { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

struct config {
	struct arena arena;
	const char *lane, *instance;
	const char *brokers;
	const struct kafka_property *properties;
	size_t n_properties;
	struct link_options redis; /* texts of the arena */
	int64_t redis_database;
	const char *redis_prefix;
	usec_t redis_keep, redis_timeout;
	int64_t redis_history, redis_dead;
	const char *state;
	const char *const *rules;
	size_t n_rules;
	int64_t memory, keys_per_rule, entries_per_rule, ids_per_stream;
	int64_t outbox, queue;
	const char *http_host; /* NULL: none */
	int64_t http_port;
	unsigned language;
	usec_t stop_timeout, align_wait;
	unsigned clock, loss, gap, log;
	usec_t checkpoint_every, journal_keep, archive_keep, sent_keep;
	int64_t sent_most, replay_most;
	unsigned archive;
	const char *mask_key; /* secret; NULL: none */
};

/* -EINVAL after complaints. */
int config_load(struct config *ret, const char *path, struct diag *diag);
void config_free(struct config *config);
/*
 * Where Redis is: redis://HOST:PORT, unix:///PATH,
 * sentinel://HOST:PORT,…/MASTER; rediss and sentinels with TLS. Texts go to
 * @arena; false: none of these.
 */
bool redis_url(struct link_options *ret, struct arena *arena, const char *url);

/* The options, for --help. */
void config_help(struct buf *out);

/* An option as the reference shows it. */
struct config_key {
	const char *name; /* kafka.brokers */
	const char *value, *initial, *help;
	const char *range; /* "1MiB to 64TiB", NULL: none */
};
void config_each(void (*each)(void *context, const struct config_key *key),
		 void *context);
