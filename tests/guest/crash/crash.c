/* Die in the way that the argument names. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char constant[16] = "read only";
static char data[4096];

static int overflow(int n)
{
	volatile char big[4000];

	big[0] = (char)n;
	return overflow(n + 1) + big[0];
}

static void *in_thread(void *arg)
{
	(*(void (**)(void))arg)();
	return NULL;
}

static void null_write(void)
{
	*(volatile int *)16 = 1;
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void ignore(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	void (*fn)(void) = null_write;
	struct sigaction sa = { .sa_handler = ignore };
	pthread_t t;

	setvbuf(stdout, NULL, _IONBF, 0);
	printf("alive\n");
	if (!strcmp(how, "null"))
		null_write();
	else if (!strcmp(how, "thread")) {
		pthread_create(&t, NULL, in_thread, &fn);
		wait_for_ever();
	} else if (!strcmp(how, "constant"))
		*(volatile char *)constant = 'x';
	else if (!strcmp(how, "text"))
		*(volatile char *)(unsigned long)null_write = 'x';
	else if (!strcmp(how, "run-data"))
		((void (*)(void))(unsigned long)data)();
	else if (!strcmp(how, "run-stack")) {
		char code[16] = { (char)0xc3 };

		((void (*)(void))(unsigned long)code)();
	} else if (!strcmp(how, "overflow"))
		overflow(0);
	else if (!strcmp(how, "abort"))
		abort();
	else if (!strcmp(how, "divide"))
		__asm__ volatile(
		    "xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx"
		    :
		    :
		    : "eax", "ecx", "edx");
	else if (!strcmp(how, "opcode"))
		__asm__ volatile("ud2");
	else if (!strcmp(how, "breakpoint"))
		__asm__ volatile("int3");
	else if (!strcmp(how, "kernel-read"))
		(void)*(volatile char *)0xffff900000000000ul;
	else if (!strcmp(how, "kernel-write"))
		*(volatile char *)0xffffffff80200000ul = 1;
	else if (!strcmp(how, "no-stack")) {
		sigaction(SIGSEGV, &sa, NULL);
		__asm__ volatile("mov $64, %rsp; push %rax");
	} else if (!strcmp(how, "writable-code"))
		return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
			   ? 11
			   : 12;
	else if (!strcmp(how, "status"))
		return 300; /* 44 */
	else if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	return 99;
}
