/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "bench.h"
#include "fifo.h"
#include "inversion.h"
#include "locks.h"
#include "opt.h"
#include "spinwork.h"
#include "table.h"

#define REFERENCE "pthread_pi"
#define MUTEX     "mtx"
/* A part of a run that is left to threads of the usual class. */
#define REST 10

/* What lends is to wait no longer than this many times the reference. */
#define GOAL 1.05

struct inversion_cmd {
	const char *ic_backends_text;
	const char *ic_chains_text;
	const char *ic_json;
	unsigned ic_repeats;
	uint64_t ic_hold_ns;
	uint64_t ic_hog_ns;
	bool ic_check;

	const struct pv_lock_ops **ic_backends; /* NULL: MUTEX */
	size_t ic_nbackends;
	unsigned ic_chains[INVERSION_CHAIN_MAX];
	size_t ic_nchains;
	int ic_hostcpu;
	FILE *ic_out;
	struct record *ic_record;
	struct env ic_env;
	double *ic_waits; /* [backend][chain][repeat], ns; NAN: none */
	unsigned ic_nvoid;
	unsigned ic_nmissed;
};

#define IC(field) offsetof(struct inversion_cmd, field)

static const struct opt inversion_opts[] = {
	{ "backends", "L[,L]...", OPT_STRING, IC(ic_backends_text), 0, 0,
	    "locks as in \"pmapsim locks\", but those that only spin, and\n"
	    "mtx, this library's mutex (default all); " REFERENCE " is\n"
	    "always there" },
	{ "chain", "N[,N]...", OPT_STRING, IC(ic_chains_text), 0, 0,
	    "locks between high and low, 1 to 8 (default 1,2,3)" },
	{ "hold", "S", OPT_SECONDS, IC(ic_hold_ns), 0, 0,
	    "what low does while it holds the lock (default 0.0015)" },
	{ "hog", "S", OPT_SECONDS, IC(ic_hog_ns), 0, 0,
	    "what medium does (default 0.06)" },
	OPT_REPEATS(IC(ic_repeats), 1, "9"),
	{ "check", NULL, OPT_FLAG, IC(ic_check), 0, 0,
	    "also say whether mtx, mtx8 and gen2 wait at most 1.05 times\n"
	    "as long as " REFERENCE "; status 1 if not" },
	OPT_JSON(IC(ic_json), "run", "table"),
	{ .o_name = NULL },
};

static const char *
name_of(const struct inversion_cmd *ic, size_t b)
{
	return (
	    ic->ic_backends[b] != NULL ? ic->ic_backends[b]->plo_name : MUTEX);
}

static double *
wait_at(const struct inversion_cmd *ic, size_t b, size_t c, unsigned r)
{
	return (&ic->ic_waits[(b * ic->ic_nchains + c) * ic->ic_repeats + r]);
}

static struct stats
stats_at(const struct inversion_cmd *ic, size_t b, size_t c)
{
	double *v = bench_calloc(ic->ic_repeats, sizeof(v[0]));
	struct stats s;
	size_t n = 0;

	for (unsigned r = 0; r < ic->ic_repeats; r++) {
		if (!isnan(*wait_at(ic, b, c, r)))
			v[n++] = *wait_at(ic, b, c, r) / 1e6;
	}
	s = stats_of(v, n);
	free(v);
	return (s);
}

static size_t
find(const struct inversion_cmd *ic, const char *name)
{
	size_t b;

	for (b = 0; b < ic->ic_nbackends; b++) {
		if (strcmp(name_of(ic, b), name) == 0)
			break;
	}
	return (b);
}

/* "mtx" out of a list of names; what is left, or NULL, is malloc()ed. */
static char *
without_mutex(const char *text, bool *hadp)
{
	char **list, *rest = NULL;
	size_t n, kept = 0;

	*hadp = false;
	/* A list that is wrong is said to be so by who reads the rest. */
	if (opt_list(text, &list, &n) != 0)
		return (bench_strdup(text));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], MUTEX) == 0)
			*hadp = true;
		else
			list[kept++] = list[i];
	}
	if (kept > 0)
		rest = bench_join(list, kept, ",");
	free(list);
	return (rest);
}

static int
read_backends(struct inversion_cmd *ic)
{
	const struct pv_lock_ops **list = NULL;
	bool all = ic->ic_backends_text == NULL, mutex = true;
	size_t n = 0;
	char *text = NULL;
	int error = 0;

	if (!all)
		text = without_mutex(ic->ic_backends_text, &mutex);
	if (all || text != NULL)
		error = locks_read_backends(text, &list, &n);
	free(text);
	if (error != 0)
		return (error);
	locks_add_backend(&list, &n, REFERENCE);
	ic->ic_backends = bench_calloc(n + 1, sizeof(list[0]));
	if (mutex)
		ic->ic_backends[ic->ic_nbackends++] = NULL;
	for (size_t i = 0; i < n; i++) {
		if ((list[i]->plo_flags & (PLO_SPIN | PLO_NOLOCK)) == 0) {
			ic->ic_backends[ic->ic_nbackends++] = list[i];
		} else if (!all) {
			warnx("--backends: \"%s\": expected a lock whose "
			      "waiters sleep",
			    list[i]->plo_name);
			error = EX_USAGE;
			break;
		}
	}
	free((void *)(uintptr_t)list);
	return (error);
}

static int
read_chains(struct inversion_cmd *ic)
{
	char **list;
	size_t n;
	uint64_t v;
	int error = 0;

	if (opt_list(ic->ic_chains_text, &list, &n) != 0 ||
	    n > INVERSION_CHAIN_MAX) {
		warnx("--chain: \"%s\": expected up to %d numbers between "
		      "commas",
		    ic->ic_chains_text, INVERSION_CHAIN_MAX);
		return (EX_USAGE);
	}
	for (size_t i = 0; i < n && error == 0; i++) {
		if (opt_number(list[i], 1, INVERSION_CHAIN_MAX, &v) != 0) {
			warnx("--chain: \"%s\": expected a number from 1 to %d",
			    list[i], INVERSION_CHAIN_MAX);
			error = EX_USAGE;
		} else {
			ic->ic_chains[ic->ic_nchains++] = (unsigned)v;
		}
	}
	free(list);
	return (error);
}

/* The last CPU in the order, away from where the program began. */
static int
choose_cpu(void)
{
	unsigned n = host_ncpus();
	int *cpus = bench_calloc(n, sizeof(cpus[0])), cpu = -1;
	size_t have = pin_order_cpus(PIN_SMT_LAST, cpus, n);

	if (have > 0)
		cpu = cpus[(have < n ? have : n) - 1];
	free(cpus);
	return (cpu);
}

static int
configure(struct inversion_cmd *ic)
{
	size_t n;
	int error;

	error = read_backends(ic);
	if (error == 0)
		error = read_chains(ic);
	if (error != 0)
		return (error);
	error = fifo_try();
	if (error != 0) {
		warnx("inversion: SCHED_FIFO is not permitted here, and "
		      "priorities need it: %s",
		    strerror(error));
		return (EX_UNAVAILABLE);
	}
	ic->ic_hostcpu = choose_cpu();
	if (ic->ic_hostcpu < 0) {
		warnx("inversion: the host does not say which CPU to use");
		return (EX_UNAVAILABLE);
	}
	n = ic->ic_nbackends * ic->ic_nchains * ic->ic_repeats;
	ic->ic_waits = bench_calloc(n, sizeof(ic->ic_waits[0]));
	for (size_t i = 0; i < n; i++)
		ic->ic_waits[i] = (double)NAN;
	return (record_open_option(ic->ic_json, &ic->ic_record, &ic->ic_out));
}

static void
record_header(const struct inversion_cmd *ic)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "type", "header", "program",
	    "pmapsim inversion", "reference", REFERENCE);

	record_set_u64(o, "hold_ns", ic->ic_hold_ns);
	record_set_u64(o, "hog_ns", ic->ic_hog_ns);
	record_set_u64(o, "repeats", ic->ic_repeats);
	record_set_u64(o, "hostcpu", (uint64_t)ic->ic_hostcpu);
	(void)json_object_update_new(o, record_env(&ic->ic_env));
	record_write(ic->ic_record, o);
}

static void
rest(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000) };

	(void)nanosleep(&ts, NULL);
}

static int
measure_one(struct inversion_cmd *ic, size_t b, size_t c, unsigned r)
{
	const struct inversion_config config = {
		.ic_ops = ic->ic_backends[b],
		.ic_chain = ic->ic_chains[c],
		.ic_hold_ns = ic->ic_hold_ns,
		.ic_hog_ns = ic->ic_hog_ns,
		.ic_hostcpu = ic->ic_hostcpu,
	};
	uint64_t wait_ns = 0;
	json_t *o;
	int error;

	error = inversion_run(&config, &wait_ns);
	if (error != 0 && error != ETIMEDOUT) {
		warnx("%s: %s", name_of(ic, b), strerror(error));
		return (error == ENOTSUP || error == EPERM
			? EX_UNAVAILABLE
			: bench_exit_status(error));
	}
	o = json_pack("{s:s, s:s, s:s, s:i, s:i}", "type", "inversion", "kind",
	    "real", "lock", name_of(ic, b), "chain", (int)config.ic_chain,
	    "repeat", (int)r);
	if (error == 0) {
		*wait_at(ic, b, c, r) = (double)wait_ns;
		record_set_u64(o, "wait_ns", wait_ns);
		(void)json_object_set_new(o, "void", json_null());
	} else {
		ic->ic_nvoid++;
		(void)json_object_set_new(o, "wait_ns", json_null());
		record_set_string(o, "void", "high did not get the lock");
		(void)fprintf(ic->ic_out,
		    "VOID: %s, chain of %u, repeat %u: high did not get the "
		    "lock\n",
		    name_of(ic, b), config.ic_chain, r + 1);
	}
	record_write(ic->ic_record, o);
	/* The host may take the CPU from a class that has all of it. */
	rest((ic->ic_hog_ns + ic->ic_hold_ns) / REST);
	return (0);
}

static int
measure(struct inversion_cmd *ic)
{
	struct progress pr;
	char what[80];
	int error = 0;

	progress_begin(&pr, ic->ic_repeats * ic->ic_nchains * ic->ic_nbackends);
	progress_stage(&pr, "priority inversion");
	for (unsigned r = 0; r < ic->ic_repeats; r++) {
		for (size_t c = 0; c < ic->ic_nchains; c++) {
			for (size_t i = 0; i < ic->ic_nbackends; i++) {
				size_t b = (i + r) % ic->ic_nbackends;

				if (bench_stopped() || error != 0)
					break;
				(void)snprintf(what, sizeof(what),
				    "%s, chain of %u", name_of(ic, b),
				    ic->ic_chains[c]);
				progress_step(&pr, what);
				error = measure_one(ic, b, c, r);
				progress_done(&pr, 1);
			}
		}
	}
	progress_end(&pr);
	return (error);
}

static void
print_head(const struct inversion_cmd *ic)
{
	env_print_build(&ic->ic_env, ic->ic_out);
	env_print_host(&ic->ic_env, ic->ic_out);
	(void)fprintf(ic->ic_out,
	    "runs     %u of each, interleaved, all threads on CPU %d; low "
	    "holds %g ms, medium works %g ms\n\n",
	    ic->ic_repeats, ic->ic_hostcpu, (double)ic->ic_hold_ns / 1e6,
	    (double)ic->ic_hog_ns / 1e6);
	(void)fflush(ic->ic_out);
}

static void
print_table(const struct inversion_cmd *ic)
{
	char align[1 + 3 * INVERSION_CHAIN_MAX + 1] = "l";
	char buf[TABLE_NUMBER_MAX], range[TABLE_RANGE_MAX];
	size_t ref = find(ic, REFERENCE);
	struct table *t;

	for (size_t c = 0; c < ic->ic_nchains; c++)
		memcpy(&align[1 + 3 * c], "rrr", 4);
	t = table_create(align);
	table_cell(t, "\nlock");
	for (size_t c = 0; c < ic->ic_nchains; c++) {
		if (ic->ic_chains[c] == 1)
			table_cell(t, "1 lock\nms");
		else
			table_cell(t, "chain %u\nms", ic->ic_chains[c]);
		table_cell(t, "\nrange");
		table_cell(t, "\nx");
	}
	table_rule(t);
	for (size_t b = 0; b < ic->ic_nbackends; b++) {
		table_cell(t, "%s", name_of(ic, b));
		for (size_t c = 0; c < ic->ic_nchains; c++) {
			struct stats s = stats_at(ic, b, c);
			double x = stats_ratio(
			    s.s_median, stats_at(ic, ref, c).s_median);

			table_cell(t, "%s",
			    table_number(buf, s.s_n > 0 ? s.s_median : -1));
			table_cell(t, "%s",
			    s.s_n > 0 ? table_range(range, s.s_min, s.s_max)
				      : "-");
			if (x > 0)
				table_cell(t, "%.2f", x);
			else
				table_cell(t, "-");
		}
	}
	(void)fprintf(ic->ic_out,
	    "How long high waits; x: %s = 1, less is better\n\n", REFERENCE);
	table_print(t, ic->ic_out);
	table_destroy(t);
}

static void
print_goals(struct inversion_cmd *ic)
{
	static const char *const names[] = { MUTEX, "mtx8", "gen2" };
	size_t ref = find(ic, REFERENCE), b;

	(void)fprintf(ic->ic_out, "\nGoals\n\n");
	for (size_t i = 0; i < nitems(names); i++) {
		b = find(ic, names[i]);
		for (size_t c = 0; b < ic->ic_nbackends && c < ic->ic_nchains;
		     c++) {
			double x = stats_ratio(stats_at(ic, b, c).s_median,
			    stats_at(ic, ref, c).s_median);
			bool holds = x > 0 && x <= GOAL;

			(void)fprintf(ic->ic_out,
			    "%-6s %s, %u lock%s: %.2f (at most %.2f)\n",
			    holds ? "holds" : "MISSED", names[i],
			    ic->ic_chains[c], ic->ic_chains[c] == 1 ? "" : "s",
			    x, GOAL);
			ic->ic_nmissed += !holds;
		}
	}
}

static int
inversion(struct inversion_cmd *ic)
{
	int error;

	env_get(&ic->ic_env);
	spinwork_calibrate();
	record_header(ic);
	if (record_failed(ic->ic_record))
		return (EX_IOERR);
	print_head(ic);
	error = measure(ic);
	if (error == 0) {
		print_table(ic);
		if (ic->ic_check)
			print_goals(ic);
		if (bench_stopped()) {
			(void)fprintf(ic->ic_out,
			    "INTERRUPTED: medians are of fewer runs than "
			    "planned\n");
			error = EX_INTERRUPTED;
		}
	}
	if (error == 0 && ic->ic_nvoid + ic->ic_nmissed > 0)
		error = EX_VOID;
	record_write(ic->ic_record,
	    json_pack("{s:s, s:i, s:i, s:i}", "type", "end", "status", error,
		"void", (int)ic->ic_nvoid, "missed", (int)ic->ic_nmissed));
	return (error);
}

static int
inversion_main(int argc, char *argv[])
{
	struct inversion_cmd ic;
	int error, status;

	memset(&ic, 0, sizeof(ic));
	ic.ic_chains_text = "1,2,3";
	ic.ic_repeats = 9;
	ic.ic_hold_ns = 1500000;
	ic.ic_hog_ns = 60000000;
	error = opt_parse_only(inversion_opts, argc, argv, &ic);
	if (error != 0)
		return (error);
	status = configure(&ic);
	if (status == 0) {
		bench_catch_signals();
		status = inversion(&ic);
	}
	error = record_close(ic.ic_record);
	free((void *)(uintptr_t)ic.ic_backends);
	free(ic.ic_waits);
	return (status != 0 ? status : error);
}

const struct command cmd_inversion = {
	.c_name = "inversion",
	.c_args = "[OPTION]...",
	.c_brief = "how long a lock lets high priority wait for low",
	.c_opts = inversion_opts,
	.c_run = inversion_main,
	.c_descr =
	    "Three threads on one CPU, of SCHED_FIFO: low holds a lock, medium "
	    "wants the CPU for\nlong, high wants the lock.  A lock that lends "
	    "high's priority to low lets high wait\nfor what low has to do; "
	    "under any other, high waits for medium too.  With chains,\nhigh "
	    "waits for a holder that waits for a holder.  A pv list lock is the "
	    "last of a\nchain, below mutexes (mtx); locks of others are all of "
	    "theirs.\n\nSCHED_FIFO needs a privilege (CAP_SYS_NICE, or a limit "
	    "RLIMIT_RTPRIO of 40).\nWithout it the exit status is 69.\n",
	.c_examples =
	    "  pmapsim inversion\n"
	    "      all locks that sleep, one lock and chains of two and three\n"
	    "  pmapsim inversion --backends gen2,mtx8 --check\n"
	    "      as short as the host's own inheritance?\n",
};
