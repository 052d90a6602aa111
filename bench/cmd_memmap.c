/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "maps.h"
#include "opt.h"
#include "phys/vm_phys_impl.h"
#include "pmap/pmap_var.h"
#include "pmapsim/machine.h"
#include "table.h"

#define GB ((double)(UINT64_C(1) << 30))
#define MB ((double)(UINT64_C(1) << 20))

static const struct opt memmap_opts[] = {
	{ .o_name = NULL },
};

static int
open_machine(const struct memmap *mm, const char *design, struct machine **mp)
{
	const struct machine_config mc = {
		.mc_map = mm,
		.mc_design = design,
	};
	char err[256] = "";
	int error;

	error = machine_create(&mc, mp, err, sizeof(err));
	if (error == 0)
		return (0);
	warnx("%s: %s", mm->mm_name, err[0] != '\0' ? err : strerror(error));
	return (bench_exit_status(error));
}

static int
close_machine(struct machine *m)
{
	uint64_t leaked = machine_destroy(m, stderr);

	if (leaked == 0)
		return (0);
	warnx("the machine leaked %ju bytes", (uintmax_t)leaked);
	return (EX_SOFTWARE);
}

/*
 * The free list that a segment's pages are on.  A list that this machine has no
 * use for shares the queues of the one before it, whose name counts.
 */
static const char *
free_list_name(const struct vm_phys *vp, const struct vm_phys_seg *seg)
{
	static const char *const names[VM_NFREELIST] = {
		[VM_FREELIST_DEFAULT] = "default",
		[VM_FREELIST_DMA32] = "dma32",
		[VM_FREELIST_LOWMEM] = "lowmem",
	};
	const struct vm_domain *vmd = vp->vp_domains[seg->domain];

	for (size_t i = 0; i < nitems(names); i++) {
		if (vp->vp_private->vpp_flind[i] ==
		    seg->free_queues - vmd->vmd_lists)
			return (names[i]);
	}
	return ("?");
}

static uint64_t
first_superpage(const struct vm_phys_seg *seg)
{
	return (seg->start >> PDRSHIFT);
}

static uint64_t
last_superpage(const struct vm_phys_seg *seg)
{
	return ((seg->end - 1) >> PDRSHIFT);
}

static void
print_segments(const struct vm_phys *vp)
{
	struct table *t = table_create("rrrrrlr");
	static const char *const heads[] = { "segment", "start", "end", "MiB",
		"domain", "free list", "superpages" };

	for (size_t i = 0; i < nitems(heads); i++)
		table_cell(t, "%s", heads[i]);
	table_rule(t);
	for (int i = 0; i < vp->vp_nsegs; i++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[i];

		table_cell(t, "%d", i);
		table_cell(t, "%#" PRIx64, seg->start);
		table_cell(t, "%#" PRIx64, seg->end);
		table_cell(t, "%.1f", (double)(seg->end - seg->start) / MB);
		table_cell(t, "%d", seg->domain);
		table_cell(t, "%s", free_list_name(vp, seg));
		table_cell(t, "%" PRIu64,
		    last_superpage(seg) - first_superpage(seg) + 1);
	}
	table_print(t, stdout);
	table_destroy(t);
}

static void
print_domains(const struct vm_phys *vp)
{
	struct table *t = table_create("rrrr");

	table_cell(t, " domain"); /* as wide as "segment" above */
	table_cell(t, "segments");
	table_cell(t, "MiB");
	table_cell(t, "pages");
	table_rule(t);
	for (int d = 0; d < vp->vp_ndomains; d++) {
		uint64_t bytes = 0;
		int n = 0;

		for (int i = 0; i < vp->vp_nsegs; i++) {
			if (vp->vp_segs[i].domain != d)
				continue;
			bytes += vp->vp_segs[i].end - vp->vp_segs[i].start;
			n++;
		}
		table_cell(t, "%d", d);
		table_cell(t, "%d", n);
		table_cell(t, "%.1f", (double)bytes / MB);
		table_cell(t, "%" PRIu64, bytes / PAGE_SIZE);
	}
	table_print(t, stdout);
	table_destroy(t);
}

/* Superpages that segments share: where a careless layout has two headers. */
static void
print_shared(const struct vm_phys *vp)
{
	unsigned n = 0;

	for (int i = 1; i < vp->vp_nsegs; i++) {
		const struct vm_phys_seg *a = &vp->vp_segs[i - 1];
		const struct vm_phys_seg *b = &vp->vp_segs[i];

		if (last_superpage(a) != first_superpage(b))
			continue;
		(void)printf("superpage %#" PRIx64 " is shared by segments %d "
			     "and %d\n",
		    first_superpage(b) << PDRSHIFT, i - 1, i);
		n++;
	}
	if (n == 0)
		(void)printf("no superpage is shared by segments\n");
}

/* One line of the table of headers. */
static int
header_row(struct table *t, const struct memmap *mm, enum pv_layout pl,
    const struct pv_lock_ops *ops, bool *wrongp)
{
	double gbytes = (double)memmap_usable_bytes(mm, -1) / GB;
	char *design =
	    bench_asprintf("%s/%s", pv_layout_name(pl), ops->plo_name);
	struct pv_header_report phr;
	char buf[TABLE_NUMBER_MAX];
	uint64_t allocated, need;
	struct machine *m;
	int error;

	error = open_machine(mm, design, &m);
	if (error != 0) {
		free(design);
		return (error);
	}
	machine_pv_header_report(m, &phr);
	allocated = machine_pv_header_allocated(m);
	need = phr.phr_superpages * phr.phr_header_bytes;
	table_cell(t, "%s", design);
	table_cell(t, "%zu", phr.phr_header_bytes);
	table_cell(t, "%s", table_integer(buf, phr.phr_headers));
	table_cell(t, "%s", table_integer(buf, phr.phr_total_bytes));
	table_cell(t, "%s",
	    table_integer(
		buf, (uint64_t)((double)phr.phr_total_bytes / gbytes + 0.5)));
	table_cell(t, "%s",
	    table_integer(buf,
		phr.phr_total_bytes > need ? phr.phr_total_bytes - need : 0));
	table_cell(t, "%s", allocated == phr.phr_total_bytes ? "yes" : "NO");
	if (allocated != phr.phr_total_bytes)
		*wrongp = true;
	free(design);
	return (close_machine(m));
}

/*
 * Would every header have to be made one by one?  Some locks also allocate for
 * each: on a machine of many TB that takes minutes, and more memory than a host
 * has, to print a number.
 */
#define MADE_ONE_BY_ONE_MAX (UINT64_C(512) << 30) /* bytes of memory */

static bool
too_large_to_make(const struct memmap *mm, const struct pv_lock_ops *ops)
{
	return ((ops->plo_flags & PLO_ZEROINIT) == 0 &&
	    memmap_usable_bytes(mm, -1) > MADE_ONE_BY_ONE_MAX);
}

static int
print_headers(const struct memmap *mm)
{
	static const char *const heads[] = { "layout/lock", "header bytes",
		"headers", "total bytes", "bytes per GB", "wasted",
		"allocated" };
	struct table *t = table_create("lrrrrrr");
	bool wrong = false;
	int error = 0;

	for (size_t i = 0; i < nitems(heads); i++)
		table_cell(t, "%s", heads[i]);
	for (unsigned pl = 0; pl < PVL_COUNT && error == 0; pl++) {
		table_rule(t);
		for (const struct pv_lock_ops *const *p = pv_lock_ops_list();
		     *p != NULL && error == 0; p++) {
			if (too_large_to_make(mm, *p))
				continue;
			error =
			    header_row(t, mm, (enum pv_layout)pl, *p, &wrong);
		}
	}
	if (error == 0)
		table_print(t, stdout);
	table_destroy(t);
	for (const struct pv_lock_ops *const *p = pv_lock_ops_list();
	     *p != NULL && error == 0; p++) {
		if (too_large_to_make(mm, *p))
			(void)printf("left out: %s, whose headers are made one "
				     "by one\n",
			    (*p)->plo_name);
	}
	return (error == 0 && wrong ? EX_VOID : error);
}

static int
show(const struct memmap *mm, uint64_t parse_ns)
{
	uint64_t before = bench_resident_bytes(), open_ns, resident;
	struct machine *m;
	int error;

	open_ns = bench_clock_ns();
	error = open_machine(mm, NULL, &m);
	open_ns = bench_clock_ns() - open_ns;
	if (error != 0)
		return (error);
	resident = bench_resident_bytes();

	(void)printf("%s\n%s%s", mm->mm_name, mm->mm_title,
	    mm->mm_title[0] != '\0' ? "\n" : "");
	(void)printf("%.1f GB usable, %d segments, %d domain%s; read in %.1f "
		     "ms, opened in %.1f ms",
	    (double)memmap_usable_bytes(mm, -1) / GB, m->ma_vp->vp_nsegs,
	    mm->mm_ndomains, mm->mm_ndomains == 1 ? "" : "s",
	    (double)parse_ns / 1e6, (double)open_ns / 1e6);
	if (resident > before)
		(void)printf(", %.1f MB resident more",
		    (double)(resident - before) / MB);
	(void)printf("\n\n");
	print_segments(m->ma_vp);
	(void)printf("\n");
	print_domains(m->ma_vp);
	(void)printf("\n");
	print_shared(m->ma_vp);
	error = close_machine(m);
	if (error != 0)
		return (error);
	(void)printf("\npv headers; wasted: beyond one header for each "
		     "superpage with memory (gaps,\nrounding, pointers; "
		     "hashed: the locks); allocated: the arenas say the "
		     "same\n\n");
	return (print_headers(mm));
}

static int
memmap_main(int argc, char *argv[])
{
	struct memmap *mm;
	uint64_t parse_ns;
	int error, rest;

	error = opt_parse(memmap_opts, argc, argv, NULL, &rest);
	if (error != 0)
		return (error);
	if (argc - rest != 1) {
		warnx("memmap: expected one file or name; \"pmapsim list "
		      "maps\" has the names");
		return (EX_USAGE);
	}
	parse_ns = bench_clock_ns();
	error = maps_open(argv[rest], &mm);
	if (error != 0)
		return (error);
	error = show(mm, bench_clock_ns() - parse_ns);
	memmap_free(mm);
	return (error);
}

const struct command cmd_memmap = {
	.c_name = "memmap",
	.c_args = "FILE|NAME",
	.c_brief = "a machine's memory and what pv headers take on it",
	.c_opts = memmap_opts,
	.c_run = memmap_main,
	.c_descr =
	    "Reads a memory map from a file (\"-\": standard input), or by the "
	    "name of a bundled\none, and prints the segments and domains that "
	    "it makes, the superpages that\nsegments share, and the bytes of pv "
	    "headers for each layout and lock.\n\n"
	    "Formats, told apart by their lines (END exclusive, hexadecimal):\n"
	    "  START-END TYPE DOMAIN                  .map files, TYPE usable, "
	    "reserved, acpi ...\n"
	    "  START-END : NAME                       Linux /proc/iomem, as "
	    "root\n"
	    "  BIOS-e820: [mem A-B] TYPE              Linux dmesg; domains from "
	    "its lines\n"
	    "  ACPI: SRAT: Node N PXM P [mem A-B]\n"
	    "  SMAP type=T base=B len=L               FreeBSD dmesg of a "
	    "verbose boot\n",
	.c_examples = "  pmapsim memmap xeon-2s-48t-256g\n"
		      "  dmesg | pmapsim memmap -\n"
		      "      this machine, with its NUMA domains\n"
		      "  sudo cat /proc/iomem | pmapsim memmap -\n",
};
