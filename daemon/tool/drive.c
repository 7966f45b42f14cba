#include "tool/drive.h"

static void drain(struct driver *driver) {
	struct outbox *outbox = engine_outbox(driver->engine);

	for (size_t i = 0; i < outbox->n; i++)
		driver->item(driver->ctx, outbox_at(outbox, i));
	outbox_drop(outbox, outbox->n);
	for (size_t i = 0; driver->dead && i < outbox->dead_n; i++)
		driver->dead(driver->ctx, outbox_dead_at(outbox, i));
	outbox_drop_dead(outbox, outbox->dead_n);
}

void drive_events(struct driver *driver, struct event *const *events,
		  size_t n) {
	while (n) {
		size_t taken = engine_run(driver->engine, events, n,
					  driver->poll_time);

		drain(driver);
		events += taken;
		n -= taken;
	}
}

void drive_decision(struct driver *driver, const struct decision *decision) {
	bool done;

	do {
		done = engine_decide(driver->engine, decision);
		drain(driver);
	} while (!done);
}
