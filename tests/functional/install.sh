#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What `meson install` places can be used: the library by pkg-config from a program that knows no
# DPDK, each header by itself, and the driver from EAL's own folder.
. "$(dirname "$0")/lib.sh"
needs cmd:meson cmd:pkg-config cmd:cc

dest=$LAB_TMP/dest
meson install -C "$LAB_BUILD" --no-rebuild --destdir "$dest" >"$LAB_TMP/install.log" 2>&1
check "meson install ends with 0" [ $? = 0 ] || cat "$LAB_TMP/install.log"

mapfile -t pc < <(find "$dest" -name labyrinth.pc)
check "there is one labyrinth.pc" [ ${#pc[@]} = 1 ] || finish
libdir=$(dirname "${pc[0]%/*}")
export PKG_CONFIG_PATH=${pc[0]%/*} PKG_CONFIG_SYSROOT_DIR=$dest
check "the library is there under its names" quiet ls "$libdir/liblabyrinth.so" "$libdir/liblabyrinth.so.0"
ldd "$libdir/liblabyrinth.so" >"$LAB_TMP/ldd" 2>&1
check_match "it can be loaded" 'libc\.so' "$LAB_TMP/ldd"
check_not "it needs no DPDK and no GSL" grep -E 'librte|libgsl|not found' "$LAB_TMP/ldd"

read -ra cflags < <(pkg-config --cflags labyrinth)
read -ra libs < <(pkg-config --libs labyrinth)
mapfile -t headers < <(find "$dest" -path '*/include/labyrinth/*.h')
check "there are headers" [ ${#headers[@]} -gt 0 ]
for header in "${headers[@]}"; do
    check "${header##*/} compiles by itself" \
        cc -std=gnu11 -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only -x c "$header"
done

cat >"$LAB_TMP/user.c" <<'END'
#include <lab_page.h>
#include <stdio.h>

LABYRINTH_DEFINE(zone_of_user, 256);

int main(void)
{
	void *page = lab_alloc_page_gfp_atomic(zone_of_user);

	if (page == NULL)
		return 1;
	printf("a page\n");
	return 0;
}
END
check "a program compiles against it" cc -o "$LAB_TMP/user" "$LAB_TMP/user.c" "${cflags[@]}" "${libs[@]}"
check "and gets a page from a static zone" quiet env "LD_LIBRARY_PATH=$libdir" "$LAB_TMP/user"

driver=$(find "$dest" -name 'librte_mempool_labyrinth.so*' | head -n 1)
eal_dir=$(dirname "$(find /usr/lib /usr/local/lib -name 'librte_mempool_ring.so' -path '*pmds-*' 2>/dev/null | head -n 1)")
note "EAL loads drivers from $eal_dir"
check "the driver is in EAL's folder" [ "${driver%/*}" = "$dest$eal_dir" ]
finish
