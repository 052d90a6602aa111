/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks in processes of their own.
 *
 * A child runs one task, writes the result to a pipe as it lies in memory, and
 * ends.  The parent starts the next one when a child's pipe has ended, keeps what
 * comes out of order, and hands results on in theirs.  Children have the parent's
 * terminal, so that SIGINT reaches all of them; they die of it, and who sent it to
 * the parent alone is served, too: it ends those that it has started.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "virtual.h"

#define POLL_MS 100

/* What a task has come to. */
struct job {
	pid_t j_pid; /* 0: not running */
	int j_fd;
	char *j_bytes;
	size_t j_size;
	size_t j_max;
	bool j_done;
};

struct jobs {
	const struct virtual_task *js_tasks;
	struct job *js_jobs; /* [js_n] */
	size_t js_n;
	size_t js_started;
	size_t js_delivered;
	unsigned js_running;
	int js_status;
};

static bool
write_all(int fd, const void *p, size_t size)
{
	const char *bytes = p;

	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (false);
		bytes += n;
		size -= (size_t)n;
	}
	return (true);
}

static _Noreturn void
child(const struct virtual_task *vt, int fd)
{
	struct virtual_result *vr = bench_calloc(1, sizeof(*vr));
	const struct workload_result *wr = &vr->vr_wr;
	int status;

	status = virtual_task_run(vt, vr);
	if (status == 0 &&
	    (!write_all(fd, vr, sizeof(*vr)) ||
		!write_all(fd, wr->wr_threads,
		    wr->wr_nthreads * sizeof(wr->wr_threads[0])) ||
		!write_all(fd, wr->wr_sites,
		    wr->wr_nsites * sizeof(wr->wr_sites[0])))) {
		warn("a result cannot be handed on");
		status = EX_OSERR;
	}
	/* Not exit(): what the parent's streams hold is the parent's. */
	(void)fflush(stderr);
	_exit(status);
}

/*
 * A signal between fork() and the child's own handling of it would be served as
 * the parent's, by a child that goes on.
 */
static int
start(struct jobs *js)
{
	struct job *j = &js->js_jobs[js->js_started];
	sigset_t set, before;
	int fds[2];

	if (pipe(fds) != 0) {
		warn("pipe");
		return (EX_OSERR);
	}
	(void)fflush(NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	j->j_pid = fork();
	if (j->j_pid == 0) {
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (j->j_pid < 0) {
		warn("fork");
		j->j_pid = 0;
		(void)close(fds[0]);
		(void)close(fds[1]);
		return (EX_UNAVAILABLE);
	}
	if (j->j_pid == 0) {
		(void)close(fds[0]);
		child(&js->js_tasks[js->js_started], fds[1]);
	}
	(void)close(fds[1]);
	j->j_fd = fds[0];
	js->js_started++;
	js->js_running++;
	return (0);
}

/* The child has ended, or is about to.  Returns 0 or an exit status. */
static int
reap(struct jobs *js, struct job *j)
{
	int status;
	pid_t pid;

	(void)close(j->j_fd);
	do {
		pid = waitpid(j->j_pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	j->j_pid = 0;
	js->js_running--;
	if (pid < 0)
		return (EX_OSERR);
	if (WIFSIGNALED(status)) {
		if (bench_stopped() || WTERMSIG(status) == SIGINT)
			return (EX_INTERRUPTED);
		warnx("%s: the run was ended by signal %d",
		    js->js_tasks[j - js->js_jobs].vt_design, WTERMSIG(status));
		return (EX_SOFTWARE);
	}
	if (WEXITSTATUS(status) != 0)
		return (WEXITSTATUS(status));
	if (j->j_size < sizeof(struct virtual_result)) {
		warnx("%s: the run said nothing",
		    js->js_tasks[j - js->js_jobs].vt_design);
		return (EX_SOFTWARE);
	}
	j->j_done = true;
	return (0);
}

/* Read what is there.  Returns 0 or an exit status. */
static int
receive(struct jobs *js, struct job *j)
{
	ssize_t n;

	if (j->j_max - j->j_size < 65536) {
		j->j_max += 262144;
		j->j_bytes = bench_reallocarray(j->j_bytes, j->j_max, 1);
	}
	n = read(j->j_fd, j->j_bytes + j->j_size, j->j_max - j->j_size);
	if (n > 0) {
		j->j_size += (size_t)n;
		return (0);
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return (0);
	return (reap(js, j));
}

static void *
copy_part(const char *bytes, size_t size)
{
	void *p = bench_calloc(1, size);

	memcpy(p, bytes, size);
	return (p);
}

/* Results in their order, as far as they are there. */
static int
deliver(struct jobs *js, virtual_done_fn *done, void *arg)
{
	int error = 0;

	while (error == 0 && js->js_delivered < js->js_n &&
	    js->js_jobs[js->js_delivered].j_done) {
		struct job *j = &js->js_jobs[js->js_delivered];
		struct virtual_result *vr = copy_part(j->j_bytes, sizeof(*vr));
		struct workload_result *wr = &vr->vr_wr;
		size_t off = sizeof(*vr), size;

		size = wr->wr_nthreads * sizeof(wr->wr_threads[0]);
		wr->wr_threads = copy_part(j->j_bytes + off, size);
		off += size;
		size = wr->wr_nsites * sizeof(wr->wr_sites[0]);
		wr->wr_sites = copy_part(j->j_bytes + off, size);
		free(j->j_bytes);
		j->j_bytes = NULL;
		error = done(arg, js->js_delivered++, vr);
		free(vr);
	}
	return (error);
}

/* Wait until some child has something to say, and hear it. */
static int
listen_once(struct jobs *js)
{
	struct pollfd *fds = bench_calloc(js->js_running, sizeof(fds[0]));
	size_t *which = bench_calloc(js->js_running, sizeof(which[0]));
	nfds_t n = 0;
	int error = 0;

	for (size_t i = js->js_delivered; i < js->js_started; i++) {
		if (js->js_jobs[i].j_pid == 0)
			continue;
		fds[n].fd = js->js_jobs[i].j_fd;
		fds[n].events = POLLIN;
		which[n++] = i;
	}
	/* A signal that came just before this is seen soon enough. */
	if (poll(fds, n, POLL_MS) > 0) {
		for (nfds_t k = 0; k < n && error == 0; k++) {
			if (fds[k].revents != 0)
				error = receive(js, &js->js_jobs[which[k]]);
		}
	}
	free(fds);
	free(which);
	return (error);
}

/* Those that still run have no one to report to. */
static void
end_all(struct jobs *js)
{
	for (size_t i = 0; i < js->js_started; i++) {
		struct job *j = &js->js_jobs[i];

		if (j->j_pid != 0) {
			(void)kill(j->j_pid, SIGTERM);
			(void)close(j->j_fd);
			(void)waitpid(j->j_pid, NULL, 0);
		}
		free(j->j_bytes);
	}
	free(js->js_jobs);
}

int
virtual_jobs_run(const struct virtual_task *tasks, size_t n, unsigned jobs,
    virtual_done_fn *done, void *arg)
{
	struct jobs js = { .js_tasks = tasks, .js_n = n };
	int error = 0;

	js.js_jobs = bench_calloc(n, sizeof(js.js_jobs[0]));
	while (error == 0 && js.js_delivered < n && !bench_stopped()) {
		if (js.js_started < n && js.js_running < jobs) {
			error = start(&js);
			continue;
		}
		error = listen_once(&js);
		if (error == 0)
			error = deliver(&js, done, arg);
	}
	end_all(&js);
	if (error == EX_INTERRUPTED && bench_stopped())
		error = 0;
	return (error);
}
