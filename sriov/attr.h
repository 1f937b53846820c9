/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be set on a PF and its VFs. Every value is a short text, in one spelling only, so that
 * a value read, wanted, planned, recorded and printed is one and the same thing and is compared by
 * comparing texts. The empty text is "not known" in what is, and "any" in what is wanted.
 */
#ifndef RWY_SRIOV_ATTR_H
#define RWY_SRIOV_ATTR_H

#include "lib/base.h"

/* In the order in which a VF is set up: a driver must find everything else in place. */
enum rwy_attr {
	/* of a PF */
	RWY_ATTR_UP,	    /* its interface: on, off */
	RWY_ATTR_AUTOPROBE, /* new VFs are given to drivers: on, off */
	RWY_ATTR_NUMVFS,
	RWY_ATTR_ESWITCH,     /* how its switch is run: legacy, switchdev */
	RWY_ATTR_KEPT_QUEUES, /* of an NVMe controller, out of those that VFs could have */
	RWY_ATTR_KEPT_INTERRUPTS,
	RWY_ATTR_PF_RESET, /* "now": an action, that nothing is read of */
	/* of a VF */
	RWY_ATTR_OVERRIDE,   /* the only driver that may have it, or none */
	RWY_ATTR_MSIX,	     /* interrupt vectors */
	RWY_ATTR_MAC,	     /* set by the PF; zeros: the VF's driver makes one up */
	RWY_ATTR_VLAN,	     /* ID,qos=N,proto=802.1q|802.1ad; "off" */
	RWY_ATTR_RATE,	     /* MIN-MAX in Mbit/s, 0: no bound */
	RWY_ATTR_SPOOFCHK,   /* on, off */
	RWY_ATTR_TRUST,	     /* on, off */
	RWY_ATTR_RSS_QUERY,  /* on, off */
	RWY_ATTR_LINK_STATE, /* auto, enable, disable */
	RWY_ATTR_NODE_GUID,  /* 16 digits in pairs */
	RWY_ATTR_PORT_GUID,
	RWY_ATTR_HW_ADDR,      /* of the VF behind a port of the switch */
	RWY_ATTR_ROCE,	       /* of the same: on, off */
	RWY_ATTR_MIGRATABLE,   /* on, off */
	RWY_ATTR_IPSEC_CRYPTO, /* on, off */
	RWY_ATTR_IPSEC_PACKET, /* on, off */
	RWY_ATTR_MAX_IO_EQS,   /* event queues, and with them interrupt vectors */
	RWY_ATTR_TX_SHARE,     /* of the port: Mbit/s that it is sure of, 0: none */
	RWY_ATTR_TX_MAX,       /* Mbit/s, 0: no bound */
	RWY_ATTR_STATE,	       /* active, inactive */
	RWY_ATTR_QUEUES,       /* of an NVMe VF, that of its administrator among them */
	RWY_ATTR_INTERRUPTS,   /* the same */
	RWY_ATTR_RESET,	       /* as PF_RESET */
	RWY_ATTR_ONLINE,       /* on, off: an NVMe VF answers its driver */
	RWY_ATTR_DRIVER,       /* the driver that has it, or none */
	RWY_ATTR_NR,
};

#define RWY_ATTR_OF_PF RWY_ATTR_OVERRIDE /* the attributes before it are a PF's */
#define RWY_ATTR_TEXT  40		 /* longest value, with its end */

/* The value of an attribute that its driver does not have. */
#define RWY_ATTR_UNSUPPORTED "unsupported"
#define RWY_ATTR_NONE	     "none"
#define RWY_ATTR_NOW	     "now"

/* The values of a PF or a VF. */
typedef char rwy_attr_values[RWY_ATTR_NR][RWY_ATTR_TEXT];

/* "mac", "link_state": as in files and in what is printed. */
const char *rwy_attr_name(enum rwy_attr attr);
/* RWY_ATTR_NR: there is none of this name. */
enum rwy_attr rwy_attr_find(const char *name);
/* Set through the PF's interface. */
bool rwy_attr_of_link(enum rwy_attr attr);
/* Set by devlink. */
bool rwy_attr_of_devlink(enum rwy_attr attr);
/* Set by NVMe's Virtualization Management. */
bool rwy_attr_of_nvme(enum rwy_attr attr);
/* Something that is done, and has no value before and after. */
bool rwy_attr_is_action(enum rwy_attr attr);
/* Setting it changes what other attributes are, and which there are. */
bool rwy_attr_is_upheaval(enum rwy_attr attr);
/* What is read is what was set before the last reset. */
bool rwy_attr_is_deferred(enum rwy_attr attr);
/* Names a VF, so that no other may have the same. */
bool rwy_attr_is_address(enum rwy_attr attr);
/* Such a name, of zeros: there is none yet. */
bool rwy_attr_is_unset(enum rwy_attr attr, const char *text);
/* May be changed while somebody holds the VF: neither resets it nor takes it away. */
bool rwy_attr_is_live(enum rwy_attr attr);

/* Of values in the one spelling. */
struct rwy_attr_vlan {
	uint16_t id; /* 0: off */
	uint8_t qos;
	uint16_t proto; /* ETH_P_8021Q, ETH_P_8021AD */
};

struct rwy_attr_rate {
	uint32_t min, max; /* Mbit/s, 0: no bound */
};

void rwy_attr_put_vlan(char text[RWY_ATTR_TEXT], struct rwy_attr_vlan vlan);
void rwy_attr_put_rate(char text[RWY_ATTR_TEXT], struct rwy_attr_rate rate);
void rwy_attr_put_mac(char text[RWY_ATTR_TEXT], const uint8_t mac[6]);
void rwy_attr_put_guid(char text[RWY_ATTR_TEXT], uint64_t guid);
/* -EINVAL: the text is none of these. */
RWY_MUST_CHECK int rwy_attr_get_vlan(const char *text, struct rwy_attr_vlan *vlan);
RWY_MUST_CHECK int rwy_attr_get_rate(const char *text, struct rwy_attr_rate *rate);
RWY_MUST_CHECK int rwy_attr_get_mac(const char *text, uint8_t mac[6]);
RWY_MUST_CHECK int rwy_attr_get_guid(const char *text, uint64_t *guid);

#endif
