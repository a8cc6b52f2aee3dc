#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
	struct utsname u;

	if (uname(&u) != 0) {
		perror("uname");
		return 1;
	}
	printf("Hello from %s %s on %s.\n", u.sysname, u.release, u.machine);
	return 0;
}
