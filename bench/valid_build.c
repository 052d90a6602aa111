/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * L4: the steps from one design to the next in a package build on 104 CPUs.
 *
 * Published: FreeBSD, 90 minutes of poudriere -j 104, two sockets of Skylake, 192
 * GB; microseconds of wait by the time, so mean CPUs that wait.  The workload's
 * numbers are of recorded builds and of nothing published (wl_poudriere.c), so
 * each step is a prediction.  What is judged is its direction; how far it goes is
 * in the table.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "record.h"
#include "valid.h"

#define OUTPUT_MAX (256 * 1024)
#define REPEATS    2

#define PV    "pmap pv list"
#define CHUNK "pmap pv chunk list"

enum {
	HEAD,
	SUPERPAGE,
	BATCH,
	DOMAIN,
	NDESIGNS
};

static const char *const designs[NDESIGNS] = {
	[HEAD] = "head",
	[SUPERPAGE] = "superpage",
	[BATCH] = "superpage+batch",
	[DOMAIN] = "superpage+batch+chunks=domain",
};

/* Mean CPUs that wait: sums over repeats, and how many. */
struct waits {
	double w_pv;
	double w_chunk;
	unsigned w_n;
};

static const struct step {
	const char *s_what;
	unsigned s_from, s_to;
	bool s_chunk; /* of the chunk list's wait, not the pv list's */
	double s_published;
} steps[] = {
	{ PV ", head by superpage", HEAD, SUPERPAGE, false, 10.96 },
	{ PV ", head by superpage+batch", HEAD, BATCH, false, 15.93 },
	{ PV ", superpage by +batch", SUPERPAGE, BATCH, false, 1.45 },
	{ CHUNK ", +batch by +chunks=domain", BATCH, DOMAIN, true, 2.66 },
};

/* "rw:pmap pv list" is the lock "pmap pv list". */
static bool
is_lock(const json_t *lock, const char *name)
{
	const char *s = json_string_value(json_object_get(lock, "name"));
	const char *colon = s != NULL ? strchr(s, ':') : NULL;

	return (colon != NULL && strcmp(colon + 1, name) == 0);
}

static void
take_run(const json_t *run, struct waits w[NDESIGNS])
{
	const char *design = json_string_value(json_object_get(run, "design"));
	double elapsed = json_number_value(json_object_get(run, "elapsed_ns"));
	json_t *locks = json_object_get(run, "locks");
	unsigned d = 0;

	while (
	    d < NDESIGNS && (design == NULL || strcmp(designs[d], design) != 0))
		d++;
	if (d == NDESIGNS || elapsed <= 0)
		return;
	for (size_t i = 0; i < json_array_size(locks); i++) {
		const json_t *lock = json_array_get(locks, i);
		double wait =
		    json_number_value(json_object_get(lock, "wait_ns"));

		if (is_lock(lock, PV))
			w[d].w_pv += wait / elapsed;
		else if (is_lock(lock, CHUNK))
			w[d].w_chunk += wait / elapsed;
	}
	w[d].w_n++;
}

static int
take_records(const char *path, struct waits w[NDESIGNS])
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (in == NULL) {
		warn("%s", path);
		return (EX_NOINPUT);
	}
	while (getline(&line, &size, in) > 0) {
		json_t *o = json_loads(line, 0, NULL);
		const char *type =
		    json_string_value(json_object_get(o, "type"));

		if (type != NULL && strcmp(type, "run") == 0 &&
		    json_is_null(json_object_get(o, "void")))
			take_run(o, w);
		json_decref(o);
	}
	free(line);
	(void)fclose(in);
	for (unsigned d = 0; d < NDESIGNS; d++) {
		if (w[d].w_n == 0) {
			warnx("%s: no run of it counts", designs[d]);
			return (EX_SOFTWARE);
		}
	}
	return (0);
}

static int
build(struct valid *v, struct waits w[NDESIGNS])
{
	char path[] = "/tmp/pmapsim.XXXXXX", *text, *list, *argv[12];
	int argc = 0, fd = mkstemp(path), status;

	if (fd < 0) {
		warn("%s", path);
		return (EX_CANTCREAT);
	}
	(void)close(fd);
	list = bench_join((char *const *)(uintptr_t)designs, NDESIGNS, ",");
	argv[argc++] = bench_strdup("compare");
	argv[argc++] = bench_strdup("--virtual=clx-2s-104");
	argv[argc++] = bench_strdup("--workload=poudriere");
	argv[argc++] = bench_asprintf("--designs=%s", list);
	argv[argc++] =
	    bench_asprintf("--seconds=%s", v->v_effort < 1 ? "0.01" : "0.05");
	argv[argc++] = bench_asprintf("--repeats=%d", REPEATS);
	argv[argc++] = bench_asprintf("--json=%s", path);
	text = bench_calloc(OUTPUT_MAX, 1);
	status = valid_child(argc, argv, text, OUTPUT_MAX);
	if (status == 0)
		status = take_records(path, w);
	while (argc > 0)
		free(argv[--argc]);
	free(list);
	free(text);
	(void)unlink(path);
	return (status);
}

int
valid_l4(struct valid *v)
{
	static const double published[NDESIGNS] = { 2.73, 0.249, 0.171 };
	struct waits w[NDESIGNS] = { { 0, 0, 0 } };
	int error = build(v, w);

	if (error != 0)
		return (error);
	for (unsigned d = 0; d < NDESIGNS; d++) {
		w[d].w_pv /= w[d].w_n;
		w[d].w_chunk /= w[d].w_n;
		if (published[d] > 0)
			(void)valid_row(v, "L4", "CPUs", w[d].w_pv,
			    published[d], -1, "wait, " PV ", %s (published)",
			    designs[d]);
	}
	for (size_t i = 0; i < nitems(steps); i++) {
		const struct step *s = &steps[i];
		const struct waits *from = &w[s->s_from], *to = &w[s->s_to];
		double model = s->s_chunk ? from->w_chunk / to->w_chunk
					  : from->w_pv / to->w_pv;
		struct valid_row *vw = valid_row(
		    v, "L4", "x", model, s->s_published, -1, "%s", s->s_what);

		vw->vw_verdict = valid_order(model, s->s_published);
	}
	return (0);
}
