/* Much output at once, then what comes in is said back. */
#include <stdio.h>
#include <string.h>

int main(void)
{
	char line[256];

	for (int i = 0; i < 2000; i++)
		printf("line %04d of the console test, to fill the ring\n", i);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		printf("heard <%s>\n", line);
		fflush(stdout);
		if (strcmp(line, "quit") == 0)
			return 7;
	}
	return 1;
}
