/* Says what becomes of a disk that comes and goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	static char buf[65536];
	int there = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	for (int i = 0; i < 600; i++) {
		int fd = open("/dev/xvdb", O_RDONLY);
		ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf)) : -1;

		if (n == sizeof(buf) && !there)
			printf("came: %c%c%c\n", buf[0], buf[4096], buf[65535]);
		if (n <= 0 && there)
			printf("went\n");
		there = n > 0;
		if (fd >= 0)
			close(fd);
		usleep(100000);
	}
	return 0;
}
