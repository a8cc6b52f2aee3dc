/* disk {sum|fill} FILE ...: read a disk, or write and read it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char buf[1 << 18];

/* What "cksum" prints: POSIX's CRC. */
static uint32_t crc_byte(uint32_t crc, uint8_t b)
{
	crc ^= (uint32_t)b << 24;
	for (int i = 0; i < 8; i++)
		crc = crc & 0x80000000 ? crc << 1 ^ 0x04c11db7 : crc << 1;
	return crc;
}

static int sum(int fd, const char *name)
{
	uint32_t crc = 0;
	uint64_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			crc = crc_byte(crc, buf[i]);
		len += (uint64_t)n;
	}
	if (n < 0)
		return perror(name), 1;
	for (uint64_t l = len; l; l >>= 8)
		crc = crc_byte(crc, (uint8_t)l);
	printf("%s: %u %llu\n", name, ~crc, (unsigned long long)len);
	return 0;
}

static int fill(int fd, const char *name, unsigned seed, int mib)
{
	for (int i = 0; i < mib * 4; i++) {
		for (size_t j = 0; j < sizeof(buf); j++)
			buf[j] = (unsigned char)((seed = seed * 1103515245 +
							 12345) >>
						 16);
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			return perror(name), 1;
	}
	if (fsync(fd) != 0)
		return perror(name), 1;
	lseek(fd, 0, SEEK_SET);
	return sum(fd, name);
}

int main(int argc, char **argv)
{
	int fd;

	for (int i = 1; i + 1 < argc; i += 2) {
		int wr = strcmp(argv[i], "fill") == 0;

		fd = open(argv[i + 1], wr ? O_RDWR : O_RDONLY);
		if (fd < 0) {
			printf("%s: open: %s\n", argv[i + 1], strerror(errno));
			continue;
		}
		if (wr && fill(fd, argv[i + 1], 42, 2))
			return 1;
		if (!wr && sum(fd, argv[i + 1]))
			return 1;
		close(fd);
	}
	printf("end\n");
	return 0;
}
