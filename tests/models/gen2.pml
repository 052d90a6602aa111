/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock gen2 with its turnstile, for spin: N threads, each of which
 * takes and releases one word ROUNDS times.  See src/lock/lock_gen2.c and
 * turnstile.c, whose functions are named below.
 *
 * A step is one access to shared memory; or one and all that is done under the
 * chain lock with what only the chain lock guards, for nobody can tell.  The same
 * goes for taking the chain lock and the access that comes next, and for the last
 * one and giving it back.  Sequentially consistent.  Left to chance: whether a
 * waiter lends, to which of several suspects, when its time with a suspect is up,
 * when a stray token comes (one for each wait: with more, nobody would be seen to
 * sleep for good), whether a woken thread is handed the word, and who runs.
 *
 * Which threads have the portable form of release is set bit by bit in PORTABLE.
 *
 * Claims.  One thread at most is inside.  The generation is the number of
 * releases that modified, at every entry and in the end.  Whoever may have to be
 * lent to is found by the scan; and one that is found alone is the owner, or has
 * let go and comes to the chain lock (invariants 1 and 3).  A word that was handed
 * over is next entered by the first of the queue.  Nobody leaves with a loan, and
 * in the end the word is bare.  And, spin's own: no thread waits for what nobody
 * will do.
 *
 * Each name in M_ takes away one line; spin must object: see the script beside
 * this file.
 */

#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef PORTABLE
#define PORTABLE 1 /* thread 0 */
#endif
#define NONE 255

#define L   1
#define W   2
#define LW  3
#define ONE 4

#define MODIFIES ((round + _pid) % 2)
#define SELF     (1 << _pid)

byte word;        /* generation from bit 2 */
byte cl;          /* 1 + who has the chain lock, 0: nobody */
byte q[N];        /* the turnstile's queue, under the chain lock */
byte nq;
bit onq[N];       /* td_ts_blocked != NULL */
bit blocked[N];   /* td_blocked_on != NULL */
bit told[N];      /* TD_TS_MORE */
bit handed[N];    /* TD_TS_HANDED */
byte lent[N];     /* td_lent_to */
bit loan[N];      /* td_loan: the host lends */
bit held[N];      /* the word is in the thread's line */
bit insec[N];     /* within a restartable section */
bit restart[N];   /* which the barrier has restarted */

/* What the claims are about; no thread looks at these. */
byte inside = NONE;
byte mods;
byte designated = NONE;
bit coming[N];    /* let go, saw W, and is on its way */
byte ndone;

/* The thread is inside from this operation on. */
inline entered()
{
	assert(inside == NONE);
	assert(designated == NONE || designated == _pid);
	assert(word / ONE == mods);
	inside = _pid
}

inline left(modified)
{
	assert(inside == _pid);
	inside = NONE;
	mods = mods + modified
}

inline publish()
{
#ifndef M_PUBLISHES_LATE
	held[_pid] = 1
#else
	skip
#endif
}

/* gen2_lock_hard(), gen2_trylock(): a failed one, and one that succeeded. */
inline published_late()
{
#ifdef M_PUBLISHES_LATE
	held[_pid] = 1
#else
	skip
#endif
}

inline enqueue()
{
	q[nq] = _pid;
	nq++;
	onq[_pid] = 1;
	blocked[_pid] = 1;
	token = 0
}

/* ts_take(): number k of the queue. */
inline take(k)
{
	t = q[k];
	i = k;
	do
	:: i + 1 < nq -> q[i] = q[i + 1]; i++
	:: else -> break
	od;
	nq--;
	q[nq] = 0;
	onq[t] = 0;
	told[t] = (nq > 0);
	i = 0
}

/* turnstile_signal() */
inline signal()
{
	woken = NONE;
	returns = 0;
	do
	:: i < nq ->
		if
		:: lent[q[i]] == _pid ->
			lent[q[i]] = NONE;
			returns = returns | (1 << q[i])
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	if
#ifdef M_TAKES_A_LENDER
	:: nq > 0 ->
#else
	:: nq > 0 && lent[q[0]] == NONE ->
#endif
		take(0);
		woken = t
	:: else
	fi;
	t = 0
}

/* turnstile_unlock_wake(), the chain is unlocked */
inline wake()
{
	if
	:: woken != NONE ->
		atomic { blocked[woken] = 0; woken = NONE }
	:: else
	fi;
	do
	:: returns != 0 ->
		atomic {
			do
			:: (returns >> i) & 1 -> break
			:: else -> i++
			od;
			loan[i] = 0;
			returns = returns & ~(1 << i);
			i = 0
		}
	:: else -> break
	od
}

/* ts_lend() and gen2_owner(), under the chain lock. */
inline lend()
{
	do
	:: i < N ->
		atomic {
			if
			:: i != _pid && held[i] ->
				n++;
				if
				:: n == 1 -> t = i
				:: n > 1 -> t = i
				:: n > 1
				fi
			:: else
			fi;
			i++
		}
	:: else -> break
	od;
	atomic {
		assert(n > 0);
		assert(n > 1 || inside == t || coming[t]);
		lent[_pid] = t;
		loan[_pid] = 1;
		i = 0;
		t = 0;
		cl = 0
	}
}

active [N] proctype td()
{
	byte round, v, bits, n, t, i, woken, returns;
	bit token;

	d_step { lent[_pid] = NONE; woken = NONE }
	do
	:: round == ROUNDS -> break
	:: else ->
		/* gen2_trylock() */
		publish();
		atomic {
			v = word;
			word = word | L;
			if
			:: (v & L) == 0 -> entered(); goto in
			:: else -> v = 0
			fi
		}
		held[_pid] = 0;
		bits = L;

		/* gen2_lock_hard() */
hard:
		v = word;
		if
		:: (v & L) == 0 ->
			publish();
			atomic {
				if
				:: word == v -> word = v | bits; entered(); goto in
				:: else -> v = 0
				fi
			}
			held[_pid] = 0;
			goto hard
		:: else -> v = 0
		fi;

		/* gen2_mark(), under the chain lock */
		atomic {
			cl == 0;
			if
			:: (word & L) == 0 -> goto hard
			:: (word & LW) == LW -> cl = 1 + _pid; goto marked
			:: else -> cl = 1 + _pid; v = word
			fi
		}
		atomic {
			if
			:: word == v -> word = v | W; v = 0
			:: else -> v = 0; cl = 0; goto hard
			fi
		}
#ifndef M_NO_BARRIER
		d_step {
			do
			:: i < N -> restart[i] = insec[i]; i++
			:: else -> break
			od;
			i = 0
		}
#endif
#ifndef M_DOES_NOT_LOOK_AGAIN
		atomic {
			if
			:: (word & LW) != LW -> cl = 0; goto hard
			:: else
			fi
		}
#endif

		/* turnstile_wait(), ts_lend(), gen2_owner() */
marked:
		atomic {
			enqueue();
first:
			if
			:: q[0] == _pid && (word & LW) == LW
			:: cl = 0; goto sleep	/* or as urgent as the owner */
			fi
		}
		lend();
sleep:
		if
		:: n == 0 ->
			if
			:: !blocked[_pid] -> goto awake
			:: atomic {
				blocked[_pid] && q[0] == _pid && !token && cl == 0 ->
				token = 1;
				goto look
			   }
			fi
		:: n > 0 && loan[_pid] == 0
		:: n > 1 ->
			/* sleep_lending(): the time with a suspect is up */
			atomic {
				cl == 0;
				if
				:: lent[_pid] != NONE ->
					/* ts_leave() */
					lent[_pid] = NONE;
					loan[_pid] = 0;
					do
					:: q[i] == _pid -> break
					:: else -> i++
					od;
					take(i);
					t = 0;
					blocked[_pid] = 0;
					goto awake
				:: else
				fi
			}
			loan[_pid] == 0
		fi;
		n = 0;
		if
		:: !blocked[_pid] -> goto awake
		:: else
		fi;
		atomic {
			cl == 0;
look:
			if
			:: onq[_pid] -> cl = 1 + _pid; goto first
			:: else
			fi
		}
		!blocked[_pid];
awake:
		atomic {
			n = 0;
			token = 0;
			bits = L;
			if
#ifdef M_WOKEN_FORGETS_THE_REST
			:: told[_pid]
#else
			:: told[_pid] -> bits = LW
#endif
			:: else
			fi;
			told[_pid] = 0;
			if
			:: handed[_pid] -> handed[_pid] = 0
			:: else -> goto hard
			fi
		}
		assert(designated == _pid && inside == _pid);
in:
		published_late();
		designated = NONE;
		assert(inside == _pid && (word & L) != 0);
		v = 0;
		bits = 0;

		/* gen2_unlock() */
#ifdef M_CLEARS_ITS_SLOT_EARLY
		held[_pid] = 0;
#endif
		if
		:: !(PORTABLE & SELF) ->
section:
			atomic {
				v = word;
				insec[_pid] = 1;
				if
				:: (v & W) != 0 -> insec[_pid] = 0; v = 0; goto byway
				:: else
				fi
			}
			atomic {
				insec[_pid] = 0;
				if
				:: restart[_pid] -> restart[_pid] = 0; goto section
				:: else
				fi;
				left(MODIFIES);
				word = v - L + MODIFIES * ONE;
				v = 0
			}
		:: PORTABLE & SELF ->
			v = word;
			if
			:: (v & W) != 0 -> v = 0; goto byway
			:: else
			fi;
			atomic {
				v = word;
#ifdef M_BUMPS_AFTER_THE_RELEASE
				word = word - L;
#else
				word = word - L + MODIFIES * ONE;
#endif
				left(MODIFIES);
				coming[_pid] = (v & W) != 0
			}
#ifdef M_BUMPS_AFTER_THE_RELEASE
			word = word + MODIFIES * ONE;
#endif
#ifdef M_FREED_UNNOTICED
			coming[_pid] = 0;
			v = 0;
#endif
			if
			:: (v & W) != 0 ->
				/* gen2_unlock_freed() */
				v = 0;
				atomic {
					cl == 0;
					if
					:: (word & W) != 0 ->
						signal();
						if
						:: woken != NONE || nq == 0 ->
							word = word & ~W
						:: else
						fi
					:: else -> returns = 0
					fi;
					held[_pid] = 0;
					coming[_pid] = 0
				}
				wake()
			:: else
			fi
		fi;
		held[_pid] = 0;
		goto out;

		/* gen2_unlock_held() */
byway:
		atomic {
			cl == 0;
			cl = 1 + _pid;
			signal();
			left(MODIFIES);
			if
			:: woken != NONE ->
				/* turnstile_handoff(), gen2_give() */
#ifndef M_GIVES_UNPUBLISHED
				held[woken] = 1;
#endif
				handed[woken] = 1;
				designated = woken;
				inside = woken;
#ifdef M_HANDS_OVER_A_FREE_WORD
				bits = 0
#else
				bits = (nq > 0 -> LW : L)
#endif
			:: true ->
#ifdef M_STAYS_UNMARKED
				bits = 0
#else
				bits = (woken == NONE && nq > 0 -> W : 0)
#endif
			fi;
			word = (word & ~LW) + MODIFIES * ONE + bits;
			bits = 0
		}
		atomic { held[_pid] = 0; cl = 0 }
		wake();
out:
		atomic { v = 0; round++ }
	od;

	atomic {
		ndone++;
		assert(lent[_pid] == NONE && !onq[_pid] && !held[_pid]);
		if
		:: ndone == N ->
			assert(word == mods * ONE && nq == 0 && cl == 0)
		:: else
		fi
	}
}
