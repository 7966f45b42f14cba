/*
 * tocsin-city: writes or plays the fictional city; see city.h.
 */
#include "tool/city/city.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
	"usage: tocsin-city [--seed N] [--events N] [--months N] [--out DIR]\n"
	"                   [--kafka BROKERS]\n"
	"\n"
	"Two years of a fictional city's budgets, payments, cards, approvals,\n"
	"orders, tenders, bids, awards, contracts and suppliers, with planted\n"
	"cases in the second. The same seed gives the same bytes.\n"
	"\n"
	"  --seed N           another city (1)\n"
	"  --events N         about so many payments, and all else in "
	"proportion\n"
	"                     (300000); planted cases come on top\n"
	"  --months N         the last N of the 24 months, at least 14 (24)\n"
	"  --out DIR          write STREAM.jsonl for each stream; "
	"labels.jsonl, "
	"one\n"
	"                     planted case or lookalike a line; counts.json\n"
	"  --kafka BROKERS    produce into fin.payments and so on instead; "
	"--out\n"
	"                     gets labels and counts\n"
	"  --prefix NAME      of the topics (fin.)\n"
	"  --streams A,B      produce these streams only\n"
	"  --pace-group NAME  never more than 2 MB a partition ahead of what "
	"this\n"
	"                     consumer group has committed, and not done "
	"before\n"
	"                     it has committed everything\n"
	"  --seconds N        spread the months over so long\n"
	"\n"
	"example: tocsin-city --seed 7 --out /tmp/city\n";

struct options {
	uint64_t seed;
	uint32_t events;
	unsigned months;
	const char *out;
	struct produce_options produce;
};

static int number_option(uint64_t *ret, const char *name, const char *text,
			 uint64_t max) {
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n > max) {
		fprintf(stderr, "tocsin-city: --%s wants a number, not '%s'\n",
			name, text);
		return -EINVAL;
	}
	*ret = n;
	return 0;
}

/* 1: help was printed. */
static int parse(struct options *options, int argc, char **argv) {
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "events", required_argument, NULL, 'n' },
		{ "months", required_argument, NULL, 'm' },
		{ "out", required_argument, NULL, 'o' },
		{ "kafka", required_argument, NULL, 'k' },
		{ "prefix", required_argument, NULL, 'p' },
		{ "streams", required_argument, NULL, 'S' },
		{ "pace-group", required_argument, NULL, 'g' },
		{ "seconds", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			if (number_option(&options->seed, "seed", optarg,
					  UINT64_MAX) < 0)
				return -EINVAL;
			break;
		case 'n':
			if (number_option(&n, "events", optarg, 20000000) < 0)
				return -EINVAL;
			options->events = (uint32_t)(n < 1000 ? 1000 : n);
			break;
		case 'm':
			if (number_option(&n, "months", optarg, 24) < 0)
				return -EINVAL;
			options->months = (unsigned)(n < 14 ? 14 : n);
			break;
		case 't':
			if (number_option(&n, "seconds", optarg, 86400) < 0)
				return -EINVAL;
			options->produce.seconds = (unsigned)n;
			break;
		case 'o':
			options->out = optarg;
			break;
		case 'k':
			options->produce.brokers = optarg;
			break;
		case 'S':
			options->produce.streams = optarg;
			break;
		case 'p':
			options->produce.prefix = optarg;
			break;
		case 'g':
			options->produce.pace_group = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc || (!options->out && !options->produce.brokers)) {
		fputs(help, stderr);
		return -EINVAL;
	}
	return 0;
}

static FILE *create(const char *dir, const char *name) {
	char path[4096];
	FILE *ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = fopen(path, "we");
	if (!ret)
		fprintf(stderr, "tocsin-city: %s: %s\n", path, strerror(errno));
	return ret;
}

static int finish(FILE *file, struct buf *buf) {
	bool bad = fwrite(buf->data, 1, buf->len, file) != buf->len;

	bad |= fclose(file) != 0;
	buf_free(buf);
	if (bad)
		fprintf(stderr, "tocsin-city: %s\n", strerror(errno));
	return bad ? -EIO : 0;
}

static int write_labels(const struct city *city, const char *dir) {
	struct buf buf = { 0 };
	FILE *file = create(dir, "labels.jsonl");
	int r;

	if (!file)
		return -EIO;
	for (uint32_t i = 0; i < city->n_labels; i++)
		label_json(&buf, city->labels[i]);
	r = finish(file, &buf);
	if (r < 0)
		return r;
	file = create(dir, "counts.json");
	if (!file)
		return -EIO;
	counts_json(&buf, city);
	return finish(file, &buf);
}

static int write_channel(const struct city *city, const char *dir,
			 unsigned channel) {
	struct buf buf = { 0 };
	FILE *file = create(dir, channels[channel].file);

	if (!file)
		return -EIO;
	if (channel == CHANNEL_HEALTH)
		health_header(&buf);
	for (uint32_t i = 0; i < city->n; i++) {
		if (event_channel(city->order[i]) != channel)
			continue;
		event_write(&buf, city->order[i]);
		buf_putc(&buf, '\n');
		if (buf.len < 1 << 20)
			continue;
		if (fwrite(buf.data, 1, buf.len, file) != buf.len)
			break;
		buf_reset(&buf);
	}
	return finish(file, &buf);
}

static int run(const struct city *city, const struct options *options) {
	int r;

	if (options->out) {
		if (mkdir(options->out, 0777) < 0 && errno != EEXIST) {
			fprintf(stderr, "tocsin-city: %s: %s\n", options->out,
				strerror(errno));
			return -EIO;
		}
		r = write_labels(city, options->out);
		for (unsigned c = 0;
		     c < N_CHANNELS && r == 0 && !options->produce.brokers; c++)
			r = write_channel(city, options->out, c);
		if (r < 0)
			return r;
	}
	if (options->produce.brokers)
		return city_produce(city, &options->produce);
	return 0;
}

int main(int argc, char **argv) {
	struct options options = { .seed = 1,
				   .events = 300000,
				   .months = 24,
				   .produce.prefix = "fin." };
	struct city city;
	int r;

	r = parse(&options, argc, argv);
	if (r)
		return r < 0 ? 2 : 0;
	city_make(&city, options.seed, options.events, options.months);
	r = run(&city, &options);
	city_free(&city);
	return r < 0 ? 1 : 0;
}
