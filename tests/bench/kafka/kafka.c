/*
 * Payments into Kafka, and a consumer that only counts them: what the daemon
 * is compared with.
 *
 *   bench-kafka produce BROKERS TOPIC PARTITIONS EVENTS PER_SECOND ALARM_EVERY
 *   bench-kafka consume BROKERS TOPIC PARTITIONS EVENTS
 *   bench-kafka watch BROKERS TOPIC PARTITIONS EVENTS
 *                                    how late they come, in ms
 *   bench-kafka rules N              prints the rules and one for the alarms
 *
 * PER_SECOND 0: as fast as it goes; else open loop, so that a broker or daemon
 * that stalls is not spared the events of that time. Each ALARM_EVERY-th event
 * is an alarm.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "bench/payment.h"

#define ACCOUNTS 100000
#define ALARM_YUAN 900000
#define MESSAGES 10000

static void die(const char *what) {
	fprintf(stderr, "bench-kafka: %s\n", what);
	exit(2);
}

static uint64_t number(const char *text) {
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || end == text)
		die("a number is not one");
	return n;
}

static int64_t now_usec(clockid_t clock) {
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)))
		die(why);
}

static rd_kafka_t *open_client(rd_kafka_type_t type, rd_kafka_conf_t *conf,
			       const char *brokers) {
	char why[256];
	rd_kafka_t *kafka;

	set(conf, "bootstrap.servers", brokers);
	kafka = rd_kafka_new(type, conf, why, sizeof(why));
	if (!kafka)
		die(why);
	return kafka;
}

static void pause_until(int64_t due) {
	int64_t left = due - now_usec(CLOCK_MONOTONIC);

	if (left > 0)
		usleep((useconds_t)left);
}

struct production {
	rd_kafka_t *kafka;
	const char *topic;
	uint64_t partitions, events, per_second, alarm_every;
};

static void send_one(const struct production *p, uint64_t i) {
	char payload[PAYMENT_BYTES];
	int64_t now = now_usec(CLOCK_REALTIME);
	bool alarm = (i + 1) % p->alarm_every == 0;
	size_t len = payment_write(
		payload,
		&(struct payment){ .number = i,
				   .account = i * 7919 % ACCOUNTS,
				   .voucher = i,
				   .amount = alarm ? ALARM_YUAN : i % 9000,
				   .paid_at = now / USEC_PER_SEC });
	rd_kafka_resp_err_t err;

	do {
		err = rd_kafka_producev(
			p->kafka, RD_KAFKA_V_TOPIC(p->topic),
			RD_KAFKA_V_PARTITION((int32_t)(i % p->partitions)),
			RD_KAFKA_V_VALUE(payload, len),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_END);
		rd_kafka_poll(p->kafka, err ? 10 : 0);
	} while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (err)
		die(rd_kafka_err2str(err));
}

static void produce(char **argv) {
	struct production p = { .topic = argv[3],
				.partitions = number(argv[4]),
				.events = number(argv[5]),
				.per_second = number(argv[6]),
				.alarm_every = number(argv[7]) };
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int64_t begin;

	/* Without any linger a request an event drowns the broker first. */
	set(conf, "linger.ms", p.per_second ? "1" : "20");
	set(conf, "acks", "1");
	set(conf, "compression.type", "lz4");
	set(conf, "queue.buffering.max.messages", "1000000");
	p.kafka = open_client(RD_KAFKA_PRODUCER, conf, argv[2]);
	begin = now_usec(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < p.events; i++) {
		if (p.per_second)
			pause_until(begin +
				    (int64_t)(i * 1000000 / p.per_second));
		send_one(&p, i);
	}
	if (rd_kafka_flush(p.kafka, 60000))
		die("the broker does not take it");
	rd_kafka_destroy(p.kafka);
	printf("{\"events\":%" PRIu64 ",\"wall\":%.3f}\n", p.events,
	       (double)(now_usec(CLOCK_MONOTONIC) - begin) * 1e-6);
}

static rd_kafka_t *consumer(char **argv, rd_kafka_queue_t **queue) {
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *kafka;

	set(conf, "group.id", "bench");
	set(conf, "enable.auto.commit", "false");
	kafka = open_client(RD_KAFKA_CONSUMER, conf, argv[2]);
	for (uint64_t i = 0; i < number(argv[4]); i++)
		rd_kafka_topic_partition_list_add(list, argv[3], (int32_t)i)
			->offset = 0;
	rd_kafka_assign(kafka, list);
	rd_kafka_topic_partition_list_destroy(list);
	*queue = rd_kafka_queue_get_consumer(kafka);
	return kafka;
}

static int compare_latency(const void *a, const void *b) {
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One by one: a batch is handed over when it is full or its time is up. */
static bool watch_one(rd_kafka_queue_t *queue, int64_t *late) {
	rd_kafka_message_t *message = rd_kafka_consume_queue(queue, 1000);
	bool good = message && !message->err;

	if (good)
		*late = now_usec(CLOCK_REALTIME) -
			1000 * rd_kafka_message_timestamp(message, NULL);
	if (message)
		rd_kafka_message_destroy(message);
	return good;
}

/*
 * Since they were appended, by the broker's clock and to its millisecond.
 * Begins before the producer does, so nothing of it is old.
 */
static void watch(char **argv) {
	static const double shares[] = { 0.5, 0.99, 0.999, 1.0 };
	size_t wanted = (size_t)number(argv[5]), seen = 0;
	int64_t *late = calloc(wanted, sizeof(*late));
	rd_kafka_queue_t *queue;
	rd_kafka_t *kafka = consumer(argv, &queue);

	if (!late || !wanted)
		die("no memory");
	while (seen < wanted)
		seen += watch_one(queue, late + seen);
	/* The first second warms up connections and caches. */
	seen -= wanted / 15;
	qsort(late + wanted / 15, seen, sizeof(*late), compare_latency);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		size_t at = (size_t)((double)seen * shares[i]);

		at = at < seen ? at : seen - 1;
		printf("%s%.3f", i ? "," : "[",
		       (double)late[wanted / 15 + at] * 1e-3);
	}
	puts("]");
	free(late);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(kafka);
}

static uint64_t count_batch(rd_kafka_queue_t *queue, uint64_t *bytes) {
	static rd_kafka_message_t *messages[MESSAGES];
	ssize_t n = rd_kafka_consume_batch_queue(queue, 1000, messages,
						 ARRAY_SIZE(messages));
	uint64_t good = 0;

	for (ssize_t i = 0; i < n; i++) {
		good += !messages[i]->err;
		*bytes += messages[i]->err ? 0 : messages[i]->len;
		rd_kafka_message_destroy(messages[i]);
	}
	return good;
}

static double cpu_seconds(void) {
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void consume(char **argv) {
	int64_t begin = now_usec(CLOCK_MONOTONIC);
	uint64_t wanted = number(argv[5]), seen = 0, bytes = 0;
	rd_kafka_queue_t *queue;
	rd_kafka_t *kafka = consumer(argv, &queue);

	while (seen < wanted)
		seen += count_batch(queue, &bytes);
	printf("{\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"wall\":%.3f,\"cpu\":%.3f}\n",
	       seen, bytes, (double)(now_usec(CLOCK_MONOTONIC) - begin) * 1e-6,
	       cpu_seconds());
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(kafka);
}

static void print_rules(size_t n) {
	CLEANUP(buf_free) struct buf out = { 0 };

	payment_rules(&out, n, "utf8");
	buf_printf(&out,
		   "- rule: alarm\n"
		   "  status: live\n"
		   "  from: payments\n"
		   "  alert_if: amount >= %d\n"
		   "  evidence: {count: 1, fields: [voucher_no]}\n",
		   ALARM_YUAN);
	fwrite(out.data, 1, out.len, stdout);
}

int main(int argc, char **argv) {
	if (argc == 8 && !strcmp(argv[1], "produce"))
		produce(argv);
	else if (argc == 6 && !strcmp(argv[1], "consume"))
		consume(argv);
	else if (argc == 6 && !strcmp(argv[1], "watch"))
		watch(argv);
	else if (argc == 3 && !strcmp(argv[1], "rules"))
		print_rules((size_t)number(argv[2]));
	else
		die("see the head of tests/bench/kafka/kafka.c");
	return 0;
}
