/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Ports that come and go while the program runs. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>

#include "app.h"
#include "wire.h"

static int
attach_device(struct app *app, const char *identifier)
{
	struct rte_dev_iterator it;
	unsigned int found = 0;
	uint16_t id;
	int rc = rte_dev_probe(identifier);

	if (rc)
		return cmd_fail(
			app, rc, "Failed to attach port %s: %s", identifier, rte_strerror(-rc));
	RTE_ETH_FOREACH_MATCHING_DEV(id, identifier, &it)
	{
		port_add(app, id);
		printf("Port %u is attached. Now total ports is %u\n", id, ports_count(app));
		found++;
	}
	if (found == 0)
		return cmd_fail(app, -ENODEV, "%s was probed, but makes no port", identifier);
	return 0;
}

int
port_attach(struct app *app, const char *identifier)
{
	int rc;

	printf("Attaching a new port...\n");
	if (app->fwd.running)
		return cmd_fail(app, -EBUSY, "Please stop forwarding first (stop)");
	if (strncmp(identifier, "wire:", 5))
		rc = attach_device(app, identifier);
	else
		rc = wire_attach(app, identifier + 5);
	if (rc == 0)
		printf("Done\n");
	return rc;
}

int
port_detach(struct app *app, uint16_t id)
{
	struct port *p = &app->ports.p[id];
	struct rte_eth_dev_info info;
	int rc;

	printf("Removing a device...\n");
	if (p->started)
		return cmd_fail(app, -EBUSY, "Port %u is not stopped", id);
	if (p->wire)
		return port_close(app, id);
	rc = rte_eth_dev_info_get(id, &info);
	if (rc)
		return cmd_fail(app, rc, "port %u: %s", id, rte_strerror(-rc));
	rc = rte_dev_remove(info.device);
	if (rc)
		return cmd_fail(app, rc, "Failed to detach port %u: %s", id, rte_strerror(-rc));
	p->known = false;
	fwd_changed(app);
	printf("Port %u is detached. Now total ports is %u\nDone\n", id, ports_count(app));
	return 0;
}
