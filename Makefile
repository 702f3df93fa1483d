# Two commands show it all: `make demo` and `make test`. Each installs what is missing.
BINARY := .build/release/quintet

.PHONY: demo test build install packages clean

demo: build
	$(BINARY) demo --out demo

# Tests run optimised: voxel loops without optimisation would take hours. Their build has a folder of its own,
# since the program itself is linked with the static Swift runtime and the tests are not.
test: packages
	swift build -c release --build-tests --scratch-path .build-tests
	swift test -c release --skip-build --scratch-path .build-tests

# One file that runs on a machine without Swift.
build: packages
	swift build -c release --static-swift-stdlib --product quintet

PREFIX ?= /usr/local
install: build
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/quintet

packages:
	@cluster/install-packages.sh

clean:
	rm -rf .build .build-tests demo
