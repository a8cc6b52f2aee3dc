#include "kern/clock.h"
#include "kern/net.h"
#include "kern/sched.h"
#include "lwip/priv/tcp_priv.h"
#include "net_int.h"

#define LOOK_EVERY (5 * NSEC_PER_MSEC)

/* Data or a FIN that the peer has not acknowledged yet. */
static bool has_unsent(const struct tcp_pcb *pcb)
{
	return pcb->unsent || pcb->unacked || pcb->state == FIN_WAIT_1 ||
	       pcb->state == CLOSING || pcb->state == LAST_ACK;
}

static bool any_unsent(void)
{
	const struct tcp_pcb *pcb;
	bool found = false;

	net_lock();
	for (pcb = tcp_active_pcbs; pcb && !found; pcb = pcb->next)
		found = has_unsent(pcb);
	net_unlock();
	return found;
}

void net_drain(uint64_t max_ns)
{
	uint64_t end = clock_mono() + max_ns;

	while (any_unsent() && clock_mono() < end)
		(void)thread_sleep_until(clock_mono() + LOOK_EVERY, 0);
}
