# Debian packages that Berth needs, in one place: `bin/setup` installs them, `berth doctor` names the same.
# What runs pods.
RUN_PACKAGES="crun runc conmon iptables iproute2 conntrack busybox-static libatomic1"
# What the tests need on top: a registry to pull from, plugins and a runtime to compare with, tools that look at the kernel, a service manager, a browser that looks at the page, an emulator for programs of arm64.
TEST_PACKAGES="docker-registry containerd nftables containernetworking-plugins zstd util-linux procps openssl skopeo e2fsprogs criu chromium qemu-system-x86 qemu-utils qemu-user-static mmdebstrap squashfs-tools systemd"
# What the benchmark compares with.
BENCH_PACKAGES="containerd"
