/*
 * execve of the same process: what passes to the new program and what does
 * not, scripts, and what is refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;
static char exe[4096], dir[64];

static void handler(int sig)
{
	(void)sig;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void write_file(const char *name, const char *text, int mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode))
		abort();
	close(fd);
}

static void try(const char *what, const char *path)
{
	char *argv[] = { "x", NULL };

	execve(path, argv, environ);
	printf("%s: %s\n", what, strerror(errno));
}

static void refusals(void)
{
	write_file("plain", "just text\n", 0600);
	write_file("garbage", "just text\n", 0700);
	write_file("short", "\177ELF\2\1\1", 0700);
	write_file("no-interpreter", "#!/nowhere/sh\n", 0700);
	write_file("empty-interpreter", "#!  \n", 0700);
	try("not there", "/nowhere/at/all");
	try("not executable", "plain");
	try("garbage", "garbage");
	try("short", "short");
	try("no interpreter", "no-interpreter");
	try("empty interpreter", "empty-interpreter");
	try("a folder", "/tmp");
	try("a file as a folder", "plain/x");
	try("an empty name", "");
	try("nowhere", (char *)8);
	execve(exe, (char **)8, environ);
	printf("bad argv: %s\n", strerror(errno));
}

static void first(void)
{
	char *argv[] = { "again", "second", "an argument", "", NULL };
	char *envp[] = { "E=1", "EMPTY=", NULL };
	struct sigaction sa = { .sa_handler = handler };
	sigset_t set;
	pthread_t t;
	char pid[32];
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/execve-%d", getpid());
	mkdir(dir, 0700);
	if (chdir(dir) != 0)
		abort();
	refusals();
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 20);
	dup3(fd, 21, O_CLOEXEC);
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	prctl(PR_SET_NAME, "old name");
	raise(SIGTERM);
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, sleeper, NULL);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file("pid", pid, 0600);
	fflush(stdout);
	execve(exe, argv, envp);
	perror("execve");
	exit(1);
}

static void second(int argc, char **argv)
{
	char name[16], text[4200], pid[32] = { 0 };
	struct sigaction sa;
	sigset_t set;
	int fd;

	for (int i = 0; i < argc; i++)
		printf("argv %d '%s'\n", i, argv[i]);
	for (int i = 0; environ[i]; i++)
		printf("env '%s'\n", environ[i]);
	fd = open("pid", O_RDONLY);
	if (read(fd, pid, 31) < 0)
		abort();
	close(fd);
	printf("same process %d\n", atoi(pid) == getpid());
	printf("fd 20 %d, fd 21 %d\n", fcntl(20, F_GETFD), fcntl(21, F_GETFD));
	sigaction(SIGUSR1, NULL, &sa);
	printf("handler gone %d", sa.sa_handler == SIG_DFL);
	sigaction(SIGUSR2, NULL, &sa);
	printf(", still ignored %d\n", sa.sa_handler == SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &set);
	printf("still blocked %d", sigismember(&set, SIGTERM));
	sigpending(&set);
	printf(", still pending %d\n", sigismember(&set, SIGTERM));
	prctl(PR_GET_NAME, name);
	printf("new name %d\n", strcmp(name, "old name") != 0);
	snprintf(text, sizeof(text), "#! %s \t-x  two words \nnothing\n", exe);
	write_file("script", text, 0700);
	fflush(stdout);
	execl("./script", "not shown", "1", "2", NULL);
	perror("execl");
	exit(1);
}

static void third(int argc, char **argv)
{
	printf("interpreter %d, '%s' '%s' '%s' '%s', %d in all\n",
	    strcmp(argv[0], exe) == 0, argv[1], argv[2], argv[3], argv[4],
	    argc);
	unlink("script");
	exit(9);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		abort();
	exe[n] = 0;
	if (argc == 1)
		first();
	else if (strcmp(argv[1], "second") == 0)
		second(argc, argv);
	else
		third(argc, argv);
	return 0;
}
