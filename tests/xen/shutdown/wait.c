/* Waits to be asked to stop. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void asked(int sig)
{
	static const char text[] = "asked to stop\n";

	(void)sig;
	(void)!write(1, text, sizeof(text) - 1);
	_exit(9);
}

int main(void)
{
	signal(SIGTERM, asked);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
