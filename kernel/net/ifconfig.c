/*
 * Addresses, routes and name servers: --ip=, --defaultgw=, --nameserver=,
 * else DHCP; IPv6 addresses come from the routers' announcements.
 */

#include "ifconfig.h"
#include "inet_int.h"

#include "kern/clock.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/string.h"
#include "kern/vfs.h"

#include "lwip/dhcp.h"
#include "lwip/ip4_addr.h"
#include "lwip/ip6_addr.h"

#define DHCP_WAIT (5 * NSEC_PER_SEC)
#define RESOLV    "/etc/resolv.conf"
#define LOOP_MTU  16060 /* TCP_MSS and the larger of the IP headers */

static ip4_addr_t dns[LWIP_DHCP_PROVIDE_DNS_SERVERS]; /* core lock */
static unsigned ndns;

/* Who waits for DHCP.  A spinlock, as waitq_wait() wants one. */
static struct spinlock wait_lock = SPINLOCK_INIT;
static struct waitq wait = WAITQ_INIT(wait);
static _Atomic unsigned pending; /* devices that wait for an answer */
static _Atomic bool ready;       /* net_wait_ready() has been called */
static struct work resolv_work;

/* --- parsing ------------------------------------------------------------- */

/* The (n)th field of "a,b,c": false when there is none or it is too long. */
static bool field(const char *s, unsigned n, char *out, size_t size)
{
	size_t len;

	while (n--) {
		s = strchr(s, ',');
		if (!s)
			return false;
		s++;
	}
	len = strchr(s, ',') ? (size_t)(strchr(s, ',') - s) : strlen(s);
	if (len >= size)
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return true;
}

/* Dotted, or a prefix length. */
static bool parse_mask(const char *s, ip4_addr_t *mask)
{
	char *end;
	unsigned long bits;

	if (strchr(s, '.'))
		return ip4addr_aton(s, mask);
	bits = strtoul(s, &end, 10);
	if (*end || end == s || bits > 32)
		return false;
	ip4_addr_set_u32(
	    mask, bits ? be32((uint32_t)(~0ul << (32 - bits))) : 0);
	return true;
}

/* --- static addresses ---------------------------------------------------- */

static void set_gateway(struct netif *n)
{
	ip4_addr_t gw;

	if (!boot_params.defaultgw)
		return;
	if (!ip4addr_aton(boot_params.defaultgw, &gw)) {
		log_err("--defaultgw=%s: not an IPv4 address",
		    boot_params.defaultgw);
		return;
	}
	if (!ip4_addr_netcmp(&gw, netif_ip4_addr(n), netif_ip4_netmask(n)))
		return;
	netif_set_gw(n, &gw);
	netif_set_default(n);
}

static bool set_static(struct netif *n, const char *spec)
{
	char addr[48], mask_text[48];
	ip4_addr_t mask;
	ip_addr_t ip;
	s8_t idx;

	if (!field(spec, 1, addr, sizeof(addr)) || !ipaddr_aton(addr, &ip)) {
		log_err("--ip=%s: not an address", spec);
		return false;
	}
	if (IP_IS_V6_VAL(ip)) {
		if (netif_add_ip6_address(n, ip_2_ip6(&ip), &idx) == ERR_OK)
			netif_ip6_addr_set_state(n, idx, IP6_ADDR_PREFERRED);
		return true;
	}
	if (!field(spec, 2, mask_text, sizeof(mask_text)) ||
	    !parse_mask(mask_text, &mask)) {
		log_err("--ip=%s: not a network mask", spec);
		return false;
	}
	netif_set_addr(n, ip_2_ip4(&ip), &mask, IP4_ADDR_ANY4);
	set_gateway(n);
	log_info("%s: address %s mask %s", nif_name(n), addr, mask_text);
	return true;
}

static bool set_all_static(struct netif *n, const char *name)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < boot_params.nip; i++) {
		char dev[16];

		if (field(boot_params.ip[i], 0, dev, sizeof(dev)) &&
		    !strcmp(dev, name))
			any |= set_static(n, boot_params.ip[i]);
	}
	return any;
}

/* --- DHCP ---------------------------------------------------------------- */

static void wake_waiters(void)
{
	unsigned long flags = spin_lock_irqsave(&wait_lock);

	waitq_wake_all(&wait);
	spin_unlock_irqrestore(&wait_lock, flags);
}

static void dhcp_settled(void)
{
	if (atomic_load(&pending))
		atomic_fetch_sub(&pending, 1);
	wake_waiters();
}

/* lwIP: the address or state of (n) has changed. */
static void on_status(struct netif *n)
{
	static ip4_addr_t last; /* called for every change of any address */
	char ip[16], gw[16];

	if (!dhcp_supplied_address(n) || ip4_addr_cmp(&last, netif_ip4_addr(n)))
		return;
	last = *netif_ip4_addr(n);
	ip4addr_ntoa_r(netif_ip4_addr(n), ip, sizeof(ip));
	ip4addr_ntoa_r(netif_ip4_gw(n), gw, sizeof(gw));
	log_info("%s: DHCP address %s, gateway %s", nif_name(n), ip, gw);
	dhcp_settled();
	if (atomic_load(&ready))
		work_queue(&resolv_work);
}

void net_dns_found(unsigned n, const struct ip4_addr *addr)
{
	if (n >= ARRAY_SIZE(dns))
		return;
	dns[n] = *addr;
	ndns = MAX(ndns, n + 1);
}

static void start_dhcp(struct netif *n)
{
	netif_set_status_callback(n, on_status);
	if (dhcp_start(n) == ERR_OK)
		atomic_fetch_add(&pending, 1);
	else
		log_err("%s: DHCP does not start", nif_name(n));
}

/* --- devices ------------------------------------------------------------- */

void ifconfig_attach(struct netif *n, const char *name)
{
	netif_set_hostname(
	    n, boot_params.hostname ? boot_params.hostname : "osv");
	netif_create_ip6_linklocal_address(n, 1);
	netif_set_ip6_autoconfig_enabled(n, 1);
	netif_set_up(n);
	if (!netif_default)
		netif_set_default(n);
	if (!set_all_static(n, name) || boot_params.dhcp)
		start_dhcp(n);
}

void ifconfig_detach(struct netif *n)
{
	if (!netif_dhcp_data(n))
		return;
	if (!dhcp_supplied_address(n))
		dhcp_settled();
	netif_set_status_callback(n, NULL);
	dhcp_stop(n);
	dhcp_cleanup(n);
}

static void write_resolv(void);

static void on_resolv_work(struct work *w)
{
	(void)w;
	write_resolv();
}

void ifconfig_init(void)
{
	struct netif *n;

	work_init(&resolv_work, on_resolv_work);
	NETIF_FOREACH(n)
	{
		/* The only one yet is the loopback. */
		n->mtu = LOOP_MTU;
		n->chksum_flags = NETIF_CHECKSUM_DISABLE_ALL;
	}
}

/* --- name servers -------------------------------------------------------- */

static size_t resolv_text(char *buf, size_t size)
{
	size_t at = 0;
	unsigned i;
	char a[16];

	if (boot_params.nameserver)
		return (size_t)snprintf(
		    buf, size, "nameserver %s\n", boot_params.nameserver);
	net_lock();
	for (i = 0; i < ndns && at < size; i++) {
		ip4addr_ntoa_r(&dns[i], a, sizeof(a));
		at +=
		    (size_t)snprintf(buf + at, size - at, "nameserver %s\n", a);
	}
	net_unlock();
	return MIN(at, size);
}

static void write_resolv(void)
{
	char text[256];
	size_t n = resolv_text(text, sizeof(text));
	struct file *f;
	struct uio u;
	uint64_t off = 0;
	int err;

	if (!n)
		return;
	vfs_mkdir(NULL, "/etc", 0755);
	err = vfs_open(NULL, RESOLV, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f);
	if (err) {
		log_info("%s: cannot be written: error %d", RESOLV, -err);
		return;
	}
	uio_init(&u, text, n, false);
	if (f->ops->write && f->ops->write(f, &u, &off) < 0)
		log_info("%s: write error", RESOLV);
	file_put(f);
}

void net_wait_ready(void)
{
	uint64_t deadline = clock_mono() + DHCP_WAIT;
	unsigned long flags = spin_lock_irqsave(&wait_lock);
	int r = 0;

	while (!r && atomic_load(&pending))
		r = waitq_wait(&wait, &wait_lock, &flags, deadline, 0);
	spin_unlock_irqrestore(&wait_lock, flags);
	if (r)
		log_warn("net: no DHCP answer yet: starting without");
	atomic_store(&ready, true);
	write_resolv();
}
