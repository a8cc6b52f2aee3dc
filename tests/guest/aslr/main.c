/*
 * Where a program is, in three executions: at random each time; always the
 * same when personality(ADDR_NO_RANDOMIZE) or randomize_va_space says so.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#define NPLACE 4
#define NEXEC  3

static const char *const place[NPLACE] = { "text", "break", "mmap", "stack" };

static void here(unsigned long at[NPLACE])
{
	int local;

	at[0] = (unsigned long)here;
	at[1] = (unsigned long)sbrk(0);
	at[2] = (unsigned long)mmap(
	    NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at[3] = (unsigned long)&local;
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("%s cannot be written\n", name);
	close(fd);
}

/*
 * The arguments: what is tried, then room for the places of each execution.
 * The stack's place depends on their number and length, so that is always the
 * same.
 */
#define WIDTH "%016lx"
#define EMPTY "----------------"
#define NARG  (2 + NPLACE * NEXEC)

static void run(char **args)
{
	execv("/proc/self/exe", args);
	printf("execv failed\n");
	exit(1);
}

static void begin(const char *what)
{
	char *args[NARG + 1] = { "aslr", (char *)what };

	for (int i = 2; i < NARG; i++)
		args[i] = EMPTY;
	run(args);
}

/* Add where this execution is; returns when there is no room left. */
static void note(char **args)
{
	static char text[NPLACE][24];
	unsigned long at[NPLACE];
	int n = 2;

	while (n < NARG && strcmp(args[n], EMPTY))
		n++;
	if (n == NARG)
		return;
	here(at);
	for (int i = 0; i < NPLACE; i++) {
		snprintf(text[i], sizeof(text[i]), WIDTH, at[i]);
		args[n++] = text[i];
	}
	run(args);
}

static void show_personality(void)
{
	char line[32] = "";
	FILE *f = fopen("/proc/self/personality", "r");

	if (f && fgets(line, sizeof(line), f))
		printf("personality: %s", line);
	if (f)
		fclose(f);
}

static void compare(const char *what, char **seen)
{
	printf("%s:", what);
	for (int i = 0; i < NPLACE; i++) {
		char *a = seen[i], *b = seen[NPLACE + i],
		     *c = seen[2 * NPLACE + i];
		int differ = strcmp(a, b) && strcmp(b, c) && strcmp(a, c);
		int same = !strcmp(a, b) && !strcmp(b, c);

		printf(" %s %s", place[i],
		    differ ? "differs"
		    : same ? "stays"
			   : "is neither");
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	static const char setting[] = "/proc/sys/kernel/randomize_va_space";

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc < NARG)
		begin("random");
	note(argv);
	compare(argv[1], argv + 2);
	show_personality();
	if (!strcmp(argv[1], "random")) {
		personality(ADDR_NO_RANDOMIZE);
		begin("person");
	} else if (!strcmp(argv[1], "person")) {
		personality(0);
		write_file(setting, "1");
		begin("all: 1");
	} else if (!strcmp(argv[1], "all: 1")) {
		write_file(setting, "0");
		begin("all: 0");
	}
	write_file(setting, "2");
	return 0;
}
