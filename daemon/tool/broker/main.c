/*
 * tocsin-broker: librdkafka's mock cluster in a process of its own.
 *
 * A Kafka to try things with where there is no JVM: real TCP, real protocol,
 * groups and commits. It is no broker to keep anything in: everything is in
 * memory, 5 MiB a partition, the oldest dropped without a word. In a process
 * of its own, because a mock cluster shares threads with the client that made
 * it, and latencies measured that way would be lies.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <dirent.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char help[] =
	"usage: tocsin-broker [--brokers N] --topics NAME:PARTITIONS[,...]\n"
	"\n"
	"A Kafka in memory to try things with, of one broker or several. "
	"Prints\n"
	"its address as the first line and runs until SIGTERM or SIGINT. "
	"Keeps\n"
	"5 MiB a partition. Each line of standard input is a fault, answered "
	"by\n"
	"one line:\n"
	"\n"
	"  down BROKER                      refuse and cut all connections\n"
	"  up BROKER\n"
	"  rtt BROKER MS                    answer later\n"
	"  leader TOPIC PARTITION BROKER    -1: none\n"
	"  coordinator GROUP BROKER\n"
	"\n"
	"example: tocsin-broker --topics fin.payments:3,fin.orders:3\n";

static int create_topics(rd_kafka_mock_cluster_t *cluster, char *topics) {
	char *rest = topics;

	for (char *item; (item = strsep(&rest, ","));) {
		char *colon = strrchr(item, ':');
		char *end;
		long n;
		rd_kafka_resp_err_t err;

		if (!colon) {
			fprintf(stderr, "tocsin-broker: %s: no :PARTITIONS\n",
				item);
			return -1;
		}
		n = strtol(colon + 1, &end, 10);
		if (*end || n < 1 || n > 1000) {
			fprintf(stderr, "tocsin-broker: %s: 1 to 1000\n", item);
			return -1;
		}
		*colon = '\0';
		err = rd_kafka_mock_topic_create(cluster, item, (int)n, 1);
		if (err) {
			fprintf(stderr, "tocsin-broker: %s: %s\n", item,
				rd_kafka_err2str(err));
			return -1;
		}
	}
	return 0;
}

/* What a line asks for; false: it could not be understood. */
static bool obey(rd_kafka_mock_cluster_t *cluster, const char *line,
		 rd_kafka_resp_err_t *err) {
	char name[256];
	int broker, n;

	if (sscanf(line, "down %d", &broker) == 1)
		*err = rd_kafka_mock_broker_set_down(cluster, broker);
	else if (sscanf(line, "up %d", &broker) == 1)
		*err = rd_kafka_mock_broker_set_up(cluster, broker);
	else if (sscanf(line, "rtt %d %d", &broker, &n) == 2)
		*err = rd_kafka_mock_broker_set_rtt(cluster, broker, n);
	else if (sscanf(line, "leader %255s %d %d", name, &n, &broker) == 3)
		*err = rd_kafka_mock_partition_set_leader(cluster, name, n,
							  broker);
	else if (sscanf(line, "coordinator %255s %d", name, &broker) == 2)
		*err = rd_kafka_mock_coordinator_set(cluster, "group", name,
						     broker);
	else
		return false;
	return true;
}

static void *read_orders(void *context) {
	rd_kafka_resp_err_t err;
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		if (!obey(context, line, &err))
			puts("not understood");
		else
			puts(err ? rd_kafka_err2str(err) : "done");
		fflush(stdout);
	}
	return NULL;
}

static void serve(rd_kafka_mock_cluster_t *cluster, const sigset_t *until) {
	pthread_t thread;
	int received;

	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	if (pthread_create(&thread, NULL, read_orders, cluster) == 0)
		pthread_detach(thread);
	sigwait(until, &received);
}

/*
 * A mock broker leaves Nagle's algorithm on, and an answer then waits for the
 * client's delayed acknowledgement: 40 ms for each of a start's look-ups. The
 * sockets are the library's, but what it listens on is ours to find, and the
 * connections it accepts inherit the option.
 */
static void disable_nagle(void) {
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		int on = 0;
		socklen_t len = sizeof(on);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
		    on)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, len);
	}
	if (dir)
		closedir(dir);
}

int main(int argc, char **argv) {
	static const struct option names[] = {
		{ "brokers", required_argument, NULL, 'b' },
		{ "topics", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	rd_kafka_mock_cluster_t *cluster;
	rd_kafka_t *kafka;
	char error[256];
	char *topics = NULL;
	sigset_t set;
	int c, r;
	int brokers = 1;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == 't')
			topics = optarg;
		else if (c == 'b')
			brokers = (int)strtol(optarg, NULL, 10);
		else
			return 2;
	}
	if (!topics || brokers < 1 || brokers > 9 || optind < argc) {
		fputs(help, stderr);
		return 2;
	}

	/* Before any thread exists, so that all of them inherit it. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);

	kafka = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error,
			     sizeof(error));
	if (!kafka) {
		fprintf(stderr, "tocsin-broker: %s\n", error);
		return 1;
	}
	cluster = rd_kafka_mock_cluster_new(kafka, brokers);
	if (!cluster) {
		fputs("tocsin-broker: cannot listen\n", stderr);
		rd_kafka_destroy(kafka);
		return 1;
	}
	disable_nagle();
	r = create_topics(cluster, topics);
	if (!r)
		serve(cluster, &set);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(kafka);
	return r ? 1 : 0;
}
