/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines by name.
 *
 * A line's misses are known by the word, of 8 bytes, that was wanted.  The words
 * say which fields of which structures it was about.  If they belong to more than
 * one structure, then those share the line without having to: false sharing.
 *
 * What is spread over many lines of the same kind, such as the pv lists of pages,
 * shows only when it is added up: by structure and field, each word's part of the
 * line's time for itself.
 */
#include "virtual_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kern/cpu.h"
#include "virtual.h"
#include "workload/names.h"
#include "workload/workload_var.h"

#define WORD_BYTES (CACHE_LINE_SIZE / VSTAT_WORDS)

/* What a line has: structures, each with the fields that were wanted. */
struct line_part {
	char lp_what[72];
	char lp_fields[96];
	uint64_t lp_misses;
};

/*
 * The name of a word, or of the first field in it that has one: the first bytes
 * of a word may be padding.
 */
static void
name_word(const struct names *names, uint64_t addr,
    bool (*find)(const struct names *, const void *, struct name *),
    struct name *n)
{
	struct name half;

	(void)find(names, (const void *)(uintptr_t)addr, n);
	if (n->n_field[0] != '\0')
		return;
	if (find(names, (const void *)(uintptr_t)(addr + WORD_BYTES / 2),
		&half) &&
	    half.n_field[0] != '\0')
		*n = half;
}

static bool
has_field(const char *fields, const char *field)
{
	size_t len = strlen(field);

	for (const char *s = fields; (s = strstr(s, field)) != NULL; s += len) {
		if ((s == fields || s[-1] == ' ') &&
		    (s[len] == '\0' || s[len] == ','))
			return (true);
	}
	return (false);
}

static void
add_field(struct line_part *lp, const char *field)
{
	size_t used = strlen(lp->lp_fields);

	if (field[0] == '\0' || has_field(lp->lp_fields, field))
		return;
	(void)snprintf(lp->lp_fields + used, sizeof(lp->lp_fields) - used,
	    "%s%s", used > 0 ? ", " : "", field);
}

/* Returns how many structures there are. */
static unsigned
line_parts(const struct names *names, const struct vstat_line *vl,
    struct line_part parts[VSTAT_WORDS])
{
	struct name n;
	unsigned np = 0, i;

	memset(parts, 0, VSTAT_WORDS * sizeof(parts[0]));
	for (unsigned w = 0; w < VSTAT_WORDS; w++) {
		if (vl->vl_word[w] == 0)
			continue;
		name_word(names, vl->vl_line + w * WORD_BYTES, names_find, &n);
		for (i = 0; i < np; i++) {
			if (strcmp(parts[i].lp_what, n.n_what) == 0)
				break;
		}
		if (i == np)
			memcpy(parts[np++].lp_what, n.n_what, sizeof(n.n_what));
		add_field(&parts[i], n.n_field);
		parts[i].lp_misses += vl->vl_word[w];
	}
	return (np);
}

/* "pv_list_lock[17] 61 % and pv_list_lock[18] 39 % share a line" */
static void
describe_line(const struct names *names, struct virtual_line *line)
{
	struct line_part parts[VSTAT_WORDS];
	unsigned n = line_parts(names, &line->vl_stat, parts);
	size_t size = sizeof(line->vl_text), used = 0;
	uint64_t all = 0;

	for (unsigned i = 0; i < n; i++)
		all += parts[i].lp_misses;
	line->vl_structures = n;
	for (unsigned i = 0; i < n && used < size; i++) {
		const struct line_part *lp = &parts[i];

		used += (size_t)snprintf(line->vl_text + used, size - used,
		    "%s%s%s%s", i == 0 ? "" : (i + 1 < n ? ", " : " and "),
		    lp->lp_what, lp->lp_fields[0] != '\0' ? ": " : "",
		    lp->lp_fields);
		if (n > 1 && used < size)
			used += (size_t)snprintf(line->vl_text + used,
			    size - used, " (%.0f %%)",
			    100 * (double)lp->lp_misses / (double)all);
	}
	if (n > 1 && used < size)
		(void)snprintf(
		    line->vl_text + used, size - used, " share a line");
}

/*
 * Kinds, an open hash while they are collected.
 */

#define KINDS_MAX 1024 /* the list of all fields is shorter */

static struct virtual_kind *
kind_find(struct virtual_kind *kinds, const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (const char *s = text; *s != '\0'; s++)
		h = (h ^ (uint64_t)(unsigned char)*s) * 1099511628211u;
	for (size_t i = 0; i < KINDS_MAX; i++) {
		struct virtual_kind *vk = &kinds[(h + i) % KINDS_MAX];

		if (vk->vk_text[0] == '\0')
			(void)snprintf(
			    vk->vk_text, sizeof(vk->vk_text), "%s", text);
		if (strcmp(vk->vk_text, text) == 0)
			return (vk);
	}
	return (&kinds[0]);
}

/* An entry of a table, whatever its number. */
static void
kind_text(const struct name *n, char *text, size_t size)
{
	(void)snprintf(text, size, "%s%s%.*s", n->n_kind,
	    n->n_field[0] != '\0' ? "." : "", (int)strcspn(n->n_field, "["),
	    n->n_field);
}

/* part of whole, of a sum that they share. */
static uint64_t
share(uint64_t sum, uint64_t part, uint64_t whole)
{
	return ((uint64_t)((double)sum * (double)part / (double)whole));
}

static void
add_to_kinds(const struct names *names, const struct vstat_line *vl,
    struct virtual_kind *kinds)
{
	struct virtual_kind *vk;
	uint64_t all = 0;
	char text[80];
	struct name n;

	for (unsigned w = 0; w < VSTAT_WORDS; w++)
		all += vl->vl_word[w];
	for (unsigned w = 0; w < VSTAT_WORDS; w++) {
		uint64_t misses = vl->vl_word[w];

		if (misses == 0)
			continue;
		name_word(
		    names, vl->vl_line + w * WORD_BYTES, names_find_kind, &n);
		kind_text(&n, text, sizeof(text));
		vk = kind_find(kinds, text);
		vk->vk_misses += misses;
		vk->vk_ps += share(vl->vl_ps, misses, all);
		vk->vk_queue_ps += share(vl->vl_queue_ps, misses, all);
		vk->vk_remote += share(vl->vl_from[VD_REMOTE], misses, all);
	}
}

static int
compare_kinds(const void *ap, const void *bp)
{
	const struct virtual_kind *a = ap, *b = bp;

	if (a->vk_ps != b->vk_ps)
		return (a->vk_ps < b->vk_ps ? 1 : -1);
	return (strcmp(a->vk_text, b->vk_text));
}

static void
take_kinds(const struct names *names, struct virtual_result *vr)
{
	struct virtual_kind *kinds = bench_calloc(KINDS_MAX, sizeof(kinds[0]));

	for (uint32_t i = 1; i < vstat.vs_nlines; i++) {
		const struct vstat_line *vl = &vstat.vs_lines[i];

		if (vl->vl_ps > 0)
			add_to_kinds(names, vl, kinds);
	}
	qsort(kinds, KINDS_MAX, sizeof(kinds[0]), compare_kinds);
	while (
	    vr->vr_nkinds < VIRTUAL_KINDS && kinds[vr->vr_nkinds].vk_ps > 0) {
		vr->vr_kind[vr->vr_nkinds] = kinds[vr->vr_nkinds];
		vr->vr_nkinds++;
	}
	free(kinds);
}

int
virtual_lines_take(struct wl_run *run, struct virtual_result *vr)
{
	struct vstat_line lines[VIRTUAL_LINES];
	struct names *names;

	if (names_create(run->wlr_machine, run, &names) != 0)
		return (ENOMEM);
	vstat_lines_sum(&vr->vr_sum);
	vr->vr_nlines = (unsigned)vstat_hottest(lines, VIRTUAL_LINES);
	for (unsigned i = 0; i < vr->vr_nlines; i++) {
		vr->vr_line[i].vl_stat = lines[i];
		describe_line(names, &vr->vr_line[i]);
	}
	take_kinds(names, vr);
	names_destroy(names);
	return (0);
}
