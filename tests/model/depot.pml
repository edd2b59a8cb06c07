/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The slots of lib/page/depot.c: users put batches (here: one page) into slots and take them out, in a move that they
 * announce; somebody adds up twice what is cached, one word after the other, to prove a refusal.
 *
 * Checked: a batch has one owner and none is lost; where two sums hold nothing and have the same events, nothing was
 * cached or on its way at a moment between them.
 *
 * Broken on purpose, each of which spin must find a fault in:
 *   NO_MOVE      users do not announce moves
 *   BLIND_TAKE   who takes believes the word that it saw before it swaps
 */
#define SLOTS 2
#ifndef USERS
#define USERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

mtype = {EMPTY, FULL, HELD};
mtype slot[SLOTS] = EMPTY;
byte version[SLOTS];
byte content[SLOTS];
byte open, begun;       /* one word */
byte owners[USERS + 1]; /* of a page: users that have it as allocated */
byte cached;            /* ghost: pages that are no user's */

inline count(s)
{
	version[s]++
}

inline begin()
{
#ifndef NO_MOVE
	atomic { open++; begun++ }
#else
	skip
#endif
}

inline end()
{
#ifndef NO_MOVE
	open--
#else
	skip
#endif
}

inline put(p, s, done)
{
	begin();
	atomic { owners[p]--; cached++ };
	done = false;
	s = 0;
	do
	:: s == SLOTS || done -> break
	:: else ->
		if
		:: slot[s] == EMPTY ->
			if
			:: atomic { slot[s] == EMPTY -> slot[s] = HELD; count(s) };
				content[s] = p;
				atomic { slot[s] = FULL; count(s) };
				done = true
			:: atomic { slot[s] != EMPTY -> s++ }
			fi
		:: else -> s++
		fi
	od;
	if
	:: !done -> atomic { owners[p]++; cached-- }
	:: else -> p = 0
	fi;
	end()
}

inline take(p, s)
{
	begin();
	s = SLOTS;
	do
	:: s == 0 || p != 0 -> break
	:: else ->
		s--;
		if
		:: slot[s] == FULL ->
			if
#ifdef BLIND_TAKE
			:: atomic { slot[s] = HELD; count(s) };
#else
			:: atomic { slot[s] == FULL -> slot[s] = HELD; count(s) };
#endif
				p = content[s]; /* handed on from where it lies */
				atomic { owners[p]++; cached--; assert(owners[p] == 1) };
				atomic { slot[s] = EMPTY; count(s) }
#ifndef BLIND_TAKE
			:: slot[s] != FULL -> skip
#endif
			fi
		:: else -> skip
		fi
	od;
	end()
}

proctype user(byte p)
{
	byte s, n = ROUNDS;
	bool done;

	do
	:: n == 0 -> break
	:: else ->
		n--;
		if
		:: p != 0 -> put(p, s, done)
		:: else -> take(p, s)
		fi
	od;
	end_user: skip
}

/* One word after the other, as lab_stacks_add_up() does. */
inline add_up(held, events)
{
	atomic { held = open; events = begun };
	i = 0;
	do
	:: i == SLOTS -> break
	:: else ->
		atomic {
			if
			:: slot[i] == FULL -> held++
			:: else -> skip
			fi;
			events = events + version[i];
			i++
		}
	od
}

active proctype prover()
{
	byte i, held1, held2, events1, events2, between;

	atomic {
		i = 1;
		do
		:: i > USERS -> break
		:: else -> owners[i] = 1; run user(i); i++
		od
	};
	add_up(held1, events1);
	between = cached;
	add_up(held2, events2);
	assert(!(held1 == 0 && held2 == 0 && events1 == events2) || between == 0)
}
