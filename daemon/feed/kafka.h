/*
 * Kafka feed: all partitions of some topics, through librdkafka.
 *
 * The lane owns all partitions of its topics: nothing is subscribed to, so
 * nothing can be taken away from it. Each partition is started by itself and
 * keeps a queue of its own. (A group assignment would do as well, but it
 * forwards each queue to the consumer's, and what is fetched before the queue
 * has been split off again would arrive out of turn.) group.id serves the
 * commits alone, which nobody but lag tools reads.
 *
 * Topics and watermarks are looked up by a thread of the feed's own, because
 * librdkafka answers such questions only to those who wait. It also counts the
 * partitions before there is a client that reads: how much may lie in their
 * queues is the same for all and cannot be changed afterwards.
 */
#pragma once

#include "base/buf.h"
#include "tocsin/feed.h"

struct kafka_property {
	const char *name, *value;
};

struct kafka_options {
	const char *brokers;
	const char *lane; /* group.id is tocsin-LANE unless a property says */
	const struct kafka_property *properties;
	size_t n_properties;
	const char *const *topics;
	size_t n_topics;
	/*
	 * Bytes that are fetched ahead, of all partitions together: each has
	 * an equal part, of the partitions that are there at the beginning, as
	 * if there were at least eight. 0: 256 MiB.
	 */
	size_t queue_bytes;
	int look_ms; /* how often for new partitions; 0: 10,000 */
};

/* -EINVAL: a property is wrong, @why says which. Connects to nobody yet. */
int kafka_feed_new(struct feed *ret, const struct kafka_options *options,
		   struct buf *why);
/*
 * -ENOENT: librdkafka knows no such property; -EPERM: it is not the user's to
 * set; -ERANGE: it cannot be that. @why says so, and of the last quotes @value.
 */
int kafka_check_property(const char *name, const char *value, struct buf *why);
/* What only all of them together show: -EINVAL. Connects to nobody. */
int kafka_check(const struct kafka_options *options, struct buf *why);
