/* Calls by each way in, which --strace shows: see test.sh. */
#define _GNU_SOURCE
#include "../calls.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void near_sync(void)
{
	NEAR_CALL(SYS_sched_yield);
}

int main(void)
{
	openat(AT_FDCWD, "/no/such \"file\"\n", O_RDONLY);
	open("/a/path/that/is/longer/than/thirty-two/characters", O_RDONLY, 0);
	close(-1);
	lseek(-1, -5, SEEK_SET);
	mkdir("/tmp/d", 0750);
	syscall(499, 1, 2, 3);
	access((char *)8, R_OK);
	kill(getpid(), 0);
	kill(-1, SIGUSR1);
	chdir(NULL);
	munmap((void *)0x10001, 4096);
	for (int i = 0; i < 500; i++)
		near_sync();
	return 7;
}
