/* Writes code, then runs it, in the ways that need W+X memory. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* return 42 */

static void run(const char *what, void *p)
{
	memcpy(p, code, sizeof(code));
	printf("%s: %d\n", what, ((int (*)(void))p)());
}

int main(int argc, char **argv)
{
	unsigned char stack[4096];
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setvbuf(stdout, NULL, _IONBF, 0);
	if (p == MAP_FAILED)
		printf("mmap: %s\n", strerror(errno));
	else
		run("mmap", p);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		printf("mprotect: %s\n", strerror(errno));
	else
		run("mprotect", p);
	/* one after the other is always allowed */
	memcpy(p, code, sizeof(code));
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	printf("in turn: %d\n", ((int (*)(void))p)());
	if (argc > 1)
		run("stack", stack);
	return 0;
}
