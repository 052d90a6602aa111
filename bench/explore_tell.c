/* SPDX-License-Identifier: BSD-2-Clause */
/* The table at the end, and records. */
#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

#include "explore.h"
#include "pmapsim/build.h"
#include "record.h"
#include "table.h"

struct explore_teller {
	const struct explore_options *te_options;
	struct table *te_table;
	struct record *te_record;
	FILE *te_out;
	uint64_t te_runs;
	unsigned te_targets;
	unsigned te_failed;
};

int
explore_teller_create(
    const struct explore_options *eo, struct explore_teller **etp)
{
	static const char *const heads[] = { "scenario", "design", "runs",
		"runs/s", "distinct", "events/run", "points/run", "places",
		"result" };
	struct explore_teller *te = bench_calloc(1, sizeof(*te));
	json_t *o;
	int error;

	te->te_options = eo;
	error = record_open_option(eo->eo_json, &te->te_record, &te->te_out);
	if (error != 0) {
		free(te);
		return (error);
	}
	te->te_table = table_create("llrrrrrrl");
	for (size_t i = 0; i < nitems(heads); i++)
		table_cell(te->te_table, "%s", heads[i]);
	table_rule(te->te_table);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "header", "program",
	    "pmapsim explore", "version", pmapsim_version(), "commit",
	    pmapsim_commit(), "strategy", eo->eo_strategy_text);
	record_set_u64(o, "seed", eo->eo_seed);
	record_write(te->te_record, o);
	*etp = te;
	return (0);
}

static const char *
result_text(const struct explore_stats *st, const struct ex_result *er,
    char *buf, size_t size)
{
	if (er->er_failure != EX_PASSED)
		return (ex_failure_name(er->er_failure));
	if (st->st_complete)
		(void)snprintf(buf, size, "complete, %u preemption%s",
		    st->st_bound, st->st_bound == 1 ? "" : "s");
	else
		(void)snprintf(buf, size, "passed");
	return (buf);
}

static void
tell_record(struct explore_teller *te, const struct explore_target *et,
    const struct explore_stats *st, const struct ex_result *er)
{
	json_t *o;

	if (te->te_record == NULL)
		return;
	o = json_pack("{s:s, s:s, s:s, s:s}", "type", "explore", "scenario",
	    et->et_xs->xs_name, "design", et->et_design, "strategy",
	    te->te_options->eo_strategy_text);
	record_set_string(o, "result", ex_failure_name(er->er_failure));
	record_set_u64(o, "runs", st->st_runs);
	record_set_u64(o, "distinct", st->st_distinct);
	record_set_u64(o, "events", st->st_steps);
	record_set_u64(o, "points", st->st_points);
	record_set_u64(o, "preemptions", st->st_preemptions);
	record_set_u64(o, "places", st->st_nshared);
	record_set_u64(o, "elapsed_ns", st->st_elapsed_ns);
	(void)json_object_set_new(o, "complete", json_boolean(st->st_complete));
	if (te->te_options->eo_strategy.es_kind == EX_BOUNDED)
		record_set_u64(o, "bound", st->st_bound);
	if (er->er_failure != EX_PASSED) {
		struct explore_plan plan;
		char *text;

		explore_plan_of(er, &plan);
		text = explore_plan_text(&plan);
		record_set_u64(o, "found_seed", er->er_seed);
		record_set_string(o, "text", er->er_text);
		record_set_string(o, "plan", text);
		free(text);
		explore_plan_free(&plan);
	}
	record_write(te->te_record, o);
}

void
explore_tell(struct explore_teller *te, const struct explore_target *et,
    const struct explore_stats *st, const struct ex_result *er)
{
	double s = (double)st->st_elapsed_ns / 1e9;
	double n = st->st_runs > 0 ? (double)st->st_runs : 1;
	char a[TABLE_NUMBER_MAX], b[TABLE_NUMBER_MAX], c[TABLE_NUMBER_MAX];
	char text[64];

	te->te_targets++;
	te->te_runs += st->st_runs;
	if (er->er_failure != EX_PASSED)
		te->te_failed++;
	table_cell(te->te_table, "%s", et->et_xs->xs_name);
	table_cell(te->te_table, "%s", et->et_design);
	table_cell(te->te_table, "%s", table_integer(a, st->st_runs));
	table_cell(te->te_table, "%s",
	    table_integer(b, s > 0 ? (uint64_t)((double)st->st_runs / s) : 0));
	table_cell(te->te_table, "%s%s", st->st_distinct_more ? ">= " : "",
	    table_integer(c, st->st_distinct));
	table_cell(te->te_table, "%.0f", (double)st->st_steps / n);
	table_cell(te->te_table, "%.0f", (double)st->st_points / n);
	table_cell(te->te_table, "%" PRIu32, st->st_nshared);
	table_cell(te->te_table, "%s", result_text(st, er, text, sizeof(text)));
	tell_record(te, et, st, er);
}

int
explore_teller_close(struct explore_teller *te, int status)
{
	char buf[TABLE_NUMBER_MAX];
	int error;

	if (te->te_targets > 0)
		table_print(te->te_table, te->te_out);
	(void)fprintf(te->te_out, "\n%s runs of %u scenario%s and designs, ",
	    table_integer(buf, te->te_runs), te->te_targets,
	    te->te_targets == 1 ? "" : "s");
	if (te->te_failed == 0)
		(void)fprintf(te->te_out, "nothing found\n");
	else
		(void)fprintf(te->te_out, "%u failed\n", te->te_failed);
	record_write(te->te_record,
	    json_pack("{s:s, s:i, s:i}", "type", "end", "status", status,
		"failed", (int)te->te_failed));
	table_destroy(te->te_table);
	error = record_close(te->te_record);
	free(te);
	return (error);
}
