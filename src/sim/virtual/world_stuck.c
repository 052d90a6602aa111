/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Nobody can go on: who waits for what.
 *
 * A line for each fiber:
 *
 *	fiber 3, thread 2, CPU 1: sleeps for a token at 0x..., waits for
 *	"pmap pv list", lends to fiber 5
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "sim/sim.h"
#include "sim/virtual/world_impl.h"

/* Longer reports are cut. */
#define STUCK_MAX 16384

struct text {
	char t_text[STUCK_MAX];
	size_t t_len;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(
	    t->t_text + t->t_len, sizeof(t->t_text) - t->t_len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->t_len += (size_t)n;
	if (t->t_len >= sizeof(t->t_text))
		t->t_len = sizeof(t->t_text) - 1;
}

static void
add_state(struct text *t, const struct vfiber *fb)
{
	switch ((enum vfiber_state)fb->fb_state) {
	case FB_RUNS:
		add(t, " runs");
		break;
	case FB_READY:
		add(t, " waits for its CPU");
		break;
	case FB_BLOCKED:
		add(t, " sleeps for %s", fb->fb_why);
		if (fb->fb_on != NULL)
			add(t, " at %p", fb->fb_on);
		break;
	case FB_DEAD:
		break;
	}
}

static void
add_fiber(struct text *t, const struct vfiber *fb)
{
	const struct thread *td = fb->fb_td;
	const void *word = NULL;

	add(t, "  fiber %u", fb->fb_id);
	if (td != NULL) {
		add(t, ", thread %" PRIu32, td->td_id);
		/* Relaxed: there is one host thread. */
		word = atomic_load_explicit(
		    &td->td_blocked_on, memory_order_relaxed);
	}
	add(t, ", CPU %u:", fb->fb_cpu->vc_id);
	add_state(t, fb);
	if (fb->fb_class != NULL)
		add(t, ", waits for \"%s\"", fb->fb_class);
	if (word != NULL)
		add(t, ", lock word %p", word);
	if (td != NULL && td->td_lent_to != NULL)
		add(t, ", held by thread %" PRIu32, td->td_lent_to->td_id);
	if (fb->fb_lends_to != NULL)
		add(t, ", lends to fiber %u", fb->fb_lends_to->fb_id);
	if (td != NULL && td->td_pv_held != NULL)
		add(t, ", holds pv list lock %p", td->td_pv_held);
	add(t, "\n");
}

_Noreturn void
world_stuck(const char *what)
{
	static struct text t;
	struct explore *ex = virt_world.vw_strategy;

	t.t_len = 0;
	add(&t, "%s: nobody can go on, at %" PRIu64 " ns\n", what,
	    world_now_ps() / 1000);
	for (unsigned i = 0; i < virt_world.vw_nfibers; i++) {
		if (virt_world.vw_fibers[i]->fb_state != FB_DEAD)
			add_fiber(&t, virt_world.vw_fibers[i]);
	}
	if (ex != NULL && ex->ex_ops->eo_deadlock != NULL)
		ex->ex_ops->eo_deadlock(ex, t.t_text);
	(void)fflush(stdout);
	(void)fputs(t.t_text, stderr);
	(void)fflush(stderr);
	_Exit(EX_SOFTWARE);
}
