/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The coherence model, asked access by access: CPUs are given a clock, and what an
 * access adds to it is compared with the numbers of the preset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/line_impl.h"
#include "sim/virtual/world.h"
#include "virt_util.h"

/* Nothing is on its way any more after so long. */
#define SETTLED_PS UINT64_C(1000000000)
#define NPAGES     512u
#define PAGE       ((size_t)4096)

static struct preset pr;
static char *memory; /* pages of the arena */
static uint64_t now;

/* set: one number of the preset, or NULL. */
static void
begin_with(const char *preset, unsigned ncpus, const char *set)
{
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = ncpus,
	};
	struct preset_error pe;

	assert_int_equal(preset_open(preset, &pr, &pe), 0);
	assert_int_equal(preset_set(&pr, set, "test", &pe), 0);
	memory = virt_setup(&vc, NPAGES * PAGE);
	now = VIRT_BEGIN_PS;
}

/* Nobody keeps a line: a transfer takes what the preset says. */
static void
begin(const char *preset, unsigned ncpus)
{
	begin_with(preset, ncpus, "line_hold=0");
}

static struct vcpu *
cpu_of(unsigned cpu)
{
	return (&virt_world.vw_cpus[cpu]);
}

/* The CPU, with this clock. */
static struct vcpu *
at(unsigned cpu, uint64_t clock_ps)
{
	struct vcpu *vc = cpu_of(cpu);

	vc->vc_clock_ps = vc->vc_mark_ps = clock_ps;
	return (vc);
}

/* What an access takes that begins now. */
static uint64_t
cost(unsigned cpu, enum line_op op, const void *p)
{
	struct vcpu *vc = at(cpu, now);

	/* An RMW asks for its turn again when the stores before it have come. */
	if (!line_access(vc, (uintptr_t)p, op)) {
		assert_int_equal(op, LINE_RMW);
		assert_true(vc->vc_clock_ps > now);
		assert_true(line_access(vc, (uintptr_t)p, op));
	}
	return (vc->vc_clock_ps - now);
}

/* The same, after what came before has settled. */
static uint64_t
later(unsigned cpu, enum line_op op, const void *p)
{
	now += SETTLED_PS;
	return (cost(cpu, op, p));
}

/* First lines of pages: none is foreseen. */
static char *
page(unsigned i)
{
	assert_true(i < NPAGES);
	return (memory + i * PAGE);
}

static uint64_t
hit_of(unsigned cpu)
{
	return (cpu_of(cpu)->vc_hit_ps);
}

static uint64_t
price(unsigned a, unsigned b)
{
	switch (line_distance(a, b)) {
	case VD_CORE:
		return (pr.pr_line_smt_ps);
	case VD_CLUSTER:
		return (pr.pr_line_cluster_ps);
	case VD_SOCKET:
		return (pr.pr_line_socket_ps);
	case VD_REMOTE:
		return (pr.pr_line_remote_ps);
	case VD_SELF:
	case NVD:
		break;
	}
	return (UINT64_MAX);
}

static void
ping_pong_is_the_presets_for_every_pair(void **state)
{
	unsigned seen[NVD] = { 0 }, n;

	(void)state;
	for (unsigned i = 0; preset_names[i] != NULL; i++) {
		struct preset_error pe;

		assert_int_equal(preset_open(preset_names[i], &pr, &pe), 0);
		n = (unsigned)preset_ncpus(&pr);
		begin(preset_names[i], n);
		for (unsigned a = 0; a < n; a += 3) {
			for (unsigned b = 0; b < n; b++) {
				if (a == b)
					continue;
				(void)later(a, LINE_RMW, memory);
				assert_int_equal(
				    later(b, LINE_RMW, memory), price(a, b));
				assert_int_equal(
				    later(a, LINE_RMW, memory), price(a, b));
				seen[line_distance(a, b)]++;
			}
		}
		virt_end();
	}
	for (unsigned d = VD_CORE; d < NVD; d++)
		assert_true(seen[d] > 0);
}

static void
cpus_are_placed_as_linux_numbers_them(void **state)
{
	(void)state;
	begin("clx-2s-104", 104);
	assert_int_equal(line_distance(0, 26), VD_CORE);
	assert_int_equal(line_distance(0, 25), VD_CLUSTER);
	assert_int_equal(line_distance(51, 52), VD_REMOTE);
	assert_int_equal(line_distance(7, 7), VD_SELF);
	virt_end();
	/* Half of the CPUs: no core has two. */
	begin("clx-2s-104", 52);
	for (unsigned i = 1; i < 52; i++)
		assert_true(line_distance(0, i) != VD_CORE);
	virt_end();
	/* Clusters in the order of cores; more CPUs than the host has. */
	begin("milan-2s-256", 1024);
	assert_int_equal(line_distance(0, 7), VD_CLUSTER);
	assert_int_equal(line_distance(0, 8), VD_SOCKET);
	assert_int_equal(line_distance(0, 256), VD_CORE);
	assert_int_equal(line_distance(0, 512), VD_REMOTE);
}

static void
what_a_core_owns_costs_a_hit_or_an_rmw(void **state)
{
	(void)state;
	begin("clx-2s-104", 104);
	(void)cost(3, LINE_RMW, memory);
	assert_int_equal(later(3, LINE_READ, memory), hit_of(3));
	assert_int_equal(later(3, LINE_WRITE, memory), hit_of(3));
	assert_int_equal(later(3, LINE_ATOMIC_READ, memory), pr.pr_l1_hit_ps);
	assert_int_equal(later(3, LINE_ATOMIC_WRITE, memory), hit_of(3));
	assert_int_equal(later(3, LINE_RMW, memory), pr.pr_rmw_ps);
	/* A clean one becomes modified at no cost. */
	(void)later(3, LINE_READ, page(1));
	assert_int_equal(later(3, LINE_WRITE, page(1)), hit_of(3));
	assert_int_equal(later(4, LINE_RMW, page(1)), price(3, 4));
}

static void
memory_is_as_far_as_its_domain(void **state)
{
	(void)state;
	begin("clx-2s-104", 104);
	virt_home(page(1), PAGE, 1);
	virt_home(page(2), PAGE, 0);
	assert_int_equal(later(0, LINE_READ, page(1)), pr.pr_dram_remote_ps);
	assert_int_equal(later(103, LINE_READ, page(2)), pr.pr_dram_remote_ps);
	assert_int_equal(
	    later(103, LINE_READ, page(1) + 1024), pr.pr_dram_local_ps);
	/* Nobody's: that of the first who touches it. */
	assert_int_equal(later(103, LINE_READ, page(3)), pr.pr_dram_local_ps);
}

/* Who reads what one core has got, and who writes what all have read. */
static void
sharers_read_at_the_nearest_and_a_writer_pays_the_farthest(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 8; n++) {
		begin("clx-2s-104", 104);
		(void)later(0, LINE_RMW, memory);
		assert_int_equal(
		    later(1, LINE_READ, memory), pr.pr_line_cluster_ps);
		for (unsigned i = 2; i < n; i++)
			assert_int_equal(
			    later(i, LINE_READ, memory), pr.pr_llc_hit_ps);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(
			    later(i, LINE_READ, memory), hit_of(i));
		/* One of them, and then all others miss. */
		assert_int_equal(
		    later(n - 1, LINE_RMW, memory), pr.pr_line_cluster_ps);
		for (unsigned i = 0; i < n - 1; i++)
			assert_true(later(i, LINE_READ, memory) > hit_of(i));
		/* A reader far away: the next writer waits for it. */
		(void)later(60, LINE_READ, memory);
		assert_int_equal(
		    later(0, LINE_RMW, memory), pr.pr_line_remote_ps);
		/* Whether that one was the last, */
		(void)later(60, LINE_READ, memory);
		(void)later(1, LINE_READ, memory);
		assert_int_equal(
		    later(0, LINE_RMW, memory), pr.pr_line_remote_ps);
		/* and whether the writer has had it or not. */
		(void)later(60, LINE_READ, memory);
		(void)later(1, LINE_READ, memory);
		assert_int_equal(
		    later(2, LINE_RMW, memory), pr.pr_line_remote_ps);
		assert_int_equal(later(2, LINE_RMW, memory), pr.pr_rmw_ps);
		virt_end();
	}
}

static void
a_thousand_cpus_share_a_line(void **state)
{
	(void)state;
	begin("genoa-2s-384", 1024);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 1024; i++)
			(void)later(i, LINE_READ, memory);
		for (unsigned i = 0; i < 1024; i++)
			assert_int_equal(
			    later(i, LINE_READ, memory), hit_of(i));
		assert_int_equal(
		    later(round, LINE_WRITE, memory), hit_of(round));
		/* One CPU of each core; its sibling finds it there then. */
		for (unsigned i = 0; i < 1024; i++) {
			if (i % 512 < 256 && line_distance(i, round) > VD_CORE)
				assert_true(later(i, LINE_ATOMIC_READ, memory) >
				    hit_of(i));
		}
	}
	/* The array of its sharers was used again. */
	assert_true(line_model.lm_nmany <= 2);
}

static void
a_line_that_is_on_its_way_is_waited_for(void **state)
{
	(void)state;
	begin("clx-2s-104", 104);
	(void)later(0, LINE_RMW, memory);
	now += SETTLED_PS;
	/* All at once: each waits for all before it. */
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(cost((unsigned)i, LINE_RMW, memory),
		    i * pr.pr_line_cluster_ps);
	/* Readers keep others off for less. */
	now += SETTLED_PS;
	assert_int_equal(cost(0, LINE_READ, memory), pr.pr_line_cluster_ps);
	for (uint64_t i = 1; i < 20; i++)
		assert_int_equal(cost((unsigned)i, LINE_READ, memory),
		    i * pr.pr_occupancy_read_ps + pr.pr_llc_hit_ps);
}

static void
stores_wait_in_a_buffer(void **state)
{
	unsigned n;

	(void)state;
	begin("clx-2s-104", 104);
	n = (unsigned)pr.pr_store_buffer;
	for (unsigned i = 0; i <= n; i++)
		(void)later(1, LINE_RMW, page(i));
	now += SETTLED_PS;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(cost(0, LINE_WRITE, page(i)), hit_of(0));
	/* Full: the first one has to come. */
	assert_int_equal(
	    cost(0, LINE_WRITE, page(n)), pr.pr_line_cluster_ps + hit_of(0));
	/* Who wants one of them waits until it has come. */
	assert_int_equal(cost(2, LINE_RMW, page(0)), 2 * pr.pr_line_cluster_ps);
	/* An RMW of one's own waits for all. */
	now += SETTLED_PS;
	(void)cost(1, LINE_RMW, page(1));
	now += SETTLED_PS;
	assert_int_equal(cost(0, LINE_WRITE, page(1)), hit_of(0));
	assert_int_equal(cost(0, LINE_RMW, page(5)),
	    pr.pr_line_cluster_ps + cpu_of(0)->vc_rmw_ps);
	/* Also one that misses; and stores are complete in their order. */
	(void)later(1, LINE_RMW, page(1));
	(void)later(1, LINE_RMW, page(2));
	(void)later(60, LINE_RMW, page(3));
	now += SETTLED_PS;
	assert_int_equal(cost(0, LINE_WRITE, page(3)), hit_of(0));
	now += hit_of(0);
	assert_int_equal(cost(0, LINE_WRITE, page(1)), hit_of(0));
	assert_int_equal(cost(0, LINE_RMW, page(2)),
	    pr.pr_line_remote_ps - hit_of(0) + pr.pr_line_cluster_ps);
	/* So does a fence, and a load does not. */
	(void)later(1, LINE_RMW, page(1));
	now += SETTLED_PS;
	(void)cost(0, LINE_WRITE, page(1));
	assert_int_equal(cost(0, LINE_READ, page(5)), hit_of(0));
	line_fence(cpu_of(0));
	assert_int_equal(cpu_of(0)->vc_clock_ps - now,
	    pr.pr_line_cluster_ps + pr.pr_fence_ps);
}

/* What unlocks is not seen before what was stored under the lock. */
static void
stores_come_before_what_publishes_them(void **state)
{
	struct vcpu *vc;

	(void)state;
	begin("clx-2s-104", 104);
	(void)later(0, LINE_RMW, page(0));
	(void)later(1, LINE_RMW, page(1));
	now += SETTLED_PS;
	(void)cost(0, LINE_WRITE, page(1));
	/* Not done yet: others may be first. */
	vc = at(0, now);
	virt_world.vw_limit_ps = now + 1;
	virt_world.vw_early_ps = now + 1;
	assert_false(line_access(vc, (uintptr_t)page(0), LINE_RMW));
	assert_int_equal(vc->vc_clock_ps - now, pr.pr_line_cluster_ps);
	virt_world.vw_limit_ps = VIRT_NEVER;
	assert_true(line_access(vc, (uintptr_t)page(0), LINE_RMW));
	assert_int_equal(vc->vc_clock_ps - now,
	    pr.pr_line_cluster_ps + cpu_of(0)->vc_rmw_ps);

	/* A store does not wait, but who looks at it does. */
	for (unsigned i = 2; i <= 3; i++) {
		(void)later(0, LINE_RMW, page(0));
		(void)later(1, LINE_RMW, page(1));
		now += SETTLED_PS;
		(void)cost(0, LINE_WRITE, page(1));
		assert_int_equal(
		    cost(0, LINE_ATOMIC_WRITE, page(0)), hit_of(0));
		assert_int_equal(cost(i, LINE_ATOMIC_READ, page(0)),
		    2 * pr.pr_line_cluster_ps);
	}
	/* Also where its line is shared, as one is that many look at; */
	for (unsigned i = 0; i < 2; i++) {
		(void)later(i == 0 ? 2 : 27, LINE_RMW, page(0));
		if (i == 0)
			(void)later(1, LINE_READ, page(0));
		(void)later(60, LINE_RMW, page(2));
		now += SETTLED_PS;
		(void)cost(1, LINE_WRITE, page(2));
		/* the second time it is a sibling that has written it. */
		assert_int_equal(
		    cost(1, LINE_ATOMIC_WRITE, page(0)), hit_of(1));
		assert_int_equal(cost(2, LINE_ATOMIC_READ, page(0)),
		    pr.pr_line_remote_ps + pr.pr_line_cluster_ps);
	}
	/* and where it is clean, and a sibling has read it. */
	(void)later(60, LINE_RMW, page(2));
	(void)later(27, LINE_READ, page(3));
	now += SETTLED_PS;
	(void)cost(1, LINE_WRITE, page(2));
	(void)cost(1, LINE_ATOMIC_WRITE, page(3));
	assert_int_equal(cost(2, LINE_ATOMIC_READ, page(3)),
	    pr.pr_line_remote_ps + pr.pr_line_cluster_ps);
}

static void
siblings_share_caches_and_slow_each_other(void **state)
{
	(void)state;
	begin("clx-2s-104", 104);
	assert_int_equal(line_distance(1, 27), VD_CORE);
	(void)later(1, LINE_READ, memory);
	assert_int_equal(later(27, LINE_READ, memory), hit_of(27));
	assert_int_equal(later(27, LINE_WRITE, memory), hit_of(27));
	/* What the other has written has to be handed over, once. */
	assert_int_equal(later(1, LINE_READ, memory), pr.pr_line_smt_ps);
	assert_int_equal(later(1, LINE_READ, memory), hit_of(1));
	assert_int_equal(later(27, LINE_READ, memory), hit_of(27));
	/* This program's own thread is on CPU 0. */
	assert_int_equal(hit_of(1), pr.pr_l1_hit_ps);
	assert_int_equal(
	    hit_of(26), pr.pr_l1_hit_ps * pr.pr_smt_permille / 1000);
}

/* Touch n other lines, none of them foreseen: every other line, downwards. */
static void
fill_lines(unsigned cpu, uint64_t n, char *p)
{
	while (n-- > 0)
		(void)cost(cpu, LINE_READ, p + n * 2 * 64);
}

static void
caches_keep_so_many_lines(void **state)
{
	char *other;

	(void)state;
	begin("laptop-8", 1);
	other = arena_get((pr.pr_llc_lines * 2 + 4096) * 2 * 64, 0);
	assert_non_null(other);
	(void)later(0, LINE_READ, memory);
	fill_lines(0, pr.pr_l1_lines / 2, other);
	assert_int_equal(later(0, LINE_READ, memory), hit_of(0));
	fill_lines(0, pr.pr_l1_lines + 128, other + pr.pr_l1_lines * 128);
	assert_int_equal(later(0, LINE_READ, memory), pr.pr_l2_hit_ps);
	fill_lines(0, pr.pr_l2_lines + 128, other + 4096 * 128);
	assert_int_equal(later(0, LINE_READ, memory), pr.pr_llc_hit_ps);
	fill_lines(0, pr.pr_llc_lines + 128, other);
	assert_int_equal(later(0, LINE_READ, memory), pr.pr_dram_local_ps);
}

static void
lines_in_a_row_are_foreseen(void **state)
{
	(void)state;
	begin("clx-2s-104", 2);
	assert_int_equal(later(0, LINE_READ, memory), pr.pr_dram_local_ps);
	for (unsigned i = 1; i < 64; i++)
		assert_int_equal(
		    later(0, LINE_READ, memory + i * 64), pr.pr_l2_hit_ps);
	/* Not across a page; also what another core has written. */
	assert_int_equal(later(0, LINE_READ, page(1)), pr.pr_dram_local_ps);
	(void)later(1, LINE_RMW, page(1) + 64);
	assert_int_equal(later(0, LINE_READ, page(1) + 64), pr.pr_l2_hit_ps);
}

static void
lines_in_a_row_come_from_l2_as_hits(void **state)
{
	(void)state;
	begin("laptop-8", 1);
	for (unsigned i = 0; i < 8; i++)
		(void)later(0, LINE_READ, page(1) + i * 64);
	fill_lines(0, pr.pr_l1_lines + 128, page(40));
	assert_int_equal(later(0, LINE_READ, page(1)), pr.pr_l2_hit_ps);
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(
		    later(0, LINE_READ, page(1) + i * 64), hit_of(0));
}

/* In a row of RMWs only what an RMW adds is paid. */
static void
rmws_overlap_with_what_is_between(void **state)
{
	uint64_t hit, rmw;

	(void)state;
	begin_with("clx-2s-104", 1, "rmw_overlap=0.25");
	hit = hit_of(0);
	rmw = cpu_of(0)->vc_rmw_ps;
	(void)later(0, LINE_RMW, memory);
	now = cpu_of(0)->vc_clock_ps;
	assert_int_equal(cost(0, LINE_RMW, memory), rmw);
	now += rmw;
	for (unsigned i = 0; i < 8; i++, now += hit)
		assert_int_equal(cost(0, LINE_WRITE, memory), hit);
	assert_int_equal(cost(0, LINE_RMW, memory), rmw - 8 * hit / 4);
	/* However long it is, an RMW is an access. */
	assert_int_equal(later(0, LINE_RMW, memory), hit);
}

/* Cores that want a line all the time: see pr_line_hold. */
static void
a_line_stays_for_a_while_where_it_has_come(void **state)
{
	uint64_t l, hold;

	(void)state;
	begin_with("clx-2s-104", 6, "line_hold=0.5");
	l = pr.pr_line_cluster_ps;
	hold = l / 2;
	(void)later(0, LINE_RMW, memory);
	/* Nobody else wants it: its way alone. */
	assert_int_equal(later(1, LINE_RMW, memory), l - hold);
	/* Who asks while it comes gets it when its owner has had it a while. */
	(void)later(0, LINE_RMW, memory);
	now = cpu_of(0)->vc_clock_ps;
	assert_false(
	    line_access(at(1, now - hold), (uintptr_t)memory, LINE_RMW));
	assert_int_equal(cpu_of(1)->vc_clock_ps, now + hold);
	assert_false(
	    line_access(at(2, now - hold), (uintptr_t)memory, LINE_RMW));
	assert_int_equal(cpu_of(2)->vc_clock_ps, now + l + hold);
	assert_int_equal(cost(0, LINE_RMW, memory), cpu_of(0)->vc_rmw_ps);
	/* Then it goes to who came first, and to the other after that. */
	assert_true(line_access(cpu_of(1), (uintptr_t)memory, LINE_RMW));
	assert_int_equal(cpu_of(1)->vc_clock_ps, now + l);
	assert_true(line_access(cpu_of(2), (uintptr_t)memory, LINE_RMW));
	assert_int_equal(cpu_of(2)->vc_clock_ps, now + 2 * l);
}

/* When it is cpu's turn that asks now. */
static uint64_t
turn(unsigned cpu, enum line_op op, const void *p)
{
	struct vcpu *vc = at(cpu, now);

	assert_false(line_access(vc, (uintptr_t)p, op));
	return (vc->vc_clock_ps - now);
}

static void
each_turn_is_as_long_as_its_transfer(void **state)
{
	uint64_t l, r;

	(void)state;
	begin_with("clx-2s-104", 104, "line_hold=0.5");
	l = pr.pr_line_cluster_ps;
	r = pr.pr_occupancy_read_ps;
	/* Nobody keeps what comes from memory or from a sibling. */
	now += SETTLED_PS;
	assert_int_equal(cost(0, LINE_RMW, page(0)), pr.pr_dram_local_ps);
	assert_int_equal(turn(1, LINE_RMW, page(0)), pr.pr_dram_local_ps);
	(void)later(27, LINE_RMW, page(1));
	now += SETTLED_PS;
	assert_int_equal(cost(1, LINE_RMW, page(1)), pr.pr_line_smt_ps);
	assert_int_equal(turn(0, LINE_RMW, page(1)), pr.pr_line_smt_ps);
	/* Readers are let in soon; a writer has to reach the farthest. */
	(void)later(0, LINE_READ, page(2));
	now += SETTLED_PS;
	(void)cost(60, LINE_READ, page(2));
	assert_int_equal(turn(1, LINE_READ, page(2)), r);
	assert_int_equal(turn(2, LINE_RMW, page(2)), 2 * r);
	assert_int_equal(
	    turn(3, LINE_RMW, page(2)), 2 * r + pr.pr_line_remote_ps);
	/* A store waits in the buffer. */
	(void)later(0, LINE_RMW, page(0));
	now += SETTLED_PS;
	(void)cost(1, LINE_RMW, page(0));
	assert_int_equal(cost(0, LINE_WRITE, page(0)), hit_of(0));
	assert_int_equal(turn(2, LINE_RMW, page(0)), 2 * l);
	assert_int_equal(turn(3, LINE_RMW, page(0)), 3 * l);
	/* Neither one who has had its turn nor the owner lets others in. */
	assert_true(line_access(cpu_of(2), (uintptr_t)page(0), LINE_RMW));
	assert_int_equal(turn(4, LINE_RMW, page(0)), 4 * l);
	(void)cost(2, LINE_WRITE, page(1));
	assert_int_equal(cost(2, LINE_ATOMIC_WRITE, page(0)), hit_of(2));
	assert_int_equal(turn(5, LINE_RMW, page(0)), 5 * l);
}

/* Who has waited for a line that a sibling fetched first waits again for the next. */
static void
a_turn_is_for_one_transfer(void **state)
{
	(void)state;
	begin_with("clx-2s-104", 104, "line_hold=0.5");
	assert_int_equal(line_distance(1, 27), VD_CORE);
	(void)later(2, LINE_RMW, memory);
	(void)later(0, LINE_RMW, memory);
	now = cpu_of(0)->vc_clock_ps;
	assert_false(line_access(at(27, now), (uintptr_t)memory, LINE_READ));
	assert_false(line_access(at(1, now), (uintptr_t)memory, LINE_READ));
	assert_true(line_access(cpu_of(27), (uintptr_t)memory, LINE_READ));
	now = cpu_of(1)->vc_clock_ps;
	assert_true(line_access(cpu_of(1), (uintptr_t)memory, LINE_READ));
	assert_int_equal(cpu_of(1)->vc_clock_ps, now + hit_of(1));
	(void)later(0, LINE_RMW, memory);
	now = cpu_of(0)->vc_clock_ps;
	assert_false(line_access(at(1, now), (uintptr_t)memory, LINE_RMW));
	/* Nor has it one when it comes back much later: others wait for it. */
	now += SETTLED_PS;
	assert_true(line_access(at(1, now), (uintptr_t)memory, LINE_RMW));
	assert_false(line_access(at(2, now), (uintptr_t)memory, LINE_RMW));
}

static void
silent_lines_cost_nothing(void **state)
{
	uint64_t hash;

	(void)state;
	begin("clx-2s-104", 4);
	(void)later(1, LINE_RMW, memory);
	line_silence(memory + 8, 8, true);
	hash = virt_event_hash();
	for (enum line_op op = 0; op < NLINE_OPS; op++)
		assert_int_equal(later(0, op, memory), 0);
	assert_true(virt_event_hash() == hash);
	line_silence(memory + 8, 8, false);
	assert_true(later(0, LINE_RMW, memory) > 0);
	assert_true(virt_event_hash() != hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		    ping_pong_is_the_presets_for_every_pair, virt_teardown),
		cmocka_unit_test_teardown(
		    cpus_are_placed_as_linux_numbers_them, virt_teardown),
		cmocka_unit_test_teardown(
		    what_a_core_owns_costs_a_hit_or_an_rmw, virt_teardown),
		cmocka_unit_test_teardown(
		    memory_is_as_far_as_its_domain, virt_teardown),
		cmocka_unit_test_teardown(
		    sharers_read_at_the_nearest_and_a_writer_pays_the_farthest,
		    virt_teardown),
		cmocka_unit_test_teardown(
		    a_thousand_cpus_share_a_line, virt_teardown),
		cmocka_unit_test_teardown(
		    a_line_that_is_on_its_way_is_waited_for, virt_teardown),
		cmocka_unit_test_teardown(
		    stores_wait_in_a_buffer, virt_teardown),
		cmocka_unit_test_teardown(
		    stores_come_before_what_publishes_them, virt_teardown),
		cmocka_unit_test_teardown(
		    siblings_share_caches_and_slow_each_other, virt_teardown),
		cmocka_unit_test_teardown(
		    caches_keep_so_many_lines, virt_teardown),
		cmocka_unit_test_teardown(
		    lines_in_a_row_are_foreseen, virt_teardown),
		cmocka_unit_test_teardown(
		    lines_in_a_row_come_from_l2_as_hits, virt_teardown),
		cmocka_unit_test_teardown(
		    rmws_overlap_with_what_is_between, virt_teardown),
		cmocka_unit_test_teardown(
		    a_line_stays_for_a_while_where_it_has_come, virt_teardown),
		cmocka_unit_test_teardown(
		    each_turn_is_as_long_as_its_transfer, virt_teardown),
		cmocka_unit_test_teardown(
		    a_turn_is_for_one_transfer, virt_teardown),
		cmocka_unit_test_teardown(
		    silent_lines_cost_nothing, virt_teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
