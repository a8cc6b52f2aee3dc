/*
 * The end: the program has gone, its last bytes may not have.  Nothing tells
 * of an acknowledged FIN, so for once this looks now and then.
 */

#include "kern/clock.h"
#include "kern/net.h"
#include "kern/sched.h"
#include "lwip/priv/tcp_priv.h"
#include "net_int.h"
#include "netchan_int.h"

#define LOOK_EVERY (2 * NSEC_PER_MSEC)

/* Data or a FIN that the peer has not acknowledged yet. */
static bool unfinished(const struct tcp_pcb *pcb)
{
	switch (pcb->state) {
	case FIN_WAIT_1:
	case CLOSING:
	case LAST_ACK:
		return true;
	case ESTABLISHED:
	case CLOSE_WAIT:
		return pcb->snd_queuelen || (pcb->flags & TF_CLOSEPEND);
	default:
		return false;
	}
}

static bool any_unfinished(void)
{
	const struct tcp_pcb *pcb;
	bool any = false;

	net_lock();
	netchan_drain_pending();
	for (pcb = tcp_active_pcbs; pcb && !any; pcb = pcb->next)
		any = unfinished(pcb) && !ip_addr_isloopback(&pcb->local_ip);
	net_unlock();
	return any;
}

void net_drain(uint64_t max_ns)
{
	uint64_t end = clock_mono() + max_ns;

	while (any_unfinished() && clock_mono() < end)
		(void)thread_sleep_until(clock_mono() + LOOK_EVERY, 0);
}
