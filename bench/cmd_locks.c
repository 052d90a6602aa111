/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "fifo.h"
#include "locks.h"
#include "locks_cpus.h"
#include "opt.h"
#include "peers/peers.h"
#include "spinwork.h"
#include "thread.h"

#define LK(field) offsetof(struct locks, field)

static const struct opt locks_opts[] = {
	{ "preset", "bars", OPT_STRING, LK(lk_preset_text), 0, 0,
	    "the loads of this project's bars, on two CPUs, and whether\n"
	    "they are met (status 1 if not); sets all but --backends,\n"
	    "--repeats, --seconds and --json" },
	{ "backends", "L[,L]...", OPT_STRING, LK(lk_backends_text), 0, 0,
	    "locks, see \"pmapsim list locks\", and those of nsync, absl\n"
	    "and tbb where they were found (default all); " LOCKS_BASELINE
	    "\nand none are always there" },
	{ "threads", "N[,N]...", OPT_STRING, LK(lk_threads_text), 0, 0,
	    "threads, 1 to 1024; several: a table for each\n"
	    "(default 2, and twice as many as there are CPUs)" },
	{ "pin", "ORDER[,ORDER]...", OPT_STRING, LK(lk_pin_text), 0, 0,
	    "compact, scatter, core, smt-last or none (default smt-last,\n"
	    "and none for more threads than CPUs)" },
	{ "cpus", "N", OPT_UNSIGNED, LK(lk_cpus), 1, 1024,
	    "use so many of the host's CPUs, one a core while they last\n"
	    "(default: all that the process may use)" },
	{ "locks", "N", OPT_UNSIGNED, LK(lk_nlocks), 1, LOCKS_MAX,
	    "locks, 1 to 4194304 (default 1)" },
	{ "pick", "fixed|random", OPT_STRING, LK(lk_pick_text), 0, 0,
	    "each thread its own one, or any at each operation\n"
	    "(default random)" },
	{ "spacing", "packed|line", OPT_STRING, LK(lk_spacing_text), 0, 0,
	    "headers beside each other, or each on cache lines of its\n"
	    "own (default packed)" },
	{ "inside", "W[,W]...", OPT_STRING, LK(lk_inside_text), 0, 0,
	    "short (4 shared increments, 0-96 ns outside), medium (600 ns,\n"
	    "0-1200 ns outside), or nanoseconds, twice that outside;\n"
	    "several: a table for each (default short)" },
	{ "outside", "NS|NS-NS", OPT_STRING, LK(lk_outside_text), 0, 0,
	    "nanoseconds of work between two holds, at random from the\n"
	    "range (default as --inside says)" },
	{ "readers", "PCT", OPT_UNSIGNED, LK(lk_readers), 0, 100,
	    "holds that only read, shared where the lock can (default 0)" },
	{ "priority", "none|sim|fifo", OPT_STRING, LK(lk_priority_text), 0, 0,
	    "four priorities in turn, the most urgent first: the model's,\n"
	    "or SCHED_FIFO's, which needs a privilege and leaves out locks\n"
	    "that only spin (default none)" },
	{ "ops", "N", OPT_U64, LK(lk_ops), 1, UINT64_C(1) << 40,
	    "each thread does so many, however long it takes: who ends\n"
	    "late was treated badly" },
	{ "seconds", "S", OPT_SECONDS, LK(lk_window_ns), 0, 0,
	    "measured time of a run (default 0.03)" },
	OPT_REPEATS(LK(lk_repeats), 5, "5"),
	OPT_JSON(LK(lk_json), "run", "tables"),
	{ .o_name = NULL },
};

static int
take_cpus(unsigned n)
{
	int error = locks_cpus_take(n);

	if (error == 0)
		return (0);
	if (error == ENODEV)
		warnx("--cpus: %u are more than this process may use", n);
	else
		warnx("--cpus: %s", strerror(error));
	return (EX_UNAVAILABLE);
}

static int
try_fifo(void)
{
	int error = fifo_try();

	if (error == 0)
		return (0);
	warnx("--priority: SCHED_FIFO is not permitted here: %s",
	    strerror(error));
	return (EX_UNAVAILABLE);
}

/*
 * In a real-time class nothing takes a CPU from a thread that spins: neither the
 * holder that it waits for, nor the thread that is to end the run.
 */
static int
try_policy(const struct locks_load *ll)
{
	if (ll->ll_threads < host_ncpus() || !fifo_inherited())
		return (0);
	warnx("--threads: %u on %u CPUs might never end in the real-time class "
	      "that pmapsim was started in: expected fewer threads than CPUs",
	    ll->ll_threads, host_ncpus());
	return (EX_USAGE);
}

static int
configure(struct locks *lk)
{
	static const char *const presets[] = { "bars" };
	const char *backends = lk->lk_backends_text;
	unsigned i;
	int error;

	lk->lk_bars = lk->lk_preset_text != NULL;
	error = locks_read_word("preset", lk->lk_preset_text, presets, 1, &i);
	if (error == 0 && lk->lk_bars && backends == NULL)
		backends = locks_bars_backends;
	if (error == 0)
		error = locks_read_backends(
		    backends, &lk->lk_backends, &lk->lk_nbackends);
	if (error != 0)
		return (error);
	if (lk->lk_bars && lk->lk_backends_text == NULL) {
		for (const struct pv_lock_ops *const *p = peers_list();
		     *p != NULL; p++)
			locks_add_backend(&lk->lk_backends, &lk->lk_nbackends,
			    (*p)->plo_name);
	}
	locks_add_backend(&lk->lk_backends, &lk->lk_nbackends, LOCKS_BASELINE);
	locks_add_backend(&lk->lk_backends, &lk->lk_nbackends, "none");

	if (lk->lk_bars)
		lk->lk_cpus = 2;
	if (lk->lk_cpus > 0)
		error = take_cpus(lk->lk_cpus);
	if (error == 0 && lk->lk_bars)
		locks_bars_series(lk);
	else if (error == 0)
		error = locks_read_series(lk);
	for (size_t s = 0; s < lk->lk_nseries && error == 0; s++) {
		if (lk->lk_series[s].ll_window_ns == 0 || lk->lk_window_ns != 0)
			lk->lk_series[s].ll_window_ns =
			    lk->lk_window_ns != 0 ? lk->lk_window_ns : 30000000;
		error = try_policy(&lk->lk_series[s]);
		if (error == 0 &&
		    lk->lk_series[s].ll_priority == LOCKS_PRI_FIFO)
			error = try_fifo();
	}
	if (error != 0)
		return (error);
	lk->lk_samples =
	    bench_calloc(lk->lk_nseries * lk->lk_nbackends * lk->lk_repeats,
		sizeof(lk->lk_samples[0]));
	return (record_open_option(lk->lk_json, &lk->lk_record, &lk->lk_out));
}

static int
measure_one(struct locks *lk, size_t series, size_t b, unsigned repeat)
{
	struct locks_sample *lsa = locks_at(lk, series, b, repeat);
	const struct pv_lock_ops *ops = lk->lk_backends[b];
	int error;

	error = locks_run(&lk->lk_series[series], ops, lsa);
	if (error == EINTR)
		return (0);
	if (error != 0) {
		warnx("%s: %s", ops->plo_name, strerror(error));
		return (bench_exit_status(error));
	}
	lk->lk_nvoid += lsa->lsa_void[0] != '\0';
	locks_record_run(lk, series, b, repeat);
	return (0);
}

static int
measure(struct locks *lk)
{
	struct progress pr;
	char what[300], title[240];
	int error = 0;

	progress_begin(&pr, lk->lk_repeats * lk->lk_nseries * lk->lk_nbackends);
	(void)snprintf(what, sizeof(what), "%zu locks, %zu loads, %u repeats",
	    lk->lk_nbackends, lk->lk_nseries, lk->lk_repeats);
	progress_stage(&pr, what);
	for (unsigned r = 0; r < lk->lk_repeats; r++) {
		for (size_t s = 0; s < lk->lk_nseries; s++) {
			const struct locks_load *ll = &lk->lk_series[s];

			locks_load_title(ll, title, sizeof(title));
			for (size_t i = 0; i < lk->lk_nbackends; i++) {
				size_t b = (i + r) % lk->lk_nbackends;

				if (bench_stopped() || error != 0)
					break;
				(void)snprintf(what, sizeof(what), "%s, %s",
				    lk->lk_backends[b]->plo_name, title);
				progress_step(&pr, what);
				if (locks_applies(ll, lk->lk_backends[b]))
					error = measure_one(lk, s, b, r);
				progress_done(&pr, 1);
			}
		}
	}
	progress_end(&pr);
	lk->lk_interrupted = bench_stopped();
	return (error);
}

/*
 * A second thread that does nothing: the C library leaves out atomic operations
 * in a process that has one, and what is measured must not depend on how many
 * there happen to be.
 */
struct idle {
	struct bench_thread i_thread;
	pthread_mutex_t i_mutex;
};

static void
idle_main(void *arg)
{
	struct idle *i = arg;

	(void)pthread_mutex_lock(&i->i_mutex);
	(void)pthread_mutex_unlock(&i->i_mutex);
}

static int
locks(struct locks *lk)
{
	struct idle idle = { .i_mutex = PTHREAD_MUTEX_INITIALIZER };
	int error;

	(void)pthread_mutex_lock(&idle.i_mutex);
	error = bench_thread_start(&idle.i_thread, -1, idle_main, &idle);
	if (error != 0) {
		warnx("cannot start a thread: %s", strerror(error));
		return (EX_UNAVAILABLE);
	}
	env_get(&lk->lk_env);
	spinwork_calibrate();
	locks_record_header(lk);
	if (record_failed(lk->lk_record))
		error = EX_IOERR;
	if (error == 0) {
		locks_print_header(lk);
		(void)fflush(lk->lk_out);
		error = measure(lk);
	}
	if (error == 0) {
		for (size_t s = 0; s < lk->lk_nseries; s++)
			locks_print_series(lk, s);
		if (lk->lk_bars)
			locks_print_bars(lk);
		locks_print_voids(lk);
	}
	(void)pthread_mutex_unlock(&idle.i_mutex);
	bench_thread_join(&idle.i_thread);
	if (error == 0 && lk->lk_interrupted)
		error = EX_INTERRUPTED;
	if (error == 0 && lk->lk_nvoid + lk->lk_nmissed > 0)
		error = EX_VOID;
	record_write(lk->lk_record,
	    json_pack("{s:s, s:i, s:i, s:i, s:b}", "type", "end", "status",
		error, "void", (int)lk->lk_nvoid, "missed", (int)lk->lk_nmissed,
		"interrupted", (int)lk->lk_interrupted));
	return (error);
}

static void
locks_free(struct locks *lk)
{
	size_t n = lk->lk_nseries * lk->lk_nbackends * lk->lk_repeats;

	for (size_t i = 0; lk->lk_samples != NULL && i < n; i++)
		locks_sample_free(&lk->lk_samples[i]);
	free(lk->lk_samples);
	free(lk->lk_series);
	free(lk->lk_insides);
	free((void *)(uintptr_t)lk->lk_backends);
}

static int
locks_main(int argc, char *argv[])
{
	struct locks lk;
	int error, status;

	memset(&lk, 0, sizeof(lk));
	lk.lk_nlocks = 1;
	lk.lk_repeats = 5;
	error = opt_parse_only(locks_opts, argc, argv, &lk);
	if (error != 0)
		return (error);
	status = configure(&lk);
	if (status == 0) {
		bench_catch_signals();
		status = locks(&lk);
	}
	error = record_close(lk.lk_record);
	locks_free(&lk);
	return (status != 0 ? status : error);
}

const struct command cmd_locks = {
	.c_name = "locks",
	.c_args = "[OPTION]...",
	.c_brief = "locks of pv lists and of other libraries, side by side",
	.c_opts = locks_opts,
	.c_run = locks_main,
	.c_descr =
	    "Runs threads that take a lock, work, drop it and work, under each "
	    "lock in turn,\nand prints what a pair costs without contention; "
	    "throughput, how evenly the\nthreads shared it, how often they "
	    "slept; and the times of single acquisitions.\n\n"
	    "Each lock lies in a header as in the pmap, and each exclusive hold "
	    "bumps the\ngeneration.  Only what is done while all threads run "
	    "counts.  " LOCKS_BASELINE " is in\nevery run, and \"none\", which "
	    "is no lock, prices the rest with one thread.  A run\nin which "
	    "updates of what the lock guards were lost is void (named, exit "
	    "status 1).\nSIGINT ends the measurement and prints what there "
	    "is; the exit status is then 130.\n",
	.c_examples =
	    "  pmapsim locks\n"
	    "      all locks, two threads and more threads than CPUs\n"
	    "  pmapsim locks --preset bars\n"
	    "      does this library's lock reach what it is meant to?\n"
	    "  pmapsim locks --threads 1,2,4,8 --inside short,medium,5000 "
	    "--cpus 2\n"
	    "      from one thread to four for each CPU\n"
	    "  pmapsim locks --threads 1 --locks 1048576 --inside 0 "
	    "--backends gen2,mtx8\n"
	    "      a random header of 2 TB of memory\n"
	    "  pmapsim locks --threads 8 --ops 20000 --json runs.jsonl\n"
	    "      the same work for each thread: who is last?\n",
};
