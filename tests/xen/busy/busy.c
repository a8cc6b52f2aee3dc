/* busy [memory]: keep a disk and a network card busy until somebody ends it;
 * before that, use most of the memory. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define DISK_BYTES (2 << 20)

static char block[1 << 16];

static void *disk(void *arg)
{
	int fd = open("/dev/xvda", O_RDWR);
	off_t at = 0;

	(void)arg;
	for (unsigned n = 0; fd >= 0; n++) {
		if (pwrite(fd, block, sizeof(block), at) != sizeof(block) ||
		    fsync(fd) != 0)
			break;
		at = (at + sizeof(block)) % DISK_BYTES;
		if (n == 4)
			printf("disk works\n");
	}
	perror("disk");
	return NULL;
}

/* Nobody listens there: each datagram comes back as an ICMP error. */
static void *net(void *arg)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = inet_addr("10.0.0.1"),
	};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	(void)arg;
	for (unsigned n = 0; s >= 0; n++) {
		(void)sendto(s, block, 1400, 0, (void *)&to, sizeof(to));
		if (n == 50)
			printf("net works\n");
	}
	perror("net");
	return NULL;
}

static void use_memory(void)
{
	struct sysinfo si;
	size_t n;
	char *p;

	sysinfo(&si);
	n = si.totalram / 4 * 3;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		return;
	}
	memset(p, 1, n);
	munmap(p, n);
	printf("memory works: %zu of %lu MiB\n", n >> 20, si.totalram >> 20);
}

int main(int argc, char **argv)
{
	pthread_t t;

	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		use_memory();
	memset(block, 'b', sizeof(block));
	pthread_create(&t, NULL, disk, NULL);
	net(NULL);
	return 1;
}
