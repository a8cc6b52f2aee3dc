/*
 * 24 threads hammer malloc, mmap, munmap, mprotect, mremap and madvise on two
 * processors, and find in every page what they wrote there.  In the end all
 * memory is back: what is free, cached or the program's own is what it was.
 *
 * usage: mm-stress OPERATIONS | SECONDSs     for each thread
 */

#define _GNU_SOURCE
#include "../proc.h"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096ul
#define NTHREAD  24
#define NAREA    6
#define SLACK_KB 1024 /* per-cpu caches */

struct area {
	unsigned char *p;
	size_t pages;
	unsigned char tag;
};

struct worker {
	pthread_t thread;
	unsigned seed, wrong, refused;
	struct area area[NAREA];
};

static long operations;
static time_t until;
static struct worker workers[NTHREAD];

static unsigned pick(struct worker *w, unsigned n)
{
	return rand_r(&w->seed) % n;
}

static void fill(struct area *a)
{
	for (size_t i = 0; i < a->pages; i++)
		a->p[i * PAGE + i % PAGE] = a->tag;
}

static void check(struct worker *w, const struct area *a)
{
	for (size_t i = 0; i < a->pages; i++)
		w->wrong += a->p[i * PAGE + i % PAGE] != a->tag;
}

static void create(struct worker *w, struct area *a)
{
	a->pages = 1 + pick(w, 40);
	a->tag = 1 + pick(w, 255);
	a->p = mmap(NULL, a->pages * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->p == MAP_FAILED) {
		a->p = NULL;
		w->refused++;
		return;
	}
	fill(a);
}

static void destroy(struct worker *w, struct area *a)
{
	size_t half = a->pages / 2 * PAGE;

	check(w, a);
	/* in two pieces, the later one first or last */
	if (half && pick(w, 2)) {
		w->refused += munmap(a->p + half, a->pages * PAGE - half) != 0;
		w->refused += munmap(a->p, half) != 0;
	} else {
		w->refused += munmap(a->p, a->pages * PAGE) != 0;
	}
	a->p = NULL;
}

static void protect(struct worker *w, struct area *a)
{
	size_t at = pick(w, a->pages), n = 1 + pick(w, a->pages - at);

	w->refused += mprotect(a->p + at * PAGE, n * PAGE, PROT_READ) != 0;
	check(w, a);
	w->refused += mprotect(a->p, a->pages * PAGE, PROT_READ | PROT_WRITE);
	fill(a);
}

static void move(struct worker *w, struct area *a)
{
	size_t pages = 1 + pick(w, 60);
	void *p = mremap(a->p, a->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);

	if (p == MAP_FAILED) {
		w->refused++;
		return;
	}
	a->p = p;
	a->pages = pages < a->pages ? pages : a->pages;
	check(w, a);
	a->pages = pages;
	fill(a);
}

static void drop(struct worker *w, struct area *a)
{
	size_t at = pick(w, a->pages);

	w->refused += madvise(a->p + at * PAGE, PAGE, MADV_DONTNEED) != 0;
	for (size_t i = 0; i < PAGE; i++)
		w->wrong += a->p[at * PAGE + i] != 0;
	fill(a);
}

static void heap(struct worker *w)
{
	unsigned char *p[16];
	size_t n[16];

	for (int i = 0; i < 16; i++) {
		n[i] = 1 + pick(w, pick(w, 8) ? 2000 : 200000);
		p[i] = malloc(n[i]);
		if (p[i])
			p[i][0] = p[i][n[i] - 1] = i;
	}
	for (int i = 0; i < 16; i++) {
		if (p[i])
			w->wrong += p[i][0] != p[i][n[i] - 1];
		free(p[i]);
	}
}

static void step(struct worker *w)
{
	struct area *a = &w->area[pick(w, NAREA)];

	if (!a->p) {
		create(w, a);
		return;
	}
	switch (pick(w, 5)) {
	case 0:
		destroy(w, a);
		break;
	case 1:
		protect(w, a);
		break;
	case 2:
		move(w, a);
		break;
	case 3:
		drop(w, a);
		break;
	default:
		heap(w);
	}
}

static void *run(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; until ? time(NULL) < until : i < operations; i++)
		step(w);
	for (int i = 0; i < NAREA; i++)
		if (w->area[i].p)
			destroy(w, &w->area[i]);
	return NULL;
}

/* kB that the kernel has not kept for itself. */
static long ours(void)
{
	return meminfo("MemFree") + meminfo("Cached") + self_status("VmRSS");
}

static void round_of_threads(void)
{
	for (int i = 0; i < NTHREAD; i++) {
		workers[i].seed += 7919 * (i + 1);
		pthread_create(&workers[i].thread, NULL, run, &workers[i]);
	}
	for (int i = 0; i < NTHREAD; i++)
		pthread_join(workers[i].thread, NULL);
}

int main(int argc, char **argv)
{
	unsigned wrong = 0, refused = 0;
	long before, after, long_run = argc > 1 && strchr(argv[1], 's');

	/* a first round brings up what stays: stacks, arenas, tables */
	operations = 50;
	round_of_threads();
	malloc_trim(0);
	usleep(100000);
	before = ours();
	operations = argc > 1 ? atol(argv[1]) : 500;
	until = long_run ? time(NULL) + operations : 0;
	round_of_threads();
	malloc_trim(0);
	usleep(100000);
	after = ours();
	for (int i = 0; i < NTHREAD; i++) {
		wrong += workers[i].wrong;
		refused += workers[i].refused;
	}
	printf("%u wrong, %u refused\n", wrong, refused);
	if (before - after > SLACK_KB)
		printf("%ld of %ld kB are missing\n", before - after, before);
	else
		printf("all memory is back\n");
	return 0;
}
