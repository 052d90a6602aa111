/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "maps.h"
#include "opt.h"
#include "pmap/pv_table.h"
#include "pmapsim/machine.h"
#include "pmapsim/workload.h"
#include "sim/virtual/preset.h"
#include "table.h"

static const struct opt list_opts[] = {
	{ .o_name = NULL },
};

static int
list_layouts(void)
{
	static const struct pv_layout_ops *const layouts[PVL_COUNT] = {
		[PVL_HASHED] = &pv_hashed_ops,
		[PVL_PTRARRAY] = &pv_ptrarray_ops,
		[PVL_SPARSE] = &pv_sparse_ops,
		[PVL_SEGMENT] = &pv_segment_ops,
	};
	struct table *t = table_create("ll");

	for (size_t i = 0; i < nitems(layouts); i++) {
		table_cell(t, "%s", layouts[i]->pvl_name);
		table_cell(t, "%s", layouts[i]->pvl_descr);
	}
	table_print(t, stdout);
	table_destroy(t);
	return (0);
}

static int
list_locks(void)
{
	struct table *t = table_create("lrrll");

	table_cell(t, "lock");
	table_cell(t, "bytes");
	table_cell(t, "header");
	table_cell(t, "waiters");
	table_cell(t, "%s", "");
	for (const struct pv_lock_ops *const *p = pv_lock_ops_list();
	     *p != NULL; p++) {
		table_cell(t, "%s", (*p)->plo_name);
		table_cell(t, "%zu", (*p)->plo_size);
		table_cell(t, "%zu", pv_header_bytes(*p));
		table_cell(t, "%s%s",
		    ((*p)->plo_flags & PLO_NOLOCK) != 0     ? "none"
			: ((*p)->plo_flags & PLO_SPIN) != 0 ? "spin"
							    : "block",
		    ((*p)->plo_flags & PLO_FAIR) != 0 ? ", in order" : "");
		table_cell(t, "%s", (*p)->plo_descr);
	}
	table_print(t, stdout);
	table_destroy(t);
	return (0);
}

static int
list_workloads(void)
{
	struct table *t = table_create("ll");

	for (const struct workload_info *wi = workload_list();
	     wi->wi_name != NULL; wi++) {
		table_cell(t, "%s", wi->wi_name);
		table_cell(t, "%s", wi->wi_descr);
	}
	table_print(t, stdout);
	table_destroy(t);
	return (0);
}

static int
list_designs(void)
{
	/* What pmapsim/machine.h says of designs. */
	static const char *const lines[][2] = {
		{ "LAYOUT/LOCK", "any layout with any lock" },
		{ "head", "hashed/rwlock+chunks=global, FreeBSD before" },
		{ "superpage", "sparse/rwlock+chunks=global, under review" },
		{ "+batch",
		    "pv chunks are freed at exit in one hold of the list lock" },
		{ "+chunks=domain",
		    "a list of pv chunks for each domain (default)" },
		{ "+chunks=global", "one list of pv chunks" },
		{ "+locks=N", "hashed: locks, 1 to 1048576 (default 256)" },
		{ "+pad", "hashed: each lock alone on its cache lines" },
		{ "+wart=tight|alloc",
		    "ptrarray: no header is wasted (default), or one for each "
		    "shared superpage" },
		{ "+gaps=backed|trap",
		    "sparse: headers in gaps exist (default), or trap" },
		{ "+pmap=main|14|12.3|12.1",
		    "whose rules the pmap follows; script takes 14 itself" },
		{ "+superpages=on|off", "2 MB mappings are made, or not" },
		{ "+reserv=on|off",
		    "pages of objects come from reservations, or not" },
		{ "+di=lockless|mutex", "how delayed invalidation is kept" },
		{ "+tlb=none|direct|assoc|adversarial",
		    "what mmu_access() caches for each CPU (default none)" },
		{ "+ipi=sync|mailbox",
		    "how a CPU makes the others invalidate" },
		{ "+pcid=on|off", "TLB entries carry an address space" },
		{ "+erratum383=off|on",
		    "2 MB and 4 KB entries never meet in a TLB" },
		{ "+bug=NAME",
		    "a fault switched on to be caught; only in builds with "
		    "invariants: tests/README.md" },
	};
	struct table *t = table_create("ll");

	for (size_t i = 0; i < nitems(lines); i++) {
		table_cell(t, "%s", lines[i][0]);
		table_cell(t, "%s", lines[i][1]);
	}
	table_print(t, stdout);
	table_destroy(t);
	return (0);
}

/* The title without what all titles start with. */
static const char *
short_title(const struct memmap *mm)
{
	static const char prefix[] = "physical memory map: ";
	size_t len = strlen(prefix);

	return (strncmp(mm->mm_title, prefix, len) == 0 ? mm->mm_title + len
							: mm->mm_title);
}

static int
list_maps(void)
{
	struct table *t = table_create("lrrl");
	char **names = maps_names();
	int error = 0;

	table_cell(t, "map");
	table_cell(t, "GB");
	table_cell(t, "domains");
	table_cell(t, "%s", "");
	for (char **n = names; *n != NULL && error == 0; n++) {
		struct memmap *mm;

		error = maps_open(*n, &mm);
		if (error != 0)
			break;
		table_cell(t, "%s", *n);
		table_cell(t, "%.1f",
		    (double)memmap_usable_bytes(mm, -1) /
			(double)(UINT64_C(1) << 30));
		table_cell(t, "%d", mm->mm_ndomains);
		table_cell(t, "%.60s", short_title(mm));
		memmap_free(mm);
	}
	if (error == 0)
		table_print(t, stdout);
	maps_names_free(names);
	table_destroy(t);
	return (error);
}

static int
list_presets(void)
{
	struct table *t = table_create("lrl");
	struct preset_error pe;
	struct preset pr;

	for (const char *const *name = preset_names; *name != NULL; name++) {
		if (preset_open(*name, &pr, &pe) != 0) {
			warnx("%s: %s", *name, pe.pe_text);
			table_destroy(t);
			return (EX_SOFTWARE);
		}
		table_cell(t, "%s", *name);
		table_cell(t, "%ju CPUs", (uintmax_t)preset_ncpus(&pr));
		table_cell(t, "%s", pr.pr_title);
	}
	table_print(t, stdout);
	table_destroy(t);
	return (0);
}

static const struct {
	const char *name;
	const char *title;
	int (*fn)(void);
} topics[] = {
	{ "layouts", "Layouts of pv headers", list_layouts },
	{ "locks", "pv list locks (bytes in the header, bytes of a header)",
	    list_locks },
	{ "workloads", "Workloads", list_workloads },
	{ "designs", "Designs: LAYOUT/LOCK[+OPTION]... or NAME[+OPTION]...",
	    list_designs },
	{ "maps", "Bundled memory maps", list_maps },
	{ "presets", "Modelled hosts, for compare --virtual", list_presets },
};

static int
list_main(int argc, char *argv[])
{
	int error, rest;
	bool first = true;

	error = opt_parse(list_opts, argc, argv, NULL, &rest);
	if (error != 0)
		return (error);
	if (argc - rest > 1) {
		warnx("list: expected at most one topic");
		return (EX_USAGE);
	}
	for (size_t i = 0; i < nitems(topics); i++) {
		if (rest < argc && strcmp(argv[rest], topics[i].name) == 0)
			return (topics[i].fn());
	}
	if (rest < argc) {
		warnx("list: \"%s\": expected layouts, locks, workloads, "
		      "designs, maps or presets",
		    argv[rest]);
		return (EX_USAGE);
	}
	for (size_t i = 0; i < nitems(topics) && error == 0; i++) {
		(void)printf("%s%s:\n", first ? "" : "\n", topics[i].title);
		first = false;
		error = topics[i].fn();
	}
	return (error);
}

const struct command cmd_list = {
	.c_name = "list",
	.c_args = "[layouts|locks|workloads|designs|maps|presets]",
	.c_brief =
	    "what there is: layouts, locks, workloads, designs, maps, presets",
	.c_opts = list_opts,
	.c_run = list_main,
	.c_descr = "Lists what the other commands can be given, all of it or "
		   "one topic.\n",
	.c_examples = "  pmapsim list\n"
		      "  pmapsim list locks\n"
		      "      what each lock costs in a header\n",
};
