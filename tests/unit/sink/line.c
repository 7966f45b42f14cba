/*
 * Between the sink and Redis stands a line that is cut at any byte, or that
 * swallows what goes over it. Each alert and each dead letter comes once.
 */
#include "sink/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WHOLE SIZE_MAX

static struct line {
	char path[96];
	int listener, client, server;
	size_t to_server, to_client; /* so many bytes, then it is cut */
	bool silent_there, silent_back;
	unsigned cuts;
} line;

static struct sockaddr_un address_of(const char *socket) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_true(strlen(socket) < sizeof(address.sun_path));
	strcpy(address.sun_path, socket);
	return address;
}

static void line_cut(void) {
	if (line.client < 0)
		return;
	close(line.client);
	close(line.server);
	line.client = line.server = -1;
}

static void line_accept(void) {
	struct sockaddr_un address = address_of(path);

	line.client = accept4(line.listener, NULL, NULL, SOCK_NONBLOCK);
	if (line.client < 0)
		return;
	line.server = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(line.server, (struct sockaddr *)&address,
				 sizeof(address)),
			 0);
}

/* False: it was cut. */
static bool carry(int from, int to, size_t *left, size_t most) {
	static char bytes[65536];
	size_t want = sizeof(bytes) < most ? sizeof(bytes) : most;
	ssize_t n;

	if (*left < want)
		want = *left;
	n = want ? recv(from, bytes, want, MSG_DONTWAIT) : 0;
	if (n < 0)
		return errno == EAGAIN;
	for (ssize_t at = 0; at < n;) {
		ssize_t done =
			send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (done < 0)
			return false;
		at += done;
	}
	if (*left != WHOLE)
		*left -= (size_t)n;
	if (*left == 0)
		line.cuts++;
	return *left && n > 0;
}

static void line_turn(void) {
	if (line.client < 0)
		line_accept();
	if (line.client >= 0 && !line.silent_there &&
	    !carry(line.client, line.server, &line.to_server, WHOLE))
		line_cut();
	if (line.client >= 0 && !line.silent_back &&
	    !carry(line.server, line.client, &line.to_client, WHOLE))
		line_cut();
}

static int line_begin(void **state) {
	struct sockaddr_un address;

	set_up(state);
	sink.class->free(sink.self);
	line = (struct line){ .client = -1,
			      .server = -1,
			      .to_server = WHOLE,
			      .to_client = WHOLE };
	snprintf(line.path, sizeof(line.path), "%s/line", dir);
	line.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	address = address_of(line.path);
	assert_int_equal(bind(line.listener, (struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	assert_int_equal(listen(line.listener, 8), 0);
	way = line.path;
	between = line_turn;
	redis("CONFIG SET appendfsync no");
	sink = new_sink(NULL);
	return 0;
}

static int line_end(void **state) {
	line_cut();
	close(line.listener);
	way = NULL;
	between = NULL;
	ahead = 0;
	return tear_down(state);
}

/* As a lane does it: what the sink has is not sent again. */
static void drop_known(void) {
	const struct sink_fence *fence = sink.class->fence(sink.self);

	while (outbox.n && outbox_at(&outbox, 0)->seq <= fence->mark)
		outbox_drop(&outbox, 1);
	while (outbox.dead_n &&
	       outbox_dead_at(&outbox, 0)->ordinal <= fence->dead)
		outbox_drop_dead(&outbox, 1);
}

static void mend(void) {
	line.to_server = line.to_client = WHOLE;
	line.silent_there = line.silent_back = false;
}

/* Whatever happens to it, all that waits arrives. */
static void arrive(void) {
	while (!send_out()) {
		mend();
		ahead += 3000000; /* it need not wait to try again */
		open_lane(&sink, 1);
		drop_known();
	}
	mend();
}

static void assert_all_once(uint64_t seqs, uint64_t dead) {
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)seqs);
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), text);
	assert_string_equal(redis("HGET tocsin:{0}:fence mark"), text);
	assert_string_equal(redis("ZCARD tocsin:{0}:open"), text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)dead);
	assert_string_equal(redis("XLEN tocsin:{0}:dead"), text);
	assert_string_equal(redis("HGET tocsin:{0}:fence dead"), text);
}

/* One batch after another, each cut one byte later, until one comes through. */
static void cut_at_every_byte(size_t *limit) {
	uint64_t seq = 0, dead = 0;
	unsigned before;
	size_t bytes = 0;

	open_lane(&sink, 1);
	assert_true(send_out());
	do {
		before = line.cuts;
		add(++seq, LEVEL_RED, LEVEL_NONE, true);
		add(++seq, LEVEL_RED, LEVEL_NONE, true);
		add_dead(++dead);
		*limit = ++bytes;
		arrive();
		assert_all_once(seq, dead);
	} while (line.cuts > before);
	assert_int_equal(line.cuts, bytes - 1);
}

static void takes_a_batch_once_wherever_the_line_there_is_cut(void **state) {
	(void)state;
	cut_at_every_byte(&line.to_server);
	assert_true(line.cuts > 500);
}

static void takes_a_batch_once_wherever_the_line_back_is_cut(void **state) {
	(void)state;
	cut_at_every_byte(&line.to_client);
	assert_true(line.cuts > 15);
}

/* AUTH, scripts, fence and claim, cut at every byte of the answers. */
static void meets_redis_wherever_the_greeting_is_cut(void **state) {
	static const uint8_t rules[32] = { 7 };
	unsigned before;
	size_t bytes = 0;

	(void)state;
	add(1, LEVEL_RED, LEVEL_NONE, true);
	do {
		before = line.cuts;
		mend();
		sink.class->drop(sink.self);
		line_cut();
		line.to_client = ++bytes;
		for (int i = 0; i < 20000 && line.cuts == before &&
				sink.class->state(sink.self) != SINK_OPEN;
		     i++) {
			serve_once(&sink);
			if (sink.class->state(sink.self) == SINK_MET)
				sink.class->claim(sink.self, 1, rules);
		}
	} while (line.cuts > before);
	assert_true(bytes > 100);
	mend();
	assert_int_equal(sink.class->state(sink.self), SINK_OPEN);
	arrive();
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "1");
}

/* All is on its way; only so much comes through that the first is taken. */
static void let_a_batch_through(void) {
	do
		assert_true(
			carry(line.client, line.server, &line.to_server, 500));
	while (strcmp(redis("EXISTS tocsin:{0}:alerts"), "0") == 0);
}

static void sends_again_when_scripts_go_between_two_batches(void **state) {
	(void)state;
	open_lane(&sink, 1);
	assert_true(send_out());
	for (uint64_t seq = 1; seq <= 300; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, true);
	add_dead(1);
	line.silent_there = true;
	sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n, now());
	let_a_batch_through();
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "64");
	redis("SCRIPT FLUSH");
	line.silent_there = false;
	assert_false(send_out());
	assert_string_equal(redis("XLEN tocsin:{0}:alerts"), "64");
	arrive();
	assert_all_once(300, 1);
}

/* The same of a right, which comes back later. */
static void sends_again_when_a_right_goes_between_two_batches(void **state) {
	(void)state;
	open_lane(&sink, 1);
	assert_true(send_out());
	for (uint64_t seq = 1; seq <= 300; seq++)
		add(seq, LEVEL_RED, LEVEL_NONE, true);
	add_dead(1);
	line.silent_there = true;
	sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n, now());
	let_a_batch_through();
	redis("ACL SETUSER default -xadd");
	line.silent_there = false;
	assert_false(send_out());
	assert_string_equal(redis("HGET tocsin:{0}:fence mark"), "64");
	redis("ACL SETUSER default +xadd");
	arrive();
	assert_all_once(300, 1);
}

static void gives_up_what_does_not_answer_in_time(void) {
	for (int i = 0; i < 100; i++)
		serve_once(&sink);
	assert_int_equal(sink.class->state(sink.self), SINK_OPEN);
	ahead += 6000000;
	serve_once(&sink);
	assert_int_equal(sink.class->state(sink.self), SINK_AWAY);
}

/* Half open: nothing comes through, and nobody says so. */
static void connects_anew_when_the_line_swallows_all(void **state) {
	(void)state;
	open_lane(&sink, 1);
	assert_true(send_out());
	add(1, LEVEL_RED, LEVEL_NONE, true);
	add_dead(1);
	line.silent_there = line.silent_back = true;
	sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n, now());
	gives_up_what_does_not_answer_in_time();
	assert_string_equal(redis("EXISTS tocsin:{0}:alerts"), "0");
	line_cut();
	arrive();
	assert_all_once(1, 1);
}

/* … or it is taken, and only the answer is swallowed. */
static void knows_what_was_taken_when_answers_are_swallowed(void **state) {
	(void)state;
	open_lane(&sink, 1);
	assert_true(send_out());
	add(1, LEVEL_RED, LEVEL_NONE, true);
	add_dead(1);
	line.silent_back = true;
	sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n, now());
	while (strcmp(redis("EXISTS tocsin:{0}:alerts"), "0") == 0)
		serve_once(&sink);
	gives_up_what_does_not_answer_in_time();
	line_cut();
	mend();
	ahead += 3000000;
	open_lane(&sink, 1);
	drop_known();
	assert_int_equal(outbox.n + outbox.dead_n, 0);
	assert_all_once(1, 1);
}

/* Stopped, not ended: connections stand, and nobody answers. */
static void waits_for_a_redis_that_is_stopped(void **state) {
	(void)state;
	open_lane(&sink, 1);
	assert_true(send_out());
	add(1, LEVEL_RED, LEVEL_NONE, true);
	add_dead(1);
	kill(server, SIGSTOP);
	sink.class->send(sink.self, &outbox, outbox.n, outbox.dead_n, now());
	gives_up_what_does_not_answer_in_time();
	line_cut();
	ahead += 3000000;
	for (int i = 0; i < 100; i++)
		serve_once(&sink);
	assert_int_equal(sink.class->state(sink.self), SINK_AWAY);
	kill(server, SIGCONT);
	ahead += 6000000;
	line_cut();
	arrive();
	assert_all_once(1, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, line_begin, line_end)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(takes_a_batch_once_wherever_the_line_there_is_cut),
		TEST(takes_a_batch_once_wherever_the_line_back_is_cut),
		TEST(meets_redis_wherever_the_greeting_is_cut),
		TEST(sends_again_when_scripts_go_between_two_batches),
		TEST(sends_again_when_a_right_goes_between_two_batches),
		TEST(connects_anew_when_the_line_swallows_all),
		TEST(knows_what_was_taken_when_answers_are_swallowed),
		TEST(waits_for_a_redis_that_is_stopped),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
