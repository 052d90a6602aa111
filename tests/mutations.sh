# What tests/mutate breaks, and what has to notice.  To be sourced.
# shellcheck shell=sh

# id | build | ctest name | file | sed expression
#
# build: release, debug or tsan.  The expression has to change exactly one line;
# addresses /^function/,/^}/ keep it to one function.
table()
{
	cat <<'END'
gen2-acquire|tsan|stress.lock|src/lock/lock_gen2.c|/^gen2_try(/,/^}/s/acq_rel/release/
gen2-release|tsan|stress.lock|src/lock/lock_gen2.c|/^gen2_unlock_slot(/,/^}/s/GEN2_LOCKED, memory_order_release/GEN2_LOCKED, memory_order_relaxed/
gen2-release-chain|tsan|stress.lock|src/lock/lock_gen2.c|/^gen2_unlock_held/,/^}/s/(word, v, memory_order_release/(word, v, memory_order_relaxed/
gen2-hard-acquire|tsan|stress.lock|src/lock/lock_gen2.c|/^gen2_lock_hard/,/^}/s/acq_rel/release/
gen2-woken-forgets|release|stress.lock|src/lock/lock_gen2.c|s/bits |= GEN2_WAITERS;/;/
gen2-mark-no-look|release|stress.lock|src/lock/lock_gen2.c|/^gen2_mark/,/^}/s/^	return .*/	return (true);/
gen2-mark-no-barrier|release|stress.lock|src/lock/lock_gen2.c|/^gen2_mark/,/^}/s/.*so_asym_barrier.*/;/
gen2-section-no-mark|release|stress.lock|src/lock/lock_gen2.c|s/GEN2_LOCKED, GEN2_WAITERS, GEN2_MAX/GEN2_LOCKED, 0, GEN2_MAX/
gen2-section-no-max|release|stress.lock|src/lock/lock_gen2.c|s/GEN2_LOCKED, GEN2_WAITERS, GEN2_MAX/GEN2_LOCKED, GEN2_WAITERS, UINT32_MAX/
gen2-handed-no-more|release|stress.lock|src/lock/lock_gen2.c|s/v |= GEN2_LOCKED | (more ? GEN2_WAITERS : 0)/v |= GEN2_LOCKED/
gen2-no-publish|release|stress.lock|src/lock/lock_gen2.c|/^gen2_lock_hard/,/^}/s/held_publish(slot, word);/;/
gen2-give-no-publish|release|stress.lock|src/lock/lock_gen2.c|/^gen2_give/,/^}/s/held_publish(.*/;/
gen2-try-stays|release|stress.lock|src/lock/lock_gen2.c|/^gen2_try(/,/^}/s/held_clear(slot);/;/
gen2-bump-lost|release|stress.lock|src/lock/lock_gen2.c|s/~(GEN2_LOCKED | GEN2_WAITERS)) + add/~(GEN2_LOCKED | GEN2_WAITERS))/
held-slot-0|release|prop.lending|src/lock/held.c|/^publishes/,/^}/s/unsigned s = 0/unsigned s = 1/
gen1-acquire|tsan|stress.lock|src/lock/lock_gen1.c|/^gen1_trylock/,/^}/s/memory_order_acquire/memory_order_relaxed/
gen1-release|tsan|stress.lock|src/lock/lock_gen1.c|/^gen1_unlock(/,/^}/s/memory_order_release/memory_order_relaxed/
gen1-bump|release|stress.lock|src/lock/lock_gen1.c|/^gen1_unlock(/,/^}/s/(modified ? GEN1_ONE : 0)/0/
mtx-acquire|tsan|unit.mtx|src/lock/mtx.h|/^mtx_word_trylock/,/^}/s/acq_rel/release/
mtx-release|tsan|unit.mtx|src/lock/mtx.h|/^mtx_word_unlock(/,/^}/s/memory_order_release/memory_order_relaxed/
mtx-release-chain|tsan|stress.lock|src/lock/mtx.c|/^mtx_word_unlock_hard/,/^}/s/(word, v, memory_order_release/(word, v, memory_order_relaxed/
mtx-woken-forgets|release|unit.mtx|src/lock/mtx.c|s/self |= MTX_CONTESTED;/;/
mtx-handed-no-more|release|stress.lock|src/lock/mtx.c|/^mtx_word_unlock_hard/,/^}/s/v |= MTX_CONTESTED;/;/
mtx-mark-no-look|release|stress.lock|src/lock/mtx.c|/^word_mark/,/^}/s/^	return .*/	return (true);/
mtx-mark-no-barrier|release|stress.lock|src/lock/mtx.c|/^word_mark/,/^}/s/.*so_asym_barrier.*/;/
asym-mark-ignored|release|stress.lock|src/sim/asym.h|s/jnz %l\[no\]/nop/
asym-owner-ignored|release|unit.mtx|src/sim/asym.h|s/jne %l\[no\]/nop/
leaf-acquire|tsan|unit.turnstile|src/lock/leaf_lock.h|/^leaf_lock(/,/^}/s/memory_order_acquire/memory_order_relaxed/
leaf-release|tsan|unit.turnstile|src/lock/leaf_lock.h|/^leaf_unlock(/,/^}/s/memory_order_release/memory_order_relaxed/
ts-order|release|unit.turnstile|src/lock/turnstile_queue.c|/^ts_insert/,/^}/s/prev->td_ts_pri < td->td_ts_pri/prev->td_ts_pri > td->td_ts_pri/
ts-again|release|unit.turnstile|src/lock/turnstile_queue.c|/^ts_insert/,/^}/s/ && !again/ \&\& again/
ts-token|release|unit.turnstile|src/lock/turnstile.c|/^ts_sleep/,/^}/s/if (!ts_is_blocked(td))/if (true)/
ts-more|release|unit.turnstile|src/lock/turnstile_queue.c|s/td->td_ts_flags |= TD_TS_MORE;/;/
ts-wake-none|release|unit.turnstile|src/lock/turnstile.c|/^turnstile_unlock_wake/,/^}/s/ops->so_wake(td);/;/
ts-wake-order|tsan|stress.lock|src/lock/turnstile.c|/^turnstile_unlock_wake/,/^}/s/memory_order_release/memory_order_relaxed/
ts-loan-stays|release|stress.lock|src/lock/turnstile_loan.c|/^ts_return/,/^}/s/td->td_lent_to = NULL;/;/
ts-unlend-none|release|stress.lock|src/lock/turnstile.c|s/ops->so_unlend(td);/;/
ts-pri-stays|release|prop.lending|src/lock/turnstile_pri.c|/^ts_disown/,/^}/s/(void)pri_update(owner);/;/
ts-books-stay|release|prop.lending|src/lock/turnstile_loan.c|/^ts_return/,/^}/s/ts_disown(ts);/;/
ts-chain-ends|release|prop.lending|src/lock/turnstile_pri.c|/^ts_propagate/,/^}/s/td = owner;/return;/
ts-no-move|release|prop.lending|src/lock/turnstile_pri.c|/^ts_propagate/,/^}/s/td->td_ts_pri = pri;/;/
ts-stray-stays|release|unit.lending|src/lock/turnstile_loan.c|/^wait_unlent/,/^}/s/if (return_stray(td, true))/if (false)/
ts-suspect-keeps|release|unit.lending|src/lock/turnstile_loan.c|/^turnstile_leave/,/^}/s/(void)return_stray(td, false);/;/
ts-late-waits|release|unit.lending|src/lock/turnstile.c|/^ts_sleep/,/^}/s/if (looks \&\& unheld)/if (false)/
ts-kick-none|release|unit.lending|src/lock/turnstile_pri.c|/^ts_propagate/,/^}/s/(real || n != 1)/real/
ts-same-suspect|release|unit.lending|src/lock/turnstile_loan.c|s/ts->ts_nth++;/;/
ts-died-sleeps|release|unit.lending|src/lock/turnstile_loan.c|/^ts_sleep_lending/,/^}/s/if (td->td_lent_to != NULL) {/if (false) {/
ts-never-fair|release|unit.lending_fair|src/lock/turnstile.c|/^turnstile_handoff/,/^}/s/	return (true);/	return (false);/
ts-always-fair|release|unit.lending_fair|src/lock/turnstile.c|/^turnstile_handoff/,/^}/s/now < tc->tc_fair_ns)/false)/
ts-fair-at-once|release|unit.lending_fair|src/lock/turnstile.c|/^turnstile_handoff/,/^}/s/now - td->td_ts_since_ns < FAIR_NS/false/
cycle-blind|release|unit.lending_cycle|src/lock/turnstile.c|s/stuck = ts_blocked_owner(ts, td) != NULL;/stuck = false;/
cycle-self-only|release|unit.lending_cycle|src/lock/turnstile_cycle.c|s/if (first < n)/if (n > 0 \&\& first == 0)/
cycle-one-suspect|release|unit.lending_cycle|src/lock/held.c|s/blocked = suspect;/;/
cycle-few-suspects|release|unit.lending_cycle|src/lock/held.c|s/found++;/if (++found == SUSPECTS) n = 1;/
cycle-rumour|release|unit.lending_rumour|src/lock/turnstile_cycle.c|s/if (unchanged(&links\[first\], n - first))/if (true)/
cycle-came-back|release|unit.lending_rumour|src/lock/turnstile_cycle.c|s/ || now.l_nth != l\[i\].l_nth)/)/
owner-leaves|release|unit.lending_cycle|src/lock/turnstile_loan.c|/^turnstile_leave/,/^}/s/check_owns_nothing(td);/;/
owner-left|release|unit.lending_cycle|src/lock/turnstile_cycle.c|s/		check_present(ts, td, owner);/		;/
rw-acquire|tsan|unit.rwlock|src/lock/rw_word.h|/^rw_word_try_rlock/,/^}/s/memory_order_acquire/memory_order_relaxed/
rw-release|tsan|unit.rwlock|src/lock/rw_word.h|/^rw_word_wunlock(/,/^}/s/memory_order_release/memory_order_relaxed/
rw-spinner-stays|release|stress.rw|src/lock/rw_word.c|s/next &= ~RW_LOCK_WRITE_SPINNER;/;/
rw-readers-lost|release|stress.rw|src/lock/rw_word.c|s/\*bitsp |= RW_LOCK_READ_WAITERS;/;/
pv-gen-bump|release|unit.pmap_page|src/pmap/pv_list.h|s/g + 1,/g,/
pv-gen-ignored|release|unit.pmap_page|src/pmap/page_scan.c|s/md_was == md_gen(&ps->ps_m->md)))/true))/
pvh-gen-ignored|release|unit.superpage_race|src/pmap/page_scan.c|s/(pvh_was == pvh_gen(pvt, ps->ps_held.pv_pvh) &&/(true \&\&/
pmap-try-ignored|release|unit.pmap_page|src/pmap/page_scan.h|s/if (__predict_true(PMAP_TRYLOCK(pmap)))/if (true)/
early-settled|release|unit.virt_world|src/sim/virtual/line.c|/^may_be_early/,/^}/s/(ln->ln_flags & LINE_MOVED) == 0/true/
early-farthest|release|unit.virt_early|src/sim/virtual/line_topology.c|/^line_shortest_ps/,/^}/s/least == UINT64_MAX ? 0 : least/sibling ? least : lm->lm_cost[VD_REMOTE]/
early-sibling|release|unit.virt_early|src/sim/virtual/world_impl.h|/^world_limit_next/,/^}/s/early = near < early ? near : early;/(void)near;/
early-for-ever|release|unit.virt_early|src/sim/virtual/world_impl.h|/^world_limit_next/,/^}/s/limit + virt_world.vw_lookahead_ps/limit * 2/
watch-tie|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^end_after/,/^}/s/!later/false/
watch-round-down|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^end_after/,/^}/s/look + wr->wr_round_ps - 1/look/
watch-look-stays|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^end_after/,/^}/s/look += rounds . wr->wr_round_ps;/;/
watch-at-once|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^end_after/,/^}/s/ + wr->wr_at_ps//
watch-gone-sleeps|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/Another has the CPU/,/else/s/fb->fb_left_ps = 0/;/
watch-gone-moves|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^shorten/,/^}/s/vc->vc_fiber != fb/false/
watch-longer|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^shorten/,/^}/s/end_ps < vc->vc_clock_ps + fb->fb_left_ps/true/
watch-timer|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^shorten/,/^}/s/end_ps < vc->vc_clock_ps + fb->fb_left_ps/false/
watch-left-stays|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/} else {/,/^}/s/fb->fb_left_ps = 0;/;/
watch-tree|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|s/tree_set(vc->vc_id, end_ps);/;/
watch-limit|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|s/^\tworld_limit();/;/
watch-sibling|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^world_disturbed/,/^}/s/wr->wr_fiber->fb_cpu == vc/false/
watch-siblings|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^world_disturbed/,/^}/s/wr->wr_fiber->fb_cpu == vc/true/
watch-deadline|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^rounds_until/,/^}/s/end_ps + w->w_clock_ps/end_ps/
watch-early|release|unit.virt_watch_exact|src/sim/virtual/world_watch.c|/^rounds_until/,/^}/s/ + round_ps - 1//
watch-past|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|/^rounds_until/,/^}/s/look < until ?/true ?/
watch-strategy|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/virt_world.vw_strategy != NULL/false/
watch-else|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/ && !w->w_else//
watch-fiber|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/w->w_fiber == virt_world.vw_fiber &&/true \&\&/
watch-others-ran|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/w->w_switches == virt_world.vw_switches && //
watch-units|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/ && w->w_n == n//
watch-no-time|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/pause > 0/true/
watch-livelock|release|unit.virt_watch_rounds|src/sim/virtual/world_watch.c|s/^\tworld_idle_round();/;/
watch-two-looks|release|unit.virt_watch_rounds|src/sim/virtual/world.h|/^world_watch_line/,/^}/s/w->w_else = true;/;/
watch-hit|release|unit.virt_watch_rounds|src/sim/virtual/line.c|/The most frequent/,/return (true)/s/op == LINE_ATOMIC_READ/true/
watch-shared|release|unit.virt_watch_rounds|src/sim/virtual/line.c|/mine && is_read(op)/,/load_mine/s/op == LINE_ATOMIC_READ/true/
watch-sibling-wrote|release|unit.virt_watch_rounds|src/sim/virtual/line.c|/line_tag_cpu(lk.lk_tag) != vc->vc_id/,/from_sibling/s/vc->vc_watch.w_else = true;/;/
watch-stores|release|unit.virt_watch_rounds|src/sim/virtual/line.c|/mine && !lk.lk_others/,/store_mine/s/vc->vc_watch.w_else = true;/;/
watch-misses|release|unit.virt_watch_rounds|src/sim/virtual/line.c|/stand_in_line(vc, ln, op/,/load_miss/s/vc->vc_watch.w_else = true;/;/
watch-untold|release|unit.virt_watch_exact|src/sim/virtual/line.c|/^store_mine/,/^}/s/wrote(vc, ln);/;/
watch-undisturbed|release|unit.virt_watch_exact|src/sim/virtual/world_cpu.c|s/world_disturbed(sibling, vc);/;/
watch-books|release|unit.virt_watch_exact|src/sim/virtual/world.c|s/fb->fb_stolen_ps = 0;/;/
END
}

# Rows for --explore alone: id | file | sed expression
explore_rows()
{
	cat <<'END'
gen2-portable-no-wake|src/lock/lock_gen2.c|/^gen2_unlock_slot/,/^}/s/if (__predict_false((v & GEN2_WAITERS) != 0)) {/if (false) {/
gen2-portable-no-max|src/lock/lock_gen2.c|s/ || v > GEN2_MAX)) {/)) {/
gen2-freed-keeps|src/lock/lock_gen2.c|/^gen2_unlock_freed/,/^}/s/turnstile_disown(tc, word);/;/
gen1-wrap-untold|src/lock/lock_gen1.c|s/if (__predict_false(v == UINT32_MAX))/if (false)/
ts-lender-asks|src/lock/turnstile_pri.c|s/if (td->td_lent_to == NULL || !td->td_lends_exact)/if (true)/
ts-key-late|src/lock/turnstile.c|/^turnstile_wait/,/^}/{/atomic_store_explicit(&td->td_blocked_on/{h;d;};/td->td_ts_nth++;/G;}
rw-no-bit|src/lock/rw_word.c|s/next = v | RW_LOCK_WRITE_WAITERS;/next = v;/
rw-no-privilege|src/lock/rw_word.c|s/bool again = false, reads = .*/bool again = false, reads = false;/
rw-last-leaves|src/lock/rw_word.h|/^rw_word_runlock/,/^}/s/(v & RW_LOCK_WAITERS) == 0/true/
rw-upgrade-many|src/lock/rw_word.c|s/while (rw_readers(v) == 1) {/while (rw_readers(v) >= 1) {/
exit-gen|src/pmap/pmap_remove_pages.c|s/md_gen_bump(&m->md);/;/
exit-gen-pde|src/pmap/pmap_remove_pages.c|s/pvh_gen_bump(pvt, &rp->rp_held);/;/
demote-gen|src/pmap/pv_chunk.c|/^pmap_pvh_remove_pde/,/^}/s/pvh_gen_bump(.*/;/
copy-order|src/pmap/pmap_copy.c|s/if (dst < src) {/if (true) {/
reclaim-no-look|src/pmap/pv_reclaim.c|s/enum reclaim_turn turn = TURN_AGAIN;/enum reclaim_turn turn = TURN_WORK;/
reclaim-no-block|src/pmap/pv_reclaim.c|s/rc.rc_di = !pmap_in_di();/rc.rc_di = false;/
di-finish-no-mark|src/pmap/pmap_di_lockless.c|s/PMAP_DI_FREE, memory_order_seq_cst);/0, memory_order_seq_cst);/
di-left-unmarked|src/pmap/pmap_di_lockless.c|s/next_store(pi, PMAP_DI_FREE);/next_store(pi, 0);/
di-wake-none|src/pmap/pmap_di_lockless.c|s/if (p == &di->di_head)$/if (p != \&di->di_head)/
di-wait-no-look|src/pmap/pmap_di_lockless.c|s/memory_order_seq_cst) >= gen)/memory_order_seq_cst) == 0)/
di-mutex-gen-lost|src/pmap/pmap_di_mutex.c|s/gen_set(pi->pi_older, gen_of(pi));/;/
di-mutex-no-look|src/pmap/pmap_di_mutex.c|s/if (pmap_di_done(di) >= gen) {/if (false) {/
tlb-forget-none|src/pmap/pmap_tlb.c|/} else {/,/}/s/forget(mu, pmap, self);/;/
reserv-object-first|src/phys/vm_reserv_reclaim.c|/^reserv_break/,/^}/{s/^	vm_phys_lock(vp, rv->domain);/	vm_reserv_objq_remove(vp, rv);&/;/^	vm_reserv_objq_remove(vp, rv);$/d;}
wait-no-look|src/phys/vm_wait.c|s/if (vm_wait_token(vp) != since || has_enough(vp, npages)) {/if (false) {/
wait-uncounted|src/phys/vm_wait.c|s/set_nwaiters(vpp, nwaiters(vpp) + 1);/;/
wait-refund-silent|src/phys/vm_wait.c|/^vm_domain_refund/,/^}/s/if (__predict_true(nwaiters(vpp) == 0))/if (true)/
END
}

# With what a row is explored: id | scenario | design [| strategy]; or, where the
# scenario is "-", why it is not.  Faults of src/kern/bug.h are rows "bug=NAME".
explore_table()
{
	cat <<'END'
gen2-acquire|lock-block|sparse/gen2
gen2-release|lock-block|sparse/gen2
gen2-release-chain|lock-block|sparse/gen2
gen2-hard-acquire|lock-block|sparse/gen2
gen2-woken-forgets|lock-woken|sparse/gen2
gen2-mark-no-look|-|asymmetric releases
gen2-mark-no-barrier|-|asymmetric releases
gen2-section-no-mark|-|asymmetric releases
gen2-section-no-max|-|asymmetric releases
gen2-handed-no-more|lock-fair|sparse/gen2
gen2-no-publish|lock-block|sparse/gen2
gen2-give-no-publish|lock-fair|sparse/gen2
gen2-try-stays|lock-block|sparse/gen2
gen2-bump-lost|lock-block|sparse/gen2
gen2-portable-no-wake|lock-block|sparse/gen2
gen2-portable-no-max|lock-wrap|sparse/gen2
gen2-freed-keeps|lend-nest|sparse/gen2|random:32
held-slot-0|lend-chain|sparse/gen2
gen1-acquire|lock-block|sparse/gen1
gen1-release|lock-block|sparse/gen1
gen1-bump|lock-block|sparse/gen1
gen1-wrap-untold|lock-wrap|sparse/gen1
mtx-acquire|lock-block|sparse/mtx8
mtx-release|lock-block|sparse/mtx8
mtx-release-chain|lock-block|sparse/mtx8
mtx-woken-forgets|lock-woken|sparse/mtx8
mtx-handed-no-more|lock-fair|sparse/mtx8
mtx-mark-no-look|-|asymmetric releases
mtx-mark-no-barrier|-|asymmetric releases
asym-mark-ignored|-|asymmetric releases
asym-owner-ignored|-|asymmetric releases
leaf-acquire|lock-block|sparse/mtx8
leaf-release|lock-block|sparse/mtx8
ts-order|lend-order|sparse/mtx8
ts-again|lend-fifo|sparse/mtx8
ts-token|lend-back|sparse/gen2
ts-more|lock-woken|sparse/mtx8
ts-wake-none|lock-block|sparse/mtx8
ts-wake-order|lend-back|sparse/mtx8
ts-loan-stays|lend-back|sparse/mtx8
ts-unlend-none|lend-back|sparse/mtx8
ts-pri-stays|lend-back|sparse/mtx8
ts-books-stay|lend-exact|sparse/mtx8
ts-chain-ends|lend-chain|sparse/mtx8
ts-no-move|lend-chain|sparse/mtx8
ts-key-late|lend-chain|sparse/mtx8
ts-lender-asks|lend-suspect|sparse/gen2
ts-stray-stays|-|what a host says of loans
ts-suspect-keeps|-|threads that leave
ts-late-waits|lend-nest|sparse/gen2
ts-kick-none|lend-kick|sparse/gen2
ts-same-suspect|-|a wait that is too long
ts-died-sleeps|lend-nest|sparse/gen2
ts-never-fair|lock-fair|sparse/mtx8
ts-always-fair|-|a wait that is too long
ts-fair-at-once|-|a wait that is too long
cycle-blind|-|a deadlock that is not told
cycle-self-only|-|a deadlock that is not told
cycle-one-suspect|-|a deadlock that is not told
cycle-few-suspects|-|a deadlock that is not told
cycle-rumour|order-rumour|sparse/mtx8
cycle-came-back|-|two turns of three threads during one walk
owner-leaves|-|threads that leave
owner-left|-|threads that leave
rw-acquire|rw-block|sparse/rwlock
rw-release|rw-block|sparse/rwlock
rw-spinner-stays|rw-spin|sparse/rwlock
rw-readers-lost|rw-block|sparse/rwlock
rw-no-bit|rw-block|sparse/rwlock
rw-no-privilege|rw-nest|sparse/rwlock
rw-last-leaves|rw-block|sparse/rwlock
rw-upgrade-many|rw-change|sparse/rwlock
pv-gen-bump|scan-reuse|sparse/gen2
pv-gen-ignored|scan-reuse|sparse/gen2
pvh-gen-ignored|demote-scan|sparse/gen2
pmap-try-ignored|scan-remove|sparse/gen2
exit-gen|exit-scan|sparse/gen2
exit-gen-pde|exit-super|hashed/mtx8+locks=1+batch
demote-gen|demote-scan|hashed/mtx8+locks=1
copy-order|copy-fault|sparse/gen2
reclaim-no-look|reclaim-exit|sparse/gen2
reclaim-no-block|reclaim-free|sparse/gen2+tlb=assoc
di-finish-no-mark|di-list|sparse/gen2+di=lockless
di-left-unmarked|di-blocks|sparse/gen2+di=lockless
di-wake-none|di-list|sparse/gen2+di=lockless
di-wait-no-look|di-list|sparse/gen2+di=lockless
di-mutex-gen-lost|di-list|sparse/gen2+di=mutex
di-mutex-no-look|di-list|sparse/gen2+di=mutex
tlb-forget-none|tlb-load|sparse/gen2+tlb=assoc
reserv-object-first|reserv-run|sparse/gen2
wait-no-look|page-wait|sparse/gen2
wait-uncounted|page-wait|sparse/gen2
wait-refund-silent|page-wait-min|sparse/gen2
early-settled|-|order in time
early-farthest|-|order in time
early-sibling|-|order in time
early-for-ever|-|order in time
watch-tie|-|what spinning costs the host
watch-round-down|-|what spinning costs the host
watch-look-stays|-|what spinning costs the host
watch-at-once|-|what spinning costs the host
watch-gone-sleeps|-|what spinning costs the host
watch-gone-moves|-|what spinning costs the host
watch-longer|-|what spinning costs the host
watch-timer|-|what spinning costs the host
watch-left-stays|-|what spinning costs the host
watch-tree|-|what spinning costs the host
watch-limit|-|what spinning costs the host
watch-sibling|-|what spinning costs the host
watch-siblings|-|what spinning costs the host
watch-deadline|-|what spinning costs the host
watch-early|-|what spinning costs the host
watch-past|-|what spinning costs the host
watch-strategy|-|what spinning costs the host
watch-else|-|what spinning costs the host
watch-fiber|-|what spinning costs the host
watch-others-ran|-|what spinning costs the host
watch-units|-|what spinning costs the host
watch-no-time|-|what spinning costs the host
watch-livelock|-|what spinning costs the host
watch-two-looks|-|what spinning costs the host
watch-hit|-|what spinning costs the host
watch-shared|-|what spinning costs the host
watch-sibling-wrote|-|what spinning costs the host
watch-stores|-|what spinning costs the host
watch-misses|-|what spinning costs the host
watch-untold|-|what spinning costs the host
watch-undisturbed|-|what spinning costs the host
watch-books|-|what spinning costs the host
bug=B1|reclaim-pass|sparse/gen2
bug=B3|enter-replace|sparse/gen2+tlb=assoc
bug=b5|tlb-load|sparse/gen2+tlb=assoc
bug=B18|tlb-dirty|sparse/gen2+tlb=assoc
bug=B19|tlb-protect|sparse/gen2+tlb=assoc
bug=B21|reserv-run|sparse/gen2
bug=B21_lock|reserv-run|sparse/gen2
bug=di_unmarked|di-free|sparse/gen2+tlb=assoc+di=lockless
bug=di_late|di-free|sparse/gen2+tlb=assoc+di=lockless
bug=di_early_finish|di-free|sparse/gen2+tlb=assoc+di=lockless
bug=di_collision|di-list|sparse/gen2+di=lockless
bug=di_early_wait|di-free|sparse/gen2+tlb=assoc+di=lockless|random:32
bug=di_early_free|tlb-table|sparse/gen2+tlb=assoc
END
}
