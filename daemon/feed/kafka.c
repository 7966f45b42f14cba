#include "feed/kafka.h"

#include "base/diag.h"
#include "base/util.h"
#include "tocsin/log.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOOKUP_TIMEOUT_MS 1000
#define LOOK_SOON_MS 500     /* while something is missing */
#define LOOK_SELDOM_MS 10000 /* for new partitions */
#define QUEUE_BYTES ((size_t)256 << 20)
#define QUEUE_LEAST ((size_t)256 << 10) /* of a partition */
#define QUEUE_PARTS 8                   /* at least */
#define COMMIT_EVERY (2 * USEC_PER_SEC)
#define DESTROY_SECONDS 2
#define WATCHER_SECONDS 10 /* it may be looking topics up */
#define READ_AT_ONCE 1024

/*
 * Ours, whatever the user says: the lane's promises rest on them. Offsets come
 * from the journal; an offset that is gone must be an error, not a jump.
 */
static const struct kafka_property fixed[] = {
	{ "enable.auto.commit", "false" },
	{ "enable.auto.offset.store", "false" },
	{ "auto.offset.reset", "error" },
	{ "enable.partition.eof", "true" },
	{ "allow.auto.create.topics", "false" },
};

/* The user may say otherwise. */
static const struct kafka_property usual[] = {
	{ "client.id", "tocsin" },
	{ "queued.min.messages", "1000000" },
	{ "fetch.wait.max.ms", "100" },
	{ "fetch.error.backoff.ms", "50" },
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "reconnect.backoff.ms", "50" },
	{ "reconnect.backoff.max.ms", "2000" },
	{ "log.connection.close", "false" },
};

struct topic {
	const char *name;
	rd_kafka_topic_t *handle;
	/* The watcher's. */
	int32_t known; /* partitions handed over */
	bool complete; /* all that the broker spoke of last are known */
	rd_kafka_resp_err_t trouble; /* none, or why it cannot be read */
	bool vanished;               /* and what was known was called missing */
	/* The lane's. */
	bool denied; /* its records, not its name */
};

struct partition {
	struct feed_partition is; /* first: partition() hands it out */
	struct topic *topic;
	rd_kafka_queue_t *queue;
	bool started;
	int64_t next; /* behind the last record handed out */
	int64_t committed, acknowledged;
};

/* A partition on its way from the watcher to the lane, or its new bounds. */
struct found {
	struct found *next;
	struct topic *topic;
	int32_t partition;
	int64_t low, high;
	bool missing;
};

struct kafka {
	rd_kafka_conf_t *conf;    /* of the client that will read */
	rd_kafka_t *scout;        /* counts the partitions; then NULL */
	_Atomic(rd_kafka_t *) rk; /* NULL until they are counted */
	size_t queue_bytes;
	int look_ms;
	int event;
	struct topic *topics;
	size_t n_topics;
	struct partition **partitions;
	size_t n_partitions;
	int64_t next_commit;
	rd_kafka_resp_err_t uncommitted; /* why, as was said last */
	bool settled_here; /* and what was found by then is adopted */
	_Atomic bool all_down;
	/* Between the lane and the watcher. */
	pthread_t watcher;
	bool watching;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	struct found *found, **found_tail;
	_Atomic bool settled;
	_Atomic bool recheck; /* bounds of known partitions have changed */
	_Atomic bool unreachable;
	_Atomic int missing, denied; /* topics */
};

static int64_t now_usec(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void ring(struct kafka *kafka) {
	uint64_t one = 1;

	if (write(kafka->event, &one, sizeof(one)) < 0)
		(void)0; /* it rings already */
}

/* Called by threads of librdkafka. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility,
		   const char *text) {
	(void)rk;
	if (level <= LOG_ERR)
		log_debug("kafka: %s: %s", facility, text);
}

/*
 * A lost connection is tried again, of topics the watcher speaks; anything else
 * needs a person.
 */
static bool is_everyday(int error) {
	return error == RD_KAFKA_RESP_ERR__TRANSPORT ||
	       error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
	       error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	       error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	       error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	       error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static void on_error(rd_kafka_t *rk, int error, const char *text,
		     void *context) {
	struct kafka *kafka = context;

	(void)rk;
	if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		if (!atomic_exchange(&kafka->all_down, true))
			log_warn("kafka: no broker answers: trying again");
		return;
	}
	log_write(is_everyday(error) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
		  "kafka: %s: %s",
		  rd_kafka_err2name((rd_kafka_resp_err_t)error), text);
}

/* rd_kafka_destroy() may hang; then the process ends without it. */
static void *destroy(void *rk) {
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

static void destroy_in_time(rd_kafka_t *rk) {
	struct timespec until;
	pthread_t thread;

	if (pthread_create(&thread, NULL, destroy, rk) != 0)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DESTROY_SECONDS;
	if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
		log_warn("kafka: the client does not end: leaving it behind");
		pthread_detach(thread);
	}
}

/* Called by rd_kafka_poll(), which the lane does. */
static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t error,
		      rd_kafka_topic_partition_list_t *offsets, void *context) {
	struct kafka *kafka = context;

	(void)rk;
	(void)offsets;
	if (error == kafka->uncommitted)
		return;
	kafka->uncommitted = error;
	if (error)
		log_warn("kafka: offsets cannot be committed, and lag tools "
			 "will miss them: %s",
			 rd_kafka_err2str(error));
	else
		log_info("kafka: offsets are committed again");
}

/* The watcher: from here to watch(), its thread. */

static void hand_over(struct kafka *kafka, const struct found *what) {
	struct found *found = calloc(1, sizeof(*found));

	if (!found)
		abort();
	*found = *what;
	pthread_mutex_lock(&kafka->lock);
	*kafka->found_tail = found;
	kafka->found_tail = &found->next;
	pthread_mutex_unlock(&kafka->lock);
	if (what->topic->known <= what->partition)
		what->topic->known = what->partition + 1;
}

/* How many partitions a topic has; 0: @trouble says why; -1: nobody could say.
 */
static int32_t ask_for(rd_kafka_t *rk, rd_kafka_topic_t *handle,
		       rd_kafka_resp_err_t *trouble) {
	const struct rd_kafka_metadata *metadata;
	int32_t n = 0;

	if (rd_kafka_metadata(rk, 0, handle, &metadata, LOOKUP_TIMEOUT_MS))
		return -1;
	*trouble = metadata->topic_cnt == 1
			   ? metadata->topics[0].err
			   : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (!*trouble)
		n = metadata->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(metadata);
	return n;
}

static void say_trouble(struct topic *topic, rd_kafka_resp_err_t trouble) {
	if (trouble == topic->trouble)
		return;
	topic->trouble = trouble;
	if (!trouble)
		log_info("kafka: topic %s is there", topic->name);
	else if (trouble == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		log_warn("kafka: there is no topic %s: waiting for it",
			 topic->name);
	else
		log_warn("kafka: topic %s: %s: waiting", topic->name,
			 rd_kafka_err2str(trouble));
}

/* What was known of a topic that is not there (any more). */
static void hand_over_missing(struct kafka *kafka, struct topic *topic) {
	for (int32_t i = 0; i < topic->known && !topic->vanished; i++)
		hand_over(kafka, &(struct found){ .topic = topic,
						  .partition = i,
						  .missing = true });
	topic->vanished = true;
}

/* False: the partition has no leader now. */
static bool look_for_bounds(struct kafka *kafka, struct topic *topic,
			    int32_t partition) {
	struct found found = { .topic = topic, .partition = partition };

	if (rd_kafka_query_watermark_offsets(kafka->rk, topic->name, partition,
					     &found.low, &found.high,
					     LOOKUP_TIMEOUT_MS))
		return false;
	hand_over(kafka, &found);
	return true;
}

/* False: the topic is not there, or not all could be said of it. */
static bool look_for(struct kafka *kafka, struct topic *topic, bool recheck,
		     bool *answered) {
	rd_kafka_resp_err_t trouble;
	int32_t n = ask_for(kafka->rk, topic->handle, &trouble);

	*answered = n >= 0;
	if (n < 0)
		return false;
	say_trouble(topic, trouble);
	topic->complete = trouble == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (topic->complete)
		hand_over_missing(kafka, topic);
	if (trouble)
		return false;
	for (int32_t i = recheck || topic->vanished ? 0 : topic->known; i < n;
	     i++)
		if (!look_for_bounds(kafka, topic, i))
			return false;
	topic->vanished = false;
	topic->complete = true;
	return true;
}

static void say_unreachable(struct kafka *kafka, bool unreachable) {
	atomic_store(&kafka->unreachable, unreachable);
	if (!unreachable && atomic_exchange(&kafka->all_down, false))
		log_info("kafka: connected");
}

/* Unless bounds are asked for that this look did not ask for. */
static void settle(struct kafka *kafka, bool complete, bool recheck) {
	pthread_mutex_lock(&kafka->lock);
	if (!complete && recheck)
		atomic_store(&kafka->recheck, true);
	if (complete && !atomic_load(&kafka->recheck))
		atomic_store(&kafka->settled, true);
	pthread_mutex_unlock(&kafka->lock);
}

static bool look(struct kafka *kafka) {
	bool complete = true, all_answered = true;
	bool recheck = atomic_exchange(&kafka->recheck, false);
	int missing = 0, denied = 0;

	for (size_t i = 0; i < kafka->n_topics; i++) {
		struct topic *topic = &kafka->topics[i];
		bool answered;

		complete &= look_for(kafka, topic, recheck, &answered);
		all_answered &= answered;
		missing += topic->trouble != 0;
		denied += topic->trouble ==
			  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
		if (!answered)
			break; /* the others would wait in vain as long */
	}
	say_unreachable(kafka, !all_answered);
	if (all_answered) {
		atomic_store(&kafka->missing, missing);
		atomic_store(&kafka->denied, denied);
		/*
		 * A partition without a leader, or one that may not be seen, is
		 * waited for: a replay would take it for one that is gone.
		 */
		for (size_t i = 0; i < kafka->n_topics; i++)
			all_answered &= kafka->topics[i].complete;
	}
	settle(kafka, all_answered, recheck);
	ring(kafka);
	return complete;
}

/* Waits; false: told to stop. @early: or until bounds are asked for again. */
static bool rest(struct kafka *kafka, int64_t ms, bool early) {
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&kafka->lock);
	while (!kafka->stop && !(early && kafka->recheck) &&
	       pthread_cond_timedwait(&kafka->wake, &kafka->lock, &until) !=
		       ETIMEDOUT)
		;
	stop = kafka->stop;
	pthread_mutex_unlock(&kafka->lock);
	return !stop;
}

/* Of all topics that are there; -1: nobody could say. */
static int64_t count_partitions(struct kafka *kafka, rd_kafka_t *rk) {
	int64_t sum = 0;

	for (size_t i = 0; i < kafka->n_topics && sum >= 0; i++) {
		rd_kafka_topic_t *handle =
			rd_kafka_topic_new(rk, kafka->topics[i].name, NULL);
		rd_kafka_resp_err_t trouble;
		int32_t n = handle ? ask_for(rk, handle, &trouble) : -1;

		sum = n < 0 ? -1 : sum + n;
		if (handle)
			rd_kafka_topic_destroy(handle);
	}
	rd_kafka_poll(rk, 0);
	return sum;
}

static void open_topic(struct topic *topic, rd_kafka_t *rk) {
	rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
	char text[256];

	rd_kafka_topic_conf_set(conf, "auto.offset.reset", "error", text,
				sizeof(text));
	rd_kafka_topic_conf_set(conf, "auto.commit.enable", "false", text,
				sizeof(text));
	topic->handle = rd_kafka_topic_new(rk, topic->name, conf);
	if (!topic->handle)
		abort();
}

/*
 * The client that reads. A full queue makes its fetcher sleep up to a second,
 * so all together hold more than a second of traffic; the price is memory,
 * about twice the figure, and only while catching up.
 */
static int open_reader(struct kafka *kafka, int64_t partitions) {
	size_t bytes =
		kafka->queue_bytes /
		(size_t)(partitions > QUEUE_PARTS ? partitions : QUEUE_PARTS);
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka->conf);
	rd_kafka_queue_t *queue, *group;
	uint64_t one = 1;
	char text[512];
	rd_kafka_t *rk;

	if (bytes < QUEUE_LEAST)
		bytes = QUEUE_LEAST;
	snprintf(text, sizeof(text), "%zu", bytes >> 10);
	rd_kafka_conf_set(conf, "queued.max.messages.kbytes", text, text,
			  sizeof(text));
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		log_error("kafka: %s", text);
		return -EIO;
	}
	for (size_t i = 0; i < kafka->n_topics; i++)
		open_topic(&kafka->topics[i], rk);
	queue = rd_kafka_queue_get_main(rk);
	rd_kafka_queue_io_event_enable(queue, kafka->event, &one, sizeof(one));
	/* What the group complains of, which is only asked to commit. */
	group = rd_kafka_queue_get_consumer(rk);
	rd_kafka_queue_forward(group, queue);
	rd_kafka_queue_destroy(group);
	rd_kafka_queue_destroy(queue);
	atomic_store(&kafka->rk, rk);
	return 0;
}

/* False: told to stop before there was anybody to ask. */
static bool begin_reading(struct kafka *kafka) {
	int64_t n;

	while ((n = count_partitions(kafka, kafka->scout)) < 0 ||
	       open_reader(kafka, n) < 0) {
		say_unreachable(kafka, true);
		ring(kafka);
		if (!rest(kafka, LOOK_SOON_MS, false))
			return false;
	}
	destroy_in_time(TAKE(kafka->scout));
	return true;
}

static void *watch(void *context) {
	struct kafka *kafka = context;
	bool goes_on = begin_reading(kafka);

	while (goes_on) {
		bool complete = look(kafka);

		goes_on = rest(kafka, complete ? kafka->look_ms : LOOK_SOON_MS,
			       complete);
	}
	return NULL;
}

/* The lane's side. */

static struct partition *partition_of(const struct kafka *kafka,
				      const struct found *found) {
	for (size_t i = 0; i < kafka->n_partitions; i++)
		if (kafka->partitions[i]->topic == found->topic &&
		    kafka->partitions[i]->is.partition == found->partition)
			return kafka->partitions[i];
	return NULL;
}

static int begin_at(struct partition *p, int64_t offset) {
	if (p->started)
		rd_kafka_consume_stop(p->topic->handle, p->is.partition);
	p->started = p->is.at_end = p->is.gone = false;
	p->next = offset;
	if (rd_kafka_consume_start(p->topic->handle, p->is.partition, offset) <
	    0)
		return -EIO;
	p->started = true;
	return 0;
}

static void adopt_change(struct partition *p, const struct found *found) {
	bool is_back = p->is.missing && !found->missing;

	p->is.missing = found->missing;
	if (found->missing) {
		p->is.at_end = false;
		return;
	}
	p->is.low = found->low;
	p->is.high = found->high;
	/* The client has given it up. */
	if (is_back && p->started && begin_at(p, p->next) < 0)
		p->is.gone = true;
}

static void adopt(struct kafka *kafka, const struct found *found) {
	struct partition *partition = partition_of(kafka, found);
	uint64_t one = 1;

	if (partition) {
		adopt_change(partition, found);
		return;
	}
	partition = calloc(1, sizeof(*partition));
	if (!partition)
		abort();
	partition->is = (struct feed_partition){ .topic = found->topic->name,
						 .partition = found->partition,
						 .low = found->low,
						 .high = found->high,
						 .missing = found->missing };
	partition->topic = found->topic;
	partition->queue = rd_kafka_queue_get_partition(
		kafka->rk, found->topic->name, found->partition);
	if (partition->queue)
		rd_kafka_queue_io_event_enable(partition->queue, kafka->event,
					       &one, sizeof(one));
	kafka->partitions =
		reallocarray(kafka->partitions, kafka->n_partitions + 1,
			     sizeof(struct partition *));
	if (!kafka->partitions)
		abort();
	kafka->partitions[kafka->n_partitions++] = partition;
}

static void commit(struct kafka *kafka) {
	rd_kafka_topic_partition_list_t *offsets = NULL;

	for (size_t i = 0; i < kafka->n_partitions; i++) {
		struct partition *p = kafka->partitions[i];

		if (p->acknowledged == p->committed)
			continue;
		if (!offsets)
			offsets = rd_kafka_topic_partition_list_new(
				(int)kafka->n_partitions);
		rd_kafka_topic_partition_list_add(offsets, p->is.topic,
						  p->is.partition)
			->offset = p->acknowledged;
		p->committed = p->acknowledged;
	}
	if (!offsets)
		return;
	rd_kafka_commit(kafka->rk, offsets, 1);
	rd_kafka_topic_partition_list_destroy(offsets);
}

static void serve(void *self) {
	struct kafka *kafka = self;
	int64_t now = now_usec();
	struct found *found;
	/* Asked first: all that was found by then is in the list below. */
	bool is_settled = atomic_load(&kafka->settled);
	rd_kafka_t *rk = atomic_load(&kafka->rk);

	if (rk)
		rd_kafka_poll(rk, 0);
	pthread_mutex_lock(&kafka->lock);
	found = kafka->found;
	kafka->found = NULL;
	kafka->found_tail = &kafka->found;
	pthread_mutex_unlock(&kafka->lock);
	while (found) {
		struct found *next = found->next;

		adopt(kafka, found);
		free(found);
		found = next;
	}
	kafka->settled_here = is_settled;
	if (now >= kafka->next_commit) {
		commit(kafka);
		kafka->next_commit = now + COMMIT_EVERY;
	}
}

static int feed_fd(const void *self) {
	return ((const struct kafka *)self)->event;
}

static void quieten(void *self) {
	struct kafka *kafka = self;
	uint64_t count;

	if (read(kafka->event, &count, sizeof(count)) < 0)
		(void)0; /* nothing rang */
}

static bool settled(const void *self) {
	return ((const struct kafka *)self)->settled_here;
}

static size_t n_partitions(const void *self) {
	return ((const struct kafka *)self)->n_partitions;
}

static const struct feed_partition *partition_at(const void *self, size_t i) {
	return &((const struct kafka *)self)->partitions[i]->is;
}

static int start(void *self, size_t i, int64_t offset) {
	struct kafka *kafka = self;

	return begin_at(kafka->partitions[i], offset);
}

/*
 * The watcher shall not wait until it is time. @unsettled: what is asked for is
 * not there, so where does the log begin and end now?
 */
static void look_again(struct kafka *kafka, bool unsettled) {
	pthread_mutex_lock(&kafka->lock);
	if (unsettled) {
		kafka->settled_here = false;
		atomic_store(&kafka->settled, false);
	}
	atomic_store(&kafka->recheck, true);
	pthread_cond_signal(&kafka->wake);
	pthread_mutex_unlock(&kafka->lock);
}

/*
 * It may still be of where reading began before: of another offset than the
 * one that comes next it is not believed but asked for again.
 */
static void on_gone(struct kafka *kafka, struct partition *p, int64_t offset) {
	if (offset != p->next && begin_at(p, p->next) == 0)
		return;
	p->is.gone = true;
	look_again(kafka, true);
}

/* An error stands in the queue as a message would. */
static void on_trouble(struct kafka *kafka, struct partition *p,
		       const rd_kafka_message_t *message) {
	switch ((int)message->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		p->is.at_end = true;
		p->topic->denied = false;
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		on_gone(kafka, p, message->offset);
		break;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		look_again(kafka, false);
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		if (!p->topic->denied)
			log_warn("kafka: topic %s may not be read: waiting for "
				 "the right",
				 p->is.topic);
		p->topic->denied = true;
		break;
	default:
		log_warn("kafka: %s/%d: %s", p->is.topic, (int)p->is.partition,
			 rd_kafka_message_errstr(message));
	}
}

static size_t read_partition(void *self, size_t i, struct feed_record *records,
			     size_t n) {
	struct kafka *kafka = self;
	struct partition *p = kafka->partitions[i];
	rd_kafka_message_t *messages[READ_AT_ONCE];
	int64_t low, high;
	size_t taken = 0;
	ssize_t got;

	if (!p->started)
		return 0;
	got = rd_kafka_consume_batch(p->topic->handle, p->is.partition, 0,
				     messages,
				     n < READ_AT_ONCE ? n : READ_AT_ONCE);
	for (ssize_t m = 0; m < got; m++) {
		rd_kafka_message_t *message = messages[m];

		/* Begun again in the midst of it, it may come once more. */
		if (message->err)
			on_trouble(kafka, p, message);
		if (message->err || message->offset < p->next) {
			rd_kafka_message_destroy(message);
			continue;
		}
		p->is.at_end = p->topic->denied = false;
		p->next = message->offset + 1;
		records[taken++] = (struct feed_record){
			.payload = message->payload,
			.len = message->len,
			.offset = message->offset,
			.timestamp_ms =
				rd_kafka_message_timestamp(message, NULL),
			.handle = message,
		};
	}
	if (got > 0 &&
	    rd_kafka_get_watermark_offsets(kafka->rk, p->is.topic,
					   p->is.partition, &low, &high) == 0 &&
	    high > p->is.high)
		p->is.high = high;
	return taken;
}

static void release(void *self, struct feed_record *records, size_t n) {
	(void)self;
	for (size_t i = 0; i < n; i++)
		rd_kafka_message_destroy(records[i].handle);
}

static void acknowledge(void *self, size_t i, int64_t offset) {
	struct kafka *kafka = self;

	kafka->partitions[i]->acknowledged = offset;
}

static bool is_denied(const struct kafka *kafka) {
	bool denied = atomic_load(&kafka->denied) != 0;

	for (size_t i = 0; i < kafka->n_topics; i++)
		denied |= kafka->topics[i].denied;
	return denied;
}

static const char *trouble(const void *self) {
	const struct kafka *kafka = self;

	if (atomic_load(&kafka->unreachable))
		return "kafka: no broker answers";
	if (is_denied(kafka))
		return "kafka: the right to read a topic is missing";
	if (!atomic_load(&kafka->settled))
		return "kafka: topics are being looked up";
	if (atomic_load(&kafka->missing))
		return "kafka: a topic is missing";
	return NULL;
}

/*
 * False: it is still there. rd_kafka_new() waits for ever for a thread of its
 * own where it finds no memory for the next; the process ends without it.
 */
static bool end_watcher(struct kafka *kafka) {
	struct timespec until;

	if (!kafka->watching)
		return true;
	pthread_mutex_lock(&kafka->lock);
	kafka->stop = true;
	pthread_cond_signal(&kafka->wake);
	pthread_mutex_unlock(&kafka->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WATCHER_SECONDS;
	if (pthread_timedjoin_np(kafka->watcher, NULL, &until) == 0)
		return true;
	log_warn("kafka: its library does not come to an end");
	return false;
}

static void feed_free(void *self) {
	struct kafka *kafka = self;

	if (!end_watcher(kafka))
		return;
	serve(kafka); /* adopts what was found last */
	for (size_t i = 0; i < kafka->n_partitions; i++) {
		struct partition *p = kafka->partitions[i];

		if (p->queue)
			rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
		if (p->started)
			rd_kafka_consume_stop(p->topic->handle,
					      p->is.partition);
		if (p->queue)
			rd_kafka_queue_destroy(p->queue);
		free(p);
	}
	free(kafka->partitions);
	for (size_t i = 0; i < kafka->n_topics; i++) {
		if (kafka->topics[i].handle)
			rd_kafka_topic_destroy(kafka->topics[i].handle);
		free((char *)(uintptr_t)kafka->topics[i].name);
	}
	free(kafka->topics);
	if (kafka->scout)
		destroy_in_time(kafka->scout);
	if (kafka->rk)
		destroy_in_time(kafka->rk);
	if (kafka->conf)
		rd_kafka_conf_destroy(kafka->conf);
	if (kafka->event >= 0)
		close(kafka->event);
	pthread_mutex_destroy(&kafka->lock);
	pthread_cond_destroy(&kafka->wake);
	free(kafka);
}

static const struct feed_class kafka_class = {
	.name = "kafka",
	.fd = feed_fd,
	.quieten = quieten,
	.serve = serve,
	.settled = settled,
	.n_partitions = n_partitions,
	.partition = partition_at,
	.start = start,
	.read = read_partition,
	.release = release,
	.acknowledge = acknowledge,
	.trouble = trouble,
	.free = feed_free,
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value,
	       struct buf *why) {
	char text[512];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) ==
	    RD_KAFKA_CONF_OK)
		return 0;
	buf_puts(why, text);
	return -EINVAL;
}

static int not_the_users(const char *name, struct buf *why) {
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(name, fixed[i].name) == 0) {
			buf_printf(why, "%s is always %s here", name,
				   fixed[i].value);
			return -EPERM;
		}
	if (strcmp(name, "queued.max.messages.kbytes") == 0) {
		buf_printf(why, "%s is `limits.queue` here, of all partitions",
			   name);
		return -EPERM;
	}
	if (strcmp(name, "bootstrap.servers") == 0 ||
	    strcmp(name, "metadata.broker.list") == 0) {
		buf_printf(why, "%s is `brokers` here", name);
		return -EPERM;
	}
	return 0;
}

static int no_such_property(rd_kafka_conf_t *conf, const char *name,
			    struct buf *why) {
	/* Those that have no default are not in the dump. */
	static const char *const more[] = {
		"sasl.mechanism",      "sasl.username",
		"sasl.password",       "sasl.kerberos.keytab",
		"ssl.ca.location",     "ssl.ca.pem",
		"ssl.key.location",    "ssl.key.pem",
		"ssl.key.password",    "ssl.certificate.location",
		"ssl.certificate.pem", "ssl.keystore.location",
		"ssl.crl.location",    "ssl.keystore.password",
		"ssl.cipher.suites",
	};
	size_t n = 0, known = ARRAY_SIZE(more);
	const char **dump = rd_kafka_conf_dump(conf, &n), **all, *near;

	all = calloc(known + n / 2, sizeof(*all));
	if (!all)
		abort();
	memcpy(all, more, sizeof(more));
	for (size_t i = 0; i < n; i += 2) /* a name, its value */
		all[known++] = dump[i];
	near = diag_nearest(name, all, known);
	buf_printf(why, "there is no property `%s`", name);
	if (near)
		buf_printf(why, " (did you mean `%s`?)", near);
	free(all);
	rd_kafka_conf_dump_free(dump, n);
	return -ENOENT;
}

int kafka_check_property(const char *name, const char *value, struct buf *why) {
	rd_kafka_conf_t *conf;
	char text[512];
	int r;

	r = not_the_users(name, why);
	if (r < 0)
		return r;
	conf = rd_kafka_conf_new();
	switch (rd_kafka_conf_set(conf, name, value, text, sizeof(text))) {
	case RD_KAFKA_CONF_OK:
		break;
	case RD_KAFKA_CONF_UNKNOWN:
		r = no_such_property(conf, name, why);
		break;
	case RD_KAFKA_CONF_INVALID:
		buf_puts(why, text);
		r = -ERANGE;
		break;
	}
	rd_kafka_conf_destroy(conf);
	return r;
}

static int configure(rd_kafka_conf_t *conf, const struct kafka_options *options,
		     struct buf *why) {
	struct buf group = { 0 };
	int r;

	buf_printf(&group, "tocsin-%s", options->lane);
	r = set(conf, "group.id", buf_cstr(&group), why);
	buf_free(&group);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual); i++)
		r = set(conf, usual[i].name, usual[i].value, why);
	if (r == 0 && options->brokers)
		r = set(conf, "bootstrap.servers", options->brokers, why);
	for (size_t i = 0; r == 0 && i < options->n_properties; i++)
		r = set(conf, options->properties[i].name,
			options->properties[i].value, why);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = set(conf, fixed[i].name, fixed[i].value, why);
	return r;
}

/* What a broker takes for the name of a topic. */
static int check_topics(const struct kafka_options *options, struct buf *why) {
	for (size_t i = 0; i < options->n_topics; i++) {
		const char *name = options->topics[i];
		size_t len = strlen(name);

		if (len && len < 250 &&
		    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789._-") == len)
			continue;
		buf_printf(why, "`%s` cannot be the name of a topic", name);
		return -EINVAL;
	}
	return 0;
}

int kafka_check(const struct kafka_options *options, struct buf *why) {
	struct kafka_options alone = *options;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char text[512];
	int r;

	alone.brokers = NULL;
	r = check_topics(options, why);
	if (r == 0)
		r = configure(conf, &alone, why);
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	rd_kafka_conf_set_log_cb(conf, on_log);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		buf_puts(why, text);
		return -EINVAL;
	}
	rd_kafka_destroy(rk);
	return 0;
}

static void name_topics(struct kafka *kafka,
			const struct kafka_options *options) {
	kafka->topics = calloc(options->n_topics + 1, sizeof(*kafka->topics));
	if (!kafka->topics)
		abort();
	for (size_t i = 0; i < options->n_topics; i++) {
		kafka->topics[i].name = strdup(options->topics[i]);
		if (!kafka->topics[i].name)
			abort();
		kafka->n_topics++;
	}
}

static void kafka_freep(struct kafka **kafka) {
	if (*kafka)
		feed_free(*kafka);
}

int kafka_feed_new(struct feed *ret, const struct kafka_options *options,
		   struct buf *why) {
	CLEANUP(kafka_freep) struct kafka *kafka = NULL;
	rd_kafka_conf_t *conf;
	char text[512];
	int r;

	kafka = calloc(1, sizeof(*kafka));
	if (!kafka)
		abort();
	kafka->found_tail = &kafka->found;
	kafka->queue_bytes =
		options->queue_bytes ? options->queue_bytes : QUEUE_BYTES;
	kafka->look_ms = options->look_ms ? options->look_ms : LOOK_SELDOM_MS;
	pthread_mutex_init(&kafka->lock, NULL);
	pthread_cond_init(&kafka->wake, NULL);
	name_topics(kafka, options);
	kafka->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (kafka->event < 0)
		return -errno;
	kafka->conf = rd_kafka_conf_new();
	r = check_topics(options, why);
	if (r == 0)
		r = configure(kafka->conf, options, why);
	if (r < 0)
		return r;
	rd_kafka_conf_set_opaque(kafka->conf, kafka);
	rd_kafka_conf_set_log_cb(kafka->conf, on_log);
	rd_kafka_conf_set_error_cb(kafka->conf, on_error);
	rd_kafka_conf_set_offset_commit_cb(kafka->conf, on_commit);
	conf = rd_kafka_conf_dup(kafka->conf);
	kafka->scout =
		rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!kafka->scout) {
		rd_kafka_conf_destroy(conf);
		buf_puts(why, text);
		return -EINVAL;
	}
	r = pthread_create(&kafka->watcher, NULL, watch, kafka);
	if (r)
		return -r;
	kafka->watching = true;
	*ret = (struct feed){ &kafka_class, TAKE(kafka) };
	return 0;
}
