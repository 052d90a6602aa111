/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include "sim/host.h"

static void *
thread_main(void *arg)
{
	struct bench_thread *bt = arg;

	if (bt->bt_hostcpu >= 0)
		(void)host_bind_thread(bt->bt_hostcpu);
	bt->bt_fn(bt->bt_arg);
	return (NULL);
}

int
bench_thread_start(
    struct bench_thread *bt, int hostcpu, void (*fn)(void *arg), void *arg)
{
	bt->bt_hostcpu = hostcpu;
	bt->bt_fn = fn;
	bt->bt_arg = arg;
	return (pthread_create(&bt->bt_pthread, NULL, thread_main, bt));
}

void
bench_thread_join(struct bench_thread *bt)
{
	(void)pthread_join(bt->bt_pthread, NULL);
}
