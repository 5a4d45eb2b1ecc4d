/* SPDX-License-Identifier: Apache-2.0 */
/* An end for requests that do not come to one: a byte every other second keeps any time limit on silence from running out. */
#pragma once

#define SLOW_CONNECTIONS 64 /* at most, of the server */
#define SLOW_CROWD 48       /* more than so many, and the one that takes longest goes */
#define SLOW_REQUEST_MS 10000

/*
 * Knows the connections of a server by their sockets; a thread shuts down those whose request takes longer than SLOW_REQUEST_MS. It never closes
 * one: whoever owns the socket sees its end.
 */
struct slow;
struct slow_place;

struct slow *slow_new(void);
void slow_free(struct slow *s); /* when all connections are gone; NULL is fine */

/* A connection is there; NULL when there are SLOW_CONNECTIONS already. */
struct slow_place *slow_begin(struct slow *s, int fd);
void slow_again(struct slow *s, struct slow_place *p); /* a request is done, the next has all of its time; NULL is fine */
void slow_end(struct slow *s, struct slow_place *p);   /* before its socket is closed; NULL is fine */
