"""Which addresses may be asked."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.probing.public import is_public, networks

PRIVATE = (
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "ff02::1", "2001:db8::1", "100::1", "5f00::1",
    "3fff::1", "2001:2::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "::ffff:0:127.0.0.1",
    "2001:470::5efe:7f00:1", "2001:470::200:5efe:a00:1", "not an address", "",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2001:4860:4860::8888",
    "::ffff:8.8.8.8", "64:ff9b::808:808",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_known_to_be_public_is_refused(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_a_disguise_changes_nothing(number):
    plain = IPv4Address(number)
    disguises = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80),
    ]

    assert {is_public(str(each)) for each in disguises} == {is_public(str(plain))}


def test_the_operator_may_allow_a_network_and_no_more_than_it():
    allowed = networks(["10.1.0.0/16", "fd00::/64"])

    assert is_public("10.1.2.3", allowed)
    assert is_public("::ffff:10.1.2.3", allowed)
    assert is_public("fd00::5", allowed)
    assert not is_public("10.2.0.1", allowed)
    # Teredo carries two addresses; both must be allowed.
    assert not is_public(
        str(IPv6Address((0x20010000 << 96) | (0x0A010203 << 64) | (~0x7F000001 & 0xFFFFFFFF))), allowed
    )
