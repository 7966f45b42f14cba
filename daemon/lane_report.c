#include "lane_report.h"

#include "base/type.h"

#include <stdio.h>

struct report {
	struct buf *out;
	const struct lane *lane;
	struct lane_view view;
	const struct report_reloads *reloads;
	/* Instead of writing, says what there is; NULL: writes. */
	void (*tell)(void *context, const struct report_family *family);
	void *context;
};

static void family(struct report *report, enum metric_kind kind,
		   const char *name, const char *labels, const char *help) {
	if (report->tell)
		report->tell(
			report->context,
			&(struct report_family){ kind, name, labels, help });
	else
		metric_family(report->out, kind, name, help);
}

static void one(struct report *report, enum metric_kind kind, const char *name,
		const char *help, double value) {
	family(report, kind, name, "", help);
	if (!report->tell)
		metric_sample(report->out, name, NULL, 0, value);
}

/* A number that each stream has. */
static void by_stream(struct report *report, enum metric_kind kind,
		      const char *name, const char *help, size_t at) {
	const struct ruleset *rules = report->view.rules;

	family(report, kind, name, "stream", help);
	for (size_t i = 0; i < rules->n_streams; i++) {
		const struct stream_counters *counters =
			engine_stream_counters(report->view.engine, i);
		struct metric_label label = { "stream",
					      rules->streams[i]->name };

		metric_count(
			report->out, name, &label, 1,
			*(const uint64_t *)(const void *)((const char *)
								  counters +
							  at));
	}
}

static void refused(struct report *report) {
	static const char name[] = "tocsin_events_refused_total";
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_COUNTER, name, "stream, reason",
	       "Events refused, by reason; they are in the dead-letter "
	       "stream.");
	for (size_t i = 0; i < rules->n_streams; i++) {
		const struct stream_counters *counters =
			engine_stream_counters(report->view.engine, i);

		for (unsigned reason = 1; reason < REFUSED_MAX; reason++) {
			struct metric_label labels[] = {
				{ "stream", rules->streams[i]->name },
				{ "reason", refusal_name(reason) },
			};

			if (counters->refused_by[reason])
				metric_count(report->out, name, labels, 2,
					     counters->refused_by[reason]);
		}
	}
}

static void streams(struct report *report) {
#define STREAM(member) offsetof(struct stream_counters, member)
	by_stream(report, METRIC_COUNTER, "tocsin_events_read_total",
		  "Events taken: kept, refused or duplicate.", STREAM(read));
	by_stream(report, METRIC_COUNTER, "tocsin_events_kept_total",
		  "Events that were kept.", STREAM(kept));
	by_stream(report, METRIC_COUNTER, "tocsin_events_duplicate_total",
		  "Events whose id and content had been seen.",
		  STREAM(duplicate));
	by_stream(report, METRIC_GAUGE, "tocsin_ids",
		  "Ids that are remembered, to tell duplicates.", STREAM(ids));
	by_stream(report, METRIC_COUNTER, "tocsin_ids_forgotten_total",
		  "Ids forgotten before their time, at a limit.",
		  STREAM(ids_forgotten));
	by_stream(report, METRIC_COUNTER, "tocsin_events_late_total",
		  "Events older than the watermark when they were taken.",
		  STREAM(late));
	refused(report);
}

/* A counter that each rule has. */
static void by_rule(struct report *report, enum metric_kind kind,
		    const char *name, const char *help, size_t at) {
	const struct ruleset *rules = report->view.rules;

	family(report, kind, name, "rule", help);
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule_counters *counters =
			engine_rule_counters(report->view.engine, i);
		struct metric_label label = { "rule", rules->rules[i]->full };

		metric_count(
			report->out, name, &label, 1,
			*(const uint64_t *)(const void *)((const char *)
								  counters +
							  at));
	}
}

static void withheld(struct report *report) {
	static const char name[] = "tocsin_rule_withheld_total";
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_COUNTER, name, "rule, reason",
	       "Transitions withheld, by reason.");
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule_counters *c =
			engine_rule_counters(report->view.engine, i);
		const struct {
			const char *reason;
			uint64_t n;
		} all[] = { { "cooldown", c->withheld_cooldown },
			    { "exception", c->withheld_exception },
			    { "open_max", c->withheld_open_max } };

		for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
			struct metric_label labels[] = {
				{ "rule", rules->rules[i]->full },
				{ "reason", all[k].reason },
			};

			metric_count(report->out, name, labels, 2, all[k].n);
		}
	}
}

static void missing(struct report *report) {
	static const char name[] = "tocsin_rule_missing_total";
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_COUNTER, name, "rule, reason",
	       "Verdicts that a missing value kept from being given, by "
	       "reason.");
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule_counters *c =
			engine_rule_counters(report->view.engine, i);

		for (unsigned reason = 1; reason < MISSING_MAX; reason++) {
			struct metric_label labels[] = {
				{ "rule", rules->rules[i]->full },
				{ "reason", missing_name(reason) },
			};

			if (c->missing[reason])
				metric_count(report->out, name, labels, 2,
					     c->missing[reason]);
		}
	}
}

static void evicted(struct report *report) {
	static const char name[] = "tocsin_rule_evicted_total";
	static const char *const limits[] = {
		[LIMIT_KEYS] = "keys",
		[LIMIT_ENTRIES] = "entries",
		[LIMIT_MEMORY] = "memory",
	};
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_COUNTER, name, "rule, limit",
	       "Keys evicted, by the limit that was reached.");
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct rule_counters *c =
			engine_rule_counters(report->view.engine, i);

		for (size_t k = 0; k < LIMIT_MAX; k++) {
			struct metric_label labels[] = {
				{ "rule", rules->rules[i]->full },
				{ "limit", limits[k] },
			};

			metric_count(report->out, name, labels, 2,
				     c->evicted[k]);
		}
	}
}

static void state(struct report *report, const char *name, const char *help,
		  size_t at) {
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_GAUGE, name, "rule", help);
	for (size_t i = 0; i < rules->n_rules; i++) {
		const struct plan_counters *counters = engine_plan_counters(
			report->view.engine, rules->rules[i]->plan->index);
		struct metric_label label = { "rule", rules->rules[i]->full };

		metric_count(
			report->out, name, &label, 1,
			*(const uint64_t *)(const void *)((const char *)
								  counters +
							  at));
	}
}

/* Of all cohorts that the rule looks at. */
static uint64_t cohorts_of(const struct report *report, const struct rule *rule,
			   size_t at) {
	const struct ruleset *rules = report->view.rules;
	uint64_t sum = 0, one;

	for (size_t i = 0; i < rules->n_plans; i++) {
		const struct plan *plan = rules->plans[i];
		const struct plan_counters *counters =
			engine_plan_counters(report->view.engine, i);

		for (size_t k = 0; k < plan->n_readers; k++)
			if (plan->readers[k] == rule) {
				memcpy(&one, (const char *)counters + at,
				       sizeof(one));
				sum += one;
			}
	}
	return sum;
}

static void cohorts(struct report *report, const char *name, const char *help,
		    size_t at) {
	const struct ruleset *rules = report->view.rules;

	family(report, METRIC_GAUGE, name, "rule", help);
	for (size_t i = 0; i < rules->n_rules; i++) {
		struct metric_label label = { "rule", rules->rules[i]->full };

		metric_count(report->out, name, &label, 1,
			     cohorts_of(report, rules->rules[i], at));
	}
}

static void rules(struct report *report) {
#define RULE(member) offsetof(struct rule_counters, member)
	by_rule(report, METRIC_COUNTER, "tocsin_rule_judged_total",
		"Judgings of the rule.", RULE(judged));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_fired_total",
		"Alerts that fired.", RULE(fired));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_published_total",
		"Transitions that went out.", RULE(published));
	by_rule(report, METRIC_GAUGE, "tocsin_rule_open", "Open alerts.",
		RULE(open));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_out_of_window_total",
		"Events too old for the key's window.", RULE(out_of_window));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_late_closed_total",
		"Late events of a period or window that was over.",
		RULE(late_closed));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_no_window_total",
		"Events of `until` that found no open window.",
		RULE(no_window));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_late_total",
		"Late events, folded into their place.", RULE(late));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_late_dropped_total",
		"Late events that `late: drop` left out.", RULE(late_dropped));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_without_holidays_total",
		"Judgings that count business days of a year without holidays.",
		RULE(without_holidays));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_each_empty_total",
		"Events whose list, which the rule goes through, is empty.",
		RULE(each_empty));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_each_cut_total",
		"Elements of lists beyond what a rule goes through.",
		RULE(each_cut));
	evicted(report);
	by_rule(report, METRIC_COUNTER, "tocsin_rule_stale_total",
		"Alerts left behind open when memory was full.", RULE(stale));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_no_room_total",
		"Events and alerts left out because memory was full.",
		RULE(no_room));
	by_rule(report, METRIC_COUNTER, "tocsin_rule_entries_lost_total",
		"Window entries dropped at max_entries.", RULE(lost));
	withheld(report);
	missing(report);
	state(report, "tocsin_rule_keys", "Keys of the rule's plan.",
	      offsetof(struct plan_counters, keys));
	state(report, "tocsin_rule_entries",
	      "Events kept one by one in windows of the rule's plan.",
	      offsetof(struct plan_counters, entries));
	state(report, "tocsin_rule_state_bytes",
	      "State of the rule's plan; rules may share one.",
	      offsetof(struct plan_counters, bytes));
	cohorts(report, "tocsin_rule_cohorts",
		"Cohorts of peers that the rule looks at; rules may share "
		"them.",
		offsetof(struct plan_counters, keys));
	cohorts(report, "tocsin_rule_cohort_values", "Values in them.",
		offsetof(struct plan_counters, entries));
	cohorts(report, "tocsin_rule_cohort_bytes", "State of them.",
		offsetof(struct plan_counters, bytes));
}

/* A counter that each table has which a stream fills. */
static void by_table(struct report *report, enum metric_kind kind,
		     const char *name, const char *help, size_t at) {
	const struct ruleset *rules = report->view.rules;

	family(report, kind, name, "table", help);
	for (size_t i = 0; i < rules->n_registries; i++) {
		const struct registry_counters *counters =
			engine_registry_counters(report->view.engine, i);
		struct metric_label label = { "table",
					      rules->registries[i]->full };

		metric_count(
			report->out, name, &label, 1,
			*(const uint64_t *)(const void *)((const char *)
								  counters +
							  at));
	}
}

static void tables(struct report *report) {
#define TABLE(member) offsetof(struct registry_counters, member)
	by_table(report, METRIC_COUNTER, "tocsin_table_taken_total",
		 "Records that gave the table a row.", TABLE(taken));
	by_table(report, METRIC_COUNTER, "tocsin_table_no_key_total",
		 "Records that lack a field of the table's key.",
		 TABLE(no_key));
	by_table(
		report, METRIC_COUNTER, "tocsin_table_where_missing_total",
		"Records of which nobody knows if they pass the table's where.",
		TABLE(where_missing));
	by_table(report, METRIC_COUNTER, "tocsin_table_cut_total",
		 "Rows that max_rows or their size kept from the table.",
		 TABLE(cut));
	by_table(report, METRIC_COUNTER, "tocsin_table_evicted_total",
		 "Keys that made room for others, with all their rows.",
		 TABLE(evicted));
	by_table(report, METRIC_GAUGE, "tocsin_table_keys",
		 "Keys of the table.", TABLE(keys));
	by_table(report, METRIC_GAUGE, "tocsin_table_rows",
		 "Rows of the table, older ones too.", TABLE(rows));
	by_table(report, METRIC_GAUGE, "tocsin_table_bytes",
		 "What the table takes.", TABLE(bytes));
}

static void
partition_family(struct report *report, const char *name, const char *help,
		 double (*value)(const struct lane_partition_view *view)) {
	family(report, METRIC_GAUGE, name, "topic, partition", help);
	for (size_t i = 0; i < report->view.n_partitions; i++) {
		struct lane_partition_view view;
		char number[16];

		lane_partition(report->lane, i, &view);
		snprintf(number, sizeof(number), "%d", (int)view.partition);
		metric_sample(
			report->out, name,
			(struct metric_label[]){ { "topic", view.topic },
						 { "partition", number } },
			2, value(&view));
	}
}

static double lag_of(const struct lane_partition_view *view) {
	return (double)(view->high - view->next);
}

static double next_of(const struct lane_partition_view *view) {
	return (double)view->next;
}

static double idle_of(const struct lane_partition_view *view) {
	return view->idle;
}

static double watermark_of(const struct lane_partition_view *view) {
	return view->watermark == INT64_MIN
		       ? 0
		       : (double)view->watermark / (double)USEC_PER_SEC;
}

static void partitions(struct report *report) {
	partition_family(report, "tocsin_partition_lag",
			 "Records that are there and not yet taken.", lag_of);
	partition_family(report, "tocsin_partition_offset",
			 "The next offset to be taken.", next_of);
	partition_family(report, "tocsin_partition_idle",
			 "1: silent for idle_after, holds no watermark.",
			 idle_of);
	partition_family(report, "tocsin_partition_watermark_seconds",
			 "Greatest event time taken less max_delay; 0: none.",
			 watermark_of);
}

static void checkpoints(struct report *report) {
	static const struct checkpointer_counters none;
	const struct lane_view *view = &report->view;
	const struct checkpointer_counters *of =
		view->checkpoints ? view->checkpoints : &none;

	one(report, METRIC_COUNTER, "tocsin_checkpoints_total",
	    "Checkpoints written.", (double)of->taken);
	one(report, METRIC_COUNTER, "tocsin_checkpoints_failed_total",
	    "Checkpoints that could not be written.", (double)of->failed);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_timestamp_seconds",
	    "When the last one was taken; 0: none.",
	    (double)of->last_taken / 1e6);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_pages",
	    "Pages of 64 KiB that the last one wrote.", (double)of->pages);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_state_bytes",
	    "All that the last one stands for.", (double)of->state_bytes);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_seconds",
	    "How long the last one took to write.", (double)of->usec / 1e6);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_pause_seconds",
	    "How long the lane stood still for the last one.",
	    (double)of->pause_usec / 1e6);
	one(report, METRIC_GAUGE, "tocsin_checkpoint_pause_most_seconds",
	    "… and for any of them.", (double)of->pause_most / 1e6);
	one(report, METRIC_COUNTER, "tocsin_checkpoint_copied_pages_total",
	    "Pages that the lane copied before it changed them.",
	    (double)of->copied);
}

static void lane(struct report *report) {
	const struct lane_view *view = &report->view;

	one(report, METRIC_GAUGE, "tocsin_ready",
	    "1: caught up, Kafka and Redis answer.", !view->not_ready);
	one(report, METRIC_GAUGE, "tocsin_catching_up",
	    "1: records come merged by event time.", view->catching_up);
	one(report, METRIC_GAUGE, "tocsin_epoch", "The epoch of this process.",
	    (double)view->epoch);
	one(report, METRIC_GAUGE, "tocsin_alerts_mark",
	    "The last seq that Redis holds.", (double)view->mark);
	one(report, METRIC_COUNTER, "tocsin_alerts_total",
	    "Transitions made since the start, without known ones.",
	    (double)view->alerts);
	one(report, METRIC_COUNTER, "tocsin_alerts_delivered_total",
	    "Transitions that Redis has acknowledged.",
	    (double)view->sink->alerts);
	one(report, METRIC_COUNTER, "tocsin_dead_letters_total",
	    "Refused events that Redis has acknowledged.",
	    (double)view->sink->dead_letters);
	one(report, METRIC_GAUGE, "tocsin_outbox", "Transitions that wait.",
	    (double)view->waiting);
	one(report, METRIC_GAUGE, "tocsin_outbox_dead_letters",
	    "Refused events that wait.", (double)view->waiting_dead);
	one(report, METRIC_GAUGE, "tocsin_journal_bytes",
	    "Length of the run journal.", (double)view->journal_bytes);
	one(report, METRIC_GAUGE, "tocsin_journal_sync_seconds",
	    "How long the last sync took.", (double)view->sync_usec / 1e6);
	one(report, METRIC_GAUGE, "tocsin_disk_full",
	    "1: the journal has no room, nothing is taken.", view->full);
	one(report, METRIC_COUNTER, "tocsin_seams_total",
	    "Seams begun since the start.", (double)view->seams);
	one(report, METRIC_COUNTER, "tocsin_gaps_total",
	    "Gaps in the log that were skipped.", (double)view->gaps);
	one(report, METRIC_COUNTER, "tocsin_content_refreshes_total",
	    "Tables and lists taken in anew because their files had changed.",
	    (double)view->refreshes);
	one(report, METRIC_GAUGE, "tocsin_replay_left",
	    "Records of the journal still to be replayed.",
	    (double)view->replay_left);
	checkpoints(report);
	one(report, METRIC_COUNTER, "tocsin_archive_bytes_total",
	    "Bytes written to the archive.", (double)view->archive_bytes);
	one(report, METRIC_COUNTER, "tocsin_archive_raw_bytes_total",
	    "The same before they were compressed.",
	    (double)view->archive_raw_bytes);
	one(report, METRIC_COUNTER, "tocsin_restarts_total",
	    "How often the lane began again because Redis lost data.",
	    (double)view->restarts);
	one(report, METRIC_COUNTER, "tocsin_resends_total",
	    "How often what Redis had lost was sent again from sent/.",
	    (double)view->resends);
	one(report, METRIC_COUNTER, "tocsin_alerts_resent_total",
	    "Transitions that were sent again from there.",
	    (double)view->resent);
	one(report, METRIC_GAUGE, "tocsin_sent_bytes",
	    "What is kept to be sent again.", (double)view->sent_bytes);
}

static void neighbours(struct report *report) {
	const struct lane_view *view = &report->view;

	one(report, METRIC_GAUGE, "tocsin_redis_up",
	    "1: connected and taking alerts.", view->sink_state == SINK_OPEN);
	one(report, METRIC_COUNTER, "tocsin_redis_connections_total",
	    "Connections that came about.", (double)view->sink->connections);
	one(report, METRIC_COUNTER, "tocsin_redis_failures_total",
	    "Connections that failed or were given up.",
	    (double)view->sink->failures);
	one(report, METRIC_COUNTER, "tocsin_redis_partial_total",
	    "Publications or indexes of alerts that Redis refused.",
	    (double)view->sink->partial);
	one(report, METRIC_COUNTER, "tocsin_redis_batches_total",
	    "Batches that Redis has acknowledged.",
	    (double)view->sink->batches);
	one(report, METRIC_GAUGE, "tocsin_redis_batch_seconds",
	    "From send to acknowledgement, the last batch.",
	    (double)view->sink->last_usec / 1e6);
	one(report, METRIC_GAUGE, "tocsin_kafka_up",
	    "1: brokers answer and no topic is missing.", !view->feed_trouble);
}

static void memory(struct report *report) {
	const struct engine *engine = report->view.engine;
	size_t mapped = 0, used = 0;

	if (engine)
		used = engine_state_bytes(engine, &mapped);
	one(report, METRIC_GAUGE, "tocsin_state_bytes",
	    "State in use; limits.memory is of this.", (double)used);
	one(report, METRIC_GAUGE, "tocsin_state_mapped_bytes",
	    "Pages that the state lies in.", (double)mapped);
}

static void reloads(struct report *report) {
	static const char name[] = "tocsin_reloads_total";
	const struct {
		const char *result;
		uint64_t n;
	} all[] = { { "taken", report->reloads->taken },
		    { "refused", report->reloads->refused } };

	family(report, METRIC_COUNTER, name, "result",
	       "How often the rules were read again, by what came of it.");
	for (size_t i = 0; !report->tell && i < ARRAY_SIZE(all); i++) {
		struct metric_label label = { "result", all[i].result };

		metric_count(report->out, name, &label, 1, all[i].n);
	}
}

static void all(struct report *report) {
	const struct engine *engine = report->view.engine;
	static const char info[] = "tocsin_info";
	struct metric_label version = { "version", TOCSIN_VERSION };

	family(report, METRIC_GAUGE, info, "version", "What runs here.");
	if (!report->tell)
		metric_sample(report->out, info, &version, 1, 1);
	reloads(report);
	lane(report);
	neighbours(report);
	partitions(report);
	if (!engine && !report->tell)
		return;
	one(report, METRIC_GAUGE, "tocsin_watermark_seconds",
	    "The lane's watermark, seconds since 1970; 0: none yet.",
	    !engine || engine_watermark(engine) == INT64_MIN
		    ? 0
		    : (double)engine_watermark(engine) / 1e6);
	memory(report);
	streams(report);
	rules(report);
	tables(report);
}

void report_metrics(struct buf *out, const struct lane *of,
		    const struct report_reloads *reloads) {
	struct report report = { .out = out, .lane = of, .reloads = reloads };

	lane_view(of, &report.view);
	all(&report);
}

/* The same path, over no rules. */
void report_families(void (*tell)(void *context,
				  const struct report_family *family),
		     void *context) {
	static const struct ruleset no_rules;
	static const struct sink_counters nothing;
	static const struct report_reloads none;
	struct report report = { .view = { .rules = &no_rules,
					   .sink = &nothing },
				 .reloads = &none,
				 .tell = tell,
				 .context = context };

	all(&report);
}
