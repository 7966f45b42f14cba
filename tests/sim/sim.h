/*
 * Simulation: the engine and the lane as they are, on a disk, a clock, a log
 * and a Redis that are made up, in one thread, as a seed has it.
 *
 * The lane's own sources are linked against calls of these names instead of
 * the library's: a file, a lock, a thread and the time are here what chance
 * makes of them. A thread is a task of this one; it goes on until a call at
 * which chance lets another go on, or at which its process dies. What one seed
 * does it does again, to the byte.
 *
 * One process of ours runs one seed, so nothing is ever freed.
 */
#pragma once

#include "alert/outbox.h"
#include "base/buf.h"
#include "lane/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESSES 2u /* each on a machine of its own */
#define PARTITIONS 3u

/* By which the lane is told of signals. */
#define STOP_FD 0
#define RELOAD_FD 1

/* --- chance.c --- */

void chance_begin(uint64_t seed, bool shown);
uint64_t chance(uint64_t below); /* 0 … below - 1 */
bool one_in(uint64_t n);         /* 0: never */
/* One step, in words; printed if steps are shown. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t notes_hash(void); /* of all steps so far */
/* Ends this seed: something that must not happen has. */
void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Zeros, and never freed. */
void *make(size_t n, size_t size);

extern int64_t sim_now; /* monotonic, microseconds */
int64_t sim_wall(void);
int64_t sim_monotonic(void);

/* --- tasks.c --- */

/* What happens to a machine when its process dies. */
enum death { DEATH_KILLED, DEATH_POWER_CUT };

struct process {
	unsigned number; /* of its machine */
	unsigned life;   /* whose it is, from 1 */
	bool is_there, is_dead;
	bool is_frozen;     /* stopped, and will go on */
	bool stops;         /* SIGTERM */
	bool hangs_up;      /* SIGHUP */
	int64_t calls_left; /* until it dies; -1: it does not */
	enum death death;
};

extern struct process processes[PROCESSES];

void process_start(struct process *process, void (*main)(struct process *));
/* Lets one of its tasks go on to its next call, if one can. */
void process_step(struct process *process);
void process_forget(struct process *process); /* after its end or death */
/* The one that is running; NULL: we are. */
struct process *process_self(void);
/* A call: the process may die here, or another task go on. */
void point(const char *name);

/* --- disk.c --- */

struct disk {
	bool is_full;
	uint64_t fails_one_in; /* calls, with EIO; 0: none */
	bool keeps_order;      /* a power cut loses the last changes of names */
};

extern struct disk disks[PROCESSES];

void disk_begin(void);
/* "/sim/N/state" */
void disk_state(char *path, size_t size, unsigned number);
void disk_power_cut(unsigned number);
/* Files and locks of a process that has ended. */
void disk_close_all(const struct process *process);
/* Changes a byte of some file of checkpoint/ or sent/; false: there is none */
bool disk_damage(unsigned number);
/* Forgets the end of a journal that was synced, as a disk that lies does. */
bool disk_forget(unsigned number);

/* --- log.c --- */

void log_begin(void);
extern const char log_topic[];
extern size_t log_partitions;
size_t log_end(size_t partition);
const char *log_payload(size_t partition, int64_t offset);
void log_produce(void);
/* All that was produced and is not yet read has gone. */
void log_expire(size_t partition, int64_t low);
/* Whether the log sends @process anything. */
void log_set_away(unsigned number, bool away);
struct feed log_feed(unsigned number);

/* --- sim.c --- */

extern unsigned seams; /* that lanes have spoken of */

/* --- redis.c --- */

struct redis_entry {
	uint8_t hash[32], id[16];
	uint64_t rev;
	bool open;
	char *json;
	size_t json_len;
};

extern struct redis {
	struct redis_entry *entries; /* by seq - 1 */
	size_t n;
	struct sink_fence fence;
	unsigned owner;
	struct coordinates *dead;
	uint64_t *dead_ordinals;
	size_t n_dead;
	bool is_away;
	uint64_t refuses_one_in; /* batches */
} redis;

struct sink redis_sink(unsigned number);
/* A process begins, or has died: its connection is a new one. */
void redis_connect(struct process *process);
/* Something on the wire arrives, if anything is. */
void redis_step(void);
void redis_break(unsigned number);
void redis_save(void);
/* What it was when it was saved; or nothing. */
void redis_load(bool emptied);
