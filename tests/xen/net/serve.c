/* A TCP server on port 7: what a connection begins with says what it does.
 * "SOURCE n": send n bytes.  "SINK": count until the end, and say how many.
 * "QUIT": end.  Else: echo.  */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[65536];

static void send_all(int fd, const char *p, ssize_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, (size_t)n);

		if (w <= 0) {
			perror("write");
			return;
		}
		p += w;
		n -= w;
	}
}

static void source(int fd, long n)
{
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7);
	for (; n > 0; n -= sizeof(buf))
		send_all(fd, buf, n < (long)sizeof(buf) ? n : sizeof(buf));
}

static void sink(int fd, ssize_t n)
{
	long total = n;
	char text[32];

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		total += n;
	send_all(fd, text, snprintf(text, sizeof(text), "%ld", total));
}

static void echo(int fd, ssize_t n)
{
	do
		send_all(fd, buf, n);
	while ((n = read(fd, buf, sizeof(buf))) > 0);
}

int main(void)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(7),
	};
	int s = socket(AF_INET6, SOCK_STREAM, 0);

	/* A connection that ends with its device is not the end. */
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 16)) {
		perror("listen");
		return 1;
	}
	printf("serving\n");
	for (;;) {
		int fd = accept(s, NULL, NULL);
		ssize_t n = read(fd, buf, sizeof(buf) - 1);

		buf[n > 0 ? n : 0] = 0;
		if (!strncmp(buf, "QUIT", 4)) {
			printf("served\n");
			return 0;
		}
		if (!strncmp(buf, "SOURCE", 6))
			source(fd, atol(buf + 6));
		else if (!strncmp(buf, "SINK", 4))
			sink(fd, n);
		else if (n > 0)
			echo(fd, n);
		close(fd);
	}
}
