/*
 * What a seed does: events arrive, processes live and die, and in the end all
 * that stands in Redis must be what an engine makes of the lane's inputs.
 */
#include "sim.h"

#include "base/util.h"
#include "event/event.h"
#include "lane/archive.h"
#include "lane/journal.h"
#include "lane/statedir.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MOST 400000u /* until all is at rest */
#define AGES (INT64_C(1000) * USEC_PER_DAY)

static const char rule_text[] =
	"apiversion: 1\n"
	"package: sim\n"
	"streams:\n"
	"  pays:\n"
	"    topic: pays\n"
	"    format: json\n"
	"    time: at\n"
	"    id: nr\n"
	"    id_for: 30d\n"
	"    max_delay: 30m\n"
	"    idle_after: 10m\n"
	"    fields: {unit: string, nr: string, n: int, at: {type: timestamp, "
	"format: epoch_s}}\n"
	"rules:\n"
	"- rule: many\n"
	"  title: {zh: 多, en: many}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  window: 2h\n"
	"  measure: {cnt: count(), sum: sum(n)}\n"
	"  alert_if: cnt >= %d\n"
	"  level: {orange: sum > 600}\n"
	"  status: live\n"
	"- rule: hours\n"
	"  title: {zh: 时, en: hours}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  window: {tumble: 1h}\n"
	"  measure: {most: max(n), cnt: count()}\n"
	"  alert_if: most > 90 && cnt > 1\n"
	"  status: live\n"
	"- rule: large\n"
	"  title: {zh: 大, en: large}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  alert_if: n > 95\n"
	"  cooldown: 3h\n"
	"  status: live\n"
	"- rule: marked\n"
	"  title: {zh: 标, en: marked}\n"
	"  from: pays\n"
	"  by: [unit]\n"
	"  window: 2h\n"
	"  measure: {hits: count_if(n in lists.marked)}\n"
	"  alert_if: hits >= 2\n"
	"  status: live\n"
	"lists:\n"
	"  marked: {file: %s}\n";

/*
 * Rules with each text of the list, as a file that was read says it; and those
 * that somebody computes with, of which the texts change.
 */
#define TEXTS 3u
#define CHECKER PROCESSES
static struct ruleset *files[2][TEXTS];
static struct ruleset *rulesets[PROCESSES + 1][2];

/* What may happen in this seed. */
static struct seed_plan {
	size_t events;
	usec_t checkpoint_every, journal_keep, sent_keep;
	size_t outbox;
	bool archives;
	uint64_t replay_most;
	unsigned rules; /* which of the two */
	unsigned text;  /* of the list */
	bool kills, cuts_power, fails, fills, breaks, refuses, loses, damages;
	bool adds_partitions, expires, changes_rules, has_zombie, lies;
	bool edits;
} plan;

static struct process *leader = &processes[0];
static unsigned lives;
unsigned seams;
static uint64_t faults;
static bool was_halted, has_expired, has_lied;
static struct lane *lanes[PROCESSES];
static unsigned rules_of[PROCESSES]; /* which of the two it began with */

/* --- a process --- */

static const struct ruleset *files_now(const struct process *process) {
	return files[rules_of[process->number]][plan.text];
}

static void reload(void *context, struct lane *lane) {
	struct process *process = context;

	process->hangs_up = false;
	lane_use_files(lane, files_now(process));
}

static void see(const struct ruleset *rules, const struct content *file) {
	struct content *content = ruleset_content(rules, file->name);
	struct diag diag = { 0 };

	if (content_refresh(content, file->text, file->len, &diag) < 0)
		abort();
	diag_free(&diag);
}

static void live(struct process *process) {
	char state[32];
	struct ruleset *rules =
		rulesets[process->number][rules_of[process->number]];
	struct lane_options options = {
		.rules = rules,
		.rules_hash = { (uint8_t)rules_of[process->number] },
		.lane = "0",
		.state = state,
		.feed = log_feed(process->number),
		.sink = redis_sink(process->number),
		.engine = { .outbox = plan.outbox,
			    .max_state_bytes = 64u << 20 },
		.align_wait = 200 * USEC_PER_MSEC,
		.stop_timeout = AGES,
		.stop_fd = STOP_FD,
		.reload_fd = RELOAD_FD,
		.reload = reload,
		.context = process,
		.wall_clock = true,
		.checkpoint_every = plan.checkpoint_every,
		.checkpoint_memory = 3 * PAGE_BYTES,
		.replay_most = plan.replay_most,
		.journal_keep = plan.journal_keep,
		.sent_keep = plan.sent_keep,
		.sent_most = UINT64_MAX,
		.archives = plan.archives,
		.archive_keep_s = INT32_MAX,
		.wall = sim_wall,
		.monotonic = sim_monotonic,
	};
	struct buf why = { 0 };
	enum lane_end end;
	int r;

	disk_state(state, sizeof(state), process->number);
	r = lane_new(&lanes[process->number], &options, &why);
	if (r < 0) {
		note("%u cannot begin: %s", process->number, buf_cstr(&why));
		was_halted |= !is_full(r);
		return;
	}
	see(rules, files_now(process)->contents);
	lane_use_files(lanes[process->number], files_now(process));
	end = lane_run(lanes[process->number]);
	note("%u ends: %d", process->number, (int)end);
	was_halted |= end == LANE_HALTED;
	lane_free(lanes[process->number]);
}

static void begin_life(struct process *process) {
	process->life = ++lives;
	lanes[process->number] = NULL;
	rules_of[process->number] = plan.rules;
	redis_connect(process);
	process_start(process, live);
	note("%u begins, life %u", process->number, process->life);
}

static void bury(struct process *process) {
	if (process->is_dead && process->death == DEATH_POWER_CUT)
		disk_power_cut(process->number);
	disk_close_all(process);
	redis_connect(process);
	process_forget(process);
}

/* --- what goes wrong --- */

static void kill_one(void) {
	if (leader->calls_left >= 0 || !leader->is_there)
		return;
	leader->death =
		plan.cuts_power && one_in(2) ? DEATH_POWER_CUT : DEATH_KILLED;
	leader->calls_left = (int64_t)chance(one_in(2) ? 40 : 400);
	faults++;
}

static void change_rules(void) {
	if (!plan.changes_rules)
		return;
	plan.rules ^= 1;
	leader->death = DEATH_KILLED;
	leader->calls_left = 0;
	plan.changes_rules = false;
	faults++;
	note("other rules");
}

static void edit_list(void) {
	if (!plan.edits)
		return;
	plan.text = (unsigned)chance(TEXTS);
	leader->hangs_up = true;
	note("text %u of the list", plan.text);
	faults++;
}

/* The lane is its own, it stands still, and another takes it over. */
static void begin_zombie(void) {
	struct lane_view view = { 0 };

	if (leader->is_there && lanes[leader->number])
		lane_view(lanes[leader->number], &view);
	if (!plan.has_zombie || leader != processes || !view.epoch)
		return;
	leader->is_frozen = true;
	leader = &processes[1];
	begin_life(leader);
	faults++;
}

static void expire(void) {
	size_t p = chance(log_partitions);

	if (!plan.expires || !log_end(p))
		return;
	has_expired = true;
	log_expire(p, (int64_t)chance(log_end(p)));
	note("the log of %zu begins later", p);
	faults++;
}

static void damage(void) {
	if (plan.lies && !leader->is_there && disk_forget(leader->number)) {
		note("the end of a journal is gone");
		has_lied = true;
		faults++;
	}
	if (plan.damages && !leader->is_there && disk_damage(leader->number)) {
		note("damage");
		faults++;
	}
}

static void turn_disk(void) {
	struct disk *disk = &disks[leader->number];

	if (plan.fills && one_in(2)) {
		disk->is_full = !disk->is_full;
		note(disk->is_full ? "the disk is full" : "there is room");
		faults += disk->is_full;
	} else if (plan.fails) {
		disk->fails_one_in = disk->fails_one_in ? 0 : 20 + chance(200);
		note("one call in %llu fails",
		     (unsigned long long)disk->fails_one_in);
		faults += disk->fails_one_in != 0;
	}
}

static void turn_redis(void) {
	if (plan.breaks && one_in(2)) {
		redis.is_away = !redis.is_away && one_in(2);
		redis_break(leader->number);
		faults++;
	} else if (plan.refuses) {
		redis.refuses_one_in = redis.refuses_one_in ? 0 : 6;
		faults += redis.refuses_one_in != 0;
	} else if (plan.loses && one_in(3)) {
		redis_load(one_in(2));
		faults++;
	} else if (plan.loses) {
		redis_save();
	}
}

static void turn_log(void) {
	static bool away;

	if (plan.adds_partitions && log_partitions < PARTITIONS && one_in(4)) {
		log_partitions++;
		note("%zu partitions", log_partitions);
		return;
	}
	away = !away;
	log_set_away(leader->number, away);
	note(away ? "the log is away" : "the log is there");
	faults += away;
}

static void go_wrong(void) {
	static void (*const ways[])(void) = {
		kill_one,  kill_one,   kill_one,   kill_one,     turn_disk,
		turn_disk, turn_redis, turn_redis, turn_log,     turn_log,
		expire,    damage,     damage,     change_rules, begin_zombie,
		edit_list, edit_list
	};
	void (*way)(void) = ways[chance(ARRAY_SIZE(ways))];

	if (way != kill_one || plan.kills)
		way();
}

static void heal(void) {
	for (unsigned i = 0; i < PROCESSES; i++) {
		disks[i].is_full = false;
		disks[i].fails_one_in = 0;
		log_set_away(i, false);
		processes[i].calls_left = -1;
		processes[i].is_frozen = false;
	}
	redis.is_away = false;
	redis.refuses_one_in = 0;
}

/* --- the course of things --- */

static void step_processes(void) {
	struct process *process = &processes[chance(PROCESSES)];

	if (!process->is_there || process->is_frozen)
		process = leader;
	if (process->is_frozen || !process->is_there) {
		if (process == leader && one_in(10))
			begin_life(process);
		return;
	}
	process_step(process);
	if (process->is_dead || !process->is_there)
		bury(process);
}

static void step(void) {
	uint64_t what = chance(100);

	sim_now += (int64_t)chance(2000);
	if (what < 80)
		step_processes();
	else if (what < 95)
		redis_step();
	else if (what < 97 && !leader->stops)
		sim_now += (int64_t)chance(USEC_PER_SEC);
	else if (one_in(12) && !leader->stops)
		sim_now += (int64_t)chance(90 * USEC_PER_SEC);
}

static bool is_at_rest(void) {
	struct lane *lane = lanes[leader->number];
	struct lane_view view;

	if (!leader->is_there || !lane || leader->stops)
		return false;
	for (unsigned i = 0; i < PROCESSES; i++)
		if (processes[i].is_there && &processes[i] != leader)
			return false;
	lane_view(lane, &view);
	if (view.not_ready || view.waiting || view.waiting_dead ||
	    view.n_partitions < log_partitions)
		return false;
	for (size_t i = 0; i < log_partitions; i++) {
		struct lane_partition_view p;

		lane_partition(lane, i, &p);
		if (p.next < (int64_t)log_end((size_t)p.partition))
			return false;
	}
	return true;
}

static void rest_and_stop(void) {
	for (size_t i = 0; !is_at_rest(); i++) {
		step();
		/* In words, and all that can be asked of it. */
		if (has_lied && was_halted)
			return;
		if (i == STEPS_MOST)
			fail("does not come to rest");
	}
	leader->stops = true;
	for (size_t i = 0; leader->is_there; i++) {
		step();
		if (i == STEPS_MOST)
			fail("does not stop");
	}
}

static void run_course(void) {
	size_t produced = 0;

	begin_life(leader);
	while (produced < plan.events) {
		step();
		if (one_in(60))
			for (size_t n = chance(8); n; n--, produced++)
				log_produce();
		if (one_in(60))
			go_wrong();
	}
	heal();
	note("all is well from now on");
	rest_and_stop();
	/* What a full disk kept from the archive until then is taken again. */
	rest_and_stop();
}

/* --- what must have come of it --- */

static struct check {
	const struct ruleset *rules;
	struct engine *engine;
	struct decoder *decoder;
	const struct stream *stream;
	struct arena arena;
	size_t dead; /* compared */
	int64_t next[PARTITIONS];
	bool entered[PARTITIONS];
	uint64_t lost, doubled, phantom;
} check;

static void compare_item(const struct outbox_item *item) {
	const struct redis_entry *entry;

	if (item->seq > redis.n) {
		check.lost++;
		return;
	}
	entry = &redis.entries[item->seq - 1];
	if (entry->json_len != item->json_len ||
	    memcmp(entry->json, item->json, item->json_len) != 0) {
		note("alert %" PRIu64 " is\n%s\nand should be\n%s", item->seq,
		     entry->json, item->json);
		check.phantom++;
	}
}

static void compare_dead(const struct dead_letter *dead) {
	if (check.dead >= redis.n_dead) {
		check.lost++;
		return;
	}
	if (redis.dead_ordinals[check.dead] != dead->ordinal ||
	    redis.dead[check.dead].partition != dead->at.partition ||
	    redis.dead[check.dead].offset != dead->at.offset)
		check.phantom++;
	check.dead++;
}

/* What the engine has made so far is what stands in Redis. */
static void compare(void) {
	struct outbox *outbox = engine_outbox(check.engine);

	for (size_t i = 0; i < outbox->n; i++)
		compare_item(outbox_at(outbox, i));
	/* Across a seam it is no longer told whose a refused event was. */
	for (size_t i = 0; i < outbox->dead_n && !seams; i++)
		compare_dead(outbox_dead_at(outbox, i));
	outbox_drop(outbox, outbox->n);
	outbox_drop_dead(outbox, outbox->dead_n);
}

static void check_content(const uint8_t sha256[32]) {
	const struct content *file = NULL;

	for (unsigned i = 0; i < TEXTS && !file; i++)
		if (!memcmp(files[0][i]->contents[0].loaded, sha256, 32))
			file = &files[0][i]->contents[0];
	if (!file)
		fail("a text that nobody wrote");
	see(check.rules, file);
}

static void check_decision(const struct decision *decision,
			   int64_t first_offset) {
	size_t p = (size_t)decision->partition;

	if (decision->kind == DECISION_PARTITION) {
		check.next[p] = first_offset;
		check.entered[p] = true;
	}
	if (decision->kind == DECISION_GAP)
		check.next[p] = decision->at;
	if (decision->kind == DECISION_CONTENT)
		check_content(decision->hash);
	engine_decide(check.engine, decision);
	compare();
}

static void check_record(int32_t partition, int64_t offset, int64_t poll) {
	const char *payload = log_payload((size_t)partition, offset);
	struct event event = { .stream = check.stream,
			       .at = { log_topic, partition, offset },
			       .timestamp_ms = -1 };
	struct event *events[] = { &event };

	if (offset > check.next[partition])
		check.lost += (uint64_t)(offset - check.next[partition]);
	else if (offset < check.next[partition])
		check.doubled++;
	check.next[partition] = offset + 1;
	arena_reset(&check.arena);
	decoder_decode(check.decoder, &event, payload, strlen(payload), false,
		       &check.arena);
	engine_run(check.engine, events, 1, poll);
	compare();
}

static void begin_check(const struct journal_header *header) {
	const struct ruleset *rules =
		rulesets[CHECKER][rules_of[leader->number]];
	struct engine_options options = {
		.lane = "0",
		.seed = header->seed,
		.first_ordinal = header->first_ordinal,
		.silent = header->seam != NULL,
		.check_skew = true,
		.max_state_bytes = 64u << 20,
	};

	check.rules = rules;
	check.stream = rules->streams[0];
	check_content(header->contents[0].sha256);
	if (engine_new(&check.engine, rules, &options) < 0 ||
	    decoder_new(&check.decoder, check.stream, header->seed) < 0)
		fail("no engine to compare with");
}

static void check_by_archive(const char *state, uint32_t journal) {
	char *dir = archive_dir(state, journal);
	struct archive_reader *reader;
	struct archive_entry entry;
	struct buf why = { 0 };
	int r = archive_read_open(&reader, dir, &why);

	if (r < 0)
		fail("the archive: %s", buf_cstr(&why));
	begin_check(archive_read_header(reader));
	while ((r = archive_read(reader, &entry, &why)) > 0) {
		if (!entry.is_record)
			check_decision(&entry.decision, entry.first_offset);
		else
			check_record(entry.partition, entry.offset,
				     entry.poll_time);
	}
	if (r < 0)
		fail("the archive: %s", buf_cstr(&why));
}

static void check_turn(const struct journal_reader *reader,
		       const struct journal_entry *entry) {
	const struct journal_partition *partitions;
	size_t n;

	partitions = journal_read_partitions(reader, &n);
	for (size_t i = 0; i < entry->n_runs; i++) {
		const struct journal_run *run = &entry->runs[i];

		for (int64_t at = run->first; at < run->next; at++)
			check_record(partitions[run->partition].partition, at,
				     entry->poll_time);
	}
}

static void check_by_journal(const char *state, uint32_t journal) {
	char *dir = statedir_journal(state, journal);
	struct journal_reader *reader;
	struct journal_entry entry;
	struct buf why = { 0 };
	int r = journal_read_open(&reader, dir, &why);

	if (r < 0)
		fail("the journal: %s", buf_cstr(&why));
	begin_check(journal_read_header(reader));
	while ((r = journal_read(reader, &entry, &why)) > 0) {
		if (entry.kind == JOURNAL_TURN)
			check_turn(reader, &entry);
		else
			check_decision(&entry.decision, entry.first_offset);
	}
	if (r < 0)
		fail("the journal: %s", buf_cstr(&why));
}

static void note_double(size_t i, size_t k) {
	note("alerts %zu and %zu are\n%s\n%s", k + 1, i + 1,
	     redis.entries[k].json, redis.entries[i].json);
	check.doubled++;
}

static bool say_the_same(const struct redis_entry *a,
			 const struct redis_entry *b) {
	return a->rev == b->rev && memcmp(a->id, b->id, 16) == 0;
}

/* No alert says the same twice (but of an event that came twice and has expired
 * once, which nobody can know again), no refused event is named twice. */
static void look_for_doubles(void) {
	for (size_t i = 0; i < redis.n; i++)
		for (size_t k = 0; k < i; k++)
			if (!has_expired &&
			    say_the_same(&redis.entries[i], &redis.entries[k]))
				note_double(i, k);
	for (size_t i = 0; i < redis.n_dead && !seams; i++)
		for (size_t k = 0; k < i; k++)
			check.doubled +=
				redis.dead[i].partition ==
					redis.dead[k].partition &&
				redis.dead[i].offset == redis.dead[k].offset;
}

static void check_all(void) {
	char state[32];
	uint32_t *journals;
	size_t n;

	disk_state(state, sizeof(state), leader->number);
	if (statedir_begun(state, &journals, &n) < 0 || !n)
		fail("there is no journal");
	if (plan.archives)
		check_by_archive(state, journals[0]);
	else
		check_by_journal(state, journals[0]);
	for (size_t i = 0; i < log_partitions; i++) {
		if (!check.entered[i])
			fail("a partition was never read");
		check.lost += log_end(i) - (size_t)check.next[i];
	}
	if (redis.n > engine_seq(check.engine))
		check.phantom += redis.n - engine_seq(check.engine);
	look_for_doubles();
}

/* --- one seed --- */

static void make_plan(void) {
	bool seams_are_fine = one_in(4);

	plan = (struct seed_plan){
		.events = 100 + chance(300),
		.checkpoint_every =
			one_in(4) ? 0 : 1 + (int64_t)chance(2 * USEC_PER_SEC),
		.outbox = one_in(3) ? 1 + chance(8) : 0,
		.archives = one_in(2),
		.journal_keep = AGES,
		.sent_keep = one_in(2) ? 0 : AGES,
		.kills = !one_in(6),
		.cuts_power = one_in(2),
		.fails = one_in(4),
		.fills = one_in(4),
		.breaks = one_in(2),
		.refuses = one_in(4),
		.loses = one_in(4),
		.damages = one_in(4),
		.adds_partitions = one_in(3),
		.edits = one_in(2),
		.replay_most = one_in(3) ? 20 + chance(100) : 0,
	};
	/* Of what a sync has failed to write an archive may lack. */
	if (plan.fails && plan.cuts_power)
		plan.archives = false;
	/* A journal without its beginning cannot do without the rest. */
	if (plan.archives && !plan.loses && !plan.damages && !plan.fails &&
	    one_in(2))
		plan.journal_keep = 0;
	if (!seams_are_fine)
		return;
	plan.expires = one_in(3);
	plan.changes_rules = one_in(2);
	plan.lies = one_in(4);
	plan.has_zombie = !plan.loses && one_in(2);
}

static bool may_have_seams(const struct seed_plan *was) {
	return was->expires || was->changes_rules || was->has_zombie ||
	       was->lies;
}

/* What became of it goes through @out to whoever counts. */
struct result {
	uint64_t faults, lost, doubled, phantom, alerts, hash;
	unsigned lives, seams;
};

static void run_seed(uint64_t seed, bool shown, int out) {
	struct result result;
	struct seed_plan was;

	for (unsigned i = 0; i < PROCESSES; i++)
		processes[i].number = i;
	chance_begin(seed, shown);
	disk_begin();
	log_begin();
	make_plan();
	was = plan;
	run_course();
	if (!has_lied)
		check_all();
	if (seams && !may_have_seams(&was))
		fail("a seam, and nothing that needs one");
	if (was_halted && !was.fails && !was.expires && !has_lied)
		fail("halted, and nothing that calls for it");
	result = (struct result){ .faults = faults,
				  .lost = check.lost,
				  .doubled = check.doubled,
				  .phantom = check.phantom,
				  .alerts = redis.n,
				  .hash = notes_hash(),
				  .lives = lives,
				  .seams = seams };
	if (write(out, &result, sizeof(result)) != sizeof(result))
		_exit(3);
	fflush(stdout);
	_exit(0);
}

/* --- all seeds --- */

struct child {
	pid_t pid;
	int in;
	uint64_t seed;
};

static struct totals {
	uint64_t seeds, failed, faults, lost, doubled, phantom, alerts, lives,
		seams, hash;
} totals;

static void start_child(struct child *child, uint64_t seed, bool shown) {
	int ends[2];

	fflush(stdout);
	if (pipe(ends) < 0)
		abort();
	child->seed = seed;
	child->in = ends[0];
	child->pid = fork();
	if (child->pid < 0)
		abort();
	if (child->pid == 0)
		run_seed(seed, shown, ends[1]);
	close(ends[1]);
}

static void count(struct child *child, int status) {
	struct result result = { 0 };
	bool good =
		read(child->in, &result, sizeof(result)) == sizeof(result) &&
		status == 0;

	close(child->in);
	if (!good || result.lost || result.doubled || result.phantom) {
		totals.failed++;
		printf("not ok - seed %" PRIu64 ": ended with %d, lost %" PRIu64
		       ", doubled %" PRIu64 ", phantom %" PRIu64
		       "; step by step: tests/sim/run --seed %" PRIu64
		       " --steps\n",
		       child->seed, status, result.lost, result.doubled,
		       result.phantom, child->seed);
	}
	totals.seeds++;
	totals.faults += result.faults;
	totals.lost += result.lost;
	totals.doubled += result.doubled;
	totals.phantom += result.phantom;
	totals.alerts += result.alerts;
	totals.lives += result.lives;
	totals.seams += result.seams;
	totals.hash ^= result.hash * (2 * child->seed + 1);
	child->pid = 0;
}

static void run_seeds(uint64_t first, uint64_t n, unsigned jobs, bool shown) {
	struct child *children = calloc(jobs, sizeof(*children));
	uint64_t next = first;
	unsigned running = 0;

	if (!children)
		abort();
	while (next < first + n || running) {
		pid_t pid;
		int status;

		for (unsigned i = 0; i < jobs && next < first + n; i++) {
			if (children[i].pid)
				continue;
			start_child(&children[i], next++, shown);
			running++;
		}
		pid = wait(&status);
		for (unsigned i = 0; i < jobs; i++)
			if (children[i].pid == pid) {
				count(&children[i], status);
				running--;
			}
	}
	free(children);
}

/* Numbers of the list: each text has others. */
static void write_list(const char *path, unsigned text) {
	FILE *file = fopen(path, "w");

	if (!file)
		abort();
	for (unsigned n = text * 25; n < text * 25 + 40; n++)
		fprintf(file, "%u\n", n);
	fclose(file);
}

static struct ruleset *load_rules(int least, unsigned which) {
	char path[] = "/tmp/tocsin-sim-XXXXXX.yaml";
	char list[] = "/tmp/tocsin-sim-XXXXXX.txt";
	const char *const paths[] = { path };
	struct ruleset *rules;
	struct diag diag = { 0 };
	struct buf text = { 0 };
	FILE *file = fdopen(mkstemps(path, 5), "w");

	if (!file)
		abort();
	memcpy(list, path, sizeof(path) - sizeof(".yaml"));
	write_list(list, which);
	fprintf(file, rule_text, least, list);
	fclose(file);
	if (ruleset_load(&rules, paths, 1, &(struct ruleset_options){ 0 },
			 &diag) < 0) {
		diag_print(&diag, &text, false);
		fputs(buf_cstr(&text), stderr);
		exit(1);
	}
	unlink(path);
	unlink(list);
	diag_free(&diag);
	buf_free(&text);
	return rules;
}

static void load_all_rules(void) {
	static const int least[] = { 4, 6 };

	for (unsigned r = 0; r < ARRAY_SIZE(least); r++) {
		for (unsigned i = 0; i < TEXTS; i++)
			files[r][i] = load_rules(least[r], i);
		for (unsigned i = 0; i <= CHECKER; i++)
			rulesets[i][r] = load_rules(least[r], 0);
	}
}

static void free_all_rules(void) {
	for (unsigned r = 0; r < 2; r++) {
		for (unsigned i = 0; i < TEXTS; i++)
			ruleset_free(files[r][i]);
		for (unsigned i = 0; i <= CHECKER; i++)
			ruleset_free(rulesets[i][r]);
	}
}

int main(int argc, char **argv) {
	static const struct option known[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "steps", no_argument, NULL, 'v' },
		{ "jobs", required_argument, NULL, 'j' },
		{ 0 },
	};
	uint64_t n = 1000, first = 1;
	unsigned jobs = 2;
	bool shown = false;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (option == 'n')
			n = strtoull(optarg, NULL, 10);
		else if (option == 'f' || option == 's')
			first = strtoull(optarg, NULL, 10);
		else if (option == 'j')
			jobs = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'v')
			shown = true;
		else
			return 64;
		if (option == 's')
			n = 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_all_rules();
	run_seeds(first, n, jobs ? jobs : 1, shown);
	free_all_rules();
	printf("# %" PRIu64 " seeds, %" PRIu64 " lives, %" PRIu64
	       " seams, %" PRIu64 " alerts; all steps: %016" PRIx64 "\n",
	       totals.seeds, totals.lives, totals.seams, totals.alerts,
	       totals.hash);
	printf("faults %" PRIu64 ", lost %" PRIu64 ", doubled %" PRIu64
	       ", phantom %" PRIu64 "\n",
	       totals.faults, totals.lost, totals.doubled, totals.phantom);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n",
	       totals.seeds - totals.failed, totals.failed);
	return totals.failed ? 1 : 0;
}
