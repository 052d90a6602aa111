/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

atomic_bool bench_stop;

static void
on_signal(int sig)
{
	(void)sig;
	/* Relaxed: a flag that is polled; nothing else is passed on. */
	atomic_store_explicit(&bench_stop, true, memory_order_relaxed);
}

void
bench_catch_signals(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = (int)SA_RESETHAND;
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

bool
bench_stopped(void)
{
	/* Relaxed: as in on_signal(). */
	return (atomic_load_explicit(&bench_stop, memory_order_relaxed));
}

uint64_t
bench_clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

void *
bench_calloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);

	if (p == NULL)
		errx(EX_OSERR, "%zu x %zu bytes: out of memory", n, size);
	return (p);
}

void *
bench_reallocarray(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0 || n > SIZE_MAX / size ||
	    (p = realloc(p, n * size)) == NULL)
		errx(EX_OSERR, "%zu x %zu bytes: out of memory", n, size);
	return (p);
}

char *
bench_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		errx(EX_OSERR, "%zu bytes: out of memory", strlen(s) + 1);
	return (p);
}

char *
bench_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		errx(EX_OSERR, "out of memory");
	return (s);
}

char *
bench_join(char *const *strings, size_t n, const char *separator)
{
	size_t size = 1, o = 0;
	char *s;

	for (size_t i = 0; i < n; i++)
		size += strlen(strings[i]) + strlen(separator);
	s = bench_calloc(size, 1);
	for (size_t i = 0; i < n; i++)
		o += (size_t)snprintf(s + o, size - o, "%s%s",
		    i > 0 ? separator : "", strings[i]);
	return (s);
}

int
bench_exit_status(int error)
{
	switch (error) {
	case 0:
		return (0);
	case EINVAL:
		return (EX_DATAERR);
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENAMETOOLONG:
		return (EX_NOINPUT);
	case EIO:
	case EBADF:
		return (EX_IOERR);
	case EAGAIN:
		return (EX_UNAVAILABLE);
	case ENOTRECOVERABLE:
		return (EX_SOFTWARE);
	case EINTR:
		return (EX_INTERRUPTED);
	default:
		return (EX_OSERR);
	}
}

uint64_t
bench_resident_bytes(void)
{
	uint64_t size, resident = 0;
	long page = sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL)
		return (0);
	if (page < 0 ||
	    fscanf(f, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		resident = 0;
	(void)fclose(f);
	return (resident * (uint64_t)page);
}
