/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_MEMMAP_H
#define PMAPSIM_MEMMAP_H

/*
 * Memory maps of machines: which physical ranges are usable memory, and which
 * NUMA domain each belongs to.  Four formats are read, told apart by their
 * lines:
 *
 *	map		START-END TYPE DOMAIN		END exclusive, hex
 *	iomem		START-END : NAME		Linux /proc/iomem
 *	boot log	BIOS-e820: [mem A-B] TYPE, and	Linux dmesg
 *			ACPI: SRAT: Node N PXM P [mem A-B]
 *	SMAP		SMAP type=T base=B len=L	FreeBSD dmesg -v
 */

#include <stddef.h>

#include "pmapsim/types.h"

enum memmap_type {
	MEMMAP_USABLE,
	MEMMAP_RESERVED,
	MEMMAP_ACPI,
	MEMMAP_NVS,
	MEMMAP_UNUSABLE,
	MEMMAP_OTHER,
};

/* Addresses in bytes, end exclusive; neither need be page aligned. */
struct memmap_range {
	vm_paddr_t mr_start;
	vm_paddr_t mr_end;
	enum memmap_type mr_type;
	int mr_domain; /* 0 to mm_ndomains - 1 */
};

/* One affinity record: [ma_start, ma_end) belongs to ma_domain. */
struct memmap_affinity {
	vm_paddr_t ma_start;
	vm_paddr_t ma_end;
	int ma_domain;
};

struct memmap {
	char mm_name[64];   /* file name without directory and suffix */
	char mm_title[160]; /* the first comment line, or empty */
	struct memmap_range *mm_ranges; /* sorted by start, disjoint */
	size_t mm_nranges;
	struct memmap_affinity *mm_affinity; /* sorted; may be empty */
	size_t mm_naffinity;
	int mm_ndomains; /* >= 1, <= MAXMEMDOM; domains are dense from 0 */
};

/* Why reading failed: where, and what was expected there. */
struct memmap_error {
	unsigned me_line;  /* 1-based; 0: the file as a whole */
	char me_text[200]; /* no newline, no file name */
};

/*
 * Read a memory map from the file at path ("-" is standard input).
 *
 * Returns 0 and sets *mmp, which the caller frees with memmap_free(); or an
 * errno value and fills *me: EINVAL for a malformed line or an unusable map
 * (no usable page, overlapping ranges, too many domains), ENOMEM, or what
 * open(2) and read(2) give.  Locks: none.  Any thread may call this.
 */
int memmap_read(const char *path, struct memmap **mmp, struct memmap_error *me);

/* The same from a string of len bytes, under the given name. */
int memmap_parse(const char *name, const char *text, size_t len,
    struct memmap **mmp, struct memmap_error *me);

/* Accepts NULL. */
void memmap_free(struct memmap *mm);

/* Usable bytes in whole pages, over all ranges, or of one domain (>= 0). */
vm_size_t memmap_usable_bytes(const struct memmap *mm, int domain);

#endif /* PMAPSIM_MEMMAP_H */
