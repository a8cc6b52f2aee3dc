/*
 * What lwIP needs from the kernel, the core lock around it, and the net
 * thread: lwIP's timers, packets for the slow path that came from where one
 * cannot sleep, and channels that nobody reads.
 */

#include "ifconfig.h"
#include "inet_int.h"
#include "netchan_int.h"

#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/mm.h"
#include "kern/rand.h"
#include "kern/string.h"

#include "lwip/init.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

/* A channel's packets wait no longer than this for their socket's thread:
 * shorter than any peer's delayed acknowledgement. */
#define DRAIN_DELAY (10 * NSEC_PER_MSEC)

static struct mutex core_lock = MUTEX_INIT(core_lock);

struct tcp_pcb *net_tcp_hint;

/* Why the net thread must run.  A spinlock: timers and pollers set them. */
static struct {
	struct spinlock lock;
	struct waitq wait;
	bool timer, drain;
	struct pkt *input, **input_end;
	unsigned ninput;
} work = { SPINLOCK_INIT, WAITQ_INIT(work.wait), false, false, NULL,
	&work.input, 0 };

#define INPUT_MAX 4096 /* packets that wait for the net thread */

static struct timer lwip_timer, drain_timer;
static _Atomic bool drain_armed;
static uint64_t lwip_deadline = TIME_NEVER; /* core lock */

/* --- what lwIP calls ----------------------------------------------------- */

u32_t sys_now(void)
{
	return (u32_t)(clock_mono() / NSEC_PER_MSEC);
}

void *net_calloc(unsigned long n, unsigned long size)
{
	return kmalloc_array(n, size);
}

static void isn_key(uint64_t key[2])
{
	static uint64_t secret[2];
	static bool made;

	if (!made) {
		rand_bytes(secret, sizeof(secret));
		made = true;
	}
	key[0] = secret[0];
	key[1] = secret[1];
}

uint32_t net_tcp_isn(const struct ip_addr *local, uint16_t local_port,
    const struct ip_addr *remote, uint16_t remote_port)
{
	struct {
		uint8_t laddr[16], faddr[16];
		uint16_t lport, fport;
	} id;
	uint64_t key[2];

	isn_key(key);
	inet_addr_bytes(local, id.laddr);
	inet_addr_bytes(remote, id.faddr);
	id.lport = local_port;
	id.fport = remote_port;
	/* RFC 6528; one step every 64 ns, as Linux: a new connection must
	 * start above where the last one of the same ports ended. */
	return (uint32_t)siphash(key, &id, sizeof(id)) +
	       (uint32_t)(clock_mono() >> 6);
}

/* --- waking the net thread ----------------------------------------------- */

static void work_set(bool *why)
{
	unsigned long flags = spin_lock_irqsave(&work.lock);

	*why = true;
	waitq_wake_all(&work.wait);
	spin_unlock_irqrestore(&work.lock, flags);
}

static void lwip_timer_fired(struct timer *t)
{
	(void)t;
	work_set(&work.timer);
}

static void drain_timer_fired(struct timer *t)
{
	(void)t;
	work_set(&work.drain);
}

void net_drain_soon(bool urgent)
{
	if (urgent)
		work_set(&work.drain);
	else if (!atomic_exchange(&drain_armed, true))
		timer_set(&drain_timer, clock_mono() + DRAIN_DELAY);
}

void net_defer_input(struct net_dev *dev, struct pkt *p)
{
	unsigned long flags = spin_lock_irqsave(&work.lock);

	if (work.ninput >= INPUT_MAX) {
		spin_unlock_irqrestore(&work.lock, flags);
		pkt_free(p);
		return;
	}
	p->owner = dev;
	p->next = NULL;
	*work.input_end = p;
	work.input_end = &p->next;
	work.ninput++;
	waitq_wake_all(&work.wait);
	spin_unlock_irqrestore(&work.lock, flags);
}

/* --- the core lock ------------------------------------------------------- */

void net_lock(void)
{
	mutex_lock(&core_lock);
}

/* Set the timer to lwIP's next timeout, if that has become another. */
static void arm_timer(void)
{
	u32_t ms = sys_timeouts_sleeptime();
	uint64_t when;

	if (ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE)
		return;
	when = (clock_mono() / NSEC_PER_MSEC + ms) * NSEC_PER_MSEC;
	if (when >= lwip_deadline)
		return;
	lwip_deadline = when;
	timer_set(&lwip_timer, when);
}

void net_unlock(void)
{
	netif_poll_all();
	nif_flush();
	arm_timer();
	inet_put_all_late();
	/* Whoever is woken will want the lock: do not let him run before. */
	preempt_disable();
	inet_wake_all();
	mutex_unlock(&core_lock);
	preempt_enable();
}

/* --- the net thread ------------------------------------------------------ */

struct net_work {
	bool timer, drain;
	struct pkt *input;
};

static void work_take(struct net_work *w)
{
	unsigned long flags = spin_lock_irqsave(&work.lock);

	while (!work.timer && !work.drain && !work.input)
		waitq_wait(&work.wait, &work.lock, &flags, TIME_NEVER, 0);
	w->timer = work.timer;
	w->drain = work.drain;
	w->input = work.input;
	work.timer = work.drain = false;
	work.input = NULL;
	work.input_end = &work.input;
	work.ninput = 0;
	spin_unlock_irqrestore(&work.lock, flags);
}

static void run_input(struct pkt *p)
{
	struct pkt *next;

	for (; p; p = next) {
		struct net_dev *dev = p->owner;

		next = p->next;
		p->next = NULL;
		nif_input_one(dev, p);
	}
}

static void net_thread(void *arg)
{
	struct net_work w;

	(void)arg;
	for (;;) {
		work_take(&w);
		if (w.drain)
			atomic_store(&drain_armed, false);
		net_lock();
		netchan_drain_pending();
		run_input(w.input);
		if (w.timer) {
			lwip_deadline = TIME_NEVER;
			sys_check_timeouts();
		}
		net_unlock();
	}
}

/* --- boot ---------------------------------------------------------------- */

void net_init(void)
{
	struct thread *t;

	timer_init(&lwip_timer, lwip_timer_fired);
	timer_init(&drain_timer, drain_timer_fired);
	netchan_init();
	mutex_lock(&core_lock);
	lwip_init();
	ifconfig_init();
	mutex_unlock(&core_lock);
	if (thread_create(&t, "net", net_thread, NULL, -1))
		panic("net: no memory for the net thread");
	thread_start(t);
	thread_put(t);
	net_lock();
	net_unlock();
}
