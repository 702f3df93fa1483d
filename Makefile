# Two commands show it all: `make demo` and `make test`. Each installs what is missing.
BINARY := .build/release/quintet

.PHONY: demo test build dicom install install-files dist packages packages-dicom clean test-batch test-containers test-dicom test-kubernetes test-lab test-metrics test-netns test-operations test-packages test-slurm test-standby

# What `quintet --version` and every handshake say it was built from.
export QUINTET_COMMIT := $(shell commit=$$(git rev-parse --short=12 HEAD 2>/dev/null) && printf %s "$$commit" && \
	{ git diff --quiet HEAD || printf %s -changed; })

demo: build
	$(BINARY) demo --out demo

# Tests run optimised: voxel loops without optimisation would take hours. Their build has a folder of its own,
# since the program itself is linked with the static Swift runtime and the tests are not.
test: packages dicom
	swift build -c release --build-tests --scratch-path .build-tests
	QUINTET_DICOM=$(CURDIR)/$(DICOM) swift test -c release --skip-build --scratch-path .build-tests

# One file that runs on a machine without Swift.
build: packages
	swift build -c release --static-swift-stdlib --product quintet
	@$(PLACE_DICOM)

# The program that reads DICOM, through DCMTK; `make demo` does not build it.
DICOM := .build/dicom/quintet-dicom
DICOM_SOURCES := $(wildcard Sources/quintet-dicom/*.cpp)
DICOM_OBJECTS := $(DICOM_SOURCES:Sources/quintet-dicom/%.cpp=.build/dicom/%.o)
# Beside the program that starts it, once that is built.
PLACE_DICOM = if [ -d .build/release ] && [ -x $(DICOM) ]; then cp -f $(DICOM) .build/release/; fi
CXXFLAGS ?= -O2

dicom: packages-dicom
	@$(MAKE) --no-print-directory -j2 $(DICOM)
	@$(PLACE_DICOM)

$(DICOM): $(DICOM_OBJECTS)
	$(CXX) -pie -Wl,-z,relro,-z,now $^ -o $@ -ldcmseg -ldcmfg -ldcmiod -ldcmjpeg -ldcmjpls -ldcmdata -loflog -lofstd

.build/dicom/%.o: Sources/quintet-dicom/%.cpp $(wildcard Sources/quintet-dicom/*.h)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(CXXFLAGS) -Wall -Wextra -Werror -fPIE -fstack-protector-strong -c $< -o $@

PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
COMMANDS = $(shell $(BINARY) --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')

# The program, manual pages and shell completion, all made from the same description of its commands.
install: build install-files

install-files:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/quintet
	if [ -x $(DICOM) ]; then install -m 755 $(DICOM) $(DESTDIR)$(PREFIX)/bin/quintet-dicom; fi
	install -d $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/fish/vendor_completions.d
	$(BINARY) completion bash > $(SHARE)/bash-completion/completions/quintet
	$(BINARY) completion fish > $(SHARE)/fish/vendor_completions.d/quintet.fish
	$(BINARY) man > $(SHARE)/man/man1/quintet.1
	for command in $(COMMANDS); do $(BINARY) man $$command > $(SHARE)/man/man1/quintet-$$command.1 || exit 1; done

# A tarball and a Debian package that need no Swift, in dist/.
dist: build dicom
	cluster/package/dist.sh "$$($(BINARY) --version | sed 's/^quintet \([^,]*\),.*/\1/')"

# The package installed in a bare Debian: needs root and the network.
test-packages: dist
	cluster/package/test.sh

# Workers that come and go under a real Slurm on this machine: needs root.
test-slurm: build
	cluster/slurm/test.sh

# Backup, restore, moving, upgrades, full disks and lost states in the middle of trainings: needs root.
test-operations: build
	cluster/operations/test.sh

# Several hosts in network namespaces, whose network is disturbed: needs root.
test-netns: build
	cluster/netns/test.sh

# The image, run by podman as a cluster would run it: needs root and the network.
test-containers: dist
	cluster/container/test.sh

# Kubernetes' manifests against its schemas: needs PyPI.
test-kubernetes: build
	cluster/kubernetes/check.sh

# As test-slurm, under a real Grid Engine and a real HTCondor.
test-batch: build
	cluster/gridengine/test.sh
	cluster/htcondor/test.sh

# A coordinator under promtool.
test-metrics: build
	cluster/metrics/test.sh

# A standby that takes over in the middle of a training and of an archive.
test-standby: build
	cluster/standby/test.sh

# Workers that come and go by ssh, against real sshds on this machine: needs root.
test-lab: build
	cluster/lab/test.sh

# DICOM made by pydicom of a CT (make test-dicom CT=file): needs root and PyPI.
test-dicom: build dicom
	cluster/dicom/check.sh "$(CT)"
	cluster/dicom/seg.sh

packages:
	@cluster/install-packages.sh

packages-dicom:
	@cluster/install-packages.sh dicom

clean:
	rm -rf .build .build-tests demo dist
