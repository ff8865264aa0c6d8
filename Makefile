# The front door. On a bare Debian 12, `make run` and `make test` do everything: packages, configuration, build.

PRESET ?= release
JOBS ?= $(shell nproc)
MODEL ?=
PROMPT ?= Once upon a time
MESSAGE ?= my card has not arrived yet
SECONDS_EACH ?= 60

PACKAGES := build-essential cmake ninja-build pkg-config ccache mold git python3 \
  libcli11-dev libfmt-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libsodium-dev libedit-dev libgtest-dev libgmock-dev \
  libboost1.81-dev libssl-dev prometheus-cpp-dev libtomlplusplus-dev libcurl4-openssl-dev openssl \
  python3-jinja2 python3-jsonschema python3-numpy python3-yaml
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev googletest
CROSS_PACKAGES := g++-aarch64-linux-gnu qemu-user googletest
# install(1): the packages that are missing, with sudo when not root
install = missing=$$(for p in $(1); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
  if [ -n "$$missing" ]; then echo "installing: $$missing"; \
    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
    $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

# ccache takes a file's dependencies from the compiler rather than reading all headers a second time.
export CCACHE_DEPEND := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros

.PHONY: all build run test unit asan sanitize tsan fuzz cross format clean packages
all: build

packages:
	@$(call install,$(PACKAGES))

build: packages
	@cmake --preset $(PRESET) >build-$(PRESET).log 2>&1 || { cat build-$(PRESET).log; rm -f build-$(PRESET).log; exit 1; }
	@rm -f build-$(PRESET).log
	@cmake --build build/$(PRESET) -j $(JOBS) --target minnow

# Answers with the models that come with minnow, or with MODEL.
run: build
	@if [ -n "$(MODEL)" ]; then build/$(PRESET)/minnow run "$(MODEL)" "$(PROMPT)" -n 200; else \
	  echo "minnow-tiny goes on from '$(PROMPT)':"; \
	  build/$(PRESET)/minnow run minnow-tiny "$(PROMPT)" -n 120; \
	  echo; echo "minnow-triage reads '$(MESSAGE)':"; \
	  build/$(PRESET)/minnow run minnow-triage "$(MESSAGE)"; fi

# Everything that has to hold before a change lands: all tests of the release build, then the unit tests of the rooms that
# read files again under the address, leak and undefined-behaviour sanitizers. `make sanitize` does so with all rooms, which takes
# as long as everything else.
test: unit asan

unit: packages
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build build/$(PRESET) -j $(JOBS)
	@ctest --test-dir build/$(PRESET) --output-on-failure -j $(JOBS)

SANITIZED := base formats
empty :=
bar := $(empty)|$(empty)

asan: packages
	@cmake --preset asan >/dev/null
	@cmake --build build/asan -j $(JOBS) --target $(SANITIZED:%=%_tests)
	@ctest --test-dir build/asan --output-on-failure -j $(JOBS) -R '^unit\.($(subst $(empty) $(empty),$(bar),$(SANITIZED)))'

sanitize: packages
	@cmake --preset asan >/dev/null
	@cmake --build build/asan -j $(JOBS) --target unit_tests
	@ctest --test-dir build/asan --output-on-failure -j $(JOBS) -L unit

tsan: packages
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan -j $(JOBS) --target base_tests cpu_tests engine_tests respond_tests serve_tests
	@ctest --test-dir build/tsan --output-on-failure -R 'unit.(base|cpu|engine|respond|serve)'

fuzz: packages
	@$(call install,$(FUZZ_PACKAGES))
	@cmake --preset fuzz >/dev/null
	@cmake --build build/fuzz -j $(JOBS) --target fuzzers
	@fuzz/run.sh $(SECONDS_EACH)

cross: packages
	@$(call install,$(CROSS_PACKAGES))
	@cmake --preset aarch64 >/dev/null
	@cmake --build build/aarch64 -j $(JOBS)
	@ctest --test-dir build/aarch64 --output-on-failure -j $(JOBS)

format:
	@clang-format -i $$(git ls-files 'src/*.cc' 'src/*.h' 'fuzz/*.cc' 'tests/*.cc')

clean:
	@rm -rf build
