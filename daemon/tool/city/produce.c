/*
 * Produces into Kafka: key, partition and timestamp are chosen here, so a seed
 * fills a topic with the same records in the same partitions.
 *
 * A mock broker keeps 5 MiB a partition and drops the oldest without a word.
 * So with a group to pace by, nothing runs more than 2 MB a partition ahead of
 * what that group has committed.
 */
#include "tool/city/city.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AHEAD_BYTES (2 << 20)
#define STUCK_SECONDS 120
#define MANY 30 /* budgets and suppliers a day */

/* One partition: where it stood, and how many bytes up to each record. */
struct part {
	int64_t base;
	uint32_t n, cap;
	uint64_t *bytes; /* bytes[i]: of the records before the i-th */
	uint64_t total;
	int64_t committed;
};

struct producer {
	rd_kafka_t *kafka;
	rd_kafka_t *group; /* asks for committed offsets only */
	char topics[N_CHANNELS][256];
	struct part *parts[N_CHANNELS];
	int n_parts[N_CHANNELS];
	rd_kafka_topic_partition_list_t *all;
	uint32_t n_failed;
};

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message,
		      void *opaque) {
	struct producer *p = opaque;

	(void)kafka;
	if (!message->err)
		return;
	if (!p->n_failed++)
		fprintf(stderr, "tocsin-city: %s\n",
			rd_kafka_err2str(message->err));
}

static rd_kafka_t *connect_as(rd_kafka_type_t type, const char *brokers,
			      const char *group, void *opaque) {
	static const char *const properties[][2] = {
		{ "compression.codec", "lz4" },
		{ "enable.idempotence", "true" },
		{ "linger.ms", "1" },
		{ "socket.nagle.disable", "true" },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char error[256];
	rd_kafka_t *ret;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error,
			      sizeof(error)))
		goto refused;
	if (group &&
	    rd_kafka_conf_set(conf, "group.id", group, error, sizeof(error)))
		goto refused;
	for (size_t i = 0; !group && i < 4; i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1],
				      error, sizeof(error)))
			goto refused;
	rd_kafka_conf_set_opaque(conf, opaque);
	if (!group)
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	ret = rd_kafka_new(type, conf, error, sizeof(error));
	if (ret)
		return ret;
refused:
	rd_kafka_conf_destroy(conf);
	fprintf(stderr, "tocsin-city: %s\n", error);
	return NULL;
}

/* How many partitions a topic has and where each ends now. */
static int look(struct producer *p, unsigned stream) {
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic =
		rd_kafka_topic_new(p->kafka, p->topics[stream], NULL);
	rd_kafka_resp_err_t err;
	int n = 0;

	err = rd_kafka_metadata(p->kafka, 0, topic, &metadata, 30000);
	if (!err && metadata->topic_cnt == 1) {
		err = metadata->topics[0].err;
		n = metadata->topics[0].partition_cnt;
	}
	if (metadata)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(topic);
	if (err || !n) {
		fprintf(stderr, "tocsin-city: topic %s: %s\n",
			p->topics[stream],
			err ? rd_kafka_err2str(err) : "has no partition");
		return -ENOENT;
	}
	p->parts[stream] = calloc((size_t)n, sizeof(struct part));
	if (!p->parts[stream])
		abort();
	p->n_parts[stream] = n;
	for (int i = 0; i < n; i++) {
		struct part *part = &p->parts[stream][i];
		int64_t low;

		err = rd_kafka_query_watermark_offsets(
			p->kafka, p->topics[stream], i, &low, &part->base,
			30000);
		if (err) {
			fprintf(stderr, "tocsin-city: %s\n",
				rd_kafka_err2str(err));
			return -EIO;
		}
		part->committed = part->base;
		rd_kafka_topic_partition_list_add(p->all, p->topics[stream], i);
	}
	return 0;
}

static void note(struct part *part, size_t len) {
	if (part->n == part->cap) {
		part->cap = part->cap ? part->cap * 2 : 1024;
		part->bytes = reallocarray(part->bytes, part->cap,
					   sizeof(*part->bytes));
		if (!part->bytes)
			abort();
	}
	part->bytes[part->n++] = part->total;
	part->total += len;
}

static uint64_t ahead(const struct part *part) {
	int64_t read = part->committed - part->base;

	if (read >= part->n)
		return 0;
	return part->total - part->bytes[read < 0 ? 0 : read];
}

static void ask_committed(struct producer *p) {
	if (rd_kafka_committed(p->group, p->all, 5000))
		return;
	for (int i = 0; i < p->all->cnt; i++) {
		rd_kafka_topic_partition_t *at = &p->all->elems[i];

		for (unsigned s = 0; s < N_CHANNELS; s++)
			if (!strcmp(at->topic, p->topics[s]) && at->offset >= 0)
				p->parts[s][at->partition].committed =
					at->offset;
	}
}

static int64_t now_msec(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_msec(int64_t msec) {
	nanosleep(&(struct timespec){ .tv_sec = msec / 1000,
				      .tv_nsec = msec % 1000 * 1000000 },
		  NULL);
}

static int wait_until(struct producer *p, struct part *part, uint64_t bytes) {
	int64_t since = now_msec();
	int64_t seen = part->committed;

	rd_kafka_flush(p->kafka, 10000);
	for (;;) {
		if (ahead(part) <= bytes)
			return 0;
		ask_committed(p);
		if (part->committed != seen) {
			seen = part->committed;
			since = now_msec();
		}
		if (now_msec() - since > STUCK_SECONDS * 1000) {
			fprintf(stderr,
				"tocsin-city: nobody has read for %d s\n",
				STUCK_SECONDS);
			return -ETIMEDOUT;
		}
		sleep_msec(10);
	}
}

/* Until the group has committed all that was sent to a stream. */
static int wait_for_stream(struct producer *p, unsigned stream) {
	for (int i = 0; p->group && i < p->n_parts[stream]; i++) {
		int r = wait_until(p, &p->parts[stream][i], 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t partition_of(const char *key, size_t len, int n) {
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)key[i]) * 16777619u;
	return hash % (uint32_t)n;
}

static int send_one(struct producer *p, const struct event *event,
		    struct buf *key, struct buf *json) {
	unsigned channel = event_channel(event);
	uint32_t partition;
	struct part *part;

	buf_reset(key);
	buf_reset(json);
	event_key(key, event);
	event_write(json, event);
	partition = partition_of(key->data, key->len, p->n_parts[channel]);
	part = &p->parts[channel][partition];
	if (p->group && ahead(part) > AHEAD_BYTES) {
		int r = wait_until(p, part, AHEAD_BYTES / 2);

		if (r < 0)
			return r;
	}
	note(part, json->len);
	for (;;) {
		rd_kafka_resp_err_t err = rd_kafka_producev(
			p->kafka, RD_KAFKA_V_TOPIC(p->topics[channel]),
			RD_KAFKA_V_PARTITION((int32_t)partition),
			RD_KAFKA_V_KEY(key->data, key->len),
			RD_KAFKA_V_VALUE(json->data, json->len),
			RD_KAFKA_V_TIMESTAMP(event->arrival * 1000),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_END);

		if (!err)
			return 0;
		if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			fprintf(stderr, "tocsin-city: %s\n",
				rd_kafka_err2str(err));
			return -EIO;
		}
		rd_kafka_poll(p->kafka, 10);
	}
}

/*
 * Topics know nothing of each other. At a year in two seconds a payment would
 * overtake the budget that it spends, as it never does in life. So when many
 * budgets or suppliers become known, at the beginning and each January, they
 * are read before anything else is sent; and a day is complete in every topic
 * before the next begins.
 */
static int begin_day(struct producer *p, unsigned known) {
	int r = 0;

	rd_kafka_flush(p->kafka, 10000);
	if (known >= MANY)
		r = wait_for_stream(p, BUDGETS);
	if (known >= MANY && r == 0)
		r = wait_for_stream(p, PARTIES);
	return r;
}

/* What is asked about on the same day. */
static bool is_urgent(const struct event *event) {
	return event->stream == APPROVALS &&
	       day_of(event->approval.payment->at) == day_of(event->at);
}

static bool is_wanted(const struct produce_options *how, const char *stream) {
	const char *at = how->streams;
	size_t len = strlen(stream);

	if (!at)
		return true;
	for (; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, stream, len) &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

static int send_all(struct producer *p, const struct city *city,
		    unsigned seconds) {
	struct buf key = { 0 }, json = { 0 };
	int64_t start = now_msec();
	int64_t today = 0;
	unsigned known = 0;
	int r = 0;

	for (uint32_t n = 0; n < city->n && !r; n++) {
		const struct event *event = city->order[n];
		int64_t due = start + (int64_t)seconds * 1000 * n / city->n;

		if (event->arrival / DAY != today) {
			today = event->arrival / DAY;
			r = begin_day(p, known);
			known = 0;
			if (due > now_msec())
				sleep_msec(due - now_msec());
		}
		if (r < 0)
			break;
		if (!p->n_parts[event_channel(event)])
			continue;
		known += event->stream == PARTIES || event->stream == BUDGETS;
		r = send_one(p, event, &key, &json);
		if (is_urgent(event))
			rd_kafka_flush(p->kafka, 10000);
		if (!(n & 1023))
			rd_kafka_poll(p->kafka, 0);
	}
	buf_free(&key);
	buf_free(&json);
	if (rd_kafka_flush(p->kafka, 60000) || p->n_failed) {
		fprintf(stderr, "tocsin-city: %u records were not delivered\n",
			p->n_failed);
		return r < 0 ? r : -EIO;
	}
	return r;
}

int city_produce(const struct city *city, const struct produce_options *how) {
	struct producer p = { 0 };
	int r = -EINVAL;

	for (unsigned s = 0; s < N_CHANNELS; s++)
		snprintf(p.topics[s], sizeof(p.topics[s]), "%s%s", how->prefix,
			 channels[s].topic);

	p.all = rd_kafka_topic_partition_list_new(16);
	p.kafka = connect_as(RD_KAFKA_PRODUCER, how->brokers, NULL, &p);
	if (p.kafka && how->pace_group) {
		p.group = connect_as(RD_KAFKA_CONSUMER, how->brokers,
				     how->pace_group, &p);
		if (!p.group)
			goto out;
	}
	if (!p.kafka)
		goto out;
	r = 0;
	for (unsigned s = 0; s < N_CHANNELS && !r; s++)
		if (is_wanted(how, channels[s].name))
			r = look(&p, s);
	if (!r)
		r = send_all(&p, city, how->seconds);
	for (unsigned s = 0; s < N_CHANNELS && !r; s++)
		r = wait_for_stream(&p, s);
out:
	if (p.group)
		rd_kafka_destroy(p.group);
	if (p.kafka)
		rd_kafka_destroy(p.kafka);
	rd_kafka_topic_partition_list_destroy(p.all);
	for (unsigned s = 0; s < N_CHANNELS; s++) {
		for (int i = 0; i < p.n_parts[s]; i++)
			free(p.parts[s][i].bytes);
		free(p.parts[s]);
	}
	return r;
}
