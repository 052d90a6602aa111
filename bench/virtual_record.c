/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdlib.h>

#include "bench.h"
#include "compare_virtual.h"

static const char *const time_keys[NVT] = {
#define TIME_KEY(name, key, text) [name] = key "_ns",
	VSTAT_TIMES(TIME_KEY)
#undef TIME_KEY
};

static const char *const dist_keys[NVD] = {
#define DIST_KEY(name, key, text) [name] = key,
	VSTAT_DISTS(DIST_KEY)
#undef DIST_KEY
};

static void
set_ps(json_t *o, const char *key, uint64_t ps)
{
	record_set_u64(o, key, (ps + 500) / 1000);
}

static void
set_dists(json_t *o, const char *key, const uint64_t n[NVD])
{
	json_t *dists = json_object();

	for (unsigned d = 0; d < NVD; d++)
		record_set_u64(dists, dist_keys[d], n[d]);
	(void)json_object_set_new(o, key, dists);
}

/* A class: its part of the wait stack, its hand-offs, who waits when. */
static json_t *
record_class(const struct virtual_class *vc, bool works)
{
	json_t *o = json_object(), *waited = json_array();

	/* Threads that wait for no lock. */
	if (works)
		(void)json_object_set_new(o, "lock", json_null());
	else
		record_set_string(o, "lock", vc->vc_name);
	for (unsigned t = 0; t < NVT; t++)
		set_ps(o, time_keys[t], vc->vc_ps[t]);
	if (works) {
		json_decref(waited);
		return (o);
	}
	record_set_u64(o, "waits", vc->vc_waits);
	set_dists(o, "handoffs", vc->vc_handoffs);
	for (unsigned i = 0; i < VSTAT_INTERVALS; i++)
		(void)json_array_append_new(waited,
		    json_integer((json_int_t)(vc->vc_waited_ps[i] / 1000)));
	(void)json_object_set_new(o, "waited_ns", waited);
	return (o);
}

static void
set_line(json_t *o, const struct vstat_line *vl)
{
	uint64_t from[NVD], all = 0;

	for (unsigned d = 0; d < NVD; d++) {
		from[d] = vl->vl_from[d];
		all += from[d];
	}
	set_ps(o, "miss_ns", vl->vl_ps);
	set_ps(o, "queue_ns", vl->vl_queue_ps);
	record_set_u64(o, "misses", all);
	record_set_u64(o, "memory", vl->vl_memory);
	record_set_u64(o, "writes", vl->vl_writes);
	set_dists(o, "from", from);
}

static json_t *
record_line(const struct virtual_line *line)
{
	json_t *o = json_object(), *writers = json_array();
	const struct vstat_line *vl = &line->vl_stat;

	record_set_string(o, "what", line->vl_text);
	record_set_u64(o, "structures", line->vl_structures);
	set_line(o, vl);
	for (unsigned i = 0; i < nitems(vl->vl_writer); i++) {
		if (vl->vl_writer[i] != 0)
			(void)json_array_append_new(
			    writers, json_integer(vl->vl_writer[i] - 1));
	}
	(void)json_object_set_new(o, "last_writers", writers);
	return (o);
}

static json_t *
record_kind(const struct virtual_kind *vk)
{
	json_t *o = json_object();

	record_set_string(o, "what", vk->vk_text);
	set_ps(o, "miss_ns", vk->vk_ps);
	set_ps(o, "queue_ns", vk->vk_queue_ps);
	record_set_u64(o, "misses", vk->vk_misses);
	record_set_u64(o, "remote", vk->vk_remote);
	return (o);
}

json_t *
virtual_record(const struct virtual_result *vr)
{
	json_t *o = json_object(), *sum = json_object(), *a;
	char hash[20];

	(void)snprintf(hash, sizeof(hash), "%016" PRIx64, vr->vr_hash);
	record_set_string(o, "event_hash", hash);
	record_set_u64(o, "accesses", vr->vr_accesses);
	record_set_u64(o, "switches", vr->vr_switches);
	set_ps(o, "interval_ns", vr->vr_interval_ps);
	a = json_array();
	for (unsigned i = 0; i < vr->vr_nclasses; i++)
		(void)json_array_append_new(
		    a, record_class(&vr->vr_class[i], i == 0));
	(void)json_object_set_new(o, "wait_stack", a);
	set_line(sum, &vr->vr_sum);
	(void)json_object_set_new(o, "all_lines", sum);
	a = json_array();
	for (unsigned i = 0; i < vr->vr_nlines; i++)
		(void)json_array_append_new(a, record_line(&vr->vr_line[i]));
	(void)json_object_set_new(o, "lines", a);
	a = json_array();
	for (unsigned i = 0; i < vr->vr_nkinds; i++)
		(void)json_array_append_new(a, record_kind(&vr->vr_kind[i]));
	(void)json_object_set_new(o, "line_kinds", a);
	return (o);
}

json_t *
virtual_record_preset(const struct preset *pr)
{
	json_t *o = json_object(), *numbers = json_object();
	char buf[PRESET_TEXT_MAX];

	record_set_string(o, "name", pr->pr_name);
	record_set_string(o, "title", pr->pr_title);
	for (unsigned i = 0; i < NPRESET_FIELDS; i++) {
		const char *key = preset_fields[i].pf_key;

		/* As the file has them. */
		if (preset_fields[i].pf_unit == PRESET_COUNT)
			record_set_u64(numbers, key, preset_value(pr, i));
		else
			record_set_real(numbers, key,
			    strtod(preset_format(pr, i, buf), NULL));
	}
	(void)json_object_set_new(o, "numbers", numbers);
	return (o);
}
