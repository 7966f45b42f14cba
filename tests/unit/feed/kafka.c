#include "feed/kafka.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static struct feed feed;

static int begin(void **state) {
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];

	(void)state;
	rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
	/* A broker hands out whole batches. */
	rd_kafka_conf_set(conf, "batch.size", "65536", text, sizeof(text));
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert_non_null(producer);
	cluster = rd_kafka_mock_cluster_new(producer, 1);
	assert_non_null(cluster);
	rd_kafka_brokers_add(producer,
			     rd_kafka_mock_cluster_bootstraps(cluster));
	rd_kafka_mock_topic_create(cluster, "pays", 2, 1);
	return 0;
}

static int end(void **state) {
	(void)state;
	if (feed.class)
		feed.class->free(feed.self);
	feed = (struct feed){ 0 };
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(producer);
	return 0;
}

static void produce(const char *topic, int32_t partition, int n) {
	for (int i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(
			rd_kafka_producev(
				producer, RD_KAFKA_V_TOPIC(topic),
				RD_KAFKA_V_PARTITION(partition),
				RD_KAFKA_V_VALUE(text, strlen(text)),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_END),
			0);
	}
	assert_int_equal(rd_kafka_flush(producer, 10000), 0);
}

static size_t queue; /* bytes, in all; 0: the usual */

static void open_feed(const char *const *topics, size_t n) {
	const struct kafka_property properties[] = {
		{ "fetch.wait.max.ms", "10" },
		{ "fetch.message.max.bytes", "65536" },
	};
	struct kafka_options options = {
		.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
		.lane = "0",
		.properties = properties,
		.n_properties = 2,
		.queue_bytes = queue,
		.look_ms = 100,
		.topics = topics,
		.n_topics = n,
	};
	struct buf why = { 0 };

	assert_int_equal(kafka_feed_new(&feed, &options, &why), 0);
	buf_free(&why);
}

static void turn(void) {
	struct pollfd fd = { .fd = feed.class->fd(feed.self),
			     .events = POLLIN };

	poll(&fd, 1, 10);
	feed.class->quieten(feed.self);
	feed.class->serve(feed.self);
}

static void wait_partitions(size_t n) {
	for (int i = 0; i < 2000; i++) {
		turn();
		if (feed.class->n_partitions(feed.self) >= n &&
		    feed.class->settled(feed.self))
			return;
	}
	fail_msg("the partitions are not found");
}

/* Reads until the end of the partition; checks that offsets are in a row. */
static int64_t read_all(size_t i, int64_t from) {
	const struct feed_partition *is = feed.class->partition(feed.self, i);
	struct feed_record records[64];

	for (int turns = 0; turns < 2000; turns++) {
		size_t n = feed.class->read(feed.self, i, records, 64);

		for (size_t k = 0; k < n; k++)
			assert_int_equal(records[k].offset, from++);
		feed.class->release(feed.self, records, n);
		if (!n && (is->at_end || is->gone))
			break;
		if (!n)
			turn();
	}
	return from;
}

/* What lies ready now. */
static int64_t read_all_there(size_t i, int64_t from) {
	struct feed_record record;

	while (feed.class->read(feed.self, i, &record, 1)) {
		assert_int_equal(record.offset, from++);
		feed.class->release(feed.self, &record, 1);
	}
	return from;
}

static void reads_each_partition_by_itself(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	produce("pays", 0, 500);
	produce("pays", 1, 30);
	open_feed(topics, 1);
	wait_partitions(2);
	assert_int_equal(feed.class->start(feed.self, 0, 0), 0);
	assert_int_equal(feed.class->start(feed.self, 1, 10), 0);
	assert_int_equal(read_all(1, 10), 30);
	assert_int_equal(read_all(0, 0), 500);
	assert_int_equal(feed.class->partition(feed.self, 0)->high, 500);
	assert_null(feed.class->trouble(feed.self));
}

static void begins_again_where_it_is_told(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	produce("pays", 0, 100);
	open_feed(topics, 1);
	wait_partitions(2);
	for (int64_t from = 0; from < 100; from += 33) {
		assert_int_equal(feed.class->start(feed.self, 0, from), 0);
		assert_int_equal(read_all(0, from), 100);
	}
	produce("pays", 0, 5);
	for (int i = 0; i < 1000 && feed.class->partition(feed.self, 0)->at_end;
	     i++) {
		struct feed_record record;

		turn();
		if (feed.class->read(feed.self, 0, &record, 1)) {
			assert_int_equal(record.offset, 100);
			feed.class->release(feed.self, &record, 1);
		}
	}
	assert_false(feed.class->partition(feed.self, 0)->at_end);
}

static void says_when_an_offset_is_gone(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	produce("pays", 0, 10);
	open_feed(topics, 1);
	wait_partitions(2);
	assert_int_equal(feed.class->start(feed.self, 0, 1000), 0);
	assert_int_equal(read_all(0, 1000), 1000);
	assert_true(feed.class->partition(feed.self, 0)->gone);
}

/* What the client found out at another offset lies in the queue already. */
static void forgets_what_was_gone_when_it_begins_elsewhere(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	produce("pays", 0, 10);
	open_feed(topics, 1);
	wait_partitions(2);
	/* And what comes from there may lie behind it. */
	for (int more = 0; more < 30; more += 10) {
		assert_int_equal(feed.class->start(feed.self, 0, 1000), 0);
		for (int i = 0; i < 20; i++)
			turn();
		assert_int_equal(feed.class->start(feed.self, 0, 0), 0);
		for (int i = 0; i < more; i++)
			turn();
		assert_int_equal(read_all(0, 0), 10);
		assert_false(feed.class->partition(feed.self, 0)->gone);
	}
}

/* The mock cluster keeps 5 MiB of a partition. */
static void says_where_a_log_begins_that_was_cut(void **state) {
	static const char *const topics[] = { "pays" };
	static char large[200000];
	const struct feed_partition *is;

	(void)state;
	produce("pays", 0, 10);
	open_feed(topics, 1);
	wait_partitions(2);
	is = feed.class->partition(feed.self, 0);
	assert_int_equal(is->low, 0);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(
			rd_kafka_producev(
				producer, RD_KAFKA_V_TOPIC("pays"),
				RD_KAFKA_V_PARTITION(0),
				RD_KAFKA_V_VALUE(large, sizeof(large)),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_END),
			0);
		assert_int_equal(rd_kafka_flush(producer, 10000), 0);
	}
	assert_int_equal(feed.class->start(feed.self, 0, 0), 0);
	assert_int_equal(read_all(0, 0), 0);
	assert_true(is->gone);
	assert_false(feed.class->settled(feed.self));
	wait_partitions(2);
	assert_true(is->low > 10);
	assert_int_equal(is->high, 70);
	assert_int_equal(feed.class->start(feed.self, 0, is->low), 0);
	assert_int_equal(read_all(0, is->low), 70);
}

static void turn_until_trouble(const char *what) {
	for (int i = 0; i < 1000; i++) {
		const char *is = feed.class->trouble(feed.self);

		if (is == what || (is && what && strcmp(is, what) == 0))
			return;
		turn();
	}
	fail_msg("its trouble is %s", feed.class->trouble(feed.self));
}

static void says_when_a_topic_may_not_be_read(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	rd_kafka_mock_topic_set_error(
		cluster, "pays", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	open_feed(topics, 1);
	turn_until_trouble("kafka: the right to read a topic is missing");
	/* A replay would take it for one that is gone. */
	assert_false(feed.class->settled(feed.self));
	rd_kafka_mock_topic_set_error(cluster, "pays",
				      RD_KAFKA_RESP_ERR_NO_ERROR);
	wait_partitions(2);
	turn_until_trouble(NULL);
}

static void says_when_a_topic_was_deleted_and_when_it_is_back(void **state) {
	static const char *const topics[] = { "pays" };
	const struct feed_partition *is;
	int64_t next;

	(void)state;
	produce("pays", 0, 10);
	open_feed(topics, 1);
	wait_partitions(2);
	is = feed.class->partition(feed.self, 0);
	assert_int_equal(feed.class->start(feed.self, 0, 0), 0);
	assert_int_equal(read_all(0, 0), 10);
	assert_false(is->missing);
	rd_kafka_mock_topic_set_error(cluster, "pays",
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	turn_until_trouble("kafka: a topic is missing");
	for (int i = 0; i < 1000 && !is->missing; i++)
		turn();
	assert_true(is->missing);
	assert_false(is->at_end);
	assert_int_equal(read_all_there(0, 10), 10);
	rd_kafka_mock_topic_set_error(cluster, "pays",
				      RD_KAFKA_RESP_ERR_NO_ERROR);
	turn_until_trouble(NULL);
	for (int i = 0; i < 1000 && is->missing; i++)
		turn();
	assert_false(is->missing);
	produce("pays", 0, 5);
	next = 10;
	for (int i = 0; i < 1000 && next < 15; i++) {
		turn();
		next = read_all_there(0, next);
	}
	assert_int_equal(next, 15);
	assert_false(is->gone);
}

/* Until the log says so; it goes to a file meanwhile. */
static void turn_until_said(const char *what) {
	FILE *log = tmpfile();
	int before = dup(STDERR_FILENO);
	char said[4096] = "";

	assert_non_null(log);
	dup2(fileno(log), STDERR_FILENO);
	for (int i = 0; i < 1000 && !strstr(said, what); i++) {
		turn();
		said[pread(fileno(log), said, sizeof(said) - 1, 0)] = 0;
	}
	dup2(before, STDERR_FILENO);
	close(before);
	fclose(log);
	assert_non_null(strstr(said, what));
}

static void says_what_keeps_its_group_from_being_found(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	for (int i = 0; i < 5; i++)
		rd_kafka_mock_push_request_errors(
			cluster, 10 /* FindCoordinator */, 1,
			RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	open_feed(topics, 1);
	turn_until_said("kafka: GROUP_AUTHORIZATION_FAILED: ");
}

static void says_when_it_cannot_commit_and_when_it_can(void **state) {
	static const char *const topics[] = { "pays" };

	(void)state;
	produce("pays", 0, 10);
	open_feed(topics, 1);
	wait_partitions(2);
	rd_kafka_mock_push_request_errors(
		cluster, 8 /* OffsetCommit */, 1,
		RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	feed.class->acknowledge(feed.self, 0, 5);
	turn_until_said("offsets cannot be committed, and lag tools will miss "
			"them: Broker: Group authorization failed");
	feed.class->acknowledge(feed.self, 0, 10);
	turn_until_said("offsets are committed again");
}

/* Nobody reads, so each partition's queue holds what it may. */
static void keeps_a_bounded_number_of_bytes_of_all(void **state) {
	enum { TOPIC_PARTITIONS = 8, MIB = 1 << 20 };
	static const char *const topics[] = { "wide" };
	static char large[16000];
	size_t bytes = 0, before;

	(void)state;
	rd_kafka_mock_topic_create(cluster, "wide", TOPIC_PARTITIONS, 1);
	for (int32_t p = 0; p < TOPIC_PARTITIONS; p++)
		for (int i = 0; i < 3 * MIB / 16000; i++)
			rd_kafka_producev(
				producer, RD_KAFKA_V_TOPIC("wide"),
				RD_KAFKA_V_PARTITION(p),
				RD_KAFKA_V_VALUE(large, sizeof(large)),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_END);
	assert_int_equal(rd_kafka_flush(producer, 10000), 0);
	queue = 8 * MIB;
	open_feed(topics, 1);
	queue = 0;
	wait_partitions(TOPIC_PARTITIONS);
	for (size_t i = 0; i < TOPIC_PARTITIONS; i++)
		assert_int_equal(feed.class->start(feed.self, i, 0), 0);
	/* The fetchers look again once a second. */
	for (int i = 0; i < 250; i++)
		turn();
	rd_kafka_mock_broker_set_down(cluster, 1);
	do {
		before = bytes;
		for (size_t i = 0; i < TOPIC_PARTITIONS; i++) {
			struct feed_record records[64];
			size_t n = feed.class->read(feed.self, i, records, 64);

			for (size_t k = 0; k < n; k++)
				bytes += records[k].len;
			feed.class->release(feed.self, records, n);
		}
	} while (bytes > before);
	assert_true(bytes > 7 * MIB);
	/* A fetch may bring a batch more than there was room for. */
	assert_true(bytes < 11 * MIB);
}

static void refuses_properties_that_are_not_the_users(void **state) {
	struct buf why = { 0 };

	(void)state;
	assert_int_equal(kafka_check_property("client.id", "x", &why), 0);
	assert_int_equal(kafka_check_property("clientid", "x", &why), -ENOENT);
	assert_string_equal(buf_cstr(&why), "there is no property `clientid` "
					    "(did you mean `client.id`?)");
	buf_reset(&why);
	assert_int_equal(kafka_check_property("sasl.pasword", "x", &why),
			 -ENOENT);
	assert_non_null(strstr(buf_cstr(&why), "`sasl.password`?"));
	buf_reset(&why);
	assert_int_equal(
		kafka_check_property("auto.offset.reset", "latest", &why),
		-EPERM);
	assert_string_equal(buf_cstr(&why),
			    "auto.offset.reset is always error here");
	buf_reset(&why);
	assert_int_equal(
		kafka_check_property("security.protocol", "cellar", &why),
		-ERANGE);
	assert_non_null(strstr(buf_cstr(&why), "cellar"));
	buf_free(&why);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(reads_each_partition_by_itself),
		TEST(begins_again_where_it_is_told),
		TEST(says_when_an_offset_is_gone),
		TEST(forgets_what_was_gone_when_it_begins_elsewhere),
		TEST(says_where_a_log_begins_that_was_cut),
		TEST(says_when_a_topic_may_not_be_read),
		TEST(says_when_a_topic_was_deleted_and_when_it_is_back),
		TEST(says_what_keeps_its_group_from_being_found),
		TEST(says_when_it_cannot_commit_and_when_it_can),
		TEST(keeps_a_bounded_number_of_bytes_of_all),
		cmocka_unit_test(refuses_properties_that_are_not_the_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
