/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <err.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"

struct record {
	FILE *r_file;
	const char *r_path;
	bool r_failed;
};

int
record_open(const char *path, struct record **rp)
{
	bool is_stdout = strcmp(path, "-") == 0;
	struct record *r;
	FILE *f = is_stdout ? stdout : fopen(path, "w");

	if (f == NULL) {
		warnx("%s: %s", path, strerror(errno));
		return (EX_CANTCREAT);
	}
	r = bench_calloc(1, sizeof(*r));
	r->r_file = f;
	r->r_path = is_stdout ? "(stdout)" : path;
	*rp = r;
	return (0);
}

int
record_open_option(const char *json, struct record **rp, FILE **outp)
{
	*outp = json != NULL && strcmp(json, "-") == 0 ? stderr : stdout;
	return (json != NULL ? record_open(json, rp) : 0);
}

void
record_write(struct record *r, json_t *object)
{
	if (r == NULL) {
		json_decref(object);
		return;
	}
	/* Insertion order, so that a line starts with its type. */
	if (json_dumpf(object, r->r_file,
		JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0 ||
	    fputc('\n', r->r_file) == EOF || fflush(r->r_file) != 0) {
		if (!r->r_failed)
			warnx("%s: a record could not be written", r->r_path);
		r->r_failed = true;
	}
	json_decref(object);
}

bool
record_failed(const struct record *r)
{
	return (r != NULL && r->r_failed);
}

int
record_close(struct record *r)
{
	bool failed;

	if (r == NULL)
		return (0);
	failed = r->r_failed;
	if (r->r_file != stdout && fclose(r->r_file) != 0 && !failed) {
		warnx("%s: a record could not be written", r->r_path);
		failed = true;
	}
	free(r);
	return (failed ? EX_IOERR : 0);
}

void
record_set_real(json_t *object, const char *key, double v)
{
	(void)json_object_set_new(
	    object, key, isfinite(v) ? json_real(v) : json_null());
}

void
record_set_u64(json_t *object, const char *key, uint64_t v)
{
	(void)json_object_set_new(object, key, json_integer((json_int_t)v));
}

void
record_set_string(json_t *object, const char *key, const char *v)
{
	json_t *s = json_string(v);

	/* Bytes that are no UTF-8, in a name that we were given. */
	(void)json_object_set_new(object, key, s != NULL ? s : json_null());
}

static void
set_bool(json_t *object, const char *key, bool v)
{
	(void)json_object_set_new(object, key, json_boolean(v));
}

json_t *
record_env(const struct env *e)
{
	json_t *o = json_object(), *cpus = json_array();

	record_set_string(o, "version", e->e_version);
	record_set_string(o, "commit", e->e_commit);
	record_set_string(o, "cc", e->e_compiler);
	record_set_string(o, "cflags", e->e_cflags);
	set_bool(o, "invariants", e->e_invariants);
	record_set_string(o, "cpu", e->e_host.hi_cpu_model);
	record_set_string(o, "kernel", e->e_host.hi_kernel);
	record_set_string(o, "governor", e->e_host.hi_governor);
	record_set_u64(o, "packages", e->e_host.hi_packages);
	record_set_u64(o, "cores", e->e_host.hi_cores);
	record_set_u64(o, "cpus", e->e_host.hi_cpus);
	record_set_u64(o, "cpus_allowed", e->e_cpus);
	record_set_u64(o, "numa_nodes", e->e_host.hi_numa_nodes);
	set_bool(o, "loans", e->e_no_loans == NULL);
	record_set_real(o, "load", e->e_load);
	record_set_real(o, "pingpong_ns", e->e_pingpong_ns);
	for (unsigned i = 0; i < 2; i++)
		(void)json_array_append_new(
		    cpus, json_integer(e->e_pingpong_cpu[i]));
	(void)json_object_set_new(o, "pingpong_cpus", cpus);
	return (o);
}

json_t *
record_memmap(const struct memmap *mm)
{
	json_t *o = json_object();

	record_set_string(o, "name", mm->mm_name);
	record_set_string(o, "title", mm->mm_title);
	record_set_u64(o, "usable_bytes", memmap_usable_bytes(mm, -1));
	record_set_u64(o, "domains", (uint64_t)mm->mm_ndomains);
	return (o);
}

json_t *
record_params(const struct workload_params *wp)
{
	json_t *o = json_object();

#define RECORD_PARAM(field, option, arg, min, max, help)                       \
	record_set_u64(o, &#field[3], wp->field);
	RECORD_PARAMS(RECORD_PARAM)
#undef RECORD_PARAM
	return (o);
}

json_t *
record_headers(const struct pv_header_report *phr, uint64_t allocated_bytes)
{
	json_t *o = json_object();

	record_set_u64(o, "header_bytes", phr->phr_header_bytes);
	record_set_u64(o, "headers", phr->phr_headers);
	record_set_u64(o, "superpages", phr->phr_superpages);
	record_set_u64(o, "total_bytes", phr->phr_total_bytes);
	record_set_u64(o, "allocated_bytes", allocated_bytes);
	record_set_u64(o, "reserved_bytes", phr->phr_reserved_bytes);
	return (o);
}

static json_t *
record_threads(const struct workload_result *wr)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < wr->wr_nthreads; i++) {
		const struct workload_thread *wt = &wr->wr_threads[i];
		json_t *o = json_object();

		record_set_u64(o, "rounds", wt->wt_rounds);
		record_set_u64(o, "enters", wt->wt_enters);
		record_set_u64(o, "removes", wt->wt_removes);
		record_set_u64(o, "pageops", wt->wt_pageops);
		record_set_u64(o, "elapsed_ns", wt->wt_elapsed_ns);
		(void)json_array_append_new(a, o);
	}
	return (a);
}

static json_t *
record_locks(const struct workload_result *wr)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < wr->wr_nlocks; i++) {
		const struct workload_lock *wl = &wr->wr_locks[i];
		json_t *o = json_object();

		record_set_string(o, "name", wl->wl_name);
		record_set_u64(o, "wait_ns", wl->wl_wait_ns);
		record_set_u64(o, "wait_max_ns", wl->wl_wait_max_ns);
		record_set_u64(o, "hold_ns", wl->wl_hold_ns);
		record_set_u64(o, "hold_max_ns", wl->wl_hold_max_ns);
		record_set_u64(o, "count", wl->wl_count);
		record_set_u64(o, "contested", wl->wl_contested);
		record_set_u64(o, "wait_p50_ns", wl->wl_wait_p50_ns);
		record_set_u64(o, "wait_p99_ns", wl->wl_wait_p99_ns);
		record_set_u64(o, "wait_p999_ns", wl->wl_wait_p999_ns);
		(void)json_array_append_new(a, o);
	}
	return (a);
}

static json_t *
record_sites(const struct workload_result *wr)
{
	json_t *a = json_array();

	for (size_t i = 0; i < wr->wr_nsites; i++) {
		const struct workload_site *ws = &wr->wr_sites[i];
		json_t *o = json_object();

		record_set_string(o, "name", ws->ws_name);
		record_set_u64(o, "hold_max_ns", ws->ws_hold_max_ns);
		record_set_u64(o, "wait_max_ns", ws->ws_wait_max_ns);
		record_set_u64(o, "hold_ns", ws->ws_hold_ns);
		record_set_u64(o, "wait_ns", ws->ws_wait_ns);
		record_set_u64(o, "count", ws->ws_count);
		record_set_u64(o, "contested", ws->ws_contested);
		(void)json_array_append_new(a, o);
	}
	return (a);
}

json_t *
record_run(const struct workload_result *wr)
{
	json_t *o = json_object();

	if (wr->wr_void[0] != '\0')
		record_set_string(o, "void", wr->wr_void);
	else
		(void)json_object_set_new(o, "void", json_null());
	set_bool(o, "stopped", wr->wr_stopped);
	(void)json_object_set_new(o, "params", record_params(&wr->wr_params));
	record_set_u64(o, "elapsed_ns", wr->wr_elapsed_ns);
	record_set_u64(o, "ops", wr->wr_ops);
	record_set_real(o, "ops_per_s",
	    wr->wr_elapsed_ns == 0
		? 0
		: (double)wr->wr_ops * 1e9 / (double)wr->wr_elapsed_ns);
	record_set_real(o, "jain", wr->wr_jain);
	record_set_u64(o, "violations", wr->wr_violations);
	record_set_u64(o, "pv_locks", wr->wr_pv_locks);
	record_set_u64(o, "pv_restarts", wr->wr_pv_restarts);
	record_set_u64(o, "pde_promotions", wr->wr_pde_promotions);
	record_set_u64(o, "pde_mappings", wr->wr_pde_mappings);
	record_set_u64(o, "pde_demotions", wr->wr_pde_demotions);
	record_set_u64(o, "pde_destroyed", wr->wr_pde_destroyed);
	record_set_u64(o, "unbound", wr->wr_unbound);
	record_set_u64(o, "profile_rejected", wr->wr_rejected);
	record_set_u64(o, "pv_instances", wr->wr_pv_instances);
	record_set_u64(o, "pv_worst_wait_ns", wr->wr_pv_worst_wait_ns);
	(void)json_object_set_new(o, "per_thread", record_threads(wr));
	(void)json_object_set_new(o, "locks", record_locks(wr));
	(void)json_object_set_new(o, "sites", record_sites(wr));
	return (o);
}

json_t *
record_micro(const struct micro_config *mc, const char *design, unsigned column,
    unsigned repeat, const struct micro_sample *ms)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "type", "micro",
	    "kind", "real", "design", design, "column", (int)column, "repeat",
	    (int)repeat, "pages", (int)mc->mc_pages);

	for (unsigned i = 0; i < NMICRO_OPS; i++)
		record_set_real(o, micro_keys[i], ms->ms_ns[i]);
	return (o);
}

json_t *
record_hostvm(const struct hostvm *hv)
{
	json_t *o = json_object();

#define RECORD_HOSTVM(field, key, text)                                        \
	{                                                                      \
		json_t *s = json_object();                                     \
		record_set_real(s, "median", hv->field.s_median);              \
		record_set_real(s, "min", hv->field.s_min);                    \
		record_set_real(s, "max", hv->field.s_max);                    \
		(void)json_object_set_new(o, key, s);                          \
	}
	HOSTVM_LIST(RECORD_HOSTVM)
#undef RECORD_HOSTVM
	return (o);
}
