#!/bin/bash
# Law: run in namespaces of its own (unshare -m -n -p -f --kill-child --mount-proc), so that all of it ends with it.
# A NetworkManager with a bus, profiles and a /run of its own; prints what it makes of the profiles in DIR/etc, one file
# each in DIR/said: what it read (NAME.read), what the kernel has when NAME is active on d0 (NAME.kernel, NAME.device),
# what it notes of that under /run (NAME.note).
# usage: networkmanager.sh DIR NAME...
set -eu
dir=$1
shift
mount --make-rprivate /
# Without udev a link never becomes ready; NetworkManager knows that from a /sys that cannot be written.
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/NetworkManager "$dir/var" "$dir/said"
mount --bind "$dir/etc" /etc/NetworkManager
mount --bind "$dir/var" /var/lib/NetworkManager
ip link set lo up
dbus-daemon --config-file="$dir/bus.conf" --fork
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
ip link add d0 type veth peer name d1
ip link set d1 up
NetworkManager --no-daemon --log-level=INFO >"$dir/said/log" 2>&1 &
for _ in $(seq 300); do
    if nmcli -t -f RUNNING general 2>/dev/null | grep -q '^running'; then break; fi
    sleep 0.1
done
nmcli device set d0 managed yes
for file in "$dir"/etc/system-connections/*; do
    id=$(sed -n 's/^id=//p' "$file" | head -1)
    nmcli --terse --mode multiline connection show "$id" >"$dir/said/$id.read" || true
done
for name in "$@"; do
    nmcli --wait 30 connection up "$name" ifname d0 >>"$dir/said/log"
    {
        ip -json address show dev d0 scope global
        ip -json -4 route show
        ip -json -6 route show
    } >"$dir/said/$name.kernel"
    nmcli --terse -f IP4,IP6 device show d0 >"$dir/said/$name.device"
    cp "/run/NetworkManager/devices/$(cat /sys/class/net/d0/ifindex)" "$dir/said/$name.note"
done
