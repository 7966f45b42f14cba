/*
 * Threads, locks, time and chance as the library gives them, made of tasks
 * that take turns.
 */
#include "sim.h"

#include "lane/crash.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES (512u << 10)
#define TASKS 16u

enum task_state { TASK_NONE, TASK_READY, TASK_WAITS, TASK_ENDED };

struct task {
	enum task_state state;
	struct process *process;
	ucontext_t context;
	void *stack;
	void *(*run)(void *argument);
	void *argument;
	const void *condition; /* that it waits for */
	int64_t until;
};

struct process processes[PROCESSES];
static struct task tasks[PROCESSES][TASKS];
static struct task *current; /* NULL: the simulation itself */
static ucontext_t outside;
static void (*process_main)(struct process *process);

struct process *process_self(void) {
	return current ? current->process : NULL;
}

static void switch_out(void) {
	int error = errno;
	struct task *self = current;

	swapcontext(&self->context, &outside);
	errno = error;
}

static void die(struct process *process, const char *name) {
	note("%u dies at %s%s", process->number, name,
	     process->death == DEATH_POWER_CUT ? ", the power is cut" : "");
	process->is_dead = true;
	setcontext(&outside);
}

void point(const char *name) {
	struct process *process = process_self();

	if (!process)
		return;
	note("%u %s", process->number, name);
	if (process->calls_left >= 0 && process->calls_left-- == 0)
		die(process, name);
	if (one_in(6))
		switch_out();
}

/* Those that the lane names; crash.c is left out. */
void crash_point(const char *name) {
	point(name);
}

/* --- tasks --- */

static void begin_task(void) {
	struct task *self = current;

	self->run(self->argument);
	self->state = TASK_ENDED;
	setcontext(&outside);
}

static struct task *new_task(struct process *process, void *(*run)(void *),
			     void *argument) {
	struct task *task = tasks[process->number];

	while (task < tasks[process->number] + TASKS &&
	       task->state != TASK_NONE)
		task++;
	if (task == tasks[process->number] + TASKS)
		fail("too many threads");
	if (!task->stack)
		task->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (task->stack == MAP_FAILED || getcontext(&task->context) < 0)
		fail("no room for a stack");
	task->process = process;
	task->run = run;
	task->argument = argument;
	task->state = TASK_READY;
	task->context.uc_stack.ss_sp = task->stack;
	task->context.uc_stack.ss_size = STACK_BYTES;
	task->context.uc_link = NULL;
	makecontext(&task->context, begin_task, 0);
	return task;
}

static void *run_main(void *argument) {
	process_main(argument);
	return NULL;
}

void process_start(struct process *process, void (*main)(struct process *)) {
	process->is_there = true;
	process->is_dead = process->stops = process->is_frozen = false;
	process->hangs_up = false;
	process->calls_left = -1;
	process_main = main;
	new_task(process, run_main, process);
}

static bool can_go_on(struct task *task) {
	if (task->state == TASK_WAITS && task->until <= sim_now) {
		task->state = TASK_READY;
		task->condition = NULL;
	}
	return task->state == TASK_READY;
}

void process_step(struct process *process) {
	struct task *all = tasks[process->number], *task;
	size_t first = chance(TASKS), i = 0;

	while (i < TASKS && !can_go_on(&all[(first + i) % TASKS]))
		i++;
	if (i == TASKS)
		return;
	task = current = &all[(first + i) % TASKS];
	swapcontext(&outside, &task->context);
	current = NULL;
	/* Its main function has returned, and it has joined the others. */
	if (all[0].state == TASK_ENDED)
		process->is_there = false;
}

void process_forget(struct process *process) {
	for (size_t i = 0; i < TASKS; i++)
		tasks[process->number][i].state = TASK_NONE;
	process->is_there = process->is_dead = false;
}

/* --- what the library would do --- */

int pthread_create(pthread_t *ret, const pthread_attr_t *attr,
		   void *(*run)(void *), void *argument) {
	(void)attr;
	if (!current)
		fail("a thread of nobody");
	point("thread");
	*ret = (pthread_t)(uintptr_t)new_task(current->process, run, argument);
	return 0;
}

int pthread_join(pthread_t thread, void **ret) {
	struct task *task = (struct task *)(uintptr_t)thread;

	while (task->state != TASK_ENDED)
		switch_out();
	task->state = TASK_NONE;
	if (ret)
		*ret = NULL;
	return 0;
}

/* Who holds a lock stands in its first word; all zeros are a free one. */
static const struct task **owner_of(pthread_mutex_t *mutex) {
	return (const struct task **)(void *)mutex;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *a) {
	(void)a;
	memset(mutex, 0, sizeof(*mutex));
	return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex) {
	(void)mutex;
	return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
	if (!current)
		return 0;
	if (*owner_of(mutex) == current)
		fail("a thread waits for itself");
	if (one_in(6))
		switch_out();
	while (*owner_of(mutex))
		switch_out();
	*owner_of(mutex) = current;
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
	if (!current)
		return 0;
	*owner_of(mutex) = NULL;
	if (one_in(6))
		switch_out();
	return 0;
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr) {
	(void)cond;
	(void)attr;
	return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond) {
	(void)cond;
	return 0;
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
		      int64_t until) {
	bool timed_out;

	*owner_of(mutex) = NULL;
	current->condition = cond;
	current->until = until;
	current->state = TASK_WAITS;
	switch_out();
	timed_out = sim_now >= until;
	while (*owner_of(mutex))
		switch_out();
	*owner_of(mutex) = current;
	return timed_out ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) {
	/* Now and then for nothing, as is allowed. */
	return wait_until(cond, mutex, one_in(16) ? sim_now + 1000 : INT64_MAX),
	       0;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			   const struct timespec *at) {
	int64_t wall = (int64_t)at->tv_sec * 1000000 + at->tv_nsec / 1000;

	return wait_until(cond, mutex, wall - (sim_wall() - sim_now));
}

static void wake(const pthread_cond_t *cond, bool all) {
	struct task *of = tasks[current->process->number];
	size_t first = chance(TASKS);

	for (size_t i = 0; i < TASKS; i++) {
		struct task *task = &of[(first + i) % TASKS];

		if (task->state != TASK_WAITS || task->condition != cond)
			continue;
		task->state = TASK_READY;
		task->condition = NULL;
		if (!all)
			return;
	}
}

int pthread_cond_signal(pthread_cond_t *cond) {
	wake(cond, false);
	return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond) {
	wake(cond, true);
	return 0;
}

int sched_yield(void) {
	if (current)
		switch_out();
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
	int64_t usec = clock == CLOCK_REALTIME ? sim_wall() : sim_now;

	ret->tv_sec = usec / 1000000;
	ret->tv_nsec = usec % 1000000 * 1000;
	return 0;
}

ssize_t getrandom(void *to, size_t n, unsigned flags) {
	uint8_t *bytes = to;

	(void)flags;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)chance(256);
	return (ssize_t)n;
}

/* The lane's loop: whatever it waits for may have come, or nothing has. */

int epoll_create1(int flags) {
	(void)flags;
	return (int)syscall(SYS_dup, STDIN_FILENO);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
	(void)epoll;
	(void)what;
	(void)fd;
	(void)event;
	return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int n, int timeout) {
	(void)epoll;
	(void)events;
	(void)n;
	(void)timeout;
	switch_out();
	return 0;
}

/* Out of line: the header says that poll() reads nothing of it. */
__attribute__((noinline)) static int asked_for(struct pollfd *fds) {
	return fds[0].fd;
}

/* Of the descriptors by which the lane is told something. */
int poll(struct pollfd *fds, nfds_t n, int timeout) {
	const struct process *self = process_self();

	(void)timeout;
	fds[0].revents = POLLIN;
	if (n != 1 || !self)
		return 0;
	return asked_for(fds) == STOP_FD ? self->stops : self->hangs_up;
}
