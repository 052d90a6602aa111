/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/virtual/stats.h"

#include <stdlib.h>
#include <string.h>

#include "kern/cpu.h"
#include "kern/kassert.h"

_Static_assert(VSTAT_WORDS * 8 == CACHE_LINE_SIZE, "a word of each 8 bytes");

/* The last exclusive owner of a lock; an open hash by vo_key. */
struct vstat_owner {
	const void *vo_key;
	uint16_t vo_cpu;
};

struct vstat vstat;

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		panic("%zu x %zu bytes for statistics: out of memory", n, size);
	return (p);
}

void vstat_begin(enum vstat_dist (*distance)(unsigned cpu, unsigned other))
{
	memset(&vstat, 0, sizeof(vstat));
	vstat.vs_distance = distance;
	vstat.vs_nclasses = 1;
	vstat.vs_nlines = 1;
	vstat.vs_maxlines = 4096;
	vstat.vs_lines = allocate(vstat.vs_maxlines, sizeof(vstat.vs_lines[0]));
	vstat.vs_maxowners = 4096;
	vstat.vs_owners =
	    allocate(vstat.vs_maxowners, sizeof(vstat.vs_owners[0]));
}

void
vstat_end(void)
{
	free(vstat.vs_lines);
	free(vstat.vs_owners);
	memset(&vstat, 0, sizeof(vstat));
}

void
vstat_fiber_init(struct vstat_fiber *vf)
{
	memset(vf, 0, sizeof(*vf));
	vf->vf_row = vf->vf_ps[0];
	vf->vf_next = vstat.vs_fibers;
	vstat.vs_fibers = vf;
}

void
vstat_reset(uint64_t now_ps, uint64_t measure_ps)
{
	for (struct vstat_fiber *vf = vstat.vs_fibers; vf != NULL;
	     vf = vf->vf_next)
		memset(vf->vf_ps, 0, sizeof(vf->vf_ps));
	for (uint32_t i = 1; i < vstat.vs_nlines; i++) {
		uint64_t line = vstat.vs_lines[i].vl_line;

		memset(&vstat.vs_lines[i], 0, sizeof(vstat.vs_lines[i]));
		vstat.vs_lines[i].vl_line = line;
	}
	for (unsigned i = 0; i < vstat.vs_nclasses; i++) {
		const char *name = vstat.vs_class[i].vc_name;

		memset(&vstat.vs_class[i], 0, sizeof(vstat.vs_class[i]));
		vstat.vs_class[i].vc_name = name;
	}
	vstat.vs_nlate = 0;
	vstat.vs_begin_ps = now_ps;
	vstat.vs_interval_ps =
	    (measure_ps + VSTAT_INTERVALS - 1) / VSTAT_INTERVALS;
	vstat.vs_on = true;
}

void
vstat_freeze(void)
{
	vstat_catch_up();
	vstat.vs_on = false;
}

void
vstat_line_new(uint32_t *indexp, uint64_t line)
{
	struct vstat_line *lines;
	uint32_t max = vstat.vs_maxlines;

	if (vstat.vs_nlines == max) {
		lines = allocate((size_t)max * 2, sizeof(lines[0]));
		memcpy(lines, vstat.vs_lines, max * sizeof(lines[0]));
		free(vstat.vs_lines);
		vstat.vs_lines = lines;
		vstat.vs_maxlines = max * 2;
	}
	vstat.vs_lines[vstat.vs_nlines].vl_line = line;
	*indexp = vstat.vs_nlines++;
}

/* The last writers change. */
static void
line_writer(struct vstat_line *vl, unsigned cpu)
{
	if (vl->vl_writer[0] == cpu + 1)
		return;
	vl->vl_writer[3] = vl->vl_writer[2];
	vl->vl_writer[2] = vl->vl_writer[1];
	vl->vl_writer[1] = vl->vl_writer[0];
	vl->vl_writer[0] = (uint16_t)(cpu + 1);
}

void
vstat_catch_up(void)
{
	const struct vstat_late *vt, *end = &vstat.vs_late[vstat.vs_nlate];
	struct vstat_line *vl;

	for (vt = vstat.vs_late; vt < end; vt++) {
		vl = &vstat.vs_lines[vt->vt_index];
		__builtin_prefetch(&vl->vl_line, 1);
		__builtin_prefetch(&vl->vl_writer, 1);
	}
	for (vt = vstat.vs_late; vt < end; vt++) {
		vl = &vstat.vs_lines[vt->vt_index];
		vl->vl_ps += vt->vt_ps;
		vl->vl_queue_ps += vt->vt_queue_ps;
		vl->vl_from[vt->vt_from]++;
		vl->vl_memory += vt->vt_memory;
		vl->vl_word[vt->vt_word]++;
		if (vt->vt_write) {
			vl->vl_writes++;
			line_writer(vl, vt->vt_cpu);
		}
	}
	vstat.vs_nlate = 0;
}

/* The index of a class by its name; the last one has no room for more. */
static unsigned
class_index(const char *name)
{
	unsigned i;

	/* Mostly the same address; the same text may have several. */
	for (i = 1; i < vstat.vs_nclasses; i++) {
		if (vstat.vs_class[i].vc_name == name)
			return (i);
	}
	for (i = 1; i < vstat.vs_nclasses; i++) {
		if (strcmp(vstat.vs_class[i].vc_name, name) == 0)
			return (i);
	}
	if (i == VSTAT_CLASSES)
		return (i - 1);
	vstat.vs_class[i].vc_name = i == VSTAT_CLASSES - 1 ? "others" : name;
	vstat.vs_nclasses++;
	return (i);
}

/* A wait of a class, into the intervals that it covers. */
static void
add_wait(struct vstat_class *vc, uint64_t from_ps, uint64_t to_ps)
{
	uint64_t interval = vstat.vs_interval_ps, end, i;

	if (!vstat.vs_on)
		return;
	vc->vc_waits++;
	if (interval == 0)
		return;
	from_ps = from_ps > vstat.vs_begin_ps ? from_ps - vstat.vs_begin_ps : 0;
	to_ps = to_ps > vstat.vs_begin_ps ? to_ps - vstat.vs_begin_ps : 0;
	for (i = from_ps / interval; i < VSTAT_INTERVALS && from_ps < to_ps;
	     i++) {
		end = (i + 1) * interval < to_ps ? (i + 1) * interval : to_ps;
		vc->vc_waited_ps[i] += end - from_ps;
		from_ps = end;
	}
}

void
vstat_waits(struct vstat_fiber *vf, const char *name, uint64_t now_ps)
{
	if (vf->vf_class != 0)
		add_wait(
		    &vstat.vs_class[vf->vf_class], vf->vf_waits_ps, now_ps);
	vf->vf_class = name == NULL ? 0 : class_index(name);
	vf->vf_waits_ps = now_ps;
	vf->vf_row = vf->vf_ps[vf->vf_class];
}

/* Where the key is, or an empty place for it. */
static struct vstat_owner *
owner_find(struct vstat_owner *owners, size_t max, const void *key)
{
	uint64_t h = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = (size_t)(h >> 32);; i++) {
		struct vstat_owner *vo = &owners[i & (max - 1)];

		if (vo->vo_key == key || vo->vo_key == NULL)
			return (vo);
	}
}

static void
owners_grow(void)
{
	size_t max = 2 * vstat.vs_maxowners;
	struct vstat_owner *owners = allocate(max, sizeof(owners[0]));

	for (size_t i = 0; i < vstat.vs_maxowners; i++) {
		const struct vstat_owner *vo = &vstat.vs_owners[i];

		if (vo->vo_key != NULL)
			*owner_find(owners, max, vo->vo_key) = *vo;
	}
	free(vstat.vs_owners);
	vstat.vs_owners = owners;
	vstat.vs_maxowners = max;
}

void
vstat_owns(unsigned cpu, const char *name, const void *key)
{
	struct vstat_class *vc;
	struct vstat_owner *vo;

	vo = owner_find(vstat.vs_owners, vstat.vs_maxowners, key);
	if (vo->vo_key == NULL) {
		vo->vo_key = key;
		if (++vstat.vs_nowners > vstat.vs_maxowners / 2)
			owners_grow();
		vo = owner_find(vstat.vs_owners, vstat.vs_maxowners, key);
		vo->vo_cpu = (uint16_t)cpu;
		if (vstat.vs_on)
			vstat.vs_class[class_index(name)].vc_first++;
		return;
	}
	if (vstat.vs_on) {
		vc = &vstat.vs_class[class_index(name)];
		vc->vc_handoffs[vstat.vs_distance(cpu, vo->vo_cpu)]++;
	}
	vo->vo_cpu = (uint16_t)cpu;
}

void
vstat_stack(uint64_t ps[VSTAT_CLASSES][NVT])
{
	memset(ps, 0, sizeof(ps[0]) * VSTAT_CLASSES);
	for (const struct vstat_fiber *vf = vstat.vs_fibers;
	     vf != NULL && vf->vf_next != NULL; vf = vf->vf_next) {
		for (unsigned c = 0; c < VSTAT_CLASSES; c++) {
			for (unsigned t = 0; t < NVT; t++)
				ps[c][t] += vf->vf_ps[c][t];
		}
	}
}

/* By time, then by address, so that the order is one. */
static int
hotter(const void *ap, const void *bp)
{
	const struct vstat_line *a = ap, *b = bp;

	if (a->vl_ps != b->vl_ps)
		return (a->vl_ps < b->vl_ps ? 1 : -1);
	return ((a->vl_line > b->vl_line) - (a->vl_line < b->vl_line));
}

size_t
vstat_hottest(struct vstat_line *lines, size_t n)
{
	size_t used = 0;

	if (n == 0)
		return (0);
	vstat_catch_up();
	for (uint32_t i = 1; i < vstat.vs_nlines; i++) {
		const struct vstat_line *vl = &vstat.vs_lines[i];
		size_t at;

		if (vl->vl_ps == 0 ||
		    (used == n && hotter(vl, &lines[n - 1]) >= 0))
			continue;
		if (used < n)
			used++;
		for (at = used - 1; at > 0 && hotter(vl, &lines[at - 1]) < 0;
		     at--)
			lines[at] = lines[at - 1];
		lines[at] = *vl;
	}
	return (used);
}

void
vstat_lines_sum(struct vstat_line *sum)
{
	vstat_catch_up();
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 1; i < vstat.vs_nlines; i++) {
		const struct vstat_line *vl = &vstat.vs_lines[i];

		sum->vl_ps += vl->vl_ps;
		sum->vl_queue_ps += vl->vl_queue_ps;
		for (unsigned d = 0; d < NVD; d++)
			sum->vl_from[d] += vl->vl_from[d];
		sum->vl_memory += vl->vl_memory;
		sum->vl_writes += vl->vl_writes;
		for (unsigned w = 0; w < VSTAT_WORDS; w++)
			sum->vl_word[w] += vl->vl_word[w];
	}
}
