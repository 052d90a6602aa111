/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_PTHREAD_H
#define LOCK_LOCK_PTHREAD_H

/*
 * What the backends made of the host's mutex have in common: all but how a word
 * is made.  In lock_pthread_mutex.c.
 */

#include <pthread.h>
#include <stdbool.h>

/* What plo_size, plo_align and the verbs of such a table are. */
#define PTHREAD_WORD_OPS                                                       \
	.plo_size = sizeof(pthread_mutex_t),                                   \
	.plo_align = _Alignof(pthread_mutex_t), .plo_lock = pthread_word_lock, \
	.plo_trylock = pthread_word_trylock,                                   \
	.plo_unlock = pthread_word_unlock, .plo_owned = pthread_word_owned

void pthread_word_destroy(void *word);
void pthread_word_lock(void *word);
bool pthread_word_trylock(void *word);
void pthread_word_unlock(void *word, bool modified);
bool pthread_word_owned(const void *word);

/*
 * Make a word with an attribute set by fn(attr, value), as
 * pthread_mutexattr_settype() and pthread_mutexattr_setprotocol() are.  Returns
 * 0 or an errno value.
 */
int
pthread_word_init(void *word, int (*fn)(pthread_mutexattr_t *, int), int value);

#endif /* LOCK_LOCK_PTHREAD_H */
