/*
 * Memory maps: reading a file, telling the formats apart, and turning what a
 * reader recorded into sorted, disjoint ranges with dense domains.
 *
 * The format is decided once for the whole text: a log if any line outside
 * comments carries one of a log's marks, else by the first line with content.
 * In a log all other lines are ignored, so a whole dmesg will do.
 *
 * Domains.  Our own format names the domain of each range.  In a log the SRAT
 * lines do: a usable range is cut where affinity changes, nodes that own no
 * usable page are dropped (empty hot-plug windows are common) and the others
 * are numbered densely in the order of their node numbers.
 */

#include "pmapsim/memmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "phys/memmap_reader.h"

/* Logs are of some 100 KB; this is for /dev/zero. */
#define MEMMAP_FILE_MAX ((size_t)64 << 20)

/* Source: AMD64 and Intel manuals: page table entries hold 52-bit addresses. */
#define PADDR_MAX (UINT64_C(1) << 52)

static uint64_t
usable_pages(vm_paddr_t start, vm_paddr_t end)
{
	uint64_t first = start / PAGE_SIZE + (start % PAGE_SIZE != 0);
	uint64_t last = end / PAGE_SIZE;

	return (first < last ? last - first : 0);
}

vm_size_t
memmap_usable_bytes(const struct memmap *mm, int domain)
{
	const struct memmap_range *mr;
	uint64_t n = 0;

	for (size_t i = 0; i < mm->mm_nranges; i++) {
		mr = &mm->mm_ranges[i];
		if (mr->mr_type == MEMMAP_USABLE &&
		    (domain < 0 || mr->mr_domain == domain))
			n += usable_pages(mr->mr_start, mr->mr_end);
	}
	return (n * PAGE_SIZE);
}

void
memmap_free(struct memmap *mm)
{
	if (mm == NULL)
		return;
	free(mm->mm_ranges);
	free(mm->mm_affinity);
	free(mm);
}

static int
compare_entries(const void *ap, const void *bp)
{
	const struct mm_entry *a = ap;
	const struct mm_entry *b = bp;

	if (a->me_start != b->me_start)
		return (a->me_start < b->me_start ? -1 : 1);
	if (a->me_line != b->me_line)
		return (a->me_line < b->me_line ? -1 : 1);
	return (0);
}

static int
fail_overlap(
    struct mm_reader *mr, const struct mm_entry *a, const struct mm_entry *b)
{
	const struct mm_entry *later = a->me_line > b->me_line ? a : b;
	const struct mm_entry *earlier = later == a ? b : a;

	return (mm_fail(mr, later->me_line,
	    "expected disjoint ranges: %" PRIx64 "-%" PRIx64
	    " overlaps %" PRIx64 "-%" PRIx64 " of line %u",
	    later->me_start, later->me_end, earlier->me_start, earlier->me_end,
	    earlier->me_line));
}

static int
sort_ranges(struct mm_reader *mr)
{
	struct mm_table *mt = &mr->mr_ranges;
	struct mm_entry *me;

	if (mt->mt_count == 0)
		return (mm_fail(mr, 0, "expected a memory map, found none"));
	qsort(mt->mt_entries, mt->mt_count, sizeof(*me), compare_entries);
	for (size_t i = 0; i < mt->mt_count; i++) {
		me = &mt->mt_entries[i];
		if (i > 0 && me[-1].me_end > me->me_start)
			return (fail_overlap(mr, &me[-1], me));
		if (me->me_type == MEMMAP_USABLE && me->me_end > PADDR_MAX) {
			return (mm_fail(mr, me->me_line,
			    "expected usable memory to end below 2^52"));
		}
	}
	return (0);
}

/* Records of one node may overlap or touch: they become one. */
static int
sort_affinity(struct mm_reader *mr)
{
	struct mm_table *mt = &mr->mr_affinity;
	struct mm_entry *me, *prev;
	size_t n = 0;

	if (mt->mt_count == 0)
		return (0);
	qsort(mt->mt_entries, mt->mt_count, sizeof(*me), compare_entries);
	for (size_t i = 0; i < mt->mt_count; i++) {
		me = &mt->mt_entries[i];
		prev = n > 0 ? &mt->mt_entries[n - 1] : NULL;
		if (prev != NULL && prev->me_domain == me->me_domain &&
		    prev->me_end >= me->me_start) {
			if (prev->me_end < me->me_end)
				prev->me_end = me->me_end;
			continue;
		}
		if (prev != NULL && prev->me_end > me->me_start)
			return (fail_overlap(mr, prev, me));
		mt->mt_entries[n++] = *me;
	}
	mt->mt_count = n;
	return (0);
}

/*
 * Cut the usable ranges at the affinity records and give every range its
 * record's domain.  What is not memory need not be covered by a record; it
 * then gets the domain of the nearest one below, for display only.
 */
static int
apply_affinity(struct mm_reader *mr)
{
	const struct mm_table *at = &mr->mr_affinity;
	struct mm_table cut = { 0 };
	struct mm_entry me;
	vm_paddr_t end;
	size_t j = 0;
	int error = 0;

	for (size_t i = 0; i < mr->mr_ranges.mt_count && error == 0; i++) {
		me = mr->mr_ranges.mt_entries[i];
		end = me.me_end;
		while (j + 1 < at->mt_count &&
		    at->mt_entries[j].me_end <= me.me_start)
			j++;
		while (error == 0 && me.me_start < end) {
			const struct mm_entry *a = &at->mt_entries[j];

			me.me_domain = a->me_domain;
			me.me_end = end;
			if (me.me_type != MEMMAP_USABLE) {
				error = mm_add(&cut, &me);
				break;
			}
			if (a->me_start > me.me_start ||
			    a->me_end <= me.me_start) {
				error = mm_fail(mr, me.me_line,
				    "expected an SRAT record that covers "
				    "%" PRIx64,
				    me.me_start);
				break;
			}
			if (a->me_end < end) {
				me.me_end = a->me_end;
				if (j + 1 < at->mt_count)
					j++;
			}
			error = mm_add(&cut, &me);
			me.me_start = me.me_end;
		}
	}
	if (error != 0) {
		free(cut.mt_entries);
		return (error);
	}
	free(mr->mr_ranges.mt_entries);
	mr->mr_ranges = cut;
	return (0);
}

static bool
domain_used(const struct mm_table *ranges, unsigned domain)
{
	const struct mm_entry *me;

	for (size_t i = 0; i < ranges->mt_count; i++) {
		me = &ranges->mt_entries[i];
		if (me->me_type == MEMMAP_USABLE && me->me_domain == domain &&
		    usable_pages(me->me_start, me->me_end) > 0)
			return (true);
	}
	return (false);
}

static int
compare_unsigned(const void *ap, const void *bp)
{
	unsigned a = *(const unsigned *)ap;
	unsigned b = *(const unsigned *)bp;

	return (a < b ? -1 : a > b);
}

/*
 * The domains that own usable pages, ascending.  Fails when there are none or
 * too many.
 */
static int
collect_domains(struct mm_reader *mr, unsigned *domains, int *ndomainsp)
{
	const struct mm_entry *me;
	int i, n = 0;

	for (size_t r = 0; r < mr->mr_ranges.mt_count; r++) {
		me = &mr->mr_ranges.mt_entries[r];
		if (me->me_type != MEMMAP_USABLE ||
		    usable_pages(me->me_start, me->me_end) == 0)
			continue;
		for (i = 0; i < n && domains[i] != me->me_domain; i++)
			continue;
		if (i < n)
			continue;
		if (n == MAXMEMDOM) {
			return (mm_fail(mr, me->me_line,
			    "expected at most %d domains with memory",
			    MAXMEMDOM));
		}
		domains[n++] = me->me_domain;
	}
	if (n == 0)
		return (mm_fail(mr, 0, "expected usable memory, found none"));
	qsort(domains, (size_t)n, sizeof(domains[0]), compare_unsigned);
	*ndomainsp = n;
	return (0);
}

/* The dense number of a domain; a domain without memory shares the one below. */
static int
dense_domain(const unsigned *domains, int ndomains, unsigned domain)
{
	int i = 0;

	while (i + 1 < ndomains && domains[i + 1] <= domain)
		i++;
	return (i);
}

/* In our own format numbers are the author's, and a gap is a mistake. */
static int
check_map_domains(struct mm_reader *mr, const unsigned *domains, int ndomains)
{
	const struct mm_entry *me;

	for (int i = 0; i < ndomains; i++) {
		if (domains[i] != (unsigned)i) {
			return (mm_fail(mr, 0,
			    "expected usable memory in domain %d: domains are "
			    "numbered from 0 without gaps",
			    i));
		}
	}
	for (size_t i = 0; i < mr->mr_ranges.mt_count; i++) {
		me = &mr->mr_ranges.mt_entries[i];
		if (me->me_domain >= (unsigned)ndomains) {
			return (mm_fail(mr, me->me_line,
			    "expected a domain with usable memory, found %u",
			    me->me_domain));
		}
	}
	return (0);
}

static int
build(struct mm_reader *mr, const unsigned *domains, int ndomains,
    struct memmap **mmp)
{
	const struct mm_table *at = &mr->mr_affinity;
	const struct mm_table *rt = &mr->mr_ranges;
	const struct mm_entry *me;
	struct memmap *mm;

	mm = calloc(1, sizeof(*mm));
	if (mm == NULL)
		return (ENOMEM);
	mm->mm_ndomains = ndomains;
	mm->mm_ranges = calloc(rt->mt_count, sizeof(mm->mm_ranges[0]));
	if (mm->mm_ranges == NULL)
		goto fail;
	for (size_t i = 0; i < rt->mt_count; i++) {
		me = &rt->mt_entries[i];
		mm->mm_ranges[i] = (struct memmap_range){
			.mr_start = me->me_start,
			.mr_end = me->me_end,
			.mr_type = me->me_type,
			.mr_domain =
			    dense_domain(domains, ndomains, me->me_domain),
		};
	}
	mm->mm_nranges = rt->mt_count;

	mm->mm_affinity = calloc(at->mt_count + 1, sizeof(mm->mm_affinity[0]));
	if (mm->mm_affinity == NULL)
		goto fail;
	for (size_t i = 0; i < at->mt_count; i++) {
		me = &at->mt_entries[i];
		if (!domain_used(rt, me->me_domain))
			continue;
		mm->mm_affinity[mm->mm_naffinity++] = (struct memmap_affinity){
			.ma_start = me->me_start,
			.ma_end = me->me_end,
			.ma_domain =
			    dense_domain(domains, ndomains, me->me_domain),
		};
	}
	memcpy(mm->mm_title, mr->mr_title, sizeof(mm->mm_title));
	*mmp = mm;
	return (0);

fail:
	memmap_free(mm);
	return (ENOMEM);
}

/* The next line of [*pp, end), without "\n" or "\r\n". */
static bool
next_line(const char **pp, const char *end, struct mm_line *ml)
{
	const char *nl;

	if (*pp == end)
		return (false);
	nl = memchr(*pp, '\n', (size_t)(end - *pp));
	ml->ml_p = *pp;
	ml->ml_end = nl != NULL ? nl : end;
	ml->ml_number++;
	*pp = nl != NULL ? nl + 1 : end;
	if (ml->ml_end > ml->ml_p && ml->ml_end[-1] == '\r')
		ml->ml_end--;
	return (true);
}

typedef int mm_line_fn(struct mm_reader *mr, struct mm_line *ml);

static mm_line_fn *
choose_format(const char *text, const char *end)
{
	struct mm_line ml = { 0 };
	mm_line_fn *fn = NULL;

	while (next_line(&text, end, &ml)) {
		mm_skip_blanks(&ml);
		if (mm_at_end(&ml) || *ml.ml_p == '#')
			continue;
		if (mm_is_log_line(&ml))
			return (mm_log_line);
		if (fn == NULL)
			fn =
			    mm_is_iomem_line(&ml) ? mm_iomem_line : mm_map_line;
	}
	return (fn != NULL ? fn : mm_map_line);
}

static int
read_text(struct mm_reader *mr, const char *text, const char *end,
    struct memmap **mmp)
{
	unsigned domains[MAXMEMDOM];
	struct mm_line ml = { 0 };
	mm_line_fn *fn;
	int error, ndomains = 0;

	fn = choose_format(text, end);
	while (next_line(&text, end, &ml)) {
		error = fn(mr, &ml);
		if (error != 0)
			return (error);
	}
	if (mr->mr_hidden) {
		return (mm_fail(mr, mr->mr_first_line,
		    "expected addresses, but all are hidden (zero): "
		    "read /proc/iomem as root"));
	}
	if (mr->mr_e820_line != 0 && mr->mr_smap_line != 0) {
		return (mm_fail(mr,
		    mr->mr_smap_line > mr->mr_e820_line ? mr->mr_smap_line
							: mr->mr_e820_line,
		    "expected BIOS-e820 or SMAP lines, found both"));
	}
	error = sort_ranges(mr);
	if (error == 0)
		error = sort_affinity(mr);
	if (error == 0 && mr->mr_affinity.mt_count > 0)
		error = apply_affinity(mr);
	if (error == 0)
		error = collect_domains(mr, domains, &ndomains);
	if (error == 0 && fn == mm_map_line)
		error = check_map_domains(mr, domains, ndomains);
	if (error == 0)
		error = build(mr, domains, ndomains, mmp);
	return (error);
}

int
memmap_parse(const char *name, const char *text, size_t len,
    struct memmap **mmp, struct memmap_error *me)
{
	struct mm_reader mr = { .mr_error = me };
	struct memmap *mm = NULL;
	int error;

	memset(me, 0, sizeof(*me));
	error = read_text(&mr, text, text + len, &mm);
	free(mr.mr_ranges.mt_entries);
	free(mr.mr_affinity.mt_entries);
	if (error == ENOMEM)
		(void)mm_fail(&mr, 0, "out of memory");
	if (error != 0)
		return (error);
	strncpy(mm->mm_name, name, sizeof(mm->mm_name) - 1);
	*mmp = mm;
	return (0);
}

/* "dir/xeon.map" is called "xeon". */
static void
name_of_path(const char *path, char *name, size_t size)
{
	const char *base, *dot;
	size_t n;

	base = strrchr(path, '/');
	base = base != NULL ? base + 1 : path;
	if (strcmp(path, "-") == 0)
		base = "stdin";
	dot = strrchr(base, '.');
	n = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
	if (n > size - 1)
		n = size - 1;
	memcpy(name, base, n);
	name[n] = '\0';
}

/* The whole of a file, in a buffer that the caller frees. */
static int
slurp(int fd, char **textp, size_t *lenp)
{
	char *grown, *text = NULL;
	size_t capacity = 0, len = 0;
	ssize_t n;
	int error;

	for (;;) {
		if (len == capacity) {
			capacity = capacity == 0 ? 65536 : 2 * capacity;
			if (capacity > MEMMAP_FILE_MAX) {
				error = EFBIG;
				goto fail;
			}
			grown = realloc(text, capacity);
			if (grown == NULL) {
				error = ENOMEM;
				goto fail;
			}
			text = grown;
		}
		n = read(fd, text + len, capacity - len);
		if (n == 0)
			break;
		if (n < 0) {
			if (errno == EINTR)
				continue;
			error = errno;
			goto fail;
		}
		len += (size_t)n;
	}
	*textp = text;
	*lenp = len;
	return (0);

fail:
	free(text);
	return (error);
}

int
memmap_read(const char *path, struct memmap **mmp, struct memmap_error *me)
{
	struct mm_reader mr = { .mr_error = me };
	char name[sizeof((*mmp)->mm_name)];
	char *text = NULL;
	size_t len = 0;
	int error, fd = STDIN_FILENO;

	memset(me, 0, sizeof(*me));
	name_of_path(path, name, sizeof(name));
	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			error = errno;
			(void)mm_fail(&mr, 0, "%s", strerror(error));
			return (error);
		}
	}
	error = slurp(fd, &text, &len);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	if (error != 0) {
		(void)mm_fail(&mr, 0, "%s", strerror(error));
		return (error);
	}
	error = memmap_parse(name, text, len, mmp, me);
	free(text);
	return (error);
}
