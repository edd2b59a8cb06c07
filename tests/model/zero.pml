/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The tags of lib/page/frames_zero.c: a free bit and a tag a frame, a worker that zeroes, users that take
 * frames as zeroed or as they come, write to them and give them back, and one who gives back what a
 * worker or a user that died in the midst had. Frames have two halves, so that one can be found half zeroed.
 *
 * Checked: a frame has one owner; what is handed out as zero is zero and stays so until its owner writes to it.
 *
 * Broken on purpose, each of which spin must find a fault in:
 *   KEEP_TAG    neither who takes nor who gives back takes the tag off
 *   STALE_TAG   who gives back does not, so the tag of a worker that died survives it
 *   EARLY       the worker gives a frame back before it has zeroed it
 *   TRUST_HINT  who takes for a zeroed frame believes the tag that it saw before it had the frame
 */
#define FRAMES 2
#define bit(i) (1 << (i))

#ifndef USERS
#define USERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

byte free = 3; /* bit set: free */
byte tags;
bool garbage[4] = true; /* frame * 2 + half */
byte owners[FRAMES];
byte lost = 255; /* what somebody who died had */

inline own(i)
{
	owners[i]++;
	assert(owners[i] == 1)
}

/* was: whether the tag was on */
inline untag(i, was)
{
	if
	:: (tags & bit(i)) == 0 -> was = false
	:: else ->
		atomic { was = (tags & bit(i)) != 0; tags = tags & ~bit(i) }
	fi
}

inline give(i, was)
{
#if !defined(STALE_TAG) && !defined(KEEP_TAG)
	untag(i, was);
#endif
	atomic { owners[i]--; free = free | bit(i) }
}

active proctype worker()
{
	byte i, n = ROUNDS;
	bool was, hint;

	do
	:: n > 0 ->
		n--;
		if
		:: i = 0
		:: i = 1
		fi;
		hint = (tags & bit(i)) != 0;
		atomic {
			if
			:: !hint && (free & bit(i)) -> free = free & ~bit(i); own(i)
			:: else -> goto next
			fi
		}
		untag(i, was);
		tags = tags | bit(i);
#ifdef EARLY
		atomic { owners[i]--; free = free | bit(i) }
#endif
		garbage[i * 2] = false;
		if
		:: true
		:: atomic { lost == 255 -> lost = i }; goto dead
		fi;
		garbage[i * 2 + 1] = false;
#ifndef EARLY
		atomic { owners[i]--; free = free | bit(i) }
#endif
	next:	skip
	:: else -> break
	od;
dead:	skip
}

proctype user(bool zero)
{
	byte i, n = ROUNDS;
	bool was, hint;

	do
	:: n > 0 ->
		n--;
		if
		:: i = 0
		:: i = 1
		fi;
		hint = (tags & bit(i)) != 0;
		atomic {
			if
			:: free & bit(i) -> free = free & ~bit(i); own(i)
			:: else -> goto next
			fi
		}
#ifndef KEEP_TAG
		if
		:: true
		:: atomic { lost == 255 -> lost = i }; goto dead
		fi;
		untag(i, was);
#else
		was = (tags & bit(i)) != 0;
#endif
#ifdef TRUST_HINT
		was = hint;
#endif
		if
		:: zero && !was -> garbage[i * 2] = false; garbage[i * 2 + 1] = false
		:: else
		fi;
		/* handed out */
		if
		:: zero ->
			assert(!garbage[i * 2] && !garbage[i * 2 + 1]);
			skip;
			assert(!garbage[i * 2] && !garbage[i * 2 + 1])
		:: else
		fi;
		garbage[i * 2] = true;
		garbage[i * 2 + 1] = true;
		give(i, was);
	next:	skip
	:: else -> break
	od;
dead:	skip
}

/* lab_zone_reclaim() and its like */
active proctype reclaimer()
{
	bool was;

	if
	:: lost != 255 -> give(lost, was)
	:: true
	fi
}

init
{
	atomic {
		run user(true);
#if USERS > 1
		run user(false)
#endif
	}
}
