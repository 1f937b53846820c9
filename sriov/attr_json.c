/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/attr_json.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

/* What a value is in JSON. */
enum kind { BOOL, NUMBER, NAME, MAC, GUID, CHOICE, VLAN, RATE, ACTION };

static const struct {
	enum kind kind;
	uint32_t min, max;   /* of a number */
	const char *choices; /* each once, with ", " between them */
} rows[RWY_ATTR_NR] = {
	[RWY_ATTR_UP] = {.kind = BOOL},
	[RWY_ATTR_AUTOPROBE] = {.kind = BOOL},
	[RWY_ATTR_NUMVFS] = {.kind = NUMBER, .max = UINT16_MAX},
	[RWY_ATTR_ESWITCH] = {.kind = CHOICE, .choices = "legacy, switchdev"},
	[RWY_ATTR_KEPT_QUEUES] = {.kind = NUMBER, .max = UINT16_MAX},
	[RWY_ATTR_KEPT_INTERRUPTS] = {.kind = NUMBER, .max = UINT16_MAX},
	[RWY_ATTR_PF_RESET] = {.kind = ACTION},
	[RWY_ATTR_OVERRIDE] = {.kind = NAME},
	[RWY_ATTR_MSIX] = {.kind = NUMBER,
			   .min = 1,
			   .max = 2048}, /* longest table; a VF without any is no use */
	[RWY_ATTR_MAC] = {.kind = MAC},
	[RWY_ATTR_VLAN] = {.kind = VLAN},
	[RWY_ATTR_RATE] = {.kind = RATE},
	[RWY_ATTR_SPOOFCHK] = {.kind = BOOL},
	[RWY_ATTR_TRUST] = {.kind = BOOL},
	[RWY_ATTR_RSS_QUERY] = {.kind = BOOL},
	[RWY_ATTR_LINK_STATE] = {.kind = CHOICE, .choices = "auto, enable, disable"},
	[RWY_ATTR_NODE_GUID] = {.kind = GUID},
	[RWY_ATTR_PORT_GUID] = {.kind = GUID},
	[RWY_ATTR_HW_ADDR] = {.kind = MAC},
	[RWY_ATTR_ROCE] = {.kind = BOOL},
	[RWY_ATTR_MIGRATABLE] = {.kind = BOOL},
	[RWY_ATTR_IPSEC_CRYPTO] = {.kind = BOOL},
	[RWY_ATTR_IPSEC_PACKET] = {.kind = BOOL},
	[RWY_ATTR_MAX_IO_EQS] = {.kind = NUMBER, .min = 1, .max = UINT32_MAX},
	[RWY_ATTR_TX_SHARE] = {.kind = NUMBER, .max = UINT32_MAX},
	[RWY_ATTR_TX_MAX] = {.kind = NUMBER, .max = UINT32_MAX},
	[RWY_ATTR_STATE] = {.kind = CHOICE, .choices = "active, inactive"},
	[RWY_ATTR_QUEUES] = {.kind = NUMBER, .max = UINT16_MAX},
	[RWY_ATTR_INTERRUPTS] = {.kind = NUMBER, .max = UINT16_MAX},
	[RWY_ATTR_RESET] = {.kind = ACTION},
	[RWY_ATTR_ONLINE] = {.kind = BOOL},
	[RWY_ATTR_DRIVER] = {.kind = NAME},
};

/* Values that are spread over keys of other names. */
static const char *const parts[] = {"vlan", "qos", "proto", "min_rate", "max_rate"};

bool rwy_attr_json_knows(const char *key)
{
	enum rwy_attr attr = rwy_attr_find(key);

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parts); i++)
		if (strcmp(parts[i], key) == 0)
			return true;
	return attr >= RWY_ATTR_OF_PF && attr != RWY_ATTR_NR && rows[attr].kind != RATE &&
	       rows[attr].kind != ACTION;
}

static void put_vlan(json_t *object, const char *text)
{
	struct rwy_attr_vlan vlan;

	if (rwy_attr_get_vlan(text, &vlan))
		return;
	json_object_set_new(object, "vlan", json_integer(vlan.id));
	json_object_set_new(object, "qos", json_integer(vlan.qos));
	json_object_set_new(object, "proto",
			    json_string(vlan.proto == ETH_P_8021AD ? "802.1ad" : "802.1q"));
}

static void put_rate(json_t *object, const char *text)
{
	struct rwy_attr_rate rate;

	if (rwy_attr_get_rate(text, &rate))
		return;
	json_object_set_new(object, "min_rate", json_integer(rate.min));
	json_object_set_new(object, "max_rate", json_integer(rate.max));
}

void rwy_attr_json_put(json_t *object, enum rwy_attr attr, const char *text)
{
	const char *name = rwy_attr_name(attr);

	if (!text[0])
		return;
	if (strcmp(text, RWY_ATTR_UNSUPPORTED) == 0) {
		json_object_set_new(object, name, json_null());
		return;
	}
	switch (rows[attr].kind) {
	case BOOL:
		json_object_set_new(object, name, json_boolean(strcmp(text, "on") == 0));
		break;
	case NUMBER:
		json_object_set_new(object, name, json_integer(strtoll(text, NULL, 10)));
		break;
	case VLAN:
		put_vlan(object, text);
		break;
	case RATE:
		put_rate(object, text);
		break;
	case ACTION:
		break;
	case NAME:
	case MAC:
	case GUID:
	case CHOICE:
		json_object_set_new(object, name, json_string(text));
		break;
	}
}

/* ---- and back ---- */

struct taking {
	const json_t *object;
	const char **key;
	struct rwy_opt_why *why;
};

static const json_t *get(struct taking *t, const char *key)
{
	*t->key = key;
	return json_object_get(t->object, key);
}

/* *value keeps what it had where the key is not there; 1: it was there. */
static int take_number(struct taking *t, const char *key, uint64_t min, uint64_t max, uint32_t *out)
{
	const json_t *value = get(t, key);
	json_int_t n = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value))
		return rwy_opt_fail(t->why, "%s must be a number", key);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return rwy_opt_fail(t->why, "%s is %lld, it may be %llu to %llu", key, (long long)n,
				    (unsigned long long)min, (unsigned long long)max);
	*out = (uint32_t)n;
	return 1;
}

/* As take_number; *out must not be empty, and is NULL where the key is not there. */
static int take_string(struct taking *t, const char *key, const char **out)
{
	const json_t *value = get(t, key);

	*out = json_string_value(value);
	if (value && (!*out || !**out))
		return rwy_opt_fail(t->why, "%s must be a text", key);
	return *out != NULL;
}

static int take_bool(struct taking *t, const char *key, char *text)
{
	const json_t *value = get(t, key);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return rwy_opt_fail(t->why, "%s must be true or false", key);
	strcpy(text, json_is_true(value) ? "on" : "off");
	return 0;
}

static int take_name(struct taking *t, const char *key, char *text)
{
	const char *name;
	int rc = take_string(t, key, &name);

	if (rc <= 0)
		return rc;
	/* It becomes part of a path. */
	if (strlen(name) >= RWY_ATTR_TEXT || strpbrk(name, "/ \t\n") || name[0] == '.')
		return rwy_opt_fail(t->why, "%s: '%s' cannot be the name of a driver", key, name);
	strcpy(text, name);
	return 0;
}

static int take_mac(struct taking *t, const char *key, unsigned nth, char *text)
{
	struct rwy_opt_why inner;
	const char *given;
	uint8_t mac[6];
	int rc = take_string(t, key, &given);

	if (rc <= 0)
		return rc;
	if (rwy_opt_mac(given, mac, &inner))
		return rwy_opt_fail(t->why, "%s: %.200s", key, inner.text);
	for (unsigned i = 6; i-- > 0 && nth; nth >>= 8) {
		nth += mac[i];
		mac[i] = (uint8_t)nth;
	}
	if (nth || mac[0] & 1)
		return rwy_opt_fail(t->why, "%s: no addresses are left after %s for all of the VFs",
				    key, given);
	rwy_attr_put_mac(text, mac);
	return 0;
}

static int take_guid(struct taking *t, const char *key, unsigned nth, char *text)
{
	const char *given;
	uint64_t guid = 0;
	int rc = take_string(t, key, &given);

	if (rc <= 0)
		return rc;
	if (strlen(given) != 23 || rwy_attr_get_guid(given, &guid))
		return rwy_opt_fail(t->why, "%s: '%s' is no GUID like 00:11:22:33:44:55:66:77", key,
				    given);
	if (RWY_ADD_OVERFLOW(guid, nth, &guid))
		return rwy_opt_fail(t->why, "%s: no GUIDs are left after %s for all of the VFs",
				    key, given);
	rwy_attr_put_guid(text, guid);
	return 0;
}

static bool is_among(const char *choices, const char *choice)
{
	size_t len = strlen(choice), n;

	for (; (n = strcspn(choices, ",")) != len || strncmp(choices, choice, n) != 0;
	     choices += n + strlen(", "))
		if (!choices[n])
			return false;
	return true;
}

static int take_choice(struct taking *t, const char *key, const char *choices, char *text)
{
	const char *choice;
	int rc = take_string(t, key, &choice);

	if (rc <= 0)
		return rc;
	if (!is_among(choices, choice))
		return rwy_opt_fail(t->why, "%s: '%s' is none of %s", key, choice, choices);
	strcpy(text, choice);
	return 0;
}

static int take_vlan(struct taking *t, char *text)
{
	struct rwy_attr_vlan vlan = {.proto = ETH_P_8021Q};
	uint32_t id = 0, qos = 0;
	const char *proto;
	int with_qos, with_proto;
	int rc = take_number(t, "qos", 0, 7, &qos);

	if (rc < 0)
		return rc;
	with_qos = rc;
	rc = with_proto = take_string(t, "proto", &proto);
	if (rc < 0)
		return rc;
	if (rc && strcmp(proto, "802.1ad") == 0)
		vlan.proto = ETH_P_8021AD;
	else if (rc && strcmp(proto, "802.1q") != 0)
		return rwy_opt_fail(t->why, "proto: '%s' is neither 802.1q nor 802.1ad", proto);
	rc = take_number(t, "vlan", 0, 4094, &id);
	if (rc < 0)
		return rc;
	if (!rc && (with_qos || with_proto)) {
		*t->key = with_qos ? "qos" : "proto";
		return rwy_opt_fail(t->why, "%s means nothing without vlan", *t->key);
	}
	vlan.id = (uint16_t)id;
	vlan.qos = (uint8_t)qos;
	if (rc)
		rwy_attr_put_vlan(text, vlan);
	return 0;
}

static int take_rate(struct taking *t, char *text)
{
	struct rwy_attr_rate rate = {0};
	int max = take_number(t, "max_rate", 0, UINT32_MAX, &rate.max);
	int min = max < 0 ? max : take_number(t, "min_rate", 0, UINT32_MAX, &rate.min);

	if (min < 0)
		return min;
	if (rate.max && rate.min > rate.max)
		return rwy_opt_fail(t->why, "min_rate %u is more than max_rate %u", rate.min,
				    rate.max);
	if (min || max)
		rwy_attr_put_rate(text, rate);
	return 0;
}

int rwy_attr_json_take(const json_t *object, enum rwy_attr attr, unsigned nth,
		       char text[RWY_ATTR_TEXT], const char **key, struct rwy_opt_why *why)
{
	struct taking t = {object, key, why};
	const char *name = rwy_attr_name(attr);
	uint32_t number = 0;
	int rc = 0;

	text[0] = '\0';
	switch (rows[attr].kind) {
	case BOOL:
		return take_bool(&t, name, text);
	case NUMBER:
		rc = take_number(&t, name, rows[attr].min, rows[attr].max, &number);
		if (rc > 0)
			snprintf(text, RWY_ATTR_TEXT, "%u", number);
		return RWY_MIN(rc, 0);
	case NAME:
		return take_name(&t, name, text);
	case MAC:
		return take_mac(&t, name, nth, text);
	case GUID:
		return take_guid(&t, name, nth, text);
	case CHOICE:
		return take_choice(&t, name, rows[attr].choices, text);
	case VLAN:
		return take_vlan(&t, text);
	case RATE:
		return take_rate(&t, text);
	case ACTION:
		break;
	}
	return rc;
}
