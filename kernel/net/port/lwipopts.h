#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/*
 * lwIP's configuration.  The raw API under one core lock (net_lock()); the
 * socket layer is ours.  What is not named here is lwIP's default.
 */

/* No threads inside: our own lock is around every call. */
#define NO_SYS               1
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS          1
#define LWIP_STATS           0
#define LWIP_HOOK_FILENAME   "net_hooks.h"

/* Memory: the kernel heap, no pools, no limits but memory itself. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT   8
#define mem_clib_malloc kmalloc
#define mem_clib_free   kfree
void *net_calloc(unsigned long n, unsigned long size);
#define mem_clib_calloc              net_calloc
#define LWIP_PBUF_REF_T              unsigned
#define LWIP_SUPPORT_CUSTOM_PBUF     1
#define PBUF_LINK_ENCAPSULATION_HLEN 0
#define PBUF_POOL_BUFSIZE            1700
/* What waits for an address to be resolved may outlive the connection, and
 * with it the pages that its data is in: copy all but lwIP's own memory. */
#define PBUF_NEEDS_COPY(p) \
	(!((p)->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS))

/* Links. */
#define LWIP_ARP                           1
#define ETHARP_SUPPORT_STATIC_ENTRIES      0
#define ARP_TABLE_SIZE                     64
#define ARP_QUEUEING                       1
#define ARP_QUEUE_LEN                      16
#define ETH_PAD_SIZE                       0
#define LWIP_NETIF_API                     0
#define LWIP_NETIF_HOSTNAME                1
#define LWIP_NETIF_LINK_CALLBACK           1
#define LWIP_NETIF_STATUS_CALLBACK         1
#define LWIP_NETIF_EXT_STATUS_CALLBACK     0
#define LWIP_NUM_NETIF_CLIENT_DATA         1
#define LWIP_HAVE_LOOPIF                   1
#define LWIP_NETIF_LOOPBACK                1
#define LWIP_LOOPBACK_MAX_PBUFS            0
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0
#define LWIP_LOOPIF_MULTICAST              1

/* IP. */
#define LWIP_IPV4                       1
#define LWIP_IPV6                       1
#define IP_FORWARD                      0
#define IP_REASSEMBLY                   1
#define IP_FRAG                         1
#define IP_REASS_MAX_PBUFS              256
#define IP_REASS_MAXAGE                 15
#define MEMP_NUM_REASSDATA              32
#define IP_SOF_BROADCAST                1
#define IP_SOF_BROADCAST_RECV           0
#define IP_DEFAULT_TTL                  64
#define LWIP_IPV6_FRAG                  1
#define LWIP_IPV6_REASS                 1
#define IPV6_FRAG_COPYHEADER            1 /* pointers are 64 bits */
#define LWIP_IPV6_MLD                   1
#define LWIP_IPV6_AUTOCONFIG            1
#define LWIP_IPV6_NUM_ADDRESSES         4
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   1
#define LWIP_IPV6_DHCP6                 0
#define LWIP_ND6_NUM_NEIGHBORS          32
#define LWIP_ND6_NUM_DESTINATIONS       64
#define LWIP_ND6_ALLOW_RA_UPDATES       1
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1
#define LWIP_ICMP                       1
#define LWIP_ICMP6                      1
#define LWIP_IGMP                       1
#define LWIP_MULTICAST_TX_OPTIONS       1
#define LWIP_MULTICAST_PING             0
#define LWIP_BROADCAST_PING             0

/* Configuration protocols. */
#define LWIP_DHCP                     1
#define DHCP_DOES_ARP_CHECK           0
#define LWIP_DHCP_DOES_ACD_CHECK      0
#define LWIP_AUTOIP                   0
#define LWIP_DNS                      0
#define DNS_MAX_SERVERS               3
#define LWIP_DHCP_PROVIDE_DNS_SERVERS 3

/* Transports. */
#define LWIP_RAW                  1
#define LWIP_UDP                  1
#define LWIP_UDPLITE              0
#define LWIP_NETBUF_RECVINFO      1
#define LWIP_TCP                  1
#define LWIP_CALLBACK_API         1
#define SO_REUSE                  1
#define SO_REUSE_RXTOALL          1
#define LWIP_TCP_KEEPALIVE        1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1

/* 16,000: the loopback's segments fit four pages with all headers. */
#define TCP_MSS                    16000
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE             1
#define TCP_RCV_SCALE              3
#define TCP_WND                    262144
#define TCP_SND_BUF                524288
#define TCP_SND_QUEUELEN           60000
#define TCP_SNDLOWAT               1024
#define TCP_SNDQUEUELOWAT          30000
#define TCP_OVERSIZE               0
#define TCP_QUEUE_OOSEQ            1
#define TCP_OOSEQ_MAX_BYTES        TCP_WND
#define TCP_OOSEQ_MAX_PBUFS        1024
#define LWIP_TCP_SACK_OUT          1
#define LWIP_TCP_TIMESTAMPS        0
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 128
#define TCP_MAXRTX                 12
#define TCP_SYNMAXRTX              6
#define TCP_TTL                    64

/*
 * Delayed acknowledgements within 100 ms and retransmission in steps of
 * 200 ms (lwIP: 250 and 500), which is nearer to what peers expect.
 */
#define TCP_TMR_INTERVAL  100
#define LWIP_TCP_RTO_TIME 1000
/* RFC 6928 */
#define LWIP_TCP_CALC_INITIAL_CWND(mss) \
	((tcpwnd_size_t)LWIP_MIN(10U * (mss), LWIP_MAX(2U * (mss), 14600U)))

/*
 * TIME_WAIT is twice this: long enough for a datagram to die in a data
 * centre, short enough that closed connections cannot eat the memory.
 */
#define TCP_MSL           2000UL

#define LWIP_HOOK_TCP_ISN net_tcp_isn

/* Per device, since some verify and fill them: netif.c. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY        0
#define LWIP_CHKSUM_ALGORITHM        3

#endif /* LWIPOPTS_H */
