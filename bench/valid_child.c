/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An experiment in pmapsim-virtual, as a child: its options go there on the
 * command line, the preset in a file, the record comes back through a pipe.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "record.h"
#include "valid.h"
#include "virtual.h"

#define RECORD_MAX (256 * 1024)
#define ARGS_MAX   20

/* The preset in a file of its own; its path, malloc()ed, or NULL. */
static char *
save_preset(const struct preset *p)
{
	const char *dir = getenv("TMPDIR");
	char *path, *text;
	size_t len;
	bool good = false;
	int fd;

	path = bench_asprintf(
	    "%s/pmapsim.XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
	fd = mkstemp(path);
	if (fd >= 0) {
		text = preset_write(p, &len);
		good = text != NULL && write(fd, text, len) == (ssize_t)len;
		free(text);
		good = close(fd) == 0 && good;
	}
	if (good)
		return (path);
	warnx("%s: expected to write a preset, and could not", path);
	if (fd >= 0)
		(void)unlink(path);
	free(path);
	return (NULL);
}

static char *
cpu_list(const struct valid_job *vj)
{
	char *list = bench_strdup("--cpus=");

	for (unsigned i = 0; i < vj->vj_threads; i++) {
		char *longer = bench_asprintf(
		    "%s%s%u", list, i > 0 ? "," : "", vj->vj_cpus[i]);

		free(list);
		list = longer;
	}
	return (list);
}

/* The command line of an experiment.  Returns how many words. */
static int
arguments(const struct valid_job *vj, const char *preset, char *argv[ARGS_MAX])
{
	int argc = 0;

	argv[argc++] = bench_strdup("probe");
	argv[argc++] = bench_asprintf("--kind=%s", probe_kinds[vj->vj_kind]);
	argv[argc++] = bench_asprintf("--preset=%s", preset);
	argv[argc++] = cpu_list(vj);
	argv[argc++] = bench_asprintf("--ncpus=%u", vj->vj_ncpus);
	argv[argc++] = bench_asprintf("--samples=%u", vj->vj_samples);
	argv[argc++] = bench_asprintf("--ops=%" PRIu64, vj->vj_ops);
	if (vj->vj_pages > 0)
		argv[argc++] = bench_asprintf("--pages=%u", vj->vj_pages);
	argv[argc++] = bench_asprintf("--seed=%" PRIu64, vj->vj_seed);
	if (vj->vj_gap_ns > 0)
		argv[argc++] = bench_asprintf("--gap=%" PRIu64, vj->vj_gap_ns);
	if (vj->vj_hold_ns > 0)
		argv[argc++] =
		    bench_asprintf("--hold=%" PRIu64, vj->vj_hold_ns);
	return (argc);
}

/* What the child writes, ended by NUL. */
static size_t
read_all(int fd, char *buf, size_t size)
{
	size_t got = 0;

	while (got < size - 1) {
		ssize_t n = read(fd, buf + got, size - 1 - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	buf[got] = '\0';
	return (got);
}

static uint64_t
take_u64(const json_t *o, const char *key)
{
	return ((uint64_t)json_integer_value(json_object_get(o, key)));
}

static int
take_record(const char *text, struct valid_found *vf)
{
	struct probe_result *pr = &vf->vf_probe;
	json_t *o = json_loads(text, 0, NULL), *ns;

	ns = json_object_get(o, "ns");
	if (!json_is_array(ns)) {
		json_decref(o);
		warnx("expected a record of pmapsim-virtual, found \"%.40s\"",
		    text);
		return (EX_SOFTWARE);
	}
	for (size_t i = 0; i < json_array_size(ns); i++)
		vf->vf_ns[vf->vf_n++] =
		    json_number_value(json_array_get(ns, i));
	pr->pr_count = take_u64(o, "count");
	pr->pr_contested = take_u64(o, "contested");
	pr->pr_wait_ns = take_u64(o, "wait_ns");
	pr->pr_elapsed_ns = take_u64(o, "elapsed_ns");
	pr->pr_hold_ns = json_number_value(json_object_get(o, "hold_ns"));
	pr->pr_hold2_ns = json_number_value(json_object_get(o, "hold2_ns"));
	json_decref(o);
	valid_sum_up(vf);
	return (0);
}

int
valid_child(int argc, char *argv[], char *text, size_t size)
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) != 0) {
		warn("pipe");
		return (EX_OSERR);
	}
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		if (dup2(fds[1], STDOUT_FILENO) < 0)
			_exit(EX_OSERR);
		/* It says why when it cannot. */
		_exit(virtual_exec(argc, argv));
	}
	(void)close(fds[1]);
	if (pid < 0) {
		warn("fork");
		(void)close(fds[0]);
		return (EX_UNAVAILABLE);
	}
	(void)read_all(fds[0], text, size);
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (bench_stopped())
		return (EX_INTERRUPTED);
	if (WIFEXITED(status))
		return (WEXITSTATUS(status));
	warnx("pmapsim-virtual ended by signal %d", WTERMSIG(status));
	return (EX_SOFTWARE);
}

int
valid_predict(
    const struct valid_job *vj, const struct preset *p, struct valid_found *vf)
{
	char *preset = save_preset(p), *text, *argv[ARGS_MAX];
	int argc, status;

	memset(vf, 0, sizeof(*vf));
	if (preset == NULL)
		return (EX_CANTCREAT);
	text = bench_calloc(RECORD_MAX, 1);
	argc = arguments(vj, preset, argv);
	status = valid_child(argc, argv, text, RECORD_MAX);
	while (argc > 0)
		free(argv[--argc]);
	if (status == 0)
		status = take_record(text, vf);
	free(text);
	(void)unlink(preset);
	free(preset);
	return (status);
}
