/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"
#include "locks.h"
#include "pmap/pv_table.h"

void
locks_record_header(const struct locks *lk)
{
	json_t *o, *backends = json_array();

	o = json_pack("{s:s, s:s, s:s}", "type", "header", "program",
	    "pmapsim locks", "baseline", LOCKS_BASELINE);
	for (size_t i = 0; i < lk->lk_nbackends; i++)
		(void)json_array_append_new(
		    backends, json_string(lk->lk_backends[i]->plo_name));
	(void)json_object_set_new(o, "locks", backends);
	record_set_u64(o, "repeats", lk->lk_repeats);
	(void)json_object_update_new(o, record_env(&lk->lk_env));
	record_write(lk->lk_record, o);
}

static json_t *
record_load(const struct locks_load *ll)
{
	static const char *const priorities[] = { [LOCKS_PRI_NONE] = "none",
		[LOCKS_PRI_SIM] = "sim",
		[LOCKS_PRI_FIFO] = "fifo" };
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind",
	    ll->ll_kind == LOCKS_PAIR ? "pair" : "load", "pin",
	    pin_order_name(ll->ll_pin), "inside", ll->ll_inside, "pick",
	    ll->ll_random ? "random" : "fixed", "spacing",
	    ll->ll_line ? "line" : "packed");

	record_set_string(o, "priority", priorities[ll->ll_priority]);
	record_set_u64(o, "threads", ll->ll_threads);
	record_set_u64(o, "locks", ll->ll_nlocks);
	record_set_u64(o, "increments", ll->ll_increments);
	record_set_u64(o, "inside_ns", ll->ll_inside_ns);
	record_set_u64(o, "outside_min_ns", ll->ll_outside_min_ns);
	record_set_u64(o, "outside_max_ns", ll->ll_outside_max_ns);
	record_set_u64(o, "readers_pct", ll->ll_readers);
	record_set_u64(o, "window_ns", ll->ll_window_ns);
	record_set_u64(o, "ops_each", ll->ll_ops);
	return (o);
}

static json_t *
record_times(const struct hist *h)
{
	json_t *o = json_object();

	record_set_u64(o, "count", h->h_count);
	record_set_u64(o, "p50_ns", hist_quantile(h, 0.5));
	record_set_u64(o, "p99_ns", hist_quantile(h, 0.99));
	record_set_u64(o, "p999_ns", hist_quantile(h, 0.999));
	record_set_u64(o, "max_ns", h->h_max);
	return (o);
}

static void
set_known(json_t *o, const char *key, bool known, uint64_t v)
{
	if (known)
		record_set_u64(o, key, v);
	else
		(void)json_object_set_new(o, key, json_null());
}

void
locks_record_run(
    const struct locks *lk, size_t series, size_t backend, unsigned repeat)
{
	const struct locks_sample *lsa = locks_at(lk, series, backend, repeat);
	const struct pv_lock_ops *ops = lk->lk_backends[backend];
	const struct locks_load *ll = &lk->lk_series[series];
	json_t *o, *threads = json_array();
	bool counters = locks_uses_turnstiles(ops);

	o = json_pack("{s:s, s:s, s:s, s:i, s:i}", "type", "locks", "kind",
	    "real", "lock", ops->plo_name, "series", (int)series, "repeat",
	    (int)repeat);
	(void)json_object_set_new(o, "load", record_load(ll));
	record_set_u64(o, "lock_bytes", ops->plo_size);
	record_set_u64(o, "header_bytes", pv_header_bytes(ops));
	if (lsa->lsa_void[0] != '\0')
		record_set_string(o, "void", lsa->lsa_void);
	else
		(void)json_object_set_new(o, "void", json_null());
	record_set_u64(o, "lost", lsa->lsa_lost);
	record_set_real(o, "pause_ns", lsa->lsa_pause_ns);
	record_set_real(o, "pingpong_ns", lk->lk_env.e_pingpong_ns);
	if (lsa->lsa_has_steal)
		record_set_real(o, "steal", lsa->lsa_steal);
	else
		(void)json_object_set_new(o, "steal", json_null());
	if (ll->ll_kind == LOCKS_PAIR) {
		record_set_real(o, "pair_ns", lsa->lsa_pair_ns);
		json_decref(threads);
		record_write(lk->lk_record, o);
		return;
	}
	record_set_u64(o, "elapsed_ns", lsa->lsa_elapsed_ns);
	record_set_u64(o, "ops", lsa->lsa_ops);
	record_set_real(o, "ops_per_s", locks_mops(lsa) * 1e6);
	for (unsigned i = 0; i < ll->ll_threads; i++)
		(void)json_array_append_new(
		    threads, json_integer((json_int_t)lsa->lsa_thread_ops[i]));
	(void)json_object_set_new(
	    o, ll->ll_ops > 0 ? "thread_ns" : "thread_ops", threads);
	record_set_real(o, "jain", lsa->lsa_jain);
	record_set_u64(o, "streak", lsa->lsa_streak);
	set_known(o, "sleeps", counters, lsa->lsa_sleeps);
	set_known(o, "wakes", counters, lsa->lsa_wakes);
	set_known(
	    o, "voluntary_switches", lsa->lsa_has_switches, lsa->lsa_voluntary);
	set_known(o, "involuntary_switches", lsa->lsa_has_switches,
	    lsa->lsa_involuntary);
	record_set_u64(o, "switches_ops", lsa->lsa_all_ops);
	record_set_u64(o, "unbound", lsa->lsa_unbound);
	(void)json_object_set_new(o, "wait", record_times(&lsa->lsa_wait));
	(void)json_object_set_new(o, "hold", record_times(&lsa->lsa_hold));
	if (lsa->lsa_urgency != NULL) {
		json_t *a = json_array();

		for (unsigned u = 0; u < LOCKS_PRIORITIES; u++)
			(void)json_array_append_new(
			    a, record_times(&lsa->lsa_urgency[u]));
		(void)json_object_set_new(o, "wait_by_priority", a);
	}
	record_write(lk->lk_record, o);
}

void
locks_record_bar(const struct locks *lk, unsigned row, const char *lock,
    const char *what, const char *other, double bar, double found, bool ok)
{
	json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s?}", "type", "bar",
	    "row", (int)row, "lock", lock, "what", what, "over", other);

	record_set_real(o, "bar", bar);
	record_set_real(o, "found", found);
	(void)json_object_set_new(o, "ok", json_boolean(ok));
	record_write(lk->lk_record, o);
}
