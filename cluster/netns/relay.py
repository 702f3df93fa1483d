#!/usr/bin/env python3
"""A long way for packets: a TUN device whose packets come back from it later, or never, or in another order.

    relay.py DEVICE DELAY_MS LOSS_PERCENT REORDER_PERCENT

Stands in for `tc netem`, which many kernels lack; the router sends through it what is to be delayed. REORDER_PERCENT of
the packets take a fifth longer, so that those behind them overtake.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PACKET_INFORMATION = 0x0001 | 0x1000


def main():
    device, delay, loss, reorder = sys.argv[1], *map(float, sys.argv[2:])
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN_NO_PACKET_INFORMATION))
    chance = random.Random(1)
    waiting, number = [], 0
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([tun], [], [], timeout)[0]:
            packet = os.read(tun, 65536)
            if chance.random() * 100 >= loss:
                longer = 1.2 if chance.random() * 100 < reorder else 1
                number += 1
                heapq.heappush(waiting, (time.monotonic() + longer * delay / 1000, number, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            try:
                os.write(tun, heapq.heappop(waiting)[2])
            except OSError:
                pass  # the device is down, or its queue is full: lost, as on a real way


if __name__ == "__main__":
    main()
