/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory maps: reading a file and telling the formats apart.
 *
 * The format is decided once for the whole text: a log if any line outside
 * comments carries one of a log's marks, else by the first line with content.
 * In a log all other lines are ignored, so a whole dmesg will do.
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

vm_size_t
memmap_usable_bytes(const struct memmap *mm, int domain)
{
	const struct memmap_range *mr;
	uint64_t n = 0;

	for (size_t i = 0; i < mm->mm_nranges; i++) {
		mr = &mm->mm_ranges[i];
		if (mr->mr_type == MEMMAP_USABLE &&
		    (domain < 0 || mr->mr_domain == domain))
			n += mm_usable_pages(mr->mr_start, mr->mr_end);
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
	struct mm_line ml = { 0 };
	mm_line_fn *fn;
	int error;

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
	return (mm_build(mr, fn == mm_map_line, mmp));
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
